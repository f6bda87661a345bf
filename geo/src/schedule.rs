//! The hours in which a fence works, in the civil time of a zone.
//!
//! `{"time_zone": "Europe/Oslo", "hours": [{"days": ["mon", "tue"]?, "from": "08:00", "to": "17:30"}]}`. Without `days`
//! a span is of every day; one that ends before it begins goes over midnight and belongs to the day it begins on.
//! Spans are half open, and what touches is one. A civil time that a change of the clock leaves out or repeats is
//! taken as RFC 5545 3.3.5 does: the gap by the offset before it, a repeated time by its first occurrence.

use std::sync::{Mutex, PoisonError};

use dateline_engine::Millis;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde_json::{Map, Value};

use crate::issue::{Collect, Issues, issue};
use crate::region::member;

/// The most spans one schedule takes.
const SPANS_MAX: usize = 50;
/// Spans are looked for this many days around: more than a week, so the next one of a weekly schedule is among them.
const DAYS_AROUND: i16 = 9;
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

#[derive(Debug)]
pub(crate) struct Schedule {
    zone: TimeZone,
    spans: Vec<Hours>,
    /// The last answer, which holds for most next questions too.
    last: Mutex<Option<Window>>,
}

#[derive(Clone, Debug)]
struct Hours {
    /// Bit n is the n-th day after Monday.
    days: u8,
    /// Minutes after midnight; `to` may lie on the next day.
    from: i64,
    to: i64,
}

/// A stretch of time, half open, in which nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) open: bool,
    pub(crate) from: Millis,
    pub(crate) until: Millis,
}

impl Schedule {
    /// # Errors
    /// Every bad field as (path, message).
    pub(crate) fn parse(path: &str, value: &Value) -> Result<Self, Issues> {
        let object =
            value.as_object().ok_or_else(|| issue(path, "must be an object with time_zone and hours"))?;
        let mut issues = Issues::new();
        let zone = parse_zone(&format!("{path}.time_zone"), object).collect_into(&mut issues);
        let spans = parse_spans(&format!("{path}.hours"), object).collect_into(&mut issues);
        match (zone, spans) {
            (Some(zone), Some(spans)) => Ok(Self { zone, spans, last: Mutex::default() }),
            _ => Err(issues),
        }
    }

    /// Whether it is open at a time, and how long that stays so.
    pub(crate) fn window(&self, at: Millis) -> Window {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some(window) if window.from <= at && at < window.until => window,
            _ => *last.insert(self.look_up(at)),
        }
    }

    fn look_up(&self, at: Millis) -> Window {
        let never = Window { open: false, from: Millis::ZERO, until: Millis::new(u64::MAX) };
        let millis = i64::try_from(at.get()).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let Some(today) = millis.map(|now| self.zone.to_datetime(now).date()) else { return never };
        let mut window = never;
        for (from, to) in self.merged(today) {
            if to <= at {
                window.from = to;
            } else if from <= at {
                window = Window { open: true, from, until: to };
            } else {
                window.until = window.until.min(from);
                break;
            }
        }
        window
    }

    /// The spans around a day, in order, with those that touch made one.
    fn merged(&self, today: Date) -> Vec<(Millis, Millis)> {
        let mut found: Vec<(Millis, Millis)> = (-DAYS_AROUND..=DAYS_AROUND)
            .filter_map(|days| today.checked_add(i64::from(days).days()).ok())
            .flat_map(|day| self.spans.iter().filter_map(move |hours| self.on(hours, day)))
            .filter(|(from, to)| from < to)
            .collect();
        found.sort_unstable();
        found.dedup_by(|next, before| {
            let touches = next.0 <= before.1;
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        found
    }

    fn on(&self, hours: &Hours, day: Date) -> Option<(Millis, Millis)> {
        let bit = day.weekday().to_monday_zero_offset();
        if hours.days & (1 << bit) == 0 {
            return None;
        }
        let at = |minutes: i64| {
            let midnight = day.at(0, 0, 0, 0);
            let civil = midnight.checked_add(Span::new().minutes(minutes)).ok()?;
            let instant = self.zone.to_timestamp(civil).ok()?.as_millisecond();
            u64::try_from(instant).ok().map(Millis::new)
        };
        Some((at(hours.from)?, at(hours.to)?))
    }
}

fn parse_zone(path: &str, object: &Map<String, Value>) -> Result<TimeZone, Issues> {
    let name = member(object, "time_zone").and_then(Value::as_str);
    let name = name.ok_or_else(|| issue(path, "must be the name of a time zone, as Europe/Oslo"))?;
    TimeZone::get(name).map_err(|_| issue(path, &format!("'{name}' is no time zone")))
}

fn parse_spans(path: &str, object: &Map<String, Value>) -> Result<Vec<Hours>, Issues> {
    let list = member(object, "hours").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| issue(path, "must be a list of at least one span"))?;
    if list.len() > SPANS_MAX {
        return Err(issue(path, &format!("more than {SPANS_MAX} spans")));
    }
    list.iter().enumerate().map(|(index, span)| parse_span(&format!("{path}[{index}]"), span)).collect()
}

fn parse_span(path: &str, value: &Value) -> Result<Hours, Issues> {
    let object = value.as_object().ok_or_else(|| issue(path, "must be an object with from and to"))?;
    let mut issues = Issues::new();
    let minutes = |name: &str| {
        let text = member(object, name).and_then(Value::as_str);
        text.and_then(parse_minutes)
            .ok_or_else(|| issue(&format!("{path}.{name}"), "must be a time as 08:30"))
    };
    let from = minutes("from").collect_into(&mut issues);
    let to = minutes("to").collect_into(&mut issues);
    let days = parse_days(&format!("{path}.days"), object).collect_into(&mut issues);
    match (from, to, days) {
        (Some(from), Some(to), _) if from == to => Err(issue(&format!("{path}.to"), "is the same as from")),
        (Some(from), Some(to), Some(days)) => {
            Ok(Hours { days, from, to: if to < from { to + 24 * 60 } else { to } })
        }
        _ => Err(issues),
    }
}

/// `HH:MM`, up to 24:00.
fn parse_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten().map(i64::from);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

fn parse_days(path: &str, object: &Map<String, Value>) -> Result<u8, Issues> {
    let Some(days) = member(object, "days") else { return Ok(0b111_1111) };
    let list = days.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| issue(path, "must be a list of days as mon, tue"))?;
    list.iter().enumerate().try_fold(0, |bits, (index, name)| {
        let known = DAYS.iter().find(|(known, _)| name.as_str() == Some(known));
        let (_, day) = known.ok_or_else(|| {
            issue(&format!("{path}[{index}]"), "must be one of mon, tue, wed, thu, fri, sat, sun")
        })?;
        Ok(bits | 1 << day.to_monday_zero_offset())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::{parse_time, time_text};

    fn check(schedule: &Value, at: &str, open: bool, from: &str, until: &str) {
        let schedule = Schedule::parse("schedule", schedule).unwrap();
        let window = schedule.window(parse_time(at).unwrap());
        let texts = (time_text(window.from), time_text(window.until));
        assert_eq!((window.open, texts.0.as_str(), texts.1.as_str()), (open, from, until), "{at}");
    }

    #[test]
    fn hours_follow_the_civil_time() {
        let oslo = json!({"time_zone": "Europe/Oslo", "hours": [{"days": ["mon", "fri"], "from": "08:00", "to": "16:00"}]});
        check(&oslo, "2026-01-30T07:00:00Z", true, "2026-01-30T07:00:00Z", "2026-01-30T15:00:00Z");
        check(&oslo, "2026-01-30T15:00:00Z", false, "2026-01-30T15:00:00Z", "2026-02-02T07:00:00Z");
        check(&oslo, "2026-07-03T13:59:59Z", true, "2026-07-03T06:00:00Z", "2026-07-03T14:00:00Z");
        let night = json!({"time_zone": "America/New_York", "hours": [{"from": "22:00", "to": "06:00"}]});
        // The night of 8 March 2026 is an hour shorter.
        check(&night, "2026-03-08T05:00:00Z", true, "2026-03-08T03:00:00Z", "2026-03-08T10:00:00Z");
    }

    #[test]
    fn spans_that_touch_are_one() {
        let parts = json!({"time_zone": "UTC", "hours": [{"from": "12:00", "to": "18:00"}, {"from": "06:00", "to": "12:00"}, {"from": "08:00", "to": "09:00"}]});
        check(&parts, "2026-05-05T12:00:00Z", true, "2026-05-05T06:00:00Z", "2026-05-05T18:00:00Z");
        let always = json!({"time_zone": "UTC", "hours": [{"from": "00:00", "to": "24:00"}]});
        assert!(
            Schedule::parse("s", &always).unwrap().window(parse_time("2026-05-05T00:00:00Z").unwrap()).open
        );
    }

    #[test]
    fn names_every_bad_field() {
        let check = |value: Value, fields: &[&str]| {
            let issues = Schedule::parse("s", &value).unwrap_err();
            assert_eq!(issues.iter().map(|issue| issue.0.as_str()).collect::<Vec<_>>(), fields, "{issues:?}");
        };
        check(json!(5), &["s"]);
        check(json!({}), &["s.time_zone", "s.hours"]);
        check(json!({"time_zone": "Mars/Base", "hours": []}), &["s.time_zone", "s.hours"]);
        let hours = |span: Value| json!({"time_zone": "UTC", "hours": [span]});
        check(hours(json!({"from": "8:00", "to": "25:00"})), &["s.hours[0].from", "s.hours[0].to"]);
        check(hours(json!({"from": "08:00", "to": "08:00"})), &["s.hours[0].to"]);
        check(
            hours(json!({"from": "08:00", "to": "09:00", "days": ["mon", "day"]})),
            &["s.hours[0].days[1]"],
        );
        check(hours(json!({"from": "08:00", "to": "09:00", "days": []})), &["s.hours[0].days"]);
    }
}
