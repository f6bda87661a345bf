//! `/api/feeds`: named feeds, whose consumers share the work.
//!
//! Promise: every change that passes the feed's filter, and that its owner may see, is given out at least once; the
//! changes of one document in their order, the next ones only after the earlier ones were acknowledged. Documents
//! are spread over partitions by their names; a lease is for one partition. With one partition the changes come in
//! the order of the log. See `dateline_engine::Group`.
//!
//! A feed is a document of the collection `feeds` and a durable cursor for each partition, which holds the log. What
//! it holds longer than the policy allows is trimmed all the same; the feed is then told 410 until it is reset.

mod definition;
mod reading;
mod shared;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{Condition, DocId, Document, Durability, Transaction};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::{self, Action};
use crate::eve::json as text;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, ObjectBody, Routes};
use crate::resources::Sight;
pub(crate) use definition::bad;
use definition::{Definition, start};
pub(crate) use shared::Feeds;
pub(crate) use shared::place;
use shared::{State as FeedState, Working, cursor};

/// Feeds of one store at the most.
const FEEDS_MAX: usize = 256;

/// Routes of named feeds.
pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "log", Access::SignedIn);
    Routes::new()
        .schema("Feed", json!({"type": "object", "required": ["name", "collections"], "properties": {
            "name": {"type": "string"}, "collections": {"type": "array", "items": {"type": "string"}},
            "where": {"type": "object"}, "bbox": {"type": "array", "items": {"type": "number"}},
            "circle": {"type": "object"}, "partitions": {"type": "integer"}, "from": {},
        }}))
        .schema("FeedRead", json!({"type": "object", "properties": {
            "max": {"type": "integer"}, "wait_s": {"type": "integer"}, "lease_s": {"type": "integer"},
        }}))
        .schema("FeedWork", json!({"type": "object", "required": ["changes"], "properties": {
            "changes": {"type": "array", "items": {"type": "object"}}, "lease": {"type": "string", "nullable": true},
        }}))
        .schema("FeedAck", json!({"type": "object", "required": ["lease"], "properties": {
            "lease": {"type": "string"}, "upto": {"type": "integer"},
        }}))
        .schema("FeedReset", json!({"type": "object", "required": ["from"], "properties": {"from": {}}}))
        .get("/api/feeds", list, doc("List named feeds and how far they are").answer_as(200, "application/json", None))
        .post("/api/feeds", create, doc("Define a named feed").request("Feed").answer(201, "Feed"))
        .get("/api/feeds/{name}", show, doc("Read a named feed").answer(200, "Feed"))
        .delete("/api/feeds/{name}", remove, doc("Remove a named feed").empty(204))
        .post(
            "/api/feeds/{name}/read",
            reading::read,
            doc("Take changes under a lease").request("FeedRead").answer(200, "FeedWork"),
        )
        .post("/api/feeds/{name}/ack", reading::ack, doc("Acknowledge changes").request("FeedAck").empty(204))
        .post(
            "/api/feeds/{name}/reset",
            reset,
            doc("Begin a named feed elsewhere in the log").request("FeedReset").answer(200, "Feed"),
        )
}

/// A feed as asked for by somebody who may do this with it.
struct Found {
    document: Document,
    definition: Definition,
    working: Arc<Working>,
}

fn find(app: &App, principal: &Principal, action: Action, name: &str) -> Result<Found, Problem> {
    let sight = Sight::of(principal, action, "feeds")?;
    let unknown = || Problem::new(Slug::NotFound, format!("there is no feed '{name}'"));
    let document = app.feeds().stored(app.store(), name)?.ok_or_else(unknown)?;
    let definition = Definition::stored(&document)?;
    if !sight.sees("feeds", name, &json!({"user": definition.user})) {
        return Err(unknown());
    }
    let working = app.feeds().get(app.store(), &document, definition.partitions)?;
    Ok(Found { document, definition, working })
}

fn shown(definition: &Definition, state: &FeedState) -> Value {
    let mut body = definition.body();
    body.insert("_id".to_owned(), definition.name.as_str().into());
    body.insert("positions".to_owned(), state.positions.iter().map(|seq| Value::from(seq.get())).collect());
    body.insert("lag".to_owned(), state.lag.into());
    body.insert("leased".to_owned(), state.leased.into());
    Value::Object(body)
}

/// `GET /api/feeds`: one's own; administrators see all.
async fn list(State(app): State<App>, principal: Principal) -> Answer {
    policy::decide(&principal, Action::Read, "feeds")?;
    let asked = app.clone();
    let items = app.scan(move |store| -> Result<Vec<Value>, Problem> {
        let mut items = Vec::new();
        for name in asked.feeds().names(store)? {
            match find(&asked, &principal, Action::Read, &name) {
                Ok(found) => items.push(shown(&found.definition, &found.working.state(store))),
                // Removed since, or somebody else's.
                Err(problem) if problem.slug() == Slug::NotFound => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(items)
    });
    let items = items.await?;
    let body = json!({
        "_meta": {"page": 1, "max_results": FEEDS_MAX, "total": items.len()},
        "_items": items,
        "head": app.store().feed().head().get(),
        "floor": app.store().feed().floors().seq.get(),
    });
    Ok(axum::Json(body).into_response())
}

/// `GET /api/feeds/{name}`.
async fn show(State(app): State<App>, principal: Principal, Path(name): Path<String>) -> Answer {
    let found = find(&app, &principal, Action::Read, &name)?;
    Ok(axum::Json(shown(&found.definition, &found.working.state(app.store()))).into_response())
}

/// `POST /api/feeds`.
async fn create(State(app): State<App>, principal: Principal, ObjectBody(body): ObjectBody) -> Answer {
    policy::decide(&principal, Action::Create, "feeds")?;
    let definition = Definition::asked(&app, principal.user.as_str(), &body)?;
    // Says now what every read would say.
    definition.view(&app, principal.clone())?;
    if app.feeds().names(app.store())?.len() >= FEEDS_MAX {
        return Err(Problem::new(Slug::RateLimited, format!("there are {FEEDS_MAX} feeds already")).into());
    }
    app.commit(store(&app, &definition, Condition::Absent)?).await?;
    let found = find(&app, &principal, Action::Read, &definition.name)?;
    let answer = shown(&found.definition, &found.working.state(app.store()));
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// The definition and the position of every partition, in one commit.
fn store(app: &App, definition: &Definition, condition: Condition) -> Result<Transaction, Problem> {
    let id = DocId::new(&definition.name)?;
    let body: Map<String, Value> = definition.body();
    let transaction = Transaction::new(Durability::Sync);
    let transaction = transaction.put(app.feeds().collection, id, condition, text::encode(&body));
    let name = |partition| cursor(&definition.name, partition);
    Ok((0..definition.partitions)
        .fold(transaction, |tx, partition| tx.cursor(name(partition), place(definition.from))))
}

/// `DELETE /api/feeds/{name}`.
async fn remove(State(app): State<App>, principal: Principal, Path(name): Path<String>) -> Answer {
    let found = find(&app, &principal, Action::Delete, &name)?;
    let partitions = found.definition.partitions;
    let _retired = app.feeds().retire(app.store(), &found.document, partitions)?;
    let condition = Condition::Revision(found.document.revision());
    let transaction = Transaction::new(Durability::Sync);
    let transaction = transaction.delete(app.feeds().collection, found.document.id.clone(), condition);
    let transaction =
        (0..partitions).fold(transaction, |tx, partition| tx.forget_cursor(cursor(&name, partition)));
    app.commit(transaction).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/feeds/{name}/reset {"from"}`: leases of before are nobody's.
async fn reset(
    State(app): State<App>,
    principal: Principal,
    Path(name): Path<String>,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let found = find(&app, &principal, Action::Update, &name)?;
    let Some(from) = body.get("from").filter(|from| !from.is_null()) else {
        return Err(bad("from", "'now', 'earliest', a log sequence or EPOCH-SEQ").into());
    };
    let definition = Definition { from: start(&app, Some(from))?, ..found.definition };
    let retired = app.feeds().retire(app.store(), &found.document, definition.partitions)?;
    app.commit(store(&app, &definition, Condition::Revision(found.document.revision()))?).await?;
    drop(retired);
    let found = find(&app, &principal, Action::Read, &name)?;
    Ok(axum::Json(shown(&found.definition, &found.working.state(app.store()))).into_response())
}

#[cfg(test)]
mod tests;
