//! How long items are kept.

use dateline_formats::{Fields, wire_time};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::context::Context;
use super::times::Wall;

/// The expiry of an item that is published: counted from when it is due, else from the end of its embargo, else from
/// now. Null: never.
pub(super) fn of_published(context: &Context<'_>, item: &Fields) -> Value {
    let from = Wall::Schedule.instant(item).or_else(|| Wall::Embargo.instant(item));
    let own = context.settings.published_expiry_minutes.map(i64::from);
    after(from.unwrap_or(context.now), own.unwrap_or_else(|| minutes(context, item)))
}

/// The expiry of an item that is spiked. Null: never.
pub(super) fn of_spiked(context: &Context<'_>, item: &Fields) -> Value {
    let own = context.settings.spiked_expiry_minutes.map(i64::from);
    after(context.now, own.unwrap_or_else(|| minutes(context, item)))
}

/// The expiry of an item in production. Null: never.
pub(super) fn in_production(context: &Context<'_>, item: &Fields) -> Value {
    after(context.now, minutes(context, item))
}

/// What the stage says, else the desk, else the site; 0 for ever.
fn minutes(context: &Context<'_>, item: &Fields) -> i64 {
    let own = |place: Option<Fields>| {
        place?.get("content_expiry").and_then(Value::as_i64).filter(|minutes| *minutes > 0)
    };
    own(context.stage_of(item))
        .or_else(|| own(context.desk_of(item)))
        .unwrap_or_else(|| context.settings.expiry_minutes.into())
}

fn after(from: Timestamp, minutes: i64) -> Value {
    if minutes == 0 {
        return Value::Null;
    }
    // What is kept longer than there is time is kept for ever.
    let length = minutes.checked_mul(60).map(SignedDuration::from_secs);
    let expiry = length.and_then(|length| from.checked_add(length).ok());
    expiry.map_or(Value::Null, |expiry| wire_time(expiry).into())
}
