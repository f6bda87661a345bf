//! The query string of a request, decoded.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::eve::Params;

/// Decoded parameters, in order.
pub(crate) struct Query(pub(crate) Params);

impl FromRequestParts<App> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        Ok(Self(Params::new(form_urlencoded::parse(query).into_owned())))
    }
}
