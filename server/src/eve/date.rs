//! Dates of the dialect: written as `2026-01-31T12:00:00+0000`, read as the engine reads them.

use jiff::Timestamp;

pub use dateline_engine::date::{Stamp, parse, parse_time};

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S+0000";

/// Writes unix milliseconds as UTC with second precision. Times beyond the calendar become its end.
pub fn format(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    at.strftime(FORMAT).to_string()
}

/// Writes unix milliseconds as RFC 3339, to the millisecond where it matters.
pub fn format_precise(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_dates_read_back() {
        assert_eq!(format(1_769_860_800_999), "2026-01-31T12:00:00+0000");
        assert_eq!(format(0), "1970-01-01T00:00:00+0000");
        assert!(format(u64::MAX).starts_with("9999-12-3"));
        assert_eq!(parse_time(&format(1_769_860_800_000)), Timestamp::from_second(1_769_860_800).ok());
    }
}
