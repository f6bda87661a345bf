//! Which resource and document an address names.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::Refusal;
use crate::resources::Resource;

/// The second part of `/api/{resource}/..`, known to exist.
pub(crate) struct Named(pub(crate) Arc<Resource>);

/// The third part of `/api/{resource}/{id}`, decoded once.
pub(crate) struct Id(pub(crate) String);

impl FromRequestParts<App> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        Ok(Self(app.resources().get(&segment(parts, 1)?)?))
    }
}

impl FromRequestParts<App> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        Ok(Self(segment(parts, 2)?))
    }
}

fn segment(parts: &Parts, place: usize) -> Result<String, Problem> {
    let segment = parts.uri.path().trim_start_matches('/').split('/').nth(place).unwrap_or_default();
    let decoded = percent_decode_str(segment).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| Problem::new(Slug::InvalidId, "the address is not UTF-8"))
}
