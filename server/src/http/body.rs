//! Reading request bodies: bounded in bytes by the gate, in time and in shape here.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError};
use serde_json::{Map, Value};

use super::problem::Refusal;
use crate::app::App;
use crate::eve::json::{self, Limits};
use crate::eve::problem::{Problem, Slug};

/// The body as it came, within the bound of its route.
#[derive(Debug)]
pub struct RawBody(pub Bytes);

/// A JSON body, within the bounds of [`Limits::BODY`] and the size of its route.
#[derive(Debug)]
pub struct JsonBody(pub Value);

/// A JSON body that is an object.
#[derive(Debug)]
pub struct ObjectBody(pub Map<String, Value>);

impl FromRequest<App> for RawBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        check_encoding(request.headers())?;
        let collected = request.into_body().collect();
        match tokio::time::timeout(app.config().limits.body_read(), collected).await {
            Ok(Ok(body)) => Ok(Self(body.to_bytes())),
            Ok(Err(error)) => Err(unreadable(&error).into()),
            Err(_) => Err(Problem::new(Slug::RequestTimeout, "the body did not arrive in time").into()),
        }
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        check_is_json(request.headers())?;
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        // The gate has bounded the bytes; the route may allow more than the usual bound.
        let limits = Limits { bytes_max: usize::MAX, ..Limits::BODY };
        Ok(Self(json::parse(&bytes, &limits)?))
    }
}

impl FromRequest<App> for ObjectBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        match JsonBody::from_request(request, app).await?.0 {
            Value::Object(map) => Ok(Self(map)),
            other => {
                let detail = format!("expected a JSON object, found {}", json::name(&other));
                Err(Problem::new(Slug::BadRequest, detail).into())
            }
        }
    }
}

/// JSON, or nothing said: many small clients send no type.
fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let value = value.to_str().unwrap_or("").to_ascii_lowercase();
    let media_type = value.split(';').next().unwrap_or("").trim();
    if media_type == "application/json" || media_type.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(
        Slug::UnsupportedMediaType,
        format!("the body is '{media_type}'; send JSON with Content-Type: application/json"),
    ))
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(()),
        Some(_) => Err(Problem::new(Slug::UnsupportedMediaType, "compressed request bodies are not taken")),
    }
}

/// A bound that was hit while reading, or a connection that broke off.
pub(crate) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<LengthLimitError>() {
            return Problem::new(Slug::BodyTooLarge, "the body is larger than this address takes");
        }
        source = error.source();
    }
    Problem::new(Slug::BadRequest, "the body broke off")
}
