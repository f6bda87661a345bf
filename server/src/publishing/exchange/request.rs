//! What the exchange is asked for, as the payload of a job.

use std::time::Duration;

use dateline_engine::{Error, LeasedJob, NewJob, Result};
use dateline_publish::recipients::Action;
use serde_json::{Value, json};

use super::routing::ATTEMPTS_MAX;

/// Lane of the jobs.
pub(crate) const PUBLISH_LANE: &str = "publish";

const ACTIONS: [(Action, &str); 6] = [
    (Action::Publish, "publish"),
    (Action::Correct, "correct"),
    (Action::Kill, "kill"),
    (Action::Takedown, "takedown"),
    (Action::Unpublish, "unpublish"),
    (Action::Resend, "resend"),
];

/// A publish request: `{"action", "item", "published", "again", "chosen"}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) action: Action,
    /// The id of the item.
    pub(crate) item: String,
    /// The id of its row in `published`.
    pub(crate) published: String,
    /// The row was exchanged before, and now goes to those as well who have not got it.
    pub(crate) again: bool,
    /// The ids of the subscribers somebody chose.
    pub(crate) chosen: Vec<String>,
}

impl Request {
    fn to_json(&self) -> Value {
        json!({
            "action": name(self.action), "item": self.item, "published": self.published, "again": self.again,
            "chosen": self.chosen,
        })
    }

    /// # Errors
    /// `Invalid` when the payload is none.
    pub(crate) fn read(job: &LeasedJob) -> Result<Self> {
        let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
        let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
        let missing = |key: &str| Error::invalid(format!("the payload names no {key}"));
        let action = text("action").and_then(|name| named(&name)).ok_or_else(|| missing("action"))?;
        let chosen = payload.get("chosen").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            action,
            item: text("item").ok_or_else(|| missing("item"))?,
            published: text("published").ok_or_else(|| missing("published"))?,
            again: payload.get("again") == Some(&Value::Bool(true)),
            chosen: chosen.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

/// The job of a request. Versions of one item are exchanged one after the other.
pub(crate) fn job(request: &Request, delay: Duration) -> NewJob {
    let payload = request.to_json().to_string();
    let group = Some(request.item.clone());
    NewJob { group, delay, attempts_max: ATTEMPTS_MAX, ..NewJob::new(PUBLISH_LANE, payload) }
}

pub(crate) fn name(action: Action) -> &'static str {
    ACTIONS.iter().find(|(own, _)| *own == action).map_or("publish", |(_, name)| name)
}

pub(crate) fn named(name: &str) -> Option<Action> {
    ACTIONS.iter().find(|(_, own)| *own == name).map(|(action, _)| *action)
}
