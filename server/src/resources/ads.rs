//! Ads: checked by the matcher's own reader, never removed, and the cause of jobs.

use std::time::Duration;

use dateline_engine::NewJob;
use serde_json::{Map, Value, json};

use crate::eve::{Issues, date};
use crate::resources::rules::{Draft, Effect, report};

/// Lane of the job that ends an ad at its time.
pub(crate) const EXPIRE_LANE: &str = "ads:expire";

pub(crate) fn check(draft: &Draft<'_>, body: &mut Map<String, Value>, issues: &mut Issues) -> Vec<Effect> {
    report(dateline_geo::Ad::parse(&Value::Object(body.clone())), issues);
    let was = draft.stored.and_then(|stored| stored.get("active")).and_then(Value::as_bool);
    let active = body.get("active").and_then(Value::as_bool).unwrap_or(true);
    if active {
        // An ad that is put up again has not ended.
        body.shift_remove("ended_reason");
    }
    let payload = json!({"ad": draft.id.as_str()}).to_string();
    let job = |lane: &str| Effect::Enqueue(Box::new(NewJob::new(lane, payload.clone())));
    let mut effects = Vec::new();
    if draft.stored.is_none() {
        let has_media = body.get("media").and_then(Value::as_array).is_some_and(|media| !media.is_empty());
        effects.extend(has_media.then(|| job("new:media")));
        effects.extend([job("new:ad"), job("new:log")]);
    }
    let expires = body.get("expires").and_then(Value::as_str).filter(|_| active);
    let moved = draft.stored.and_then(|stored| stored.get("expires")).and_then(Value::as_str) != expires;
    if let Some(at) = expires.and_then(date::parse_time)
        && (moved || was == Some(false))
    {
        let now_ms = i64::try_from(draft.app.store().now().get()).unwrap_or(i64::MAX);
        let left_ms = u64::try_from(at.as_millisecond().saturating_sub(now_ms)).unwrap_or(0);
        // Nobody waits ten years for an ad; a later end would not fit the queue.
        if left_ms < 3_650 * 86_400_000 {
            let delay = Duration::from_millis(left_ms);
            effects.push(Effect::Enqueue(Box::new(NewJob { delay, ..NewJob::new(EXPIRE_LANE, payload) })));
        }
    }
    effects
}

/// The body of an ad that has ended, with the reason the matcher tells.
pub(crate) fn ended(stored: &Map<String, Value>, reason: &str) -> Map<String, Value> {
    let mut body = stored.clone();
    body.insert("active".to_owned(), Value::Bool(false));
    body.insert("ended_reason".to_owned(), Value::String(reason.to_owned()));
    body
}
