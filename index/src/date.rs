//! Dates as values of documents and as intervals of queries.
//!
//! A value is a moment. A literal of a query is an interval: `2026` is a year, `2026-05` a month,
//! `2026-05-01` a day, a full RFC 3339 time its second or the fraction it names. Without an offset, UTC.

use std::ops::Range;

use serde_json::Value as Json;
use tantivy::DateTime;
use tantivy::time::format_description::well_known::{Rfc2822, Rfc3339};
use tantivy::time::{Date, Duration, Month, OffsetDateTime};

/// The moment a JSON value names: RFC 3339, a day, RFC 1123 as in HTTP dates, or milliseconds since 1970.
pub(crate) fn moment(value: &Json) -> Option<DateTime> {
    let time = match value {
        Json::String(text) => text_moment(text)?,
        Json::Number(number) => {
            let nanos = i128::from(number.as_i64()?) * 1_000_000;
            OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?
        }
        _ => return None,
    };
    DateTime::try_from_utc(time)
}

fn text_moment(text: &str) -> Option<OffsetDateTime> {
    full_time(text)
        .or_else(|| (text.len() == 10).then(|| day(text)).flatten().map(|day| day.midnight().assume_utc()))
        .or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok())
}

/// A text that cannot be meant as anything but a date, for fields without a declared kind.
pub(crate) fn evident_moment(text: &str) -> Option<DateTime> {
    let looks = text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
    if looks { moment(&Json::from(text)) } else { None }
}

/// A moment as a document's envelope holds it.
pub(crate) fn from_millis(millis: u64) -> Option<DateTime> {
    let nanos = i128::from(millis) * 1_000_000;
    DateTime::try_from_utc(OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?)
}

/// The interval a literal of a query names: from the start, up to but without the end.
pub(crate) fn interval(text: &str) -> Option<Range<DateTime>> {
    let start_and_length = match text.len() {
        4 => year(text).map(|day| (day, day.replace_year(day.year() + 1).ok())),
        7 => month(text).map(|day| (day, next_month(day))),
        10 => day(text).map(|day| (day, day.next_day())),
        _ => None,
    };
    let (start, end) = match start_and_length {
        Some((start, end)) => (start.midnight().assume_utc(), end?.midnight().assume_utc()),
        None => {
            let start = full_time(text)?;
            (start, start.checked_add(precision(text))?)
        }
    };
    Some(DateTime::try_from_utc(start)?..DateTime::try_from_utc(end)?)
}

fn full_time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .ok()
}

/// One second, or the last digit of the fraction.
fn precision(text: &str) -> Duration {
    let digits = text
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count());
    let power = u32::try_from(digits.min(9)).unwrap_or(9);
    Duration::nanoseconds(1_000_000_000 / 10_i64.pow(power))
}

fn year(text: &str) -> Option<Date> {
    Date::from_calendar_date(digits(text, 0..4)?, Month::January, 1).ok()
}

fn month(text: &str) -> Option<Date> {
    let month = Month::try_from(u8::try_from(digits(text, 5..7)?).ok()?).ok()?;
    let dashed = text.as_bytes().get(4) == Some(&b'-');
    year(text.get(..4)?)?.replace_month(month).ok().filter(|_| dashed)
}

fn day(text: &str) -> Option<Date> {
    let dashed = text.as_bytes().get(7) == Some(&b'-');
    month(text.get(..7)?)?.replace_day(u8::try_from(digits(text, 8..10)?).ok()?).ok().filter(|_| dashed)
}

fn next_month(first: Date) -> Option<Date> {
    let next = first.month().next();
    let year = if next == Month::January { first.year() + 1 } else { first.year() };
    Date::from_calendar_date(year, next, 1).ok()
}

fn digits(text: &str, range: Range<usize>) -> Option<i32> {
    let part = text.get(range)?;
    if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(date: DateTime) -> String {
        date.into_utc().format(&Rfc3339).unwrap()
    }

    #[test]
    fn literals_are_intervals() {
        let check = |literal: &str, from: &str, to: &str| {
            let interval = interval(literal).unwrap_or_else(|| panic!("{literal}"));
            assert_eq!((text(interval.start), text(interval.end)), (from.to_owned(), to.to_owned()));
        };
        check("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
        check("2024-12", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z");
        check("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z");
        check("2024-02-29T23:59:59", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z");
        check("2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z");
        check("2024-01-01T00:00:00.25Z", "2024-01-01T00:00:00.25Z", "2024-01-01T00:00:00.26Z");
        for not in ["", "20", "2024-13", "2024-02-30", "2024/02/01", "2024-2-1", "yesterday", "+024", "9999"]
        {
            assert!(interval(not).is_none(), "{not}");
        }
    }

    #[test]
    fn values_are_moments() {
        let check = |value: Json, expected: &str| assert_eq!(text(moment(&value).unwrap()), expected);
        check(json!("2024-02-29"), "2024-02-29T00:00:00Z");
        check(json!("2024-02-29T12:00:00.001+01:00"), "2024-02-29T11:00:00.001Z");
        check(json!("Thu, 29 Feb 2024 12:00:00 GMT"), "2024-02-29T12:00:00Z");
        check(json!(1_709_208_000_001_i64), "2024-02-29T12:00:00.001Z");
        for not in [json!("2024"), json!("soon"), json!(1.5), json!(true), json!(null), json!("1601-01-01")] {
            assert!(moment(&not).is_none(), "{not}");
        }
        assert!(evident_moment("2024-02-29").is_some());
        assert!(evident_moment("Thu, 29 Feb 2024 12:00:00 GMT").is_none());
    }
}
