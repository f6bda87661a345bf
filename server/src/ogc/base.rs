//! The address under which the client knows the server: links of this API are absolute.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::{Peer, origin};

/// `http://HOST:PORT`.
pub(crate) struct Base(String);

impl Base {
    /// A link to a path of this server.
    pub(crate) fn link(&self, path: &str, rel: &str, media_type: &str, title: &str) -> Value {
        json!({"href": format!("{}{path}", self.0), "rel": rel, "type": media_type, "title": title})
    }
}

impl FromRequestParts<App> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = Peer::from_request_parts(parts, app).await?;
        let scheme = if peer.tls { "https" } else { "http" };
        let authority = origin::authority(&parts.headers, &parts.uri).unwrap_or("localhost");
        Ok(Self(format!("{scheme}://{authority}")))
    }
}
