//! Features: a page of them, or one.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::{Value, json};

use super::base::Base;
use super::catalog::{find, path_of};
use super::query::translated;
use super::{GEO_JSON, feature};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Params, date, link};
use crate::http::Answer;
use crate::places::catch_up;
use crate::places::devices::check_device;
use crate::places::positions;
use crate::resources::list::select;
use crate::resources::{Query, Resource, Sight, answer, check_sight, find as find_document, missing};

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
    catch_up(&app).await?;
    let kept = app.clone();
    let page = app
        .scan(move |_| match resource.name.as_str() {
            "devices" => devices(&kept, &sight, &asked),
            _ => documents(&kept, &resource, &sight, &asked),
        })
        .await?;
    let now = date::format_precise(app.store().now().get());
    Ok(geojson(&collection(&base, &name, &params, page, &now)))
}

fn devices(app: &App, sight: &Sight, params: &Params) -> Result<Page, Problem> {
    let found = positions::find(app, sight, params)?;
    let features = found.hits.iter().map(|hit| positions::feature(&hit.fix, None)).collect();
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
        base.link(&address(None), "self", GEO_JSON, "this page"),
        base.link(&path_of(name), "collection", "application/json", name),
    ];
    if let Some(next) = &page.next {
        links.push(base.link(&address(Some(next)), "next", GEO_JSON, "the next page"));
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
    catch_up(&app).await?;
    let mut feature = if resource.name == "devices" {
        let (kept, device) = (app.clone(), id.clone());
        app.scan(move |_| -> Result<Value, Problem> {
            let unknown = || Problem::new(Slug::NotFound, format!("no position of '{device}' is known"));
            check_device(&kept, &sight, &principal, &device)?.then_some(()).ok_or_else(unknown)?;
            let fix = kept.geo().device(&device)?.ok_or_else(unknown)?;
            Ok(positions::feature(&fix, None))
        })
        .await?
    } else {
        let document = find_document(&app, &resource, &id)?.ok_or_else(|| missing(&resource, &id))?;
        check_sight(&sight, &resource, &document)?;
        feature::of_document(&resource, &document)?
    };
    let path = format!("/{}", link::document_href(&format!("ogc/collections/{name}/items"), &id));
    feature["links"] = json!([
        base.link(&path, "self", GEO_JSON, "this feature"),
        base.link(&path_of(&name), "collection", "application/json", &name),
    ]);
    Ok(geojson(&feature))
}

fn geojson(value: &Value) -> Response {
    let mut response = answer::json_bytes(value.to_string().into_bytes());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GEO_JSON));
    response
}
