//! What a request shows to say who it comes from.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::policy;
use crate::app::App;
use crate::http::Refusal;

/// Name of the cookie on a plain connection.
pub(crate) const COOKIE_PLAIN: &str = "sid";
/// Name of the cookie under TLS; the prefix makes browsers hold it to this host, this scheme and the whole site.
pub(crate) const COOKIE_TLS: &str = "__Host-sid";

/// How the token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// In the header `Authorization`: no browser adds it by itself.
    Header,
    /// In a cookie: browsers add it to whatever a page causes.
    Cookie,
}

/// A token as it came. As an extractor: the one that the gate has found good, for those who ask again later.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) token: String,
    pub(crate) carrier: Carrier,
}

impl Credentials {
    /// The header counts before the cookie; a header that cannot be read is a bad token, not an absent one.
    pub(crate) fn of(headers: &HeaderMap, tls: bool) -> Option<Self> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let token = value.to_str().ok().and_then(from_header).unwrap_or_default();
            return Some(Self { token, carrier: Carrier::Header });
        }
        let name = if tls { COOKIE_TLS } else { COOKIE_PLAIN };
        let token = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))?;
        Some(Self { token: token.to_owned(), carrier: Carrier::Cookie })
    }
}

impl FromRequestParts<App> for Credentials {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Refusal> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| policy::not_signed_in("sign in with POST /api/auth and send the token").into())
    }
}

/// `Bearer T`, `Token T`, or `Basic` with the token as user name (RFC 7617), as Eve's clients send it.
fn from_header(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(rest.to_owned()),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (user, _) = decoded.split_once(':').unwrap_or((&decoded, ""));
            Some(user.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_where_clients_put_them() {
        let check = |name: &'static str, value: &str, tls: bool, expected: Option<(&str, Carrier)>| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let found = Credentials::of(&headers, tls);
            let found = found.as_ref().map(|found| (found.token.as_str(), found.carrier));
            assert_eq!(found, expected, "{name}: {value}");
        };
        use Carrier::{Cookie, Header};
        check("authorization", "Bearer abc", false, Some(("abc", Header)));
        check("authorization", "token abc", false, Some(("abc", Header)));
        check("authorization", "Basic YWJjOg==", false, Some(("abc", Header)));
        check("authorization", "Basic YWJj", false, Some(("abc", Header)));
        check("authorization", "Basic !", false, Some(("", Header)));
        check("authorization", "Digest x", false, Some(("", Header)));
        check("cookie", "a=b; sid=abc", false, Some(("abc", Cookie)));
        check("cookie", "sid=abc", true, None);
        check("cookie", "__Host-sid=abc", true, Some(("abc", Cookie)));
        check("cookie", "xsid=abc", false, None);
    }
}
