//! What there is: landing page, conformance, collections.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::base::Base;
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::link;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::places::geojson;
use crate::resources::placed::has_places;
use crate::resources::{Resource, Sight};

const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
const JSON: &str = "application/json";

/// Classes of OGC 17-069r4. The description of the API is OpenAPI 3.1, for which the standard has no class.
const CONFORMS_TO: [&str; 2] = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
];

/// `GET /ogc`.
pub(crate) async fn landing(base: Base) -> Response {
    Json(json!({
        "title": "Dateline",
        "description": "Devices where they are now, ads, fences, and collections with places.",
        "links": [
            base.link("/ogc", "self", JSON, "this page"),
            base.link("/openapi.json", "service-desc", "application/vnd.oai.openapi+json;version=3.1", "the API"),
            base.link("/docs", "service-doc", "text/html", "the API for people"),
            base.link("/ogc/conformance", "conformance", JSON, "what it conforms to"),
            base.link("/ogc/collections", "data", JSON, "the collections"),
        ],
    }))
    .into_response()
}

/// `GET /ogc/conformance`.
pub(crate) async fn conformance() -> Response {
    Json(json!({"conformsTo": CONFORMS_TO})).into_response()
}

/// `GET /ogc/collections`: those that the caller may read.
pub(crate) async fn collections(State(app): State<App>, principal: Principal, base: Base) -> Answer {
    let readable = |resource: &Arc<Resource>| has_places(resource) && sight(&principal, resource).is_ok();
    let found: Vec<Value> =
        app.resources().all().iter().filter(|r| readable(r)).map(|r| describe(&base, &r.name)).collect();
    let links = [base.link("/ogc/collections", "self", JSON, "the collections")];
    Ok(Json(json!({"links": links, "collections": found})).into_response())
}

/// `GET /ogc/collections/{collection}`.
pub(crate) async fn collection(
    State(app): State<App>,
    principal: Principal,
    base: Base,
    Path(name): Path<String>,
) -> Answer {
    let (resource, _) = find(&app, &principal, &name)?;
    Ok(Json(describe(&base, &resource.name)).into_response())
}

/// The resource behind a collection, and what of it the caller may see.
pub(super) fn find(app: &App, principal: &Principal, name: &str) -> Result<(Arc<Resource>, Sight), Problem> {
    let unknown = || Problem::new(Slug::NotFound, format!("there is no collection '{name}' with places"));
    let resource =
        app.resources().get(name).ok().filter(|resource| has_places(resource)).ok_or_else(unknown)?;
    let sight = sight(principal, &resource)?;
    Ok((resource, sight))
}

/// Devices are shown where they are, which is what their positions tell.
fn sight(principal: &Principal, resource: &Resource) -> Result<Sight, Problem> {
    let name = if resource.name == "devices" { "positions" } else { &resource.name };
    Sight::of(principal, Action::Read, name)
}

fn describe(base: &Base, name: &str) -> Value {
    let path = path_of(name);
    json!({
        "id": name, "title": name, "itemType": "feature", "crs": [CRS84],
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]], "crs": CRS84}},
        "links": [
            base.link(&path, "self", JSON, name),
            base.link(&format!("{path}/items"), "items", geojson::MEDIA_TYPE, "the features"),
        ],
    })
}

/// The address of a collection.
pub(super) fn path_of(name: &str) -> String {
    format!("/{}", link::document_href("ogc/collections", name))
}
