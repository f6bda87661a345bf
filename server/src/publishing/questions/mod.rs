//! Questions about publishing that change nothing: what matches, who would get an item, in which form, and why.

mod dry_run;
mod errors;
mod explain;
mod filter_test;
mod formatters;
mod parameters;
mod product_test;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::items;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, Param, Routes};
use crate::resources::answer;

/// Routes of the questions.
pub(crate) fn routes() -> Routes {
    let doc = |summary, access| Doc::new(summary, "publishing", access);
    let filters = Access::Privilege("content_filters");
    const EXPLAIN: &[Param] = &[
        Param::new("item", "string", "id of an item of the archive"),
        Param::new("subscriber", "string", "id of a subscriber"),
    ];
    let article = json!({
        "article_id": {"type": "string"}, "article": {"type": "object", "description": "an item that is not stored"},
    });
    let with = |more: Value| {
        let mut properties = article.clone();
        if let (Some(all), Value::Object(more)) = (properties.as_object_mut(), more) {
            all.extend(more);
        }
        json!({"type": "object", "properties": properties})
    };
    Routes::new()
        .schema("FilterTest", with(json!({
            "filter_id": {"type": "string"}, "filter": {"type": "object"}, "return_matching": {"type": "boolean"},
        })))
        .schema("FilterTested", json!({"type": "object", "required": ["match_results"]}))
        .schema("ProductTest", with(json!({})))
        .schema("Format", with(json!({
            "format": {"type": "string"}, "formatter_name": {"type": "string"},
            "now": {"type": "string", "format": "date-time"}, "sequence": {"type": "integer", "minimum": 0},
        })))
        .schema("Formatted", json!({"type": "object", "required": ["formatted_doc"]}))
        .schema("DryRun", json!({
            "type": "object", "required": ["item"],
            "properties": {
                "item": {"type": ["string", "object"]}, "action": {"type": "string"},
                "subscribers": {"type": "array", "items": {"type": "string"}},
            },
        }))
        .schema("PublishErrors", json!({"type": "object"}))
        .schema("DryRunAnswer", json!({"type": "object", "required": ["subscribers", "queue"]}))
        .schema("PublishExplained", json!({"type": "object", "required": ["subscriber", "accepted", "reason", "steps"]}))
        .get(
            "/api/filter_conditions/parameters",
            parameters::parameters,
            doc("Fields, operators and values that conditions can have", Access::SignedIn).answer(200, "List"),
        )
        .post(
            "/api/content_filters/test",
            filter_test::test,
            doc("Whether a filter matches an item, or which items it matches", filters)
                .request("FilterTest")
                .answer(200, "FilterTested"),
        )
        .post(
            "/api/products/test",
            product_test::test,
            doc("What each product makes of an item", Access::Privilege("products"))
                .request("ProductTest")
                .answer(200, "List"),
        )
        .get(
            "/api/formatters",
            formatters::list,
            doc("Formats that destinations can name", Access::SignedIn).answer(200, "List"),
        )
        .post(
            "/api/formatters",
            formatters::format,
            doc("An item in a format", Access::SignedIn).request("Format").answer(201, "Formatted"),
        )
        .post(
            "/api/publish/dry_run",
            dry_run::dry_run,
            doc("What publishing an item would come to", Access::Privilege("subscribers"))
                .request("DryRun")
                .answer(200, "DryRunAnswer"),
        )
        .get(
            "/api/publish_errors",
            errors::errors,
            doc("Errors that can be critical for a subscriber", Access::SignedIn).answer(200, "PublishErrors"),
        )
        .get(
            "/api/explain/publish",
            explain::explain,
            doc("Why a subscriber gets an item or not, step by step", Access::Privilege("subscribers"))
                .query(EXPLAIN)
                .answer(200, "PublishExplained"),
        )
}

/// The item a question is about: `article` itself, or the one of `article_id`; none if neither is given.
///
/// # Errors
/// 400 when there is no such item.
fn article(app: &App, asked: &mut Map<String, Value>) -> Result<Option<Value>, Problem> {
    if let Some(article) = asked.shift_remove("article").filter(|article| !article.is_null()) {
        if !article.is_object() {
            return Err(Problem::new(Slug::ValidationFailed, "article: must be of dict type")
                .issue("article", "must be of dict type"));
        }
        return Ok(Some(article));
    }
    let Some(id) = asked.get("article_id").filter(|id| !id.is_null()) else { return Ok(None) };
    let found = match id.as_str() {
        Some(id) => items::find(app.store(), app.publishing().collections().archive, id)?,
        None => None,
    };
    found.map(Some).ok_or_else(|| Problem::new(Slug::BadRequest, "Article not found!"))
}

/// An answer in one JSON value.
fn told(status: StatusCode, value: &Value) -> Answer {
    let response: Response = answer::json_bytes(value.to_string().into_bytes());
    Ok((status, response).into_response())
}

/// The envelope of a list that is whole.
fn listed(app: &App, items: Vec<Value>) -> Value {
    let total = items.len();
    json!({
        "_items": items, "_meta": {"page": 1, "max_results": total, "total": total}, "_links": {},
        "_seq": app.store().watermark().applied().seq.get(),
    })
}
