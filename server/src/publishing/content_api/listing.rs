//! Lists of the content API: what is found, and the envelope it comes in.

use axum::http::Uri;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::asked;
use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{ListMeta, PageRequest, Params};
use crate::resources::list::{Selection, select};
use crate::resources::{Sight, answer};

/// The items of a page that all conditions hold of, in the order that was asked for. Reads many documents.
///
/// # Errors
/// 400 for a page, an order or a search text that cannot be read.
pub(super) fn find(app: &App, conditions: Vec<Value>, params: &Params) -> Result<Selection, Problem> {
    let mut pairs = Vec::new();
    if !conditions.is_empty() {
        pairs.push(("where".to_owned(), json!({"$and": conditions}).to_string()));
    }
    let sort = params.get("sort").unwrap_or("-versioncreated");
    pairs.push(("sort".to_owned(), sort.to_owned()));
    for name in ["q", "default_operator", "page", "max_results"] {
        pairs.extend(params.get(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    let resource = app.resources().get("items")?;
    select(app, &Sight::whole(), &resource, &Params::new(pairs)).map_err(asked::retold)
}

/// The answer of a list at an address below `prefix`.
pub(super) fn envelope(
    uri: &Uri,
    prefix: &str,
    page: &PageRequest,
    shown: Vec<Value>,
    total: Option<u64>,
    more: bool,
) -> Response {
    let meta = ListMeta::new(page, total, more);
    let path = uri.path().trim_start_matches(prefix);
    let href = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut envelope = Map::new();
    envelope.insert("_items".to_owned(), shown.into());
    envelope.insert("_links".to_owned(), json!({"self": {"title": path, "href": href}}));
    envelope.insert(
        "_meta".to_owned(),
        json!({"page": meta.page, "max_results": meta.max_results, "total": meta.total}),
    );
    answer::json_bytes(Value::Object(envelope).to_string().into_bytes())
}
