//! Points in time as the formats write them. All but [`local`] are UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// Reads ISO 8601 with `Z`, `+00:00` or `+0000`, with or without a fraction. A time without a zone counts as UTC. `None`
/// for anything else.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

fn print(at: Timestamp, pattern: &str) -> String {
    strtime::format(pattern, &at.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

/// `2015-06-13T11:45:19+0000`: dates on the wire and in ninjs.
pub fn wire(at: Timestamp) -> String {
    print(at, "%Y-%m-%dT%H:%M:%S+0000")
}

/// `2015-06-13T11:45:19+00:00`: NewsML-G2.
pub(crate) fn seconds(at: Timestamp) -> String {
    print(at, "%Y-%m-%dT%H:%M:%S+00:00")
}

/// `2015-06-13T11:45:19.250000+00:00`, the microseconds only when there are some: embargoes.
pub(crate) fn iso(at: Timestamp) -> String {
    let micros = at.to_zoned(TimeZone::UTC).subsec_nanosecond() / 1000;
    if micros == 0 { seconds(at) } else { print(at, "%Y-%m-%dT%H:%M:%S%.6f+00:00") }
}

/// `2015-06-13 11:45:19`: the date of issue in NITF.
pub(crate) fn spaced(at: Timestamp) -> String {
    print(at, "%Y-%m-%d %H:%M:%S")
}

/// `20150613T114519+0000`: NewsML 1.2.
pub(crate) fn compact(at: Timestamp) -> String {
    print(at, "%Y%m%dT%H%M%S+0000")
}

/// `20150613`.
pub(crate) fn date_compact(at: Timestamp) -> String {
    print(at, "%Y%m%d")
}

/// `Saturday 13 June 2015`.
pub(crate) fn date_long(at: Timestamp) -> String {
    print(at, "%A %d %B %Y")
}

/// `2015`.
pub(crate) fn year(at: Timestamp) -> String {
    print(at, "%Y")
}

/// `2015-06-13T11:45:19Z`: Atom (RFC 3339).
pub(crate) fn zulu(at: Timestamp) -> String {
    print(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// `Sat, 13 Jun 2015 11:45:19 +0000`: RSS (RFC 822 with a four-digit year).
pub(crate) fn mail(at: Timestamp) -> String {
    print(at, "%a, %d %b %Y %H:%M:%S +0000")
}

/// `Sat Jun 13 12:45:19 2015` in the given zone, the day filled up with a space: what a reader of an e-mail sees.
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> String {
    strtime::format("%a %b %e %H:%M:%S %Y", &at.to_zoned(zone.clone())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_stands_in_items() {
        for text in [
            "2015-06-13T11:45:19+0000",
            "2015-06-13T11:45:19Z",
            "2015-06-13T13:45:19+02:00",
            "2015-06-13T13:45:19+0200",
            "2015-06-13T11:45:19",
            "2015-06-13 11:45:19",
            " 2015-06-13T11:45:19.000+0000 ",
        ] {
            assert_eq!(parse(text).map(wire).as_deref(), Some("2015-06-13T11:45:19+0000"), "{text}");
        }
        for text in ["", "yesterday", "2015-13-01T00:00:00Z", "2015-06-13T25:00:00Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_each_pattern() {
        let at = parse("2015-06-03T11:45:19.25Z").unwrap();
        assert_eq!(wire(at), "2015-06-03T11:45:19+0000");
        assert_eq!(seconds(at), "2015-06-03T11:45:19+00:00");
        assert_eq!(iso(at), "2015-06-03T11:45:19.250000+00:00");
        assert_eq!(spaced(at), "2015-06-03 11:45:19");
        assert_eq!(compact(at), "20150603T114519+0000");
        assert_eq!(date_long(at), "Wednesday 03 June 2015");
        assert_eq!(mail(at), "Wed, 03 Jun 2015 11:45:19 +0000");
        assert_eq!(local(at, &TimeZone::fixed(jiff::tz::offset(1))), "Wed Jun  3 12:45:19 2015");
    }
}
