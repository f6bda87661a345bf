//! Texts that are dates: RFC 3339 and `2026-01-31T12:00:00+0000`.
//!
//! A text is a date only if it begins with `YYYY-MM-DD`; a time without an offset is taken as UTC. A bare day
//! is an instant (its midnight) only when it is held against a full date-time, so that ordinary texts that happen
//! to be days still compare as texts among themselves, with the same result. Index keys depend on this reading, which
//! is why it is here.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// A text read as a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The instant; midnight UTC for a bare day.
    pub at: Timestamp,
    /// Whether the text had a time of day.
    pub timed: bool,
}

/// Reads a date or a date-time; `None` if the text is neither.
pub fn parse(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let day = bytes.get(..10)?;
    let digits = |range: std::ops::Range<usize>| {
        day.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    if bytes.len() > 40 || day.get(4) != Some(&b'-') || day.get(7) != Some(&b'-') {
        return None;
    }
    if !(digits(0..4) && digits(5..7) && digits(8..10)) || bytes.contains(&b'[') {
        return None;
    }
    match bytes.get(10) {
        None => {
            let at = text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
            Some(Stamp { at, timed: false })
        }
        Some(b'T' | b't' | b' ') => {
            let at = text.parse::<Timestamp>().ok().or_else(|| local_as_utc(text))?;
            Some(Stamp { at, timed: true })
        }
        Some(_) => None,
    }
}

/// Reads a full date-time; a bare day is not one.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    parse(text).filter(|stamp| stamp.timed).map(|stamp| stamp.at)
}

fn local_as_utc(text: &str) -> Option<Timestamp> {
    Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_dates() {
        let noon = Timestamp::from_second(1_769_860_800).unwrap();
        let check =
            |text: &str, expected: Option<Timestamp>| assert_eq!(parse_time(text), expected, "{text}");
        check("2026-01-31T12:00:00+0000", Some(noon));
        check("2026-01-31T12:00:00Z", Some(noon));
        check("2026-01-31T12:00:00.000Z", Some(noon));
        check("2026-01-31T14:00:00+02:00", Some(noon));
        check("2026-01-31T07:00:00-0500", Some(noon));
        check("2026-01-31 12:00:00Z", Some(noon));
        check("2026-01-31T12:00:00", Some(noon));
        for text in [
            "",
            "2026",
            "2026-01-31",
            "2026-13-01T00:00:00Z",
            "20260131T120000Z",
            "2026-01-31X12:00:00Z",
            "2026-01-31T12:00:00+00:00[UTC]",
            "+002026-01-31T12:00:00Z",
            "2026-01-31Tnoon",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            check(text, None);
        }
        assert_eq!(parse("2026-01-31").map(|stamp| stamp.timed), Some(false));
    }
}
