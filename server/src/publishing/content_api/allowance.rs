//! How many requests a token may make in a time.
//!
//! Counted in memory, in windows: one begins with the first request after the one before is over. A restart begins
//! anew; what it is for is a client that asks without end. Bounded memory: windows that are over go when there is no
//! more room.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use dateline_engine::Millis;

use crate::eve::problem::{Problem, Slug};

/// Tokens whose windows are kept at the most; when even those that go on are as many, all begin anew.
const TOKENS_MAX: usize = 20_000;

/// So many requests in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: u32,
    pub(crate) period: Duration,
}

/// The windows of all tokens.
#[derive(Debug)]
pub(crate) struct Allowances {
    /// `None`: without a bound.
    rate: Option<Rate>,
    windows: Mutex<HashMap<String, Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    end: Millis,
    used: u32,
}

/// Where a token stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    limit: u32,
    left: u32,
    end: Millis,
}

impl Allowances {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self { rate, windows: Mutex::default() }
    }

    /// Counts a request of a token; `None` where nothing is bounded.
    ///
    /// # Errors
    /// Where the token stands that has used up its requests.
    pub(super) fn take(&self, token: &str, now: Millis) -> Result<Option<Allowance>, Allowance> {
        let Some(Rate { requests, period }) = self.rate else { return Ok(None) };
        let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        // A clock that was set back must not make a window longer than it is.
        let is_over = |window: &Window| window.end <= now || window.end.get() - now.get() > period_ms;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= TOKENS_MAX && !windows.contains_key(token) {
            windows.retain(|_, window| !is_over(window));
            if windows.len() >= TOKENS_MAX {
                windows.clear();
            }
        }
        let fresh = Window { end: Millis::new(now.get().saturating_add(period_ms)), used: 0 };
        let window = windows.entry(token.to_owned()).or_insert(fresh);
        if is_over(window) {
            *window = fresh;
        }
        let allowance =
            |used: u32| Allowance { limit: requests, left: requests.saturating_sub(used), end: window.end };
        if window.used >= requests {
            return Err(allowance(window.used));
        }
        let now_used = window.used + 1;
        let taken = allowance(now_used);
        window.used = now_used;
        Ok(Some(taken))
    }
}

impl Allowance {
    /// Tells the client: `X-RateLimit-Limit` and `X-RateLimit-Remaining` in requests, `X-RateLimit-Reset` as the
    /// second, since 1970, at which they begin anew.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            ("x-ratelimit-limit", u64::from(self.limit)),
            ("x-ratelimit-remaining", u64::from(self.left)),
            ("x-ratelimit-reset", self.end.get().div_ceil(1_000)),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }

    /// 429.
    pub(super) fn refusal(&self, now: Millis) -> Response {
        let wait_s = self.end.get().saturating_sub(now.get()).div_ceil(1_000).max(1);
        let detail = format!("all {} requests are used up; the next ones are in {wait_s} s", self.limit);
        let problem = Problem::new(Slug::RateLimited, detail);
        let mut response = problem.retry_after(u32::try_from(wait_s).unwrap_or(u32::MAX)).into_response();
        self.tell(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::new(1_000_000);

    fn allowances(requests: u32) -> Allowances {
        Allowances::new(Some(Rate { requests, period: Duration::from_secs(60) }))
    }

    #[test]
    fn a_token_has_its_requests_and_then_waits() {
        let allowances = allowances(2);
        let left = |token: &str, now| allowances.take(token, now).map(|taken| taken.unwrap().left);
        assert_eq!((left("a", START), left("a", Millis::new(1_030_000))), (Ok(1), Ok(0)));
        let refused = left("a", Millis::new(1_059_999)).unwrap_err();
        assert_eq!(refused, Allowance { limit: 2, left: 0, end: Millis::new(1_060_000) });
        assert_eq!(left("b", Millis::new(1_059_999)), Ok(1), "each has its own");
        assert_eq!(left("a", Millis::new(1_060_000)), Ok(1), "the next window");
        assert_eq!(left("a", Millis::new(900_000)), Ok(1), "a clock that was set back");
        assert_eq!(Allowances::new(None).take("a", START), Ok(None));
    }

    #[test]
    fn clients_are_told() {
        let allowances = allowances(1);
        let mut headers = HeaderMap::new();
        allowances.take("a", START).unwrap().unwrap().tell(&mut headers);
        let header = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header(&headers, "x-ratelimit-limit"), "1");
        assert_eq!(header(&headers, "x-ratelimit-remaining"), "0");
        assert_eq!(header(&headers, "x-ratelimit-reset"), "1060");
        let later = Millis::new(1_058_500);
        let refusal = allowances.take("a", later).unwrap_err().refusal(later);
        assert_eq!(refusal.status(), 429);
        assert_eq!(header(refusal.headers(), "retry-after"), "2");
        assert_eq!(header(refusal.headers(), "x-ratelimit-remaining"), "0");
    }

    #[test]
    fn memory_is_bounded() {
        let allowances = allowances(1);
        let tokens = u64::try_from(TOKENS_MAX).unwrap();
        for n in 0..2 * tokens + 10 {
            allowances.take(&n.to_string(), Millis::new(1_000_000 + n)).unwrap();
            assert!(allowances.windows.lock().unwrap().len() <= TOKENS_MAX);
        }
    }
}
