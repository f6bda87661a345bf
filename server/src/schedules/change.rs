//! A schedule that is made or changed: whether it can be, and where it stands then.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::schedule::{NAME_BYTES_MAX, STATE, Schedule, keeps_time};
use super::{SCHEDULES, SCHEDULES_MAX};
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issue, Issues, date};
use crate::resources::rules::Draft;
use crate::work;

/// # Errors
/// 403 for a lane of the server itself without being an administrator, 429 when there are too many.
pub(crate) fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<(), Problem> {
    let text = |issue: String| Issue::Text(issue);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if issues.of("name").is_empty() {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            issues.add(
                &["name"],
                text(format!("1 to {NAME_BYTES_MAX} letters, digits, '_', '-', '.' and ':'")),
            );
        } else if name != draft.id.as_str() {
            issues.add(&["name"], text(format!("must be '{}', as in the address", draft.id)));
        }
    }
    if !issues.is_empty() {
        return Ok(());
    }
    for member in STATE {
        // Clients send back what they read; the server keeps its own.
        match draft.stored.and_then(|stored| stored.get(member)) {
            Some(stored) => body.insert(member.to_owned(), stored.clone()),
            None => body.shift_remove(member),
        };
    }
    let schedule = match Schedule::read(draft.id.as_str(), body) {
        Ok(schedule) => schedule,
        Err((member, why)) => {
            issues.add(&[member], text(why));
            return Ok(());
        }
    };
    if work::is_own_lane(schedule.lane()) && !draft.principal.is_administrator() {
        let detail = format!("the server itself works lane '{}'", schedule.lane());
        return Err(Problem::new(Slug::Forbidden, detail).issue("lane", "worked by the server"));
    }
    if draft.stored.is_none() {
        check_room(draft)?;
    }
    if let Some(stored) = draft.stored
        && keeps_time(stored, body)
    {
        let next_at = body.get("next_at").and_then(Value::as_str).and_then(date::parse_time);
        schedule.stand(body, next_at);
        return Ok(());
    }
    let next_at = schedule.first(draft.app.store().now());
    let is_paused = body.get("paused").and_then(Value::as_bool) == Some(true);
    if next_at.is_none() && !is_paused {
        let member = if body.get("until").is_some_and(|until| !until.is_null()) { "until" } else { "cron" };
        issues.add(&[member], text("this time never comes".to_owned()));
    }
    schedule.stand(body, next_at);
    Ok(())
}

fn check_room(draft: &Draft<'_>) -> Result<(), Problem> {
    let mut count = 0;
    draft.app.store().snapshot()?.ids(draft.resource.collection, |_| {
        count += 1;
        if count < SCHEDULES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if count < SCHEDULES_MAX {
        return Ok(());
    }
    Err(Problem::new(
        Slug::RateLimited,
        format!("there are {SCHEDULES_MAX} {SCHEDULES} already; remove one first"),
    ))
}
