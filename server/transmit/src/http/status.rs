//! What a status of HTTP means for the next attempt.

use crate::limits::RETRY_AFTER_MAX;
use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusClass {
    /// 2xx.
    Accepted,
    /// 3xx: nobody goes there, the guard has judged this target and no other.
    Redirect,
    /// 408, 425 and 429: the receiver means this moment, not this request.
    Later,
    /// 410.
    Gone,
    /// The other 4xx.
    Refused,
    /// 5xx, and what is no status of an answer.
    Broken,
}

impl StatusClass {
    pub(crate) fn of(status: StatusCode) -> StatusClass {
        match status.as_u16() {
            200..=299 => StatusClass::Accepted,
            300..=399 => StatusClass::Redirect,
            408 | 425 | 429 => StatusClass::Later,
            410 => StatusClass::Gone,
            400..=499 => StatusClass::Refused,
            _ => StatusClass::Broken,
        }
    }
}

/// The wait a receiver asks for (RFC 9110 10.2.3): seconds, or a date that is compared with `now`. At most a day.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than a number has are a long time.
        value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let date = DateTimeParser::new().parse_timestamp(value).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date_and_at_most_a_day() {
        let now: Timestamp = "2026-01-30T02:40:56Z".parse().unwrap();
        let check = |value: &str, seconds: Option<u64>| {
            let headers = [(RETRY_AFTER, value.parse().unwrap())].into_iter().collect();
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value}");
        };
        check("0", Some(0));
        check("120", Some(120));
        check("999999999", Some(86400));
        check("99999999999999999999999999", Some(86400));
        check("Fri, 30 Jan 2026 02:42:56 GMT", Some(120));
        check("Fri, 30 Jan 2026 02:40:00 GMT", Some(0));
        check("Fri, 30 Jan 2099 02:40:00 GMT", Some(86400));
        check("-5", None);
        check("soon", None);
        check("", None);
    }

    #[test]
    fn every_status_has_a_class() {
        let check = |status: u16, class| {
            assert_eq!(StatusClass::of(StatusCode::from_u16(status).unwrap()), class, "{status}");
        };
        check(200, StatusClass::Accepted);
        check(204, StatusClass::Accepted);
        check(302, StatusClass::Redirect);
        check(400, StatusClass::Refused);
        check(404, StatusClass::Refused);
        check(410, StatusClass::Gone);
        check(429, StatusClass::Later);
        check(500, StatusClass::Broken);
        check(503, StatusClass::Broken);
        check(999, StatusClass::Broken);
    }
}
