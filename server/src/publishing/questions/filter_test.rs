//! `POST /api/content_filters/test`: one filter and one item, or the newest items.

use axum::extract::State;
use axum::http::StatusCode;
use dateline_publish::filter::{Catalog, Part, Truth};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{article, told};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::Params;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody};
use crate::publishing::items;
use crate::resources::{Sight, list};

/// Items of one answer at the most.
const ITEMS_MAX: usize = 200;
/// The name a filter has that is not stored.
const UNNAMED: &str = "(test)";

/// `{"filter_id" | "filter", "article_id"? | "article"?, "return_matching"?: true}` ->
/// `{"match_results": true | false}` with an item, `{"match_results": [item]}` without.
///
/// # Errors
/// 400 when filter or item are not there, or the filter cannot be judged.
pub(super) async fn test(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(mut asked): ObjectBody,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "archive")?;
    let tested = app.clone();
    let results = app.scan(move |_| -> Result<Value, Problem> {
        let article = article(&tested, &mut asked)?;
        with_filter(&tested, &asked, |catalog, filter| {
            let now = items::now(tested.store());
            match &article {
                Some(item) => judged(catalog, filter, item, now).map(Value::Bool),
                None => newest(&tested, &sight, &asked, |item| judged(catalog, filter, item, now)),
            }
        })
    });
    told(StatusCode::OK, &json!({"match_results": results.await?}))
}

/// Calls with the shared catalog for a stored filter, with one of its own for another.
fn with_filter<T>(
    app: &App,
    asked: &Map<String, Value>,
    test: impl FnOnce(&Catalog, &str) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let (store, audience) = (app.store(), app.publishing().audience());
    if let Some(filter @ Value::Object(_)) = asked.get("filter") {
        let id = filter.get("_id").and_then(Value::as_str).unwrap_or(UNNAMED);
        let mut catalog = audience.separate(store)?;
        if let Err(refusal) = catalog.check_filter(id, filter) {
            return Err(Problem::new(Slug::BadRequest, refusal.message));
        }
        catalog.set(Part::Filter, id, Some(filter));
        return test(&catalog, id);
    }
    let missing = || Problem::new(Slug::BadRequest, "Content filter not found");
    let id = asked.get("filter_id").and_then(Value::as_str).ok_or_else(missing)?;
    let filters = app.resources().get("content_filters")?;
    store.get(filters.collection, id)?.ok_or_else(missing)?;
    audience.ask(store, |percolator| test(percolator.catalog(), id))?
}

fn judged(catalog: &Catalog, filter: &str, item: &Value, now: Timestamp) -> Result<bool, Problem> {
    match catalog.matches(filter, item, now) {
        Truth::True => Ok(true),
        Truth::False => Ok(false),
        Truth::Unknown => {
            let detail = "Error in testing article: the filter cannot be judged";
            Err(Problem::new(Slug::BadRequest, detail))
        }
    }
}

/// Of the newest items that are not spiked those that match, or those that do not.
fn newest(
    app: &App,
    sight: &Sight,
    asked: &Map<String, Value>,
    matches: impl Fn(&Value) -> Result<bool, Problem>,
) -> Result<Value, Problem> {
    let wanted = asked.get("return_matching").and_then(Value::as_bool).unwrap_or(true);
    let archive = app.resources().get("archive")?;
    let pairs =
        [("sort", "-versioncreated"), ("max_results", "200"), ("where", r#"{"state": {"$ne": "spiked"}}"#)];
    let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut found = Vec::new();
    for document in list::select(app, sight, &archive, &params)?.documents.iter().take(ITEMS_MAX) {
        let item = items::view(document)?;
        if matches(&item)? == wanted {
            found.push(item);
        }
    }
    Ok(Value::Array(found))
}
