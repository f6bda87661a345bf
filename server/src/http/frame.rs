//! The outermost layer of every request: its id, its log line, its figures, and the last word on its answer.
//!
//! Invariant: whatever happens inside, also a panic, the client gets one well-formed answer with the request's id,
//! the security headers, and for an error the one error body.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::problem;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::ids;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const URI_BYTES_MAX: usize = 8 << 10;
const HEADER_BYTES_MAX: usize = 16 << 10;

/// The name of one request: the client's own `X-Request-Id` when it is a plain word, else a new one.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let plain = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match given.filter(plain) {
            Some(id) => Self(id.into()),
            None => Self(ids::request_id().into()),
        }
    }
}

pub(crate) async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let asked = problem::asks_for_problem_json(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);

    let started = Instant::now();
    let span = tracing::info_span!("request", id = %id.0, %method, route);
    let response = match oversized(&request) {
        Some(problem) => problem.into_response(),
        None => run(request, next).instrument(span.clone()).await,
    };
    let mut response = problem::finish(response, asked, &id.0);
    dress(response.headers_mut(), &id);

    let took = started.elapsed();
    let status = response.status().as_u16();
    app.metrics().request(method_name(&method), route, status, took);
    span.in_scope(|| tracing::debug!(status, took_us = took.as_micros(), "answered"));
    response
}

async fn run(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            tracing::error!(panic = text, "a handler panicked");
            Problem::new(Slug::Internal, "an internal error; the log has the reason").into_response()
        }
    }
}

/// The listener has larger bounds, so that these answers have a body.
fn oversized(request: &Request) -> Option<Problem> {
    let uri = request.uri();
    let uri_bytes = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if uri_bytes > URI_BYTES_MAX {
        let detail = format!("the address has {uri_bytes} bytes, at most {URI_BYTES_MAX} are taken");
        return Some(Problem::new(Slug::UriTooLong, detail));
    }
    let headers = request.headers();
    let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header_bytes > HEADER_BYTES_MAX {
        let detail = format!("the header has {header_bytes} bytes, at most {HEADER_BYTES_MAX} are taken");
        return Some(Problem::new(Slug::HeadersTooLarge, detail));
    }
    None
}

/// Headers that every answer has; a handler's own word on caching and content policy stands.
fn dress(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    let mut set = |name: &'static str, value: &'static str| {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    };
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "no-referrer");
    set("cross-origin-resource-policy", "same-origin");
    set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    let is_page = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if is_page {
        headers
            .entry(HeaderName::from_static("cross-origin-opener-policy"))
            .or_insert(HeaderValue::from_static("same-origin"));
    }
}

/// Methods a client invents must not become labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        let check = |given: &str, taken: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, given.parse().unwrap());
            assert_eq!(&*RequestId::of(&headers).0 == given, taken, "{given}");
        };
        check("abc-1.2_3", true);
        check("two words", false);
        check("<script>", false);
        check(&"x".repeat(65), false);
        assert_eq!(RequestId::of(&HeaderMap::new()).0.len(), 24);
    }
}
