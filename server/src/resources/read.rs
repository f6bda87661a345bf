//! One document: the current version, an earlier one, or all of them.

use axum::extract::State;
use axum::http::HeaderMap;
use dateline_engine::Document;
use serde_json::Value;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Item, ListMeta, ListWriter, PageRequest, Params};
use crate::http::Answer;
use crate::ingest;
use crate::publishing::consumer;
use crate::resources::answer::{self, As};
use crate::resources::query::Query;
use crate::resources::target::{Id, Named};
use crate::resources::visibility::Sight;
use crate::resources::{Resource, collections, moment, preconditions};

/// Most versions listed at once.
const VERSIONS_MAX: usize = 500;

/// `GET /api/{resource}/{id}`.
pub(crate) async fn get(
    State(app): State<App>,
    principal: Principal,
    Named(resource): Named,
    Id(id): Id,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, &resource.name)?;
    let snapshot = app.store().snapshot()?;
    let document = match (params.get("version"), moment::of(&snapshot, &params)?) {
        (Some("all"), _) => return versions(&app, &sight, &resource, &id),
        (Some(number), _) => numbered(&app, &resource, &id, number)?,
        (None, Some(moment)) => {
            past(snapshot.get_at(resource.collection, &id, moment))?.ok_or_else(|| missing(&resource, &id))?
        }
        (None, None) => find(&app, &resource, &id)?.ok_or_else(|| missing(&resource, &id))?,
    };
    check_sight(&sight, &resource, &document)?;
    let tag = answer::tag(&document);
    if preconditions::is_known(&headers, &tag)? {
        return Ok(answer::not_modified(&tag));
    }
    let extras = match resource.name.as_str() {
        "collections" => collections::state(&app, document.id.as_str())?,
        "publish_queue" => consumer::formatted(&app, &document)?,
        "ingest_providers" => ingest::health(&app, &document)?,
        _ => Vec::new(),
    };
    answer::document(&resource.name, &document, As::Read, false, &extras)
}

/// What can never be a name was never there.
fn past(found: dateline_engine::Result<Option<Document>>) -> Result<Option<Document>, Problem> {
    match found {
        Err(error) if error.kind() == dateline_engine::ErrorKind::Invalid => Ok(None),
        other => Ok(other?),
    }
}

/// The live document of this id; a user may also be named by `username`, rows of published items by the item: that is
/// the last one.
pub(crate) fn find(app: &App, resource: &Resource, id: &str) -> Result<Option<Document>, Problem> {
    let found = match app.store().get(resource.collection, id) {
        // What can never be a name is simply not there.
        Err(error) if error.kind() == dateline_engine::ErrorKind::Invalid => None,
        other => other?,
    };
    let field = match resource.name.as_str() {
        "users" => "username",
        "published" | "publish_queue" => "item_id",
        _ => return Ok(found),
    };
    if found.is_some() {
        return Ok(found);
    }
    let named = app.store().lookup(resource.collection, field, &[Value::String(id.to_owned())])?;
    let mut last: Option<Document> = None;
    for id in named {
        let found = app.store().get(resource.collection, id.as_str())?;
        last = last.into_iter().chain(found).max_by_key(|document| (document.created, document.seq));
    }
    Ok(last)
}

pub(crate) fn missing(resource: &Resource, id: &str) -> Problem {
    Problem::new(Slug::NotFound, format!("there is no document '{id}' in '{}'", resource.name))
}

/// A document that may not be seen does not exist for the one who asks.
pub(crate) fn check_sight(sight: &Sight, resource: &Resource, document: &Document) -> Result<(), Problem> {
    let id = document.id.as_str();
    if sight.is_clear() || sight.sees(&resource.name, id, &answer::body_of(document)?) {
        return Ok(());
    }
    Err(missing(resource, id))
}

fn numbered(app: &App, resource: &Resource, id: &str, number: &str) -> Result<Document, Problem> {
    let number: u64 = number.parse().map_err(|_| Problem::query("version", "expected a number or 'all'"))?;
    for version in app.store().versions(resource.collection, id, VERSIONS_MAX)? {
        let body = if version.deleted { Value::Null } else { answer::body_of(&version)? };
        if body.get("_version").and_then(Value::as_u64) == Some(number) {
            return Ok(version);
        }
    }
    Err(Problem::new(Slug::NotFound, format!("'{id}' has no version {number}")))
}

fn versions(app: &App, sight: &Sight, resource: &Resource, id: &str) -> Answer {
    let seq = app.store().watermark().applied().seq;
    let found = app.store().versions(resource.collection, id, VERSIONS_MAX)?;
    let Some(newest) = found.first().filter(|newest| !newest.deleted) else {
        return Err(missing(resource, id).into());
    };
    check_sight(sight, resource, newest)?;
    let mut list = ListWriter::new(found.len() * 512);
    let mut shown = 0;
    for version in found.iter().rev().filter(|version| !version.deleted) {
        let tag = answer::tag(version);
        let item = Item::read(answer::meta(version, &tag), &resource.name);
        list.push(&version.body, &item).map_err(|error| answer::damaged(version, &error.to_string()))?;
        shown += 1;
    }
    let page = PageRequest::parse(&Params::default())?;
    let meta = ListMeta::new(&page, Some(shown), false);
    Ok(answer::json_bytes(list.finish(&meta, None, &Value::Object(Default::default()), seq.get(), &[])))
}
