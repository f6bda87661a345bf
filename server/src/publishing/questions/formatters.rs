//! `/api/formatters`: the formats there are, and an item in one of them.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dateline_formats::{Context, Document, ItemType, Recipient};
use serde_json::{Map, Value, json};

use super::{article, listed, told};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::date;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody};
use crate::publishing::{items, related};
use crate::resources::Sight;

/// `{"_items": [{"name", "label", "types", "can_preview", "can_export"}]}`.
pub(super) async fn list(State(app): State<App>) -> Answer {
    let all = app.publishing().formats().iter().map(|format| {
        let types = ItemType::ALL.into_iter().filter(|kind| format.accepts(*kind)).map(ItemType::as_str);
        json!({
            "name": format.id(), "label": format.name(), "types": types.collect::<Vec<_>>(),
            "can_preview": format.can_preview(), "can_export": format.can_export(),
        })
    });
    told(StatusCode::OK, &listed(&app, all.collect()))
}

/// `{"format" | "formatter_name", "article" | "article_id", "now"?, "sequence"?}` -> `{"formatted_doc", "content_type",
/// "extension"}`; what is no text is in base64, with `"encoding": "base64"`.
///
/// # Errors
/// 400 for an unknown format, without an item, and when the format cannot carry the item.
pub(super) async fn format(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(mut asked): ObjectBody,
) -> Answer {
    Sight::of(&principal, Action::Read, "archive")?;
    let used = app.clone();
    let formatted = app.scan(move |store| -> Result<Value, Problem> {
        let publishing = used.publishing();
        let name =
            ["format", "formatter_name"].iter().find_map(|key| asked.get(*key)).and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong("format", "required field"))?;
        let format = publishing
            .formats()
            .find(name)
            .ok_or_else(|| wrong("format", format!("unallowed value {name}")))?;
        let now = match asked.get("now").and_then(Value::as_str) {
            Some(text) => date::parse_time(text).ok_or_else(|| wrong("now", "must be of datetime type"))?,
            None => items::now(store),
        };
        let sequence = asked.get("sequence").and_then(Value::as_u64).unwrap_or(1);
        let item = article(&used, &mut asked)?;
        let item = item.ok_or_else(|| Problem::new(Slug::BadRequest, "Article not found!"))?;
        let (site, related) = (publishing.site(store)?, related::of(&used, &item)?);
        let recipient = Recipient::default();
        let context = Context { now, sequence, site: &site, related: &related, recipient: &recipient };
        let documents = format.format(&item, &context);
        let documents = documents.map_err(|error| Problem::new(Slug::BadRequest, error.to_string()))?;
        let first =
            documents.first().ok_or_else(|| Problem::new(Slug::BadRequest, "the format gave nothing"))?;
        Ok(Value::Object(shown(first)))
    });
    told(StatusCode::CREATED, &formatted.await?)
}

/// An output as JSON can hold it.
fn shown(document: &Document) -> Map<String, Value> {
    let (text, encoding) = match std::str::from_utf8(&document.bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (STANDARD.encode(&document.bytes), Some("base64")),
    };
    let mut shown = Map::new();
    shown.insert("formatted_doc".to_owned(), text.into());
    shown.insert("content_type".to_owned(), document.content_type.into());
    shown.insert("extension".to_owned(), document.extension.into());
    shown.extend(encoding.map(|encoding| ("encoding".to_owned(), encoding.into())));
    shown
}

fn wrong(field: &str, reason: impl Into<String>) -> Problem {
    let reason = reason.into();
    Problem::new(Slug::ValidationFailed, format!("{field}: {reason}")).issue(field, reason)
}
