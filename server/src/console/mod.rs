//! The console: the files that npm built, out of the program itself.
//!
//! Files under `assets/` carry their hash in the name and are kept for ever by browsers; everything else is asked for
//! again with its entity tag. Without a built console a page says how to build it.

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, Routes};

/// One embedded file.
pub(crate) struct File {
    /// Path below the root, without a leading slash.
    pub(crate) address: &'static str,
    pub(crate) media_type: &'static str,
    /// Beginning of the content's SHA-256, in hex.
    pub(crate) hash: &'static str,
    pub(crate) bytes: &'static [u8],
    pub(crate) gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

const NOT_BUILT: &str = include_str!("not_built.html");
const SETUP_PAGE: &str = include_str!("setup.html");
const SETUP_SCRIPT: &str = include_str!("setup.js");

pub(crate) fn routes() -> Routes {
    let doc =
        |summary, media_type| Doc::new(summary, "console", Access::Public).answer_as(200, media_type, None);
    let mut routes = Routes::new()
        .get("/", index, doc("The console", "text/html"))
        .get("/setup", set_up, doc("Page of the one-time set-up link", "text/html"))
        .get("/setup.js", set_up_script, doc("Script of that page", "text/javascript"))
        .get("/assets/{*path}", asset, doc("A file of the console", "application/octet-stream"));
    for file in
        FILES.iter().filter(|file| !file.address.starts_with("assets/") && file.address != "index.html")
    {
        // A handful of names for the whole life of the process.
        let route: &'static str = Box::leak(format!("/{}", file.address).into_boxed_str());
        let serve = move |headers: HeaderMap| async move { answer(file, &headers) };
        routes = routes.get(route, serve, doc("A file of the console", file.media_type));
    }
    routes
}

async fn index(headers: HeaderMap) -> Response {
    match find("index.html") {
        Some(file) => answer(file, &headers),
        None => page(NOT_BUILT, "text/html; charset=utf-8"),
    }
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Answer {
    match find(&format!("assets/{path}")) {
        Some(file) => Ok(answer(file, &headers)),
        None => Err(Problem::new(Slug::NotFound, "the console has no such file").into()),
    }
}

async fn set_up() -> Response {
    page(SETUP_PAGE, "text/html; charset=utf-8")
}

async fn set_up_script() -> Response {
    page(SETUP_SCRIPT, "text/javascript; charset=utf-8")
}

fn page(text: &'static str, media_type: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, text).into_response()
}

fn find(address: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.address == address)
}

fn answer(file: &'static File, headers: &HeaderMap) -> Response {
    let gzip = file.gzip.filter(|_| accepts_gzip(headers));
    let tag = format!("\"{}{}\"", file.hash, if gzip.is_some() { "-gz" } else { "" });
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| candidate.trim().trim_start_matches("W/") == tag || candidate.trim() == "*");
    let mut response = Response::new(if known || gzip.is_none() {
        Body::from(if known { Bytes::new() } else { Bytes::from_static(file.bytes) })
    } else {
        Body::from(Bytes::from_static(gzip.unwrap_or_default()))
    });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let answer = response.headers_mut();
    let caching =
        if file.address.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(CONTENT_SECURITY_POLICY, POLICY);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.insert(ETAG, tag);
    }
    if !known {
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
        if gzip.is_some() {
            answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| {
        let (name, quality) = offer.split_once(';').unwrap_or((offer, ""));
        name.trim() == "gzip" && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILE: File = File {
        address: "assets/a-1234.js",
        media_type: "text/javascript; charset=utf-8",
        hash: "abcd",
        bytes: b"plain",
        gzip: Some(b"small"),
    };

    fn ask(pairs: &[(&'static str, &'static str)]) -> Response {
        let headers =
            pairs.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        answer(&FILE, &headers)
    }

    #[test]
    fn tags_differ_by_encoding_and_are_honoured() {
        let plain = ask(&[]);
        assert_eq!((plain.status(), plain.headers()[ETAG].to_str().unwrap()), (StatusCode::OK, "\"abcd\""));
        let small = ask(&[("accept-encoding", "br, gzip")]);
        assert_eq!(small.headers()[ETAG], "\"abcd-gz\"");
        assert_eq!(small.headers()[CONTENT_ENCODING], "gzip");
        assert!(ask(&[("accept-encoding", "gzip;q=0")]).headers().get(CONTENT_ENCODING).is_none());
        assert_eq!(ask(&[("if-none-match", "\"x\", \"abcd\"")]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(&[("if-none-match", "\"abcd-gz\"")]).status(), StatusCode::OK);
        assert!(plain.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }
}
