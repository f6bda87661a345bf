//! Items that hold media: `POST /api/archive` with a form makes one of a file, and a save keeps renditions in order.

use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use dateline_media::Family;
use http_body_util::Limited;
use serde_json::{Map, Value, json};

use super::made::{self, Made, Wish};
use super::receiving::{self, Form, is_form};
use super::{crops, references};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::blobs::Shelf;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issues, Wording, date};
use crate::http::{Answer, JsonBody};
use crate::ids;
use crate::resources::answer::{self, As};
use crate::resources::rules::{Draft, Effect};
use crate::resources::target::Named;
use crate::resources::{Prefer, Sight, Writer, commit, create_document};

/// `POST /api/archive`: JSON as for every resource, or a form with the file in `media` and members of the item beside it.
///
/// # Errors
/// 400 that names the field, 413, 415 for a file that is neither picture, film nor sound.
pub(crate) async fn create(State(app): State<App>, principal: Principal, request: Request) -> Answer {
    let resource = app.resources().get("archive")?;
    let headers = request.headers().clone();
    if !is_form(&headers) {
        let body = JsonBody::from_request(bounded(&app, request)?, &app).await?;
        return create_document(State(app), principal, Named(resource), headers, body).await;
    }
    Sight::of(&principal, Action::Create, "archive")?;
    let form = receiving::read(&app, request).await?;
    let Form { file, name, fields } = form;
    let settled = file.ok_or_else(|| {
        Problem::new(Slug::ValidationFailed, "media: required field").issue("media", json!({"required": 1}))
    })?;
    let wish = Wish { crops: crops::specs(&app)?, ..Wish::new(&app.media().settings.picture, &name) };
    let made = made::of_settled(&app, &settled, wish).await?;
    let document = document(&app, fields, &made)?;
    let writer = Writer { app: &app, principal: &principal, resource: &resource };
    let pending = writer.create(document).await?;
    let mut pending = pending.map_err(|issues| Problem::validation(&issues, Wording::Codes))?;
    let shelf = Shelf::of(app.store())?;
    pending.cause(references::effect(&app, pending.id.as_str(), made.ids()));
    pending.cause(made.effect(shelf));
    let release = Effect::Also(Box::new(move |transaction| settled.release(shelf, transaction)));
    pending.cause(release);
    let prefer = Prefer::of(&headers);
    let written = commit(&app, vec![pending], prefer, None).await?;
    match written.first() {
        Some(written) => answer::document("archive", written, As::Created, prefer.minimal, &[]),
        None => Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

/// The address takes forms of any length, but JSON only within the usual bound.
fn bounded(app: &App, request: Request) -> Result<Request, Problem> {
    let max = app.config().limits.body_bytes_max;
    let announced = length(request.headers());
    if announced.is_some_and(|length| length > max) {
        let detail =
            format!("the body has {} bytes, at most {max} are taken here", announced.unwrap_or_default());
        return Err(Problem::new(Slug::BodyTooLarge, detail).with("bytes_max", max));
    }
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    Ok(request.map(|body| Body::new(Limited::new(body, max))))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The item of a file: what the form says, then what the file says.
fn document(app: &App, fields: Map<String, Value>, made: &Made) -> Result<Map<String, Value>, Problem> {
    let kind = match made.family {
        Family::Picture => "picture",
        Family::Video => "video",
        Family::Audio => "audio",
        Family::Other => {
            let detail = format!("the file is '{}': no picture, video or audio", made.media_type);
            return Err(Problem::new(Slug::UnsupportedMediaType, detail.as_str()).issue("media", detail));
        }
    };
    let mut item = said(fields);
    let now = date::format(app.store().now().get());
    let domain = &app.publishing().settings().urn_domain;
    let guid = format!("tag:{domain}:{}:{}", now.get(..4).unwrap_or("0"), ids::new_id(app.store().now())?);
    let filemeta = Value::Object(made.filemeta.clone()).to_string();
    for (member, value) in [
        ("guid", json!(guid)),
        ("type", json!(kind)),
        ("profile", json!(kind)),
        ("state", json!("in_progress")),
        ("mimetype", json!(made.media_type)),
        ("media", json!(made.original)),
        ("renditions", json!(made.renditions)),
        ("filemeta_json", json!(filemeta)),
    ] {
        item.insert(member.to_owned(), value);
    }
    if let Some(point) = &made.point {
        item.insert("poi".to_owned(), point.clone());
        item.insert(crops::POINT_SOURCE.to_owned(), crops::FOUND.into());
    }
    if app.media().settings.fills_items {
        fill(&mut item, &made.metadata);
    }
    Ok(item)
}

/// Members of the item as a form says them: texts, or JSON where they are objects or lists.
fn said(fields: Map<String, Value>) -> Map<String, Value> {
    let mut item = Map::new();
    for (name, value) in fields {
        let text = value.as_str().unwrap_or_default();
        let value = match name.as_str() {
            name if name.starts_with('_') => continue,
            "urgency" | "priority" => text.trim().parse::<i64>().map_or(Value::from(text), Value::from),
            _ if text.starts_with(['{', '[']) => serde_json::from_str(text).unwrap_or(Value::from(text)),
            _ => Value::from(text),
        };
        item.insert(name, value);
    }
    if let Some(desk) = item.shift_remove("desk").filter(Value::is_string) {
        let stage = item.shift_remove("stage").unwrap_or(Value::Null);
        item.entry("task").or_insert_with(|| json!({"desk": desk, "stage": stage}));
    }
    item
}

/// Member of the item, and what fills it: of IPTC, else of XMP.
const FILLED: [(&str, &str, &str); 7] = [
    ("headline", "headline", "photoshop:Headline"),
    ("byline", "by-line", "dc:creator"),
    ("slugline", "object name", "dc:title"),
    ("description_text", "caption/abstract", "dc:description"),
    ("keywords", "keywords", "dc:subject"),
    ("ednote", "special instructions", "photoshop:Instructions"),
    ("copyrightnotice", "copyright notice", "dc:rights"),
];

fn fill(item: &mut Map<String, Value>, metadata: &Value) {
    for (member, iptc, xmp) in FILLED {
        let said =
            [("iptc", iptc), ("xmp", xmp)].into_iter().find_map(|(part, name)| metadata.get(part)?.get(name));
        let Some(said) = said.filter(|_| item.get(member).is_none_or(|own| own.is_null() || own == ""))
        else {
            continue;
        };
        let value = match (member, said) {
            ("keywords", Value::String(one)) => json!([one]),
            ("keywords", _) | (_, Value::String(_)) => said.clone(),
            (_, Value::Array(all)) => {
                let names: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                names.join(", ").into()
            }
            _ => continue,
        };
        item.insert(member.to_owned(), value);
    }
}

/// What a save of an item demands of its renditions, before anything else is looked at.
///
/// # Errors
/// 400 in the words that clients know.
pub(crate) async fn prepare(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &Issues,
) -> Result<Vec<Effect>, Problem> {
    match draft.stored {
        Some(stored) if issues.is_empty() => crops::changed(draft, stored, body).await,
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_say_members_of_items() {
        let fields = json!({
            "headline": "A bench", "urgency": "2", "desk": "d", "_id": "x", "subject": "[{\"qcode\": \"1\"}]",
            "slugline": "{broken",
        });
        let expected = json!({
            "headline": "A bench", "urgency": 2, "subject": [{"qcode": "1"}], "slugline": "{broken",
            "task": {"desk": "d", "stage": null},
        });
        assert_eq!(Value::Object(said(fields.as_object().cloned().unwrap())), expected);
    }

    #[test]
    fn metadata_fills_what_is_empty() {
        let metadata = json!({
            "iptc": {"headline": "Of the file", "by-line": ["Ann", "Bob"], "keywords": ["park"]},
            "xmp": {"dc:rights": "(c) Ann", "photoshop:Headline": "Of XMP"},
        });
        let mut item = json!({"headline": "Of the form", "byline": ""}).as_object().cloned().unwrap();
        fill(&mut item, &metadata);
        let expected = json!({
            "headline": "Of the form", "byline": "Ann, Bob", "keywords": ["park"], "copyrightnotice": "(c) Ann",
        });
        assert_eq!(Value::Object(item), expected);
    }
}
