//! Storing attachments: in one request, or in pieces.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dateline_engine::{Condition, DocId, Document, Error, Millis, Transaction};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::incoming::Incoming;
use super::manifests::Shelf;
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Refusal};
use crate::ids;
use crate::resources::answer::{self, As};
use crate::resources::target::Id;
use crate::resources::{Query, Sight, missing};

/// How long an upload waits for its next piece.
const UPLOAD_KEEP_MS: u64 = 24 * 3_600_000;
/// Longest file name and media type in bytes.
const NAME_BYTES_MAX: usize = 255;

/// `POST /api/blobs`.
pub(super) async fn whole(
    State(app): State<App>,
    principal: Principal,
    Query(params): Query,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    Sight::of(&principal, Action::Create, "blobs")?;
    let shelf = Shelf::of(app.store())?;
    let expected = expected_digest(&headers)?;
    let name = params.get("name").filter(|name| !name.is_empty());
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let about = about(&principal, name, media_type)?;
    let id = crate::ids::new_id(app.store().now())?;
    let mut incoming = Incoming::new(&app, shelf, id.clone());
    incoming.take(body, app.config().limits.body_read()).await?;
    incoming.cut_rest().await?;
    let digest = incoming.digest();
    if expected.is_some_and(|expected| expected != digest) {
        let detail = format!("the bytes that came have the SHA-256 {}", ids::hex(&digest));
        return Err(Problem::new(Slug::BadRequest, detail).issue("Content-Digest", "does not match").into());
    }
    let body = described(about, incoming.length(), &digest);
    incoming.end(|transaction, _| transaction.put(shelf.blobs, id.clone(), Condition::Absent, body)).await?;
    created(&app, shelf, &id)
}

/// `POST /api/uploads`.
pub(super) async fn begin(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(body): ObjectBody,
) -> Answer {
    Sight::of(&principal, Action::Create, "uploads")?;
    let shelf = Shelf::of(app.store())?;
    if let Some(unknown) = body.keys().find(|name| !matches!(name.as_str(), "name" | "media_type")) {
        return Err(Problem::new(Slug::BadRequest, "unknown member").issue(unknown, "unknown field").into());
    }
    let about = about(&principal, text(&body, "name")?, text(&body, "media_type")?)?;
    let id = crate::ids::new_id(app.store().now())?;
    let mut incoming = Incoming::new(&app, shelf, id.clone());
    let until = Millis::new(app.store().now().get() + UPLOAD_KEEP_MS);
    let body = progress(about, 0);
    incoming
        .end(|transaction, _| {
            transaction.put_until(shelf.uploads, id.clone(), Condition::Absent, body, until)
        })
        .await?;
    let document = app.store().get(shelf.uploads, id.as_str())?.ok_or_else(|| gone(&id))?;
    answer::document("uploads", &document, As::Created, false, &[])
}

/// `PATCH /api/uploads/{id}`: one piece at a time; of two at once the second is refused.
pub(super) async fn append(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let shelf = Shelf::of(app.store())?;
    let (document, about) = upload(&app, &principal, shelf, &id)?;
    let id = document.id.clone();
    let mut incoming = Incoming::resume(&app, shelf, id.clone())?;
    let length = incoming.length();
    let offset = headers.get("upload-offset").and_then(|value| value.to_str().ok());
    let offset = offset.and_then(|text| text.parse::<u64>().ok());
    match offset {
        Some(offset) if offset == length => {}
        Some(_) => {
            let detail = format!("the upload has {length} bytes; send Upload-Offset: {length}");
            return Err(Problem::new(Slug::Conflict, detail).with("offset", length).into());
        }
        None => {
            let problem = Problem::new(Slug::BadRequest, "Upload-Offset is missing or no number");
            return Err(problem.issue("Upload-Offset", "required field").into());
        }
    }
    let taken = incoming.take(body, app.config().limits.body_read()).await;
    // Also of a piece that broke off, what came is kept.
    let length = incoming.length();
    let until = Millis::new(app.store().now().get() + UPLOAD_KEEP_MS);
    let body = progress(about, length);
    let condition = Condition::Revision(document.revision());
    incoming
        .end(|transaction, _| transaction.put_until(shelf.uploads, id.clone(), condition, body, until))
        .await?;
    taken?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert("upload-offset", HeaderValue::from(length));
    Ok(response)
}

/// `POST /api/uploads/{id}/finish`.
pub(super) async fn finish(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    ObjectBody(body): ObjectBody,
) -> Answer {
    Sight::of(&principal, Action::Create, "blobs")?;
    let shelf = Shelf::of(app.store())?;
    let (document, about) = upload(&app, &principal, shelf, &id)?;
    let (manifest, stored) = shelf.manifest(app.store(), &id)?;
    let length = manifest.length();
    let digest = app
        .scan(move |store| -> Result<[u8; 32], Problem> {
            let mut hash = Sha256::new();
            for chunk in manifest.chunks() {
                let missing = || Problem::from(Error::corrupt(format!("blobs/{chunk}: missing")));
                hash.update(store.chunk(chunk)?.ok_or_else(missing)?);
            }
            Ok(hash.finalize().into())
        })
        .await?;
    if text(&body, "sha256")?.is_some_and(|expected| !expected.eq_ignore_ascii_case(&ids::hex(&digest))) {
        let detail = format!("the bytes that came have the SHA-256 {}", ids::hex(&digest));
        return Err(Problem::new(Slug::ValidationFailed, detail).issue("sha256", "does not match").into());
    }
    let id = document.id.clone();
    let transaction = Transaction::new(dateline_engine::Durability::Sync)
        .put(shelf.blobs, id.clone(), Condition::Absent, described(about, length, &digest))
        .delete(shelf.uploads, id.clone(), Condition::Revision(document.revision()))
        // A piece that came meanwhile would be in the manifest but not in the digest.
        .put(shelf.manifests, id.clone(), Condition::Revision(stored.revision()), stored.body);
    app.commit(transaction).await?;
    created(&app, shelf, &id)
}

/// An upload of the caller's own, with what it says about itself.
fn upload(
    app: &App,
    principal: &Principal,
    shelf: Shelf,
    id: &str,
) -> Result<(Document, Map<String, Value>), Problem> {
    let resource = app.resources().get("uploads")?;
    let sight = Sight::of(principal, Action::Update, "uploads")?;
    let document = app.store().get(shelf.uploads, id)?.ok_or_else(|| missing(&resource, id))?;
    match answer::body_of(&document)? {
        body if !sight.sees("uploads", id, &body) => Err(missing(&resource, id)),
        Value::Object(body) => Ok((document, body)),
        _ => Err(answer::damaged(&document, "the body is not an object")),
    }
}

fn created(app: &App, shelf: Shelf, id: &DocId) -> Result<Response, Refusal> {
    let document = app.store().get(shelf.blobs, id.as_str())?.ok_or_else(|| gone(id))?;
    answer::document("blobs", &document, As::Created, false, &[])
}

fn gone(id: &DocId) -> Problem {
    Problem::new(Slug::Conflict, format!("'{id}' was removed meanwhile"))
}

fn about(
    principal: &Principal,
    name: Option<&str>,
    media_type: Option<&str>,
) -> Result<Map<String, Value>, Problem> {
    let media_type = media_type.filter(|text| !text.is_empty()).unwrap_or("application/octet-stream");
    let is_type = media_type.contains('/') && HeaderValue::from_str(media_type).is_ok();
    if !is_type || media_type.len() > NAME_BYTES_MAX {
        let problem = Problem::new(Slug::BadRequest, "not a media type such as image/png");
        return Err(problem.issue("media_type", "not a media type"));
    }
    let mut about = Map::new();
    if let Some(name) = name {
        let plain = |c: char| !c.is_control() && c != '/' && c != '\\';
        if name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
            let problem =
                Problem::new(Slug::BadRequest, "a name has at most 255 bytes, no control characters, no '/'");
            return Err(problem.issue("name", "not a file name"));
        }
        about.insert("name".to_owned(), name.into());
    }
    about.insert("media_type".to_owned(), media_type.into());
    about.insert("user".to_owned(), principal.user.as_str().into());
    Ok(about)
}

fn progress(mut about: Map<String, Value>, offset: u64) -> Vec<u8> {
    about.insert("offset".to_owned(), offset.into());
    Value::Object(about).to_string().into_bytes()
}

fn described(mut about: Map<String, Value>, length: u64, digest: &[u8; 32]) -> Vec<u8> {
    about.shift_remove("offset");
    about.insert("length".to_owned(), length.into());
    about.insert("sha256".to_owned(), ids::hex(digest).into());
    about.insert("_version".to_owned(), json!(1));
    Value::Object(about).to_string().into_bytes()
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            let issue = "must be of string type";
            Err(Problem::new(Slug::BadRequest, format!("{name} {issue}")).issue(name, issue))
        }
    }
}

/// `Content-Digest: sha-256=:BASE64:` (RFC 9530).
fn expected_digest(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let Some(value) = headers.get("content-digest") else { return Ok(None) };
    let members = value.to_str().unwrap_or_default().split(',').map(str::trim);
    let Some(member) = members.into_iter().find_map(|member| member.strip_prefix("sha-256=")) else {
        // Other algorithms are not held against the bytes.
        return Ok(None);
    };
    let digest = member.strip_prefix(':').and_then(|member| member.strip_suffix(':'));
    let digest = digest.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| bytes.try_into().ok());
    let unreadable = || Problem::new(Slug::BadRequest, "Content-Digest: expected sha-256=:BASE64:");
    digest.map(Some).ok_or_else(|| unreadable().issue("Content-Digest", "unreadable"))
}
