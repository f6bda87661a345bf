//! Points in time as senders write them.

use dateline_formats::{parse_time, wire_time};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

static MAIL: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();

/// Reads ISO 8601 in its long and short form, RFC 2822 and RFC 822 with names of zones, and plain dates. A time without a
/// zone counts as UTC. `None` for anything else.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    parse_time(text).or_else(|| mail(text)).or_else(|| compact(text)).or_else(|| {
        let date: Date = text.parse().ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

/// As [`read`], in the form in which items have times.
pub(crate) fn wired(text: &str) -> Option<String> {
    read(text).map(wire_time)
}

/// `Sat, 13 Jun 2015 11:45:19 +0000`; the day's name may be missing or wrong, `UTC` and `GMT` are zones.
fn mail(text: &str) -> Option<Timestamp> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest).trim();
    let text = text.strip_suffix("UTC").map_or(text.to_owned(), |rest| format!("{rest}GMT"));
    MAIL.parse_timestamp(&text).ok()
}

/// `20150613T114519+0000`, also without a zone, or `Z`.
fn compact(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T')?;
    let digits = |text: &str, count: usize| {
        (text.len() >= count && text.bytes().take(count).all(|byte| byte.is_ascii_digit())).then_some(())
    };
    digits(date, 8)?;
    digits(rest, 6)?;
    if date.len() != 8 {
        return None;
    }
    let (clock, zone) = rest.split_at_checked(6)?;
    let part = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |number: i16| i8::try_from(number).ok();
    let local = DateTime::new(
        part(date, 0, 4)?,
        small(part(date, 4, 6)?)?,
        small(part(date, 6, 8)?)?,
        small(part(clock, 0, 2)?)?,
        small(part(clock, 2, 4)?)?,
        small(part(clock, 4, 6)?)?,
        0,
    )
    .ok()?;
    match zone {
        "" | "Z" => local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        zone => parse_time(&format!("{local}{zone}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_senders_write() {
        for text in [
            "2015-06-13T11:45:19+00:00",
            "2015-06-13T13:45:19+0200",
            "2015-06-13 11:45:19",
            "20150613T114519+0000",
            "20150613T134519+0200",
            "20150613T114519Z",
            "20150613T114519",
            "Sat, 13 Jun 2015 11:45:19 +0000",
            "Sat, 13 Jun 2015 11:45:19 GMT",
            "Mon, 13 Jun 2015 11:45:19 UTC",
            "13 Jun 2015 06:45:19 EST",
            " Sat, 13 Jun 2015 13:45:19 +0200 ",
        ] {
            assert_eq!(wired(text).as_deref(), Some("2015-06-13T11:45:19+0000"), "{text}");
        }
        assert_eq!(wired("2015-06-13").as_deref(), Some("2015-06-13T00:00:00+0000"));
        for text in ["", "soon", "20151313T000000", "2015", "T", "é0150613T114519", "99999999T999999Z"] {
            assert_eq!(wired(text), None, "{text}");
        }
    }
}
