//! What a client says on a socket.
//!
//! ```text
//! {"op": "sub", "id": N, "topics"?: [text..], "where"?: condition, "bbox"? | "circle"?: part, "include"?: "doc" | "meta",
//!  "last_event_id"?: "EPOCH-SEQ" | "now" | "earliest", "credit"?: 1..1000, "name"?: text}
//! {"op": "ack", "id": N, "seq": N}      {"op": "unsub", "id": N, "forget"?: bool}
//! {"op": "pos", "positions": [position..], "durability"?: "sync" | "buffered"}      {"op": "ping"}
//! ```
//! Pure: nothing is looked up here. Unknown members are refused, so that a misspelt one is no surprise later.

use dateline_engine::{Durability, Seq};
use serde_json::{Map, Value};

use crate::eve::problem::Problem;
use crate::eve::{Filter, json};
use crate::streams::feeds::bad;
use crate::streams::named;
use crate::streams::part::Part;
use crate::streams::topics::Topics;

/// Bytes of one message.
pub(super) const BYTES_MAX: usize = 256 << 10;
/// Events under way of one subscription.
const CREDIT_MAX: u64 = 1_000;
/// Events under way of a named subscription that says nothing about it: without acknowledgements it would not move.
const CREDIT_NAMED: usize = 100;
/// Whole numbers above are not exact in JavaScript.
const ID_MAX: u64 = (1 << 53) - 1;
const TOPICS_MAX: usize = 64;

/// One message.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe(Box<Wanted>),
    Acknowledge { id: u64, seq: Seq },
    Unsubscribe { id: u64, forget: bool },
    Positions { positions: Vec<Value>, durability: Durability },
    Ping,
}

/// A subscription as it is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: u64,
    pub(super) topics: Topics,
    /// The topics as they were written.
    pub(super) written: String,
    pub(super) filter: Filter,
    pub(super) part: Option<Part>,
    pub(super) with_documents: bool,
    pub(super) last: Option<String>,
    pub(super) credit: Option<usize>,
    pub(super) name: Option<String>,
}

/// A message that is not done, with as much of it as could be read.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) re: Option<&'static str>,
    pub(super) id: Option<u64>,
    pub(super) problem: Problem,
}

impl Command {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it, naming the member.
    pub(super) fn parse(text: &str) -> Result<Self, Box<Refused>> {
        let refused = |re, id, problem| Box::new(Refused { re, id, problem });
        let limits = json::Limits::BODY.with_bytes(BYTES_MAX);
        let message = match json::parse(text.as_bytes(), &limits) {
            Ok(Value::Object(message)) => message,
            Ok(_) => return Err(refused(None, None, bad("op", "expected an object"))),
            Err(error) => return Err(refused(None, None, error.into())),
        };
        let id = message.get("id").and_then(Value::as_u64).filter(|id| *id <= ID_MAX);
        let op = message.get("op").and_then(Value::as_str).unwrap_or_default();
        let Some((op, members)) = OPS.iter().find(|(known, _)| *known == op) else {
            return Err(refused(None, id, bad("op", "expected sub, ack, unsub, pos or ping")));
        };
        Self::read(op, members, id, message).map_err(|problem| refused(Some(op), id, problem))
    }

    fn read(
        op: &str,
        members: &[&str],
        id: Option<u64>,
        mut message: Map<String, Value>,
    ) -> Result<Self, Problem> {
        let unknown = |name: &str| name != "op" && !members.contains(&name);
        if let Some(unknown) = message.keys().find(|name| unknown(name)) {
            return Err(bad(unknown, "unknown member"));
        }
        if op == "ping" {
            return Ok(Self::Ping);
        }
        if op == "pos" {
            let Some(Value::Array(positions)) = message.shift_remove("positions") else {
                return Err(bad("positions", "expected an array"));
            };
            return Ok(Self::Positions { positions, durability: durability(&message)? });
        }
        let id = id.ok_or_else(|| bad("id", "a whole number from 0 to 2^53 - 1"))?;
        match op {
            "sub" => Ok(Self::Subscribe(Box::new(Wanted::read(id, &message)?))),
            "ack" => {
                let seq = message.get("seq").and_then(Value::as_u64);
                let seq = seq.ok_or_else(|| bad("seq", "expected a log sequence"))?;
                Ok(Self::Acknowledge { id, seq: Seq::new(seq) })
            }
            _ => Ok(Self::Unsubscribe { id, forget: flag(&message, "forget")? }),
        }
    }
}

/// Every `op`, and the members it takes.
const OPS: [(&str, &[&str]); 5] = [
    ("sub", &["id", "topics", "where", "bbox", "circle", "include", "last_event_id", "credit", "name"]),
    ("ack", &["id", "seq"]),
    ("unsub", &["id", "forget"]),
    ("pos", &["positions", "durability"]),
    ("ping", &[]),
];

impl Wanted {
    fn read(id: u64, message: &Map<String, Value>) -> Result<Self, Problem> {
        let given = |name: &str| message.get(name).filter(|value| !value.is_null());
        let text = |name: &str| match given(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(bad(name, "expected a text")),
        };
        let names = match given("topics") {
            None => Vec::new(),
            Some(names) => {
                let names = names.as_array().filter(|names| names.len() <= TOPICS_MAX);
                let names = names.and_then(|names| names.iter().map(Value::as_str).collect());
                names.ok_or_else(|| bad("topics", "expected an array of up to 64 texts"))?
            }
        };
        let filter = match given("where") {
            None => Filter::everything(),
            Some(condition @ Value::Object(_)) => Filter::parse(&condition.to_string())?,
            Some(_) => return Err(bad("where", "expected a condition, which is an object")),
        };
        let name = text("name")?;
        name.map_or(Ok(()), named::check)?;
        let credit = match given("credit") {
            None => name.map(|_| CREDIT_NAMED),
            Some(credit) => {
                let credit = credit.as_u64().filter(|credit| (1..=CREDIT_MAX).contains(credit));
                let credit = credit.and_then(|credit| usize::try_from(credit).ok());
                Some(credit.ok_or_else(|| bad("credit", "a whole number from 1 to 1000"))?)
            }
        };
        let with_documents = match text("include")? {
            None | Some("doc") => true,
            Some("meta") => false,
            Some(_) => return Err(bad("include", "expected 'doc' or 'meta'")),
        };
        Ok(Self {
            id,
            topics: Topics::of(names.iter().copied())?,
            written: names.join(","),
            filter,
            part: Part::of(message)?,
            with_documents,
            last: text("last_event_id")?.filter(|last| !last.is_empty()).map(str::to_owned),
            credit,
            name: name.map(str::to_owned),
        })
    }
}

fn flag(message: &Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match message.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(bad(name, "expected true or false")),
    }
}

fn durability(message: &Map<String, Value>) -> Result<Durability, Problem> {
    match message.get("durability").map(Value::as_str) {
        None | Some(Some("sync")) => Ok(Durability::Sync),
        Some(Some("buffered")) => Ok(Durability::Buffered),
        Some(_) => Err(bad("durability", "expected 'sync' or 'buffered'")),
    }
}

#[cfg(test)]
mod tests;
