//! One document as an answer.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use axum::http::{HeaderName, Response, StatusCode};
use dateline_engine::Document;
use serde_json::Value;

use crate::eve::problem::{Problem, Slug};
use crate::eve::{Item, Meta, etag, json, link, render};
use crate::http::Answer;

/// System members of a stored version. `etag` is given in because the borrowed text must live somewhere.
pub(crate) fn meta<'a>(document: &'a Document, etag: &'a str) -> Meta<'a> {
    Meta {
        id: document.id.as_str(),
        etag,
        created_ms: document.created.get(),
        updated_ms: document.updated.get(),
        seq: document.seq.get(),
    }
}

/// The entity tag of a document as it is shown: the revision, and for a body that was brought up to a newer schema
/// also the version of that, since it is another representation than was stored.
pub(crate) fn tag(document: &Document) -> String {
    let revision = document.revision();
    if document.upgraded { format!("{revision}-{}", document.schema_version()) } else { revision.to_string() }
}

/// The stored body as a JSON value.
pub(crate) fn body_of(document: &Document) -> Result<Value, Problem> {
    // An upgrade of the schema may have added to what was within the bounds of a request.
    let limits =
        json::Limits { bytes_max: usize::MAX, values_max: usize::MAX, depth_max: 127, ..json::Limits::BODY };
    json::parse(&document.body, &limits).map_err(|error| damaged(document, &error.to_string()))
}

pub(crate) fn damaged(document: &Document, reason: &str) -> Problem {
    tracing::error!(id = %document.id, seq = %document.seq, reason, "stored body cannot be read");
    Problem::new(Slug::Corrupt, "stored data is damaged; the log names the place")
}

/// What kind of answer a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    Read,
    Created,
    Changed,
}

/// Renders one version with its entity tag.
pub(crate) fn document(
    resource: &str,
    document: &Document,
    kind: As,
    minimal: bool,
    extras: &[(&str, Value)],
) -> Answer {
    let tag = tag(document);
    let meta = meta(document, &tag);
    let item = match kind {
        As::Read => Item::read(meta, resource),
        As::Created | As::Changed => Item::written(meta, resource),
    };
    let mut out = Vec::new();
    if minimal {
        let version = body_of(document)?.get("_version").and_then(Value::as_u64);
        render::minimal(&mut out, version, &item);
    } else {
        render::document(&mut out, &document.body, &item.with(extras))
            .map_err(|error| damaged(document, &error.to_string()))?;
    }
    let mut response = Response::new(Body::from(out));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::try_from(etag::quoted(&tag)) {
        headers.insert(ETAG, value);
    }
    if kind == As::Created {
        let href = format!("/api/{}", link::document_href(resource, document.id.as_str()));
        if let Ok(value) = HeaderValue::try_from(href) {
            headers.insert(LOCATION, value);
        }
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

/// A JSON body with status 200.
pub(crate) fn json_bytes(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 304 with the tag that matched.
pub(crate) fn not_modified(tag: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    if let Ok(value) = HeaderValue::try_from(etag::quoted(tag)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// Names a preference that was honoured (RFC 7240 section 3).
pub(crate) fn applied(mut response: Response<Body>, preference: &'static str) -> Response<Body> {
    let name = HeaderName::from_static("preference-applied");
    response.headers_mut().append(name, HeaderValue::from_static(preference));
    response
}
