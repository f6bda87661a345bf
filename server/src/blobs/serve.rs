//! Bytes as an answer: a stream of proved chunks, whole or a range of it.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use dateline_engine::{Manifest, Part};
use futures_util::stream;

use super::source;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, Refusal};
use crate::resources::{answer, is_known};

/// What is served, and under which headers.
pub(crate) struct Served<'a> {
    pub(crate) manifest: Manifest,
    /// Of these bytes and no others; goes between quotes.
    pub(crate) tag: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) disposition: HeaderValue,
    pub(crate) cache: &'static str,
}

/// Answers with all bytes, with the range that is asked for, or with 304.
///
/// # Errors
/// When the first chunk cannot be read.
pub(crate) async fn serve(app: &App, headers: &HeaderMap, served: Served<'_>) -> Answer {
    if is_known(headers, served.tag)? {
        return Ok(answer::not_modified(served.tag));
    }
    let length = served.manifest.length();
    let range = match range(headers, served.tag, length) {
        Ok(range) => range,
        Err(problem) => return unsatisfiable(length, problem),
    };
    let wanted = range.clone().unwrap_or(0..length);
    let parts: Vec<Part> = served.manifest.parts(wanted.clone()).collect();
    let mut response = Response::new(body(app.clone(), parts).await?);
    let out = response.headers_mut();
    out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(CACHE_CONTROL, HeaderValue::from_static(served.cache));
    out.insert(CONTENT_LENGTH, HeaderValue::from(wanted.end - wanted.start));
    let kind = HeaderValue::from_str(served.media_type);
    out.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    out.insert(CONTENT_DISPOSITION, served.disposition);
    if let Ok(value) = HeaderValue::try_from(crate::eve::etag::quoted(served.tag)) {
        out.insert(ETAG, value);
    }
    if let Some(range) = range {
        let told = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
        out.insert(
            CONTENT_RANGE,
            HeaderValue::try_from(told).unwrap_or(HeaderValue::from_static("bytes */*")),
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The one range asked for; `None` for all bytes, also where several are asked for (RFC 9110 14.2 allows it).
fn range(headers: &HeaderMap, tag: &str, length: u64) -> Result<Option<Range<u64>>, Problem> {
    let Some(value) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let is_current = match headers.get(IF_RANGE).map(HeaderValue::to_str) {
        None => true,
        // A date or a weak tag never proves that the bytes are the same.
        Some(named) => named.is_ok_and(|named| named.trim() == crate::eve::etag::quoted(tag)),
    };
    if !is_current {
        return Ok(None);
    }
    // A header that cannot be read is ignored (RFC 9110 14.2).
    let Ok(parsed) = http_range_header::parse_range_header(value) else { return Ok(None) };
    let unsatisfiable = || Problem::new(Slug::BadRequest, format!("there are {length} bytes")).status(416);
    let ranges = parsed.validate(length).map_err(|_| unsatisfiable())?;
    match ranges.as_slice() {
        [only] => Ok(Some(*only.start()..only.end().saturating_add(1))),
        _ => Ok(None),
    }
}

fn unsatisfiable(length: u64, problem: Problem) -> Answer {
    let mut response = axum::response::IntoResponse::into_response(Refusal::from(problem));
    if let Ok(told) = HeaderValue::try_from(format!("bytes */{length}")) {
        response.headers_mut().insert(CONTENT_RANGE, told);
    }
    Ok(response)
}

/// `inline` or `attachment`, with the name of the file if it has one. Of no name anything becomes a header.
pub(crate) fn disposition(kind: &'static str, name: &str) -> HeaderValue {
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    let told = match name.is_empty() {
        true => kind.to_owned(),
        false => format!("{kind}; filename*=UTF-8''{encoded}"),
    };
    HeaderValue::try_from(told).unwrap_or(HeaderValue::from_static("attachment"))
}

/// The first chunk is read before the answer begins, so that damage there is an error and not a broken stream.
async fn body(app: App, parts: Vec<Part>) -> Result<Body, Problem> {
    let mut parts = parts.into_iter();
    let first = match parts.next() {
        Some(part) => read(&app, part).await?,
        None => return Ok(Body::empty()),
    };
    let state = (app, parts, Some(first));
    let bytes = stream::unfold(state, |(app, mut parts, first)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (app, parts, None)));
        }
        let next = read(&app, parts.next()?).await;
        let next = next.map_err(|problem| std::io::Error::other(problem.detail().to_owned()));
        Some((next, (app, parts, None)))
    });
    Ok(Body::from_stream(bytes))
}

async fn read(app: &App, part: Part) -> Result<Bytes, Problem> {
    let work = app.scan(move |store| source::read(store, &part));
    work.await.map_err(Refusal::into_problem)
}
