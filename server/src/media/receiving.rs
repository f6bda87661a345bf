//! Forms with a file in them (RFC 7578): the file goes into the store as it comes, the fields stay in memory.

use std::time::Duration;

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::made::bad;
use crate::app::App;
use crate::blobs::{Incoming, Settled, Shelf};
use crate::eve::problem::{Problem, Slug};

/// Fields of one form, and bytes of each.
const FIELDS_MAX: usize = 100;
const FIELD_BYTES_MAX: usize = 256 << 10;
/// Longest name of a file in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A form that has been read to its end.
#[derive(Default)]
pub(crate) struct Form {
    /// The file of the field `media`.
    pub(crate) file: Option<Settled>,
    /// Its name, made harmless; may be empty.
    pub(crate) name: String,
    pub(crate) fields: Map<String, Value>,
}

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

/// Reads the form of a request.
///
/// # Errors
/// 400 for one that is no form, 408 when it stops coming, 413 for too large a file or too much beside it.
pub(crate) async fn read(app: &App, request: Request) -> Result<Form, Problem> {
    let multipart = Multipart::from_request(request, app).await;
    let mut multipart =
        multipart.map_err(|rejection| Problem::new(Slug::BadRequest, rejection.body_text()))?;
    let wait = app.config().limits.body_read();
    let mut form = Form::default();
    while let Some(field) = timely(wait, multipart.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        match (name.as_str(), field.file_name()) {
            ("media", Some(given)) => {
                form.name = harmless(given);
                form.file = Some(stored(app, field, wait).await?);
            }
            ("media", None) => return Err(bad("media", "must be a file")),
            (_, Some(_)) => return Err(bad(&name, "files are taken in the field media")),
            ("", None) => {}
            _ => {
                let text = text(field, wait, &name).await?;
                form.fields.insert(name, Value::String(text));
                if form.fields.len() > FIELDS_MAX {
                    return Err(Problem::new(Slug::BodyTooLarge, "the form has too many fields"));
                }
            }
        }
    }
    Ok(form)
}

async fn stored(app: &App, mut field: Field<'_>, wait: Duration) -> Result<Settled, Problem> {
    let id = crate::ids::new_id(app.store().now())?;
    let mut incoming = Incoming::new(app, Shelf::of(app.store())?, id);
    while let Some(bytes) = timely(wait, field.chunk()).await? {
        incoming.add(&bytes).await?;
    }
    if incoming.length() == 0 {
        return Err(bad("media", "the file is empty"));
    }
    incoming.settle().await
}

async fn text(mut field: Field<'_>, wait: Duration, name: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(part) = timely(wait, field.chunk()).await? {
        bytes.extend_from_slice(&part);
        if bytes.len() > FIELD_BYTES_MAX {
            let detail = format!("the field has more than {FIELD_BYTES_MAX} bytes");
            return Err(Problem::new(Slug::BodyTooLarge, detail.as_str()).issue(name, detail));
        }
    }
    String::from_utf8(bytes).map_err(|_| bad(name, "must be UTF-8"))
}

async fn timely<T>(
    wait: Duration,
    next: impl Future<Output = Result<T, MultipartError>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(wait, next).await {
        Ok(Ok(next)) => Ok(next),
        Ok(Err(error)) => Err(match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Slug::BodyTooLarge, "the form is too large"),
            _ => Problem::new(Slug::BadRequest, format!("the form cannot be read: {}", error.body_text())),
        }),
        Err(_) => Err(Problem::new(Slug::RequestTimeout, "the next bytes did not arrive in time")),
    }
}

/// The last part of a path, without anything that could end a header or a line.
pub(crate) fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String =
        last.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '<' | '>')).collect();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    match name.trim().trim_matches('.') {
        "" => String::new(),
        _ => name.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_harmless() {
        let check = |given: &str, expected: &str| assert_eq!(harmless(given), expected, "{given:?}");
        check("bench.jpg", "bench.jpg");
        check("../../etc/passwd", "passwd");
        check("C:\\photos\\bench.jpg", "bench.jpg");
        check("a\r\nSet-Cookie: b=\"c\".jpg", "aSet-Cookie: b=c.jpg");
        check("..", "");
        check("Bänke im Park.jpg", "Bänke im Park.jpg");
        assert!(harmless(&"ä".repeat(400)).len() <= NAME_BYTES_MAX);
    }
}
