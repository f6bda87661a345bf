//! RFC 3339 texts and the engine's milliseconds.

use dateline_engine::Millis;

pub(crate) fn parse_time(text: &str) -> Result<Millis, String> {
    let parsed: jiff::Timestamp = text.parse().map_err(|_| format!("'{text}' is not an RFC 3339 time"))?;
    u64::try_from(parsed.as_millisecond()).map(Millis::new).map_err(|_| format!("'{text}' is before 1970"))
}

pub(crate) fn time_text(at: Millis) -> String {
    let millis = i64::try_from(at.get()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        for text in ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.25Z", "1970-01-01T00:00:00Z"] {
            assert_eq!(time_text(parse_time(text).unwrap()), text);
        }
        let zoned = [parse_time("2026-01-31T13:00:00+01:00"), parse_time("2026-01-31T12:00:00+0000")];
        assert!(zoned.iter().all(|at| *at == parse_time("2026-01-31T12:00:00Z")));
        assert!(
            ["", "yesterday", "2026-01-31", "1969-12-31T23:59:59Z"]
                .iter()
                .all(|text| parse_time(text).is_err())
        );
    }
}
