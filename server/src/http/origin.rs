//! Whether a request that is signed by a cookie comes from our own pages.
//!
//! A browser sends the cookie with whatever page caused the request, so two proofs are asked for. The host must be
//! one we serve: a name that an attacker's DNS points at this machine is not (DNS rebinding). And what changes
//! state must say that our own origin caused it, by `Sec-Fetch-Site` or `Origin`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

/// The authority the client addressed: `Host`, or HTTP/2's `:authority`.
pub(crate) fn authority<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    match headers.get(HOST) {
        Some(host) => host.to_str().ok(),
        None => uri.authority().map(|authority| authority.as_str()),
    }
}

fn without_port(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    }
}

/// Whether the addressed host is ours: an address literal (which no DNS answer can fake), `localhost`, or configured.
pub(crate) fn is_our_host(headers: &HeaderMap, uri: &Uri, configured: &[String]) -> bool {
    let Some(host) = authority(headers, uri).map(without_port) else { return false };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.parse::<std::net::IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        || configured.iter().any(|name| name.eq_ignore_ascii_case(&host))
}

/// Whether our own origin caused the request. Saying nothing is no proof.
pub(crate) fn is_same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        // `none` is a person's own doing: an address typed, a bookmark.
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    match (origin, authority(headers, uri)) {
        (Some(origin), Some(ours)) => origin.eq_ignore_ascii_case(ours),
        _ => false,
    }
}

/// Whether a browser says that another site caused the request.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>()
    }

    #[test]
    fn only_our_hosts() {
        let check = |host: &str, ours: bool| {
            let uri = Uri::from_static("/");
            assert_eq!(
                is_our_host(&headers(&[("host", host)]), &uri, &["news.example".into()]),
                ours,
                "{host}"
            );
        };
        check("localhost:8400", true);
        check("127.0.0.1:8400", true);
        check("[::1]:8400", true);
        check("NEWS.example", true);
        check("evil.example", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.evil.example", false);
        check("", false);
        assert!(!is_our_host(&HeaderMap::new(), &Uri::from_static("/"), &[]));
    }

    #[test]
    fn proof_of_origin() {
        let check = |pairs: &[(&'static str, &str)], same: bool| {
            assert_eq!(is_same_origin(&headers(pairs), &Uri::from_static("/")), same, "{pairs:?}");
        };
        check(&[("host", "a:1"), ("sec-fetch-site", "same-origin")], true);
        check(&[("host", "a:1"), ("sec-fetch-site", "same-site"), ("origin", "http://a:1")], false);
        check(&[("host", "a:1"), ("sec-fetch-site", "cross-site")], false);
        check(&[("host", "a:1"), ("origin", "http://a:1")], true);
        check(&[("host", "a:1"), ("origin", "http://a:2")], false);
        check(&[("host", "a:1"), ("origin", "null")], false);
        check(&[("host", "a:1")], false);
    }
}
