//! `POST /api/upload`: a file by itself.

use axum::extract::{FromRequest, Request, State};
use dateline_engine::{Condition, Durability, Transaction};
use dateline_media::Crop;
use serde_json::{Map, Value, json};

use super::fetching::fetched;
use super::made::{self, Wish, bad};
use super::receiving::{self, Form, is_form};
use super::{may_bring, references};
use crate::app::App;
use crate::auth::Principal;
use crate::blobs::{Settled, Shelf};
use crate::eve::json::{self as text, Limits};
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody};
use crate::resources::Prefer;
use crate::resources::answer::{self, As};

/// Both at once, in the words that clients know.
const BOTH: &str = "Uploading file by URL and file stream in the same time is not supported.";
/// Members of a crop.
pub(super) const CROP: [&str; 4] = ["CropLeft", "CropTop", "CropRight", "CropBottom"];
/// Largest body that is not a form: a data URI is held in memory.
const BODY_BYTES_MAX: usize = 32 << 20;

/// A form with `media` or `URL`, or JSON with `URL`; `CropLeft` and its kin cut the picture first.
///
/// # Errors
/// 400 that names the field, 413, 415 for a body that is neither.
pub(super) async fn create(State(app): State<App>, principal: Principal, request: Request) -> Answer {
    may_bring(&principal)?;
    let prefer = Prefer::of(request.headers());
    let mut form = received(&app, request).await?;
    let url = form.fields.shift_remove("URL").filter(|url| !url.is_null() && url != "");
    let (settled, name) = match (form.file, url) {
        (Some(_), Some(_)) => return Err(Problem::new(Slug::BadRequest, BOTH).issue("media", BOTH).into()),
        (Some(settled), None) => (settled, form.name),
        (None, Some(Value::String(url))) => fetched(&app, &url).await?,
        (None, Some(_)) => return Err(bad("URL", "must be of string type").into()),
        (None, None) => {
            let problem = Problem::new(Slug::ValidationFailed, "media: required field");
            return Err(problem.issue("media", json!({"required": 1})).into());
        }
    };
    let cut = crop_of(&form.fields)?;
    store(&app, &principal, settled, name, cut, prefer).await
}

async fn received(app: &App, request: Request) -> Result<Form, Problem> {
    if is_form(request.headers()) {
        return receiving::read(app, request).await;
    }
    let kind =
        request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !kind.ends_with("+json") {
        let detail = format!("the body is '{kind}'; send multipart/form-data with media, or JSON with URL");
        return Err(Problem::new(Slug::UnsupportedMediaType, detail));
    }
    let request =
        request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, BODY_BYTES_MAX)));
    let body = RawBody::from_request(request, app).await.map_err(crate::http::Refusal::into_problem)?;
    let limits = Limits { bytes_max: BODY_BYTES_MAX, ..Limits::BODY };
    let fields = text::parse_object(&body.0, &limits)?;
    Ok(Form { fields, ..Form::default() })
}

/// The crop of a form or document: all four members, or none.
///
/// # Errors
/// 400 that names the member that is missing or no number.
pub(super) fn crop_of(fields: &Map<String, Value>) -> Result<Option<Crop>, Problem> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null() && *value != "");
    if CROP.iter().all(|name| given(name).is_none()) {
        return Ok(None);
    }
    let [left, top, right, bottom] = CROP.map(|name| {
        let value = given(name).ok_or_else(|| bad(name, "a crop has all four edges"))?;
        edge(value).ok_or_else(|| bad(name, &format!("Invalid value for {name} in renditions")))
    });
    Ok(Some(Crop { left: left?, top: top?, right: right?, bottom: bottom? }))
}

/// A whole number of pixels; texts and fractions count as what they begin with, as clients know it.
pub(super) fn edge(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<u32>().ok().map(f64::from)?,
        _ => return None,
    };
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

async fn store(
    app: &App,
    principal: &Principal,
    settled: Settled,
    name: String,
    cut: Option<Crop>,
    prefer: Prefer,
) -> Answer {
    let (collections, shelf) = (app.media().collections(), Shelf::of(app.store())?);
    let wish = Wish { cut, ..Wish::new(&app.media().settings.avatar, &name) };
    let made = made::of_settled(app, &settled, wish).await?;
    let id = crate::ids::new_id(app.store().now())?;
    let body = document(&made, &name, principal.user.as_str());
    let transaction = Transaction::new(Durability::Sync);
    let transaction =
        transaction.put(collections.uploads, id.clone(), Condition::Absent, text::encode(&body));
    let transaction = references::add(transaction, collections.references, id.as_str(), &made.ids());
    let transaction = settled.release(shelf, made.add_to(shelf, transaction));
    app.commit(transaction).await?;
    let stored = app.store().get(collections.uploads, id.as_str())?;
    let stored =
        stored.ok_or_else(|| Problem::new(Slug::Conflict, format!("'{id}' was removed meanwhile")))?;
    answer::document("upload", &stored, As::Created, prefer.minimal, &[])
}

/// The document of a file by itself.
pub(super) fn document(made: &made::Made, name: &str, user: &str) -> Map<String, Value> {
    let filemeta = Value::Object(made.filemeta.clone());
    let body = json!({
        "filename": name, "mimetype": made.media_type, "length": made.length, "media": made.original,
        "renditions": made.renditions, "metadata": made.metadata, "filemeta_json": filemeta.to_string(),
        "poi": made.point, "user": user, "_version": 1,
    });
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}
