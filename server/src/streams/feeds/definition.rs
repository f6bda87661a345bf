//! What a named feed is about, as clients give it and as it is stored.
//!
//! ```text
//! {"collections": [name..], "where"?: condition, "bbox"?: [w,s,e,n] | "circle"?: {"center": [lon,lat], "radius_m"},
//!  "partitions"?: 1..64, "from"?: "now" | "earliest" | SEQ | "EPOCH-SEQ"}
//! ```
//! Stored under the feed's name with `user`, and `from` as the sequence it came to.

use std::collections::BTreeSet;

use dateline_engine::{Document, Seq};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::eve::Filter;
use crate::eve::problem::{Problem, Slug};
use crate::resources::answer;
use crate::streams::part::Part;
use crate::streams::position::beginning;
use crate::streams::topics::Topics;
use crate::streams::view::View;

const PARTITIONS_USUAL: u64 = 8;
const PARTITIONS_MAX: u64 = 64;
const NAME_MAX: usize = 64;
const COLLECTIONS_MAX: usize = 64;

/// One feed.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    /// Whose feed it is: nobody else reads it.
    pub(crate) user: String,
    pub(super) collections: BTreeSet<String>,
    pub(super) condition: Option<Value>,
    pub(super) part: Option<Part>,
    pub(crate) partitions: usize,
    pub(crate) from: Seq,
}

impl Definition {
    /// Reads what a client asks for.
    ///
    /// # Errors
    /// 400 naming the member; 410 when `from` cannot be read from.
    pub(crate) fn asked(app: &App, user: &str, body: &Map<String, Value>) -> Result<Self, Problem> {
        const MEMBERS: [&str; 7] = ["name", "collections", "where", "bbox", "circle", "partitions", "from"];
        if let Some(unknown) = body.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(bad(unknown, "unknown member"));
        }
        let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
            return Err(bad("name", "1 to 64 lower-case letters, digits, '_' and '-'"));
        }
        let from = start(app, body.get("from"))?;
        let mut known = body.clone();
        known.insert("user".to_owned(), user.into());
        known.insert("from".to_owned(), from.get().into());
        let definition = Self::read(name, &known)?;
        if definition.collections.is_empty() || definition.collections.len() > COLLECTIONS_MAX {
            return Err(bad("collections", "1 to 64 names of collections"));
        }
        if let Some(part) = definition.part {
            part.check(app, &definition.topics())?;
        }
        Ok(definition)
    }

    /// Reads what is stored.
    ///
    /// # Errors
    /// `Internal` when the stored body is damaged.
    pub(crate) fn stored(document: &Document) -> Result<Self, Problem> {
        let Value::Object(body) = answer::body_of(document)? else {
            return Err(answer::damaged(document, "not an object"));
        };
        Self::read(document.id.as_str(), &body).map_err(|_| answer::damaged(document, "not a feed"))
    }

    fn read(name: &str, body: &Map<String, Value>) -> Result<Self, Problem> {
        let collections = match body.get("collections") {
            None => Some(BTreeSet::new()),
            Some(names) => names.as_array().and_then(|names| {
                names.iter().map(|name| name.as_str().map(|name| name.trim().to_owned())).collect()
            }),
        };
        let collections = collections.ok_or_else(|| bad("collections", "1 to 64 names of collections"))?;
        let condition = body.get("where").filter(|condition| !condition.is_null()).cloned();
        if condition.as_ref().is_some_and(|condition| !condition.is_object()) {
            return Err(bad("where", "expected a condition, which is an object"));
        }
        let part = Part::of(body)?;
        let partitions = match body.get("partitions").filter(|count| !count.is_null()) {
            None => Some(PARTITIONS_USUAL),
            Some(count) => count.as_u64().filter(|count| (1..=PARTITIONS_MAX).contains(count)),
        };
        let partitions = partitions.and_then(|count| usize::try_from(count).ok());
        let partitions = partitions.ok_or_else(|| bad("partitions", "a whole number from 1 to 64"))?;
        let user = body.get("user").and_then(Value::as_str).unwrap_or_default().to_owned();
        let from = Seq::new(body.get("from").and_then(Value::as_u64).unwrap_or(0));
        Ok(Self { name: name.to_owned(), user, collections, condition, part, partitions, from })
    }

    /// What is stored, and shown.
    pub(crate) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("name".to_owned(), self.name.as_str().into());
        body.insert("user".to_owned(), self.user.as_str().into());
        body.insert("collections".to_owned(), json!(self.collections));
        if let Some(condition) = &self.condition {
            body.insert("where".to_owned(), condition.clone());
        }
        if let Some((name, value)) = self.part.map(Part::shown) {
            body.insert(name.to_owned(), value);
        }
        body.insert("partitions".to_owned(), self.partitions.into());
        body.insert("from".to_owned(), self.from.get().into());
        body
    }

    /// What a consumer gets to see of the log through this feed.
    ///
    /// # Errors
    /// 403 and 404 when a collection may not be read; 400 when the condition cannot be read.
    pub(crate) fn view(&self, app: &App, principal: Principal) -> Result<View, Problem> {
        let condition = self.condition.as_ref().map_or(String::new(), Value::to_string);
        let filter = Filter::parse(&condition)?;
        let within = self.part.map(Part::within).transpose()?;
        Ok(View::new(app, principal, self.topics(), filter, true)?.within(within))
    }

    fn topics(&self) -> Topics {
        Topics { changes: self.collections.clone(), ..Topics::default() }
    }
}

/// Where a feed begins.
///
/// # Errors
/// 400 when it is no position; 410 when it cannot be read from.
pub(crate) fn start(app: &App, from: Option<&Value>) -> Result<Seq, Problem> {
    let text = match from {
        None | Some(Value::Null) => "now".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    beginning(app.store(), "from", &text)?
        .ok_or_else(|| bad("from", "expected 'now', 'earliest', a log sequence or EPOCH-SEQ"))
}

/// A member of the body that is wrong.
pub(crate) fn bad(member: &str, why: &str) -> Problem {
    Problem::new(Slug::ValidationFailed, format!("{member}: {why}")).issue(member, why)
}
