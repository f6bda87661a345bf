//! What the lane is asked for, as payloads of jobs.
//!
//! ```text
//! {"version": {"event", "item", "published": id | null, "phase"}}                                a version went out
//! {"copy": {..version, "destination"}}                                                           one destination takes it
//! {"routed": {"ingest", "desk", "stage", "macro", "publishes", "subscribers", "types"}}          a rule sends an item
//! ```

use dateline_engine::{Backoff, Error, LeasedJob, NewJob, Result, Retry};
use dateline_publish::internal::{Event, Phase};
use serde_json::{Value, json};

use super::lane::INTERNAL_LANE;
use crate::app::App;
use crate::publishing::hashed;

/// Attempts at a job. With the waits of deliveries, the last is hours after the first.
const ATTEMPTS_MAX: u32 = 20;

/// A version of an item that went out, or was taken back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) event: Event,
    /// The id of the item.
    pub(crate) item: String,
    /// The id of its published row; none where that is gone.
    pub(crate) published: Option<String>,
    pub(crate) phase: Phase,
}

/// A version that a destination takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Copying {
    pub(crate) version: Version,
    /// The id of the destination.
    pub(crate) destination: String,
}

/// An ingested item that a rule sends through a macro of another server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Routed {
    /// The id of the ingested item.
    pub(crate) ingest: String,
    pub(crate) desk: String,
    pub(crate) stage: Option<String>,
    pub(crate) macro_name: String,
    /// Whether the new item goes out.
    pub(crate) publishes: bool,
    /// `target_subscribers` and `target_types` of the new item.
    pub(crate) subscribers: Vec<Value>,
    pub(crate) types: Vec<Value>,
}

/// What a job asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Version(Version),
    Copy(Copying),
    Routed(Routed),
}

impl Version {
    fn to_json(&self) -> Value {
        json!({
            "event": self.event.name(), "item": self.item, "published": self.published, "phase": self.phase.name(),
        })
    }

    fn read(payload: &Value) -> Option<Self> {
        let text = |key: &str| payload.get(key).and_then(Value::as_str);
        Some(Self {
            event: Event::named(text("event")?)?,
            item: text("item")?.to_owned(),
            published: text("published").map(str::to_owned),
            phase: Phase::named(text("phase")?)?,
        })
    }

    /// Versions of one item are sent on one after the other.
    pub(super) fn job(&self, app: &App) -> NewJob {
        NewJob { group: Some(self.item.clone()), ..job(app, &json!({"version": self.to_json()})) }
    }
}

impl Copying {
    /// What one destination gets of one item comes in order.
    pub(super) fn job(&self, app: &App) -> NewJob {
        let mut payload = self.version.to_json();
        payload["destination"] = self.destination.as_str().into();
        let group = hashed(&["copy", &self.destination, &self.version.item]);
        NewJob { group: Some(group), ..job(app, &json!({"copy": payload})) }
    }
}

impl Routed {
    pub(super) fn job(&self, app: &App) -> NewJob {
        let payload = json!({"routed": {
            "ingest": self.ingest, "desk": self.desk, "stage": self.stage, "macro": self.macro_name,
            "publishes": self.publishes, "subscribers": self.subscribers, "types": self.types,
        }});
        let group = hashed(&["routed", &self.ingest, &self.desk]);
        NewJob { group: Some(group), ..job(app, &payload) }
    }

    fn read(payload: &Value) -> Option<Self> {
        let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |key: &str| payload.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        Some(Self {
            ingest: text("ingest")?,
            desk: text("desk")?,
            stage: text("stage"),
            macro_name: text("macro")?,
            publishes: payload.get("publishes") == Some(&Value::Bool(true)),
            subscribers: list("subscribers"),
            types: list("types"),
        })
    }
}

impl Order {
    /// # Errors
    /// `Invalid` when the payload is none.
    pub(super) fn read(job: &LeasedJob) -> Result<Self> {
        let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
        Self::of(&payload).ok_or_else(|| Error::invalid("the payload is no order of this lane"))
    }

    fn of(payload: &Value) -> Option<Self> {
        if let Some(version) = payload.get("version") {
            return Version::read(version).map(Self::Version);
        }
        if let Some(copy) = payload.get("copy") {
            let destination = copy.get("destination")?.as_str()?.to_owned();
            return Some(Self::Copy(Copying { version: Version::read(copy)?, destination }));
        }
        Routed::read(payload.get("routed")?).map(Self::Routed)
    }
}

/// A macro that fails is asked again after the waits of deliveries.
fn job(app: &App, payload: &Value) -> NewJob {
    let ms = app.config().publishing.retry_ms;
    let retry = Retry { backoff: Backoff::Exponential, ms_base: ms, ms_max: ms.saturating_mul(64) };
    NewJob {
        attempts_max: ATTEMPTS_MAX,
        retry: Some(retry),
        ..NewJob::new(INTERNAL_LANE, payload.to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_lead_back() {
        let version = Version {
            event: Event::Correct,
            item: "i".to_owned(),
            published: Some("p".to_owned()),
            phase: Phase::Now,
        };
        assert_eq!(Order::of(&json!({"version": version.to_json()})), Some(Order::Version(version.clone())));
        let mut payload = version.to_json();
        payload["destination"] = "d".into();
        let copying = Copying { version, destination: "d".to_owned() };
        assert_eq!(Order::of(&json!({"copy": payload})), Some(Order::Copy(copying)));
        let routed = json!({"ingest": "i", "desk": "d", "stage": null, "macro": "m", "publishes": true, "types": ["t"]});
        let Some(Order::Routed(found)) = Order::of(&json!({"routed": routed})) else { panic!("an order") };
        assert!(found.publishes && found.stage.is_none() && found.types == [json!("t")]);
        for wrong in
            [json!({}), json!({"version": {"event": "resend"}}), json!({"copy": {}}), json!({"routed": 1})]
        {
            assert_eq!(Order::of(&wrong), None, "{wrong}");
        }
    }
}
