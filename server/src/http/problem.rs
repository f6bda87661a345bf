//! From errors to answers: one body, whatever the source.
//!
//! A handler returns [`Answer`]; `?` turns engine errors, JSON errors and problems into a [`Refusal`]. The problem
//! travels to the outermost layer inside the response, where it gets the request's id and the media type the
//! client asked for. What the client must not see (damaged bytes, defects) is logged here, inside the request's
//! span, and replaced by a plain text.

use axum::body::Body;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_engine::{Conflict, Error, ErrorKind};

use crate::eve::problem::{Problem, Slug};

/// A problem on its way out of a handler. Made by `?` from anything that can become a [`Problem`].
#[derive(Debug)]
pub struct Refusal(Box<Problem>);

/// What a handler returns.
pub type Answer = Result<Response, Refusal>;

impl Refusal {
    /// Gives the problem out.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        *self.0
    }

    /// The problem inside.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_bytes()));
        *response.status_mut() =
            StatusCode::from_u16(self.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status_code() == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Told(self));
        response
    }
}

/// Marks a response as carrying its problem.
#[derive(Clone)]
struct Told(Problem);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            ErrorKind::Conflict => conflict(error.conflict(), text),
            ErrorKind::NotFound => Self::new(Slug::NotFound, text),
            ErrorKind::Gone => Self::new(Slug::Gone, text),
            ErrorKind::Invalid => Self::new(Slug::BadRequest, text),
            ErrorKind::Busy => Self::new(Slug::RateLimited, text).retry_after(1),
            ErrorKind::Full => Self::new(Slug::ReadOnly, text).retry_after(10),
            ErrorKind::Unavailable => Self::new(Slug::EngineStopped, text).retry_after(5),
            ErrorKind::Corrupt => {
                tracing::error!(error = %text, "stored bytes are damaged");
                Self::new(Slug::Corrupt, "stored data is damaged; the log names the place")
            }
            ErrorKind::Internal => {
                tracing::error!(error = %text, "the engine met a defect");
                Self::new(Slug::Internal, "an internal error; the log has the reason")
            }
        }
    }
}

fn conflict(conflict: Option<&Conflict>, text: String) -> Problem {
    match conflict {
        Some(Conflict::Absent) => Problem::new(Slug::NotFound, text),
        Some(Conflict::Exists(_)) => Problem::new(Slug::Conflict, text),
        Some(Conflict::Stale { found: None, .. }) => Problem::new(Slug::NotFound, text),
        Some(Conflict::Stale { found: Some(found), .. }) => {
            Problem::new(Slug::PreconditionFailed, text).with("_etag", found.to_string())
        }
        Some(Conflict::Unique { index, .. }) => {
            // The holder's id stays inside: the caller may not be allowed to know of it.
            Problem::new(Slug::UniqueConflict, format!("the value of '{index}' is already in use"))
                .with("key", index.as_str())
        }
        Some(Conflict::LeaseLost) => Problem::new(Slug::LeaseLost, text),
        Some(Conflict::KeyReused) => Problem::new(Slug::IdempotencyMismatch, text),
        None => Problem::new(Slug::Conflict, text),
    }
}

/// Gives a failed response its final body: with the request's id, and as `application/problem+json` if asked.
/// Errors made by the HTTP library, which are plain text or empty, become the one body too.
pub(crate) fn finish(response: Response, asked: bool, request_id: &str) -> Response {
    let status = response.status();
    if status.as_u16() < 400 {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let problem = match parts.extensions.remove::<Told>() {
        Some(Told(problem)) => problem,
        None if is_json(&parts.headers) => return Response::from_parts(parts, body),
        None => Problem::new(Slug::from_status(status.as_u16()), bare_detail(status)).status(status.as_u16()),
    };
    let problem = problem.instance(format!("urn:request:{request_id}"));
    let media_type = if asked { "application/problem+json" } else { "application/json" };
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(problem.to_bytes()))
}

fn bare_detail(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("the request failed").to_lowercase()
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    media_type.starts_with("application/json") || media_type.contains("+json")
}

/// Whether `Accept` names `application/problem+json` and does not forbid it.
pub(crate) fn asks_for_problem_json(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split_once(';').map_or(Some((range, "")), Some))
        .any(|(range, rest)| {
            range.trim().eq_ignore_ascii_case("application/problem+json")
                && !rest.split(';').any(|p| matches!(p.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

/// 404 for an address that no route has.
pub(crate) async fn unknown_route(uri: axum::http::Uri) -> Problem {
    Problem::new(Slug::UnknownResource, format!("nothing lives at {}", uri.path()))
}

/// 405 for an address that has other methods; OPTIONS is answered for every address. `Allow` is set by the router.
pub(crate) async fn method_not_allowed(method: axum::http::Method) -> Response {
    if method == axum::http::Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Problem::new(Slug::MethodNotAllowed, "The method is not allowed for the requested URL.").into_response()
}

/// Every address also answers OPTIONS, which the router, who writes `Allow`, does not know of.
pub(crate) fn complete_allow(mut response: Response) -> Response {
    let allow = response.headers().get(ALLOW).and_then(|value| value.to_str().ok());
    if let Some(Ok(allow)) = allow.map(|allow| HeaderValue::try_from(format!("{allow},OPTIONS"))) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_engine_error_has_its_status() {
        let check = |error: Error, status: u16, slug: &str| {
            let problem = Problem::from(error);
            assert_eq!((problem.status_code(), problem.slug().as_str()), (status, slug));
        };
        let revision: dateline_engine::Revision = "1.a".parse().unwrap();
        check(Conflict::Absent.into(), 404, "not-found");
        check(Conflict::Exists(revision).into(), 409, "conflict");
        check(
            Conflict::Stale { expected: revision, found: Some(revision) }.into(),
            412,
            "precondition-failed",
        );
        check(Conflict::Stale { expected: revision, found: None }.into(), 404, "not-found");
        check(Conflict::LeaseLost.into(), 409, "lease-lost");
        check(Conflict::KeyReused.into(), 422, "idempotency-mismatch");
        check(Error::gone("x"), 410, "gone");
        check(Error::invalid("x"), 400, "bad-request");
        check(Error::busy("x"), 429, "rate-limited");
        check(Error::unavailable("x"), 503, "engine-stopped");
        check(Error::corrupt("x"), 500, "corrupt");
        let internal = Problem::from(Error::internal("secret place"));
        assert_eq!(internal.status_code(), 500);
        assert!(!internal.to_json().to_string().contains("secret place"));
    }

    #[test]
    fn a_unique_conflict_names_the_key_and_hides_the_holder() {
        let id = dateline_engine::DocId::new("hidden-holder").unwrap();
        let body = Problem::from(Error::from(Conflict::Unique { index: "plate".into(), id })).to_json();
        assert_eq!(body["key"], "plate");
        assert!(!body.to_string().contains("hidden-holder"));
    }

    #[test]
    fn problem_json_is_served_when_asked_for() {
        let check = |accept: &str, asked: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(asks_for_problem_json(&headers), asked, "{accept}");
        };
        check("application/problem+json", true);
        check("text/html, application/problem+json;q=0.5", true);
        check("application/problem+json;q=0", false);
        check("application/json", false);
        check("*/*", false);
    }
}
