//! Sends batches and finds out what became of each row.
//!
//! An array is stored whole or not at all, so a refused one is told apart: by the issues the server names, by the ids
//! that are there already, else by halves. A row sent twice (after a lost answer or a resumed import) is known by its
//! id and counts as imported.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::batch::{Batch, Item};
use super::rejects::Reject;
use super::row::Mark;
use crate::cli::client::{Client, Reply};
use crate::cli::outcome::{Exit, Failure};
use crate::cli::percent;
use crate::ids;

/// Bytes of ids in one question; an address has 8 KiB.
const QUESTION_BYTES_MAX: usize = 6 << 10;
/// How often an overloaded server is asked again.
const BUSY_TRIES_MAX: u32 = 120;
/// How often a server that does not answer is asked again.
const LOST_TRIES_MAX: u32 = 6;
const WAIT_S_MAX: u64 = 60;

/// The way to a server.
pub(crate) trait Wire: Send {
    fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Reply, Failure>;
}

impl Wire for Client {
    fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Reply, Failure> {
        Client::send(self, method, path, headers, body.map(|body| ("application/json", body)))
    }
}

/// Sends batches of one import over one connection at a time.
pub(crate) struct Delivery<'a> {
    pub(crate) wire: Box<dyn Wire>,
    pub(crate) collection: &'a str,
    /// Somebody else has failed: do not wait for better times.
    pub(crate) stop: &'a AtomicBool,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) number: u64,
    pub(crate) after: Mark,
    pub(crate) imported: u64,
    pub(crate) rejects: Vec<Reject>,
}

impl Delivery<'_> {
    /// # Errors
    /// 5 when the server cannot be reached or stays overloaded, 1 when it does not allow the import at all.
    pub(crate) fn deliver(&self, batch: Batch) -> Result<Done, Failure> {
        let mut done = Done { number: batch.number, after: batch.after, imported: 0, rejects: batch.rejects };
        let items: Vec<&Item> = batch.items.iter().collect();
        if self.collection == "positions" {
            self.tell_positions(&items, &mut done)?;
        } else {
            self.store(&items, &mut done)?;
        }
        done.rejects.sort_by_key(|reject| reject.line);
        Ok(done)
    }

    fn store(&self, items: &[&Item], done: &mut Done) -> Result<(), Failure> {
        if items.is_empty() {
            return Ok(());
        }
        let path = format!("/api/{}", percent::encode(self.collection));
        let reply = self.send(Method::POST, &path, &[], Some(array(items)))?;
        match reply.status {
            200..=299 => done.imported += items.len() as u64,
            400 | 409 | 412 | 413 | 422 => self.tell_apart(items, &reply, done)?,
            status => return Err(Failure::from_status(status, words(&reply))),
        }
        Ok(())
    }

    /// The array was refused as a whole: whose fault was it?
    fn tell_apart(&self, items: &[&Item], reply: &Reply, done: &mut Done) -> Result<(), Failure> {
        let body = reply.json();
        if let Some(told) =
            body.get("_items").and_then(Value::as_array).filter(|told| told.len() == items.len())
        {
            let is_bad = |told: &Value| told.get("_status").and_then(Value::as_str) == Some("ERR");
            if told.iter().any(is_bad) {
                let (bad, good): (Vec<_>, Vec<_>) =
                    items.iter().zip(told).partition(|(_, told)| is_bad(told));
                for (item, told) in bad {
                    done.rejects.push(reject(
                        item,
                        "the document breaks rules of its resource",
                        told.get("_issues"),
                    ));
                }
                let good: Vec<&Item> = good.into_iter().map(|(item, _)| *item).collect();
                return self.store(&good, done);
            }
        }
        if reply.status == 409 {
            let known = self.known(items)?;
            if !known.is_empty() {
                return self.settle_known(items, &known, done);
            }
        }
        match items {
            [only] => done.rejects.push(reject(only, &words(reply), body.get("_issues"))),
            _ => {
                let (left, right) = items.split_at(items.len() / 2);
                self.store(left, done)?;
                self.store(right, done)?;
            }
        }
        Ok(())
    }

    /// Rows that are there already are imported, unless something else has their id.
    fn settle_known(
        &self,
        items: &[&Item],
        known: &HashMap<String, Value>,
        done: &mut Done,
    ) -> Result<(), Failure> {
        let mut rest = Vec::new();
        for &item in items {
            match item.id.as_ref().and_then(|id| known.get(id)) {
                None => rest.push(item),
                Some(stored) if item.id_is_digest || holds(stored, &item.document) => done.imported += 1,
                Some(_) => {
                    let reason = "a document with this _id exists already, with another content";
                    done.rejects.push(reject(item, reason, None));
                }
            }
        }
        self.store(&rest, done)
    }

    /// Stored documents with the ids of these rows.
    fn known(&self, items: &[&Item]) -> Result<HashMap<String, Value>, Failure> {
        let mut known = HashMap::new();
        let mut ids: Vec<&str> = items.iter().filter_map(|item| item.id.as_deref()).collect();
        while !ids.is_empty() {
            let mut bytes = 0;
            let some = ids.iter().take_while(|id| {
                bytes += percent::encode(id).len() + 9;
                bytes <= QUESTION_BYTES_MAX
            });
            let some = some.count().clamp(1, ids.len());
            let asked: Vec<&str> = ids.drain(..some).collect();
            let filter = percent::encode(&json!({"_id": {"$in": asked}}).to_string());
            let path = format!("/api/{}?max_results=500&where={filter}", percent::encode(self.collection));
            let reply = self.send(Method::GET, &path, &[], None)?;
            if reply.status != 200 {
                return Err(Failure::from_status(reply.status, words(&reply)));
            }
            let mut body = reply.json();
            let found = body.get_mut("_items").and_then(Value::as_array_mut).map(std::mem::take);
            for document in found.unwrap_or_default() {
                let id = document.get("_id").and_then(Value::as_str).map(str::to_owned);
                known.extend(id.map(|id| (id, document)));
            }
        }
        Ok(known)
    }

    /// Fixes have no ids; the key lets the server know a batch that comes twice.
    fn tell_positions(&self, items: &[&Item], done: &mut Done) -> Result<(), Failure> {
        if items.is_empty() {
            return Ok(());
        }
        let body = array(items);
        let digest = Sha256::digest(&body);
        let key = format!("import-{}", ids::hex(digest.get(..16).unwrap_or_default()));
        let reply = self.send(Method::POST, "/api/positions", &[("idempotency-key", &key)], Some(body))?;
        if reply.status != 202 {
            return match (reply.status, items) {
                (400 | 413 | 422, [only]) => {
                    done.rejects.push(reject(only, &words(&reply), reply.json().get("_issues")));
                    Ok(())
                }
                (400 | 413 | 422, _) => {
                    let (left, right) = items.split_at(items.len() / 2);
                    self.tell_positions(left, done)?;
                    self.tell_positions(right, done)
                }
                (status, _) => Err(Failure::from_status(status, words(&reply))),
            };
        }
        let body = reply.json();
        let mut refused = 0;
        for told in body.get("rejected").and_then(Value::as_array).into_iter().flatten() {
            let index =
                told.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok());
            let reason = told.get("error").and_then(Value::as_str).unwrap_or("refused");
            if let Some(item) = index.and_then(|index| items.get(index)) {
                done.rejects.push(reject(item, reason, None));
                refused += 1;
            }
        }
        done.imported += items.len() as u64 - refused;
        Ok(())
    }

    /// Waits as long as an overloaded server asks for.
    fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Reply, Failure> {
        let (mut busy, mut lost) = (0, 0);
        loop {
            let outcome = self.wire.send(method.clone(), path, headers, body.clone());
            let wait_s = match &outcome {
                Ok(reply) if matches!(reply.status, 429 | 503 | 504) && busy < BUSY_TRIES_MAX => {
                    busy += 1;
                    reply.json().get("retry_after").and_then(Value::as_u64).unwrap_or(1)
                }
                Err(failure) if failure.exit == Exit::Unavailable && lost < LOST_TRIES_MAX => {
                    lost += 1;
                    1 << lost.min(3)
                }
                _ => return outcome,
            };
            for _ in 0..wait_s.clamp(1, WAIT_S_MAX) * 10 {
                if self.stop.load(Ordering::Relaxed) {
                    return outcome;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn array(items: &[&Item]) -> Bytes {
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    format!("[{}]", texts.join(",")).into()
}

/// Whether a stored document has every member of this one; the server adds defaults and names of its own.
fn holds(stored: &Value, document: &Map<String, Value>) -> bool {
    document.iter().all(|(name, value)| name.starts_with('_') || stored.get(name) == Some(value))
}

fn reject(item: &Item, reason: &str, issues: Option<&Value>) -> Reject {
    let issues = issues.and_then(Value::as_object).cloned().unwrap_or_default();
    Reject { line: item.line, reason: reason.to_owned(), issues, row: Value::Object(item.row.clone()) }
}

fn words(reply: &Reply) -> String {
    let body = reply.json();
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let words = text("detail").or_else(|| text("_message")).unwrap_or("the server refused");
    format!("{words} (status {})", reply.status)
}

#[cfg(test)]
mod tests;
