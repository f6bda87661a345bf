//! What subscribers read for themselves: lists, single items, and their versions.

use axum::extract::State;
use axum::http::Uri;
use dateline_engine::Document;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::access::Visit;
use super::asked::{self, Asker};
use super::audit::{self, Seen};
use super::listing;
use super::shown::shown;
use super::store::subscribers_of;
use super::versions::{self, Version};
use crate::app::App;
use crate::eve::PageRequest;
use crate::eve::problem::Problem;
use crate::http::Answer;
use crate::publishing::items;
use crate::resources::target::Id;
use crate::resources::{Query, answer, missing};

/// Which items an address lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Items,
    Packages,
    All,
}

impl Kind {
    /// As the log of accesses names it.
    fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Packages => "packages",
            Self::All => "search",
        }
    }

    fn condition(self) -> Option<Value> {
        match self {
            Self::Items => Some(json!({"type": {"$ne": "composite"}})),
            Self::Packages => Some(json!({"type": "composite"})),
            Self::All => None,
        }
    }

    fn is_of(self, item: &Value) -> bool {
        let is_package = item.get("type").and_then(Value::as_str) == Some("composite");
        match self {
            Self::Items => !is_package,
            Self::Packages => is_package,
            Self::All => true,
        }
    }
}

/// `GET /contentapi/items`: items that are no packages.
pub(super) async fn all_items(State(app): State<App>, visit: Visit, query: Query, uri: Uri) -> Answer {
    visit.answered(listed(&app, &visit, query, &uri, Kind::Items).await)
}

/// `GET /contentapi/packages`.
pub(super) async fn all_packages(State(app): State<App>, visit: Visit, query: Query, uri: Uri) -> Answer {
    visit.answered(listed(&app, &visit, query, &uri, Kind::Packages).await)
}

/// `GET /contentapi/search`: items and packages.
pub(super) async fn search(State(app): State<App>, visit: Visit, query: Query, uri: Uri) -> Answer {
    visit.answered(listed(&app, &visit, query, &uri, Kind::All).await)
}

/// `GET /contentapi/items/{id}`: as it is, or its `version`.
pub(super) async fn one_item(State(app): State<App>, visit: Visit, id: Id, query: Query) -> Answer {
    visit.answered(one(&app, &visit, id, query, Kind::Items).await)
}

/// `GET /contentapi/packages/{id}`: as it is, or its `version`.
pub(super) async fn one_package(State(app): State<App>, visit: Visit, id: Id, query: Query) -> Answer {
    visit.answered(one(&app, &visit, id, query, Kind::Packages).await)
}

/// `GET /contentapi/items/{id}/versions`: oldest first.
pub(super) async fn versions_of_item(
    State(app): State<App>,
    visit: Visit,
    id: Id,
    query: Query,
    uri: Uri,
) -> Answer {
    visit.answered(all_versions(&app, &visit, id, query, &uri, Kind::Items).await)
}

/// `GET /contentapi/packages/{id}/versions`: oldest first.
pub(super) async fn versions_of_package(
    State(app): State<App>,
    visit: Visit,
    id: Id,
    query: Query,
    uri: Uri,
) -> Answer {
    visit.answered(all_versions(&app, &visit, id, query, &uri, Kind::Packages).await)
}

async fn listed(app: &App, visit: &Visit, Query(params): Query, uri: &Uri, kind: Kind) -> Answer {
    let today = items::now(app.store()).to_zoned(TimeZone::UTC).date();
    let asked = asked::of_list(&params, Asker::Subscriber, today)?;
    let page = PageRequest::parse(&params)?;
    let mut conditions = vec![json!({"subscribers": visit.subscriber})];
    conditions.extend(kind.condition());
    conditions.extend(asked.conditions);
    let (used, subscriber) = (app.clone(), visit.subscriber.clone());
    let found = app.scan(move |_| -> Result<_, Problem> {
        let found = listing::find(&used, conditions, &params)?;
        let shown = found.documents.iter().map(|found| shown(&used, found, &subscriber, &asked.fields));
        let ids: Vec<String> = found.documents.iter().map(|found| found.id.as_str().to_owned()).collect();
        Ok((shown.collect::<Result<Vec<_>, Problem>>()?, ids, found.total, found.next.is_some()))
    });
    let (shown, ids, total, more) = found.await?;
    audit::record(app, visit, &Seen { kind: kind.name(), items: &ids, version: None });
    Ok(listing::envelope(uri, "/contentapi/", &page, shown, total, more))
}

async fn one(app: &App, visit: &Visit, Id(id): Id, Query(params): Query, kind: Kind) -> Answer {
    let (fields, version) = asked::of_item(&params)?;
    let current = entitled(app, visit, &id, kind)?;
    let document = match version {
        None => current,
        Some(version) => {
            let (used, named, subscriber) = (app.clone(), id.clone(), visit.subscriber.clone());
            let found = app.scan(move |_| kept(&used, &named, &subscriber)).await?;
            let found = found.into_iter().find(|found| found.number == version);
            found.ok_or_else(|| versions::none(&id, version))?.document
        }
    };
    let shown = shown(app, &document, &visit.subscriber, &fields)?;
    let number = versions::number(&items::view(&document)?);
    audit::record(app, visit, &Seen { kind: kind.name(), items: &[id], version: Some(&number) });
    Ok(answer::json_bytes(shown.to_string().into_bytes()))
}

async fn all_versions(
    app: &App,
    visit: &Visit,
    Id(id): Id,
    Query(params): Query,
    uri: &Uri,
    kind: Kind,
) -> Answer {
    let fields = asked::of_versions(&params)?;
    entitled(app, visit, &id, kind)?;
    let (used, named, subscriber) = (app.clone(), id.clone(), visit.subscriber.clone());
    let shown = app.scan(move |_| -> Result<_, Problem> {
        let found = kept(&used, &named, &subscriber)?;
        let shown = found.iter().rev().map(|found| shown(&used, &found.document, &subscriber, &fields));
        shown.collect::<Result<Vec<_>, Problem>>()
    });
    let shown = shown.await?;
    audit::record(app, visit, &Seen { kind: kind.name(), items: &[id], version: None });
    // All of them are one page.
    let total = u64::try_from(shown.len()).unwrap_or(u64::MAX);
    let page = PageRequest { page: 1, max_results: total, cursor: None };
    Ok(listing::envelope(uri, "/contentapi/", &page, shown, Some(total), false))
}

/// The versions that the subscriber may read, newest first.
fn kept(app: &App, id: &str, subscriber: &str) -> dateline_engine::Result<Vec<Version>> {
    versions::of(app.store(), app.publishing().collections().items, id, Some(subscriber))
}

/// The item as it is now.
fn entitled(app: &App, visit: &Visit, id: &str, kind: Kind) -> Result<Document, Problem> {
    let resource = app.resources().get("items")?;
    let gone = || missing(&resource, id);
    let document = crate::resources::find(app, &resource, id)?.ok_or_else(gone)?;
    let item = items::view(&document)?;
    let is_entitled = subscribers_of(&item).any(|own| own == visit.subscriber);
    if is_entitled && kind.is_of(&item) {
        return Ok(document);
    }
    // What somebody may not have does not exist for them.
    Err(gone())
}
