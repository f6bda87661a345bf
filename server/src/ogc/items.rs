//! Features: a page of them, or one.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::base::Base;
use super::catalog::{find, path_of};
use super::feature;
use super::query::translated;
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::Problem;
use crate::eve::{Params, date, link};
use crate::http::Answer;
use crate::places::answers::ask;
use crate::places::devices::last_fix;
use crate::places::geojson;
use crate::places::positions::Question;
use crate::resources::list::select;
use crate::resources::{Query, Resource, Sight, check_sight, find as find_document, missing};

/// Features of one page.
struct Page {
    features: Vec<Value>,
    total: Option<u64>,
    next: Option<String>,
}

/// `GET /ogc/collections/{collection}/items`.
pub(crate) async fn items(
    State(app): State<App>,
    principal: Principal,
    base: Base,
    Path(name): Path<String>,
    Query(params): Query,
) -> Answer {
    let (resource, sight) = find(&app, &principal, &name)?;
    let asked = translated(&resource, &params)?;
    let page = ask(&app, move |app| match resource.name.as_str() {
        "devices" => devices(app, &sight, &asked),
        _ => documents(app, &resource, &sight, &asked),
    })
    .await?;
    let now = date::format_precise(app.store().now().get());
    Ok(geojson::answer(&collection(&base, &name, &params, page, &now)))
}

fn devices(app: &App, sight: &Sight, params: &Params) -> Result<Page, Problem> {
    let found = Question::read(app, params)?.page(app, sight)?;
    let features = found.hits.iter().map(|hit| geojson::feature(&hit.fix, None)).collect();
    Ok(Page { features, total: found.total, next: found.next })
}

fn documents(app: &App, resource: &Arc<Resource>, sight: &Sight, params: &Params) -> Result<Page, Problem> {
    let found = select(app, sight, resource, params)?;
    let features = found.documents.iter().map(|document| feature::of_document(resource, document));
    Ok(Page { features: features.collect::<Result<_, _>>()?, total: found.total, next: found.next })
}

fn collection(base: &Base, name: &str, params: &Params, page: Page, now: &str) -> Value {
    let path = format!("{}/items", path_of(name));
    let address = |cursor: Option<&str>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        params.iter().filter(|(name, _)| cursor.is_none() || *name != "cursor").for_each(|(name, value)| {
            query.append_pair(name, value);
        });
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        match query.finish() {
            query if query.is_empty() => path.clone(),
            query => format!("{path}?{query}"),
        }
    };
    let mut links = vec![
        base.link(&address(None), "self", geojson::MEDIA_TYPE, "this page"),
        base.link(&path_of(name), "collection", "application/json", name),
    ];
    if let Some(next) = &page.next {
        links.push(base.link(&address(Some(next)), "next", geojson::MEDIA_TYPE, "the next page"));
    }
    let mut body = json!({
        "type": "FeatureCollection", "timeStamp": now, "links": links, "numberReturned": page.features.len(),
    });
    if let Some(total) = page.total {
        body["numberMatched"] = total.into();
    }
    body["features"] = page.features.into();
    body
}

/// `GET /ogc/collections/{collection}/items/{item}`.
pub(crate) async fn item(
    State(app): State<App>,
    principal: Principal,
    base: Base,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    let (resource, sight) = find(&app, &principal, &name)?;
    let item = id.clone();
    let mut feature = ask(&app, move |app| {
        if resource.name == "devices" {
            return Ok(geojson::feature(&last_fix(app, &sight, &principal, &item)?, None));
        }
        let document = find_document(app, &resource, &item)?.ok_or_else(|| missing(&resource, &item))?;
        check_sight(&sight, &resource, &document)?;
        feature::of_document(&resource, &document)
    })
    .await?;
    let path = format!("/{}", link::document_href(&format!("ogc/collections/{name}/items"), &id));
    feature["links"] = json!([
        base.link(&path, "self", geojson::MEDIA_TYPE, "this feature"),
        base.link(&path_of(&name), "collection", "application/json", &name),
    ]);
    Ok(geojson::answer(&feature))
}
