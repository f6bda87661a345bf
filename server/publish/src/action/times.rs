//! Schedule and embargo: wall times that people write, and the instants they mean.
//!
//! `publish_schedule` and `embargo` hold the wall time, labelled as UTC (clients know it so);
//! `schedule_settings.time_zone` says where the wall is, and `schedule_settings.utc_*` hold the instants. Without a
//! zone the wall is in UTC.

use dateline_formats::{Fields, Item, parse_time, wire_time};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// A time that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wall {
    Schedule,
    Embargo,
}

impl Wall {
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Schedule => "publish_schedule",
            Self::Embargo => "embargo",
        }
    }

    fn instant_field(self) -> &'static str {
        match self {
            Self::Schedule => "utc_publish_schedule",
            Self::Embargo => "utc_embargo",
        }
    }

    /// The instant an item means: the one that was computed, else the wall time as UTC.
    pub(super) fn instant(self, item: &Fields) -> Option<Timestamp> {
        let computed = item.get("schedule_settings").and_then(|settings| settings.get(self.instant_field()));
        let computed = computed.and_then(Value::as_str).and_then(parse_time);
        computed.or_else(|| item.get(self.field())?.as_str().and_then(parse_time))
    }

    /// The instant that the wall time means, whatever was computed before.
    ///
    /// A wall time that a clock skips is taken as if the clock had not been moved; one that it shows twice is the first.
    pub(super) fn meant(self, item: &Fields) -> Option<Timestamp> {
        let wall = item.get(self.field())?.as_str().and_then(parse_time)?;
        let zone = zone(item).unwrap_or(TimeZone::UTC);
        wall.to_zoned(TimeZone::UTC).datetime().to_zoned(zone).ok().map(|zoned| zoned.timestamp())
    }
}

fn zone(item: &Fields) -> Option<TimeZone> {
    let named = item.get("schedule_settings")?.get("time_zone")?.as_str()?;
    TimeZone::get(named).ok()
}

/// The `schedule_settings` that an item is saved with: the instants that its wall times mean in its `time_zone`, and none
/// for times that it has not. An unknown zone is none.
#[must_use]
pub fn schedule_settings(item: &Fields) -> Fields {
    let mut settings = item.get("schedule_settings").and_then(Value::as_object).cloned().unwrap_or_default();
    if zone(item).is_none() {
        settings.insert("time_zone".to_owned(), Value::Null);
    }
    for wall in [Wall::Schedule, Wall::Embargo] {
        match wall.meant(item) {
            Some(instant) => {
                settings.insert(wall.instant_field().to_owned(), json!(wire_time(instant)));
            }
            None => {
                settings.shift_remove(wall.instant_field());
            }
        }
    }
    settings
}

/// Whether an item has a wall time, readable or not.
pub(super) fn is_set(item: &Fields, wall: Wall) -> bool {
    Item::from(item).has(wall.field())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn wall_times_mean_instants() {
        let check = |item: Value, expected: Value| {
            assert_eq!(Value::from(schedule_settings(&fields(item.clone()))), expected, "{item}");
        };
        let settings = |zone: &str, wall: &str| json!({"publish_schedule": wall, "schedule_settings": {"time_zone": zone}});
        check(json!({}), json!({"time_zone": null}));
        check(
            json!({"embargo": "2026-11-28T12:00:00+0000", "schedule_settings": {"utc_publish_schedule": "x"}}),
            json!({"time_zone": null, "utc_embargo": "2026-11-28T12:00:00+0000"}),
        );
        check(
            settings("Australia/Sydney", "2026-11-28T12:00:00+0000"),
            json!({"time_zone": "Australia/Sydney", "utc_publish_schedule": "2026-11-28T01:00:00+0000"}),
        );
        check(
            settings("Europe/Prague", "2026-03-29T02:30:00+0000"),
            json!({"time_zone": "Europe/Prague", "utc_publish_schedule": "2026-03-29T01:30:00+0000"}),
        );
        check(
            settings("Europe/Prague", "2026-10-25T02:30:00+0000"),
            json!({"time_zone": "Europe/Prague", "utc_publish_schedule": "2026-10-25T00:30:00+0000"}),
        );
        check(
            settings("Mars/Base", "2026-11-28T12:00:00+0000"),
            json!({"time_zone": null, "utc_publish_schedule": "2026-11-28T12:00:00+0000"}),
        );
        check(settings("UTC", "soon"), json!({"time_zone": "UTC"}));
    }

    #[test]
    fn a_computed_instant_goes_before_the_wall() {
        let item = fields(json!({
            "publish_schedule": "2026-11-28T12:00:00+0000",
            "schedule_settings": {"utc_publish_schedule": "2026-11-28T01:00:00+0000"},
        }));
        assert_eq!(Wall::Schedule.instant(&item).map(wire_time).as_deref(), Some("2026-11-28T01:00:00+0000"));
        assert_eq!(Wall::Embargo.instant(&item), None);
    }
}
