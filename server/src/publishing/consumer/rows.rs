//! Rows in the hands of people: retry, cancel, replay, statistics, and a trial of a destination.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dateline_engine::{Condition, DocId, Document, Durability, NewJob, Store, Transaction};
use serde_json::{Map, Value, json};

use super::{statistics, trial};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issue, Issues, json as text, patch};
use crate::http::{Access, Answer, Doc, Routes};
use crate::ids;
use crate::publishing::exchange::{self, Numbers};
use crate::publishing::{audience, destinations, items};
use crate::resources::answer::{self, As};
use crate::resources::rules::{Draft, Effect};
use crate::resources::target::Id;
use crate::resources::{Sight, find, missing};

/// What a client may change of a row.
const CHANGEABLE: [&str; 3] = ["state", "error_message", "moved_to_legal"];

/// A number that somebody else takes all the time is left to another request.
const TRIES: usize = 5;

/// Routes of the queue beside those of every resource.
pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "publish_queue", Access::Privilege("publish_queue"));
    Routes::new()
        .schema("Statistics", json!({"type": "object", "required": ["states"]}))
        .schema(
            "Trial",
            json!({
                "type": "object",
                "properties": {"article_id": {"type": "string"}, "article": {"type": "object"}},
            }),
        )
        .schema("Tried", json!({"type": "object", "required": ["sent"]}))
        .post(
            "/api/publish_queue/{id}/retry",
            retry,
            doc("Send a row again, under the same identity: a receiver that has it may drop it")
                .answer(200, "Document"),
        )
        .post("/api/publish_queue/{id}/cancel", cancel, doc("Send a row no more").answer(200, "Document"))
        .post(
            "/api/publish_queue/{id}/replay",
            replay,
            doc("Send what a row has once more, as a new row with the next number").answer(201, "Document"),
        )
        .get(
            "/api/publish_queue/statistics",
            statistics::statistics,
            doc("Rows by state and by subscriber").answer(200, "Statistics"),
        )
        .post(
            "/api/subscribers/{id}/destinations/{destination}/test",
            trial::trial,
            Doc::new("Send an item to one destination now", "subscribers", Access::Privilege("subscribers"))
                .request("Trial")
                .answer(200, "Tried"),
        )
}

/// Checks a row that a client writes: its state is all there is to say, and what is to be sent gets its turn. A new row
/// goes to a destination of its subscriber as that is stored, wherever the client would have it go.
pub(crate) fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    let state = |body: &Map<String, Value>| body.get("state").and_then(Value::as_str).map(str::to_owned);
    let after = state(body).unwrap_or_default();
    let Some(stored) = draft.stored else {
        if !direct(draft.app, body, issues)? {
            return Ok(Vec::new());
        }
        return if after == "pending" {
            Ok(turn(draft.app, draft.id.as_str(), body)?)
        } else {
            Ok(Vec::new())
        };
    };
    for name in patch::changed(stored, body).into_iter().filter(|name| !CHANGEABLE.contains(name)) {
        issues.add(&[name], Issue::ReadOnly);
    }
    let before = state(stored).unwrap_or_default();
    match (before.as_str(), after.as_str()) {
        (before, after) if before == after => Ok(Vec::new()),
        ("failed" | "canceled" | "error" | "success" | "retrying", "pending") => {
            for (name, value) in [("retry_attempt", json!(0)), ("error_message", Value::Null)] {
                body.insert(name.to_owned(), value);
            }
            body.shift_remove("next_retry_attempt_at");
            // One that waits for its next attempt waits no longer.
            let mut effects = vec![end_of_turn(draft)];
            effects.extend(turn(draft.app, draft.id.as_str(), body)?);
            Ok(effects)
        }
        ("pending" | "retrying" | "error" | "failed" | "routing", "canceled") => Ok(vec![end_of_turn(draft)]),
        (before, after) => {
            let text = format!("a row that is {before} cannot become {after}");
            issues.add(&["state"], Issue::Text(text));
            Ok(Vec::new())
        }
    }
}

/// Takes the destination of a new row from its subscriber; says whether it could.
fn direct(app: &App, body: &mut Map<String, Value>, issues: &mut Issues) -> Result<bool, Problem> {
    let subscriber = body.get("subscriber_id").and_then(Value::as_str).unwrap_or_default();
    let subscriber = items::find(app.store(), app.publishing().collections().subscribers, subscriber)?;
    let asked = body.get("destination").unwrap_or(&Value::Null);
    let destination = subscriber.as_ref().and_then(|subscriber| destinations::named(subscriber, asked));
    let Some(destination) = destination.cloned() else {
        let text = "must have the _id or the name of a destination of the subscriber";
        issues.add(&["destination"], Issue::Text(text.to_owned()));
        return Ok(false);
    };
    body.insert("destination".to_owned(), destination);
    Ok(true)
}

/// What reading a row adds: the text that is sent, which many rows share.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn formatted(app: &App, row: &Document) -> Result<Vec<(&'static str, Value)>, Problem> {
    let body = answer::body_of(row)?;
    if body.get("formatted_item").is_some() {
        return Ok(Vec::new());
    }
    let id = body.get("formatted_item_id").and_then(Value::as_str).unwrap_or_default();
    let output = items::find(app.store(), app.publishing().collections().formatted, id)?;
    let text = output.and_then(|output| output.get("text").cloned()).unwrap_or_else(|| "".into());
    Ok(vec![("formatted_item", text)])
}

/// The job that sends a row.
fn turn(app: &App, row: &str, body: &Map<String, Value>) -> Result<Vec<Effect>, Problem> {
    Ok(vec![Effect::Enqueue(Box::new(job(app, row, body)?))])
}

/// Takes out the job of a row, which frees its line for others.
fn end_of_turn(draft: &Draft<'_>) -> Effect {
    let (row, by) = (draft.id.as_str().to_owned(), draft.principal.username.clone());
    Effect::Also(Box::new(move |transaction: Transaction| {
        transaction.cancel(exchange::TRANSMIT_LANE, row, format!("its row was changed by {by}"))
    }))
}

fn job(app: &App, row: &str, body: &Map<String, Value>) -> Result<NewJob, Problem> {
    let subscriber = body.get("subscriber_id").and_then(Value::as_str).unwrap_or_default();
    let document = items::find(app.store(), app.publishing().collections().subscribers, subscriber)?;
    Ok(exchange::transmit_job(row, body, &document.unwrap_or(Value::Null)))
}

async fn retry(State(app): State<App>, principal: Principal, Id(id): Id) -> Answer {
    turned(&app, &principal, &id, "pending").await
}

async fn cancel(State(app): State<App>, principal: Principal, Id(id): Id) -> Answer {
    turned(&app, &principal, &id, "canceled").await
}

/// Puts a row into a state, if it can come there.
async fn turned(app: &App, principal: &Principal, id: &str, state: &str) -> Answer {
    let queue = app.resources().get("publish_queue")?;
    Sight::of(principal, Action::Update, &queue.name)?;
    let row = find(app, &queue, id)?.ok_or_else(|| missing(&queue, id))?;
    let Value::Object(stored) = answer::body_of(&row)? else { return Err(missing(&queue, id).into()) };
    let mut body = stored.clone();
    body.insert("state".to_owned(), state.into());
    let mut issues = Issues::new();
    let draft = Draft { app, principal, resource: &queue, id: &row.id, stored: Some(&stored) };
    let effects = check(&draft, &mut body, &mut issues)?;
    if !issues.is_empty() {
        let was = stored.get("state").and_then(Value::as_str).unwrap_or_default();
        let detail = format!("a row that is {was} cannot become {state}");
        return Err(Problem::new(Slug::StateConflict, detail).into());
    }
    let version = patch::version(&stored) + 1;
    patch::set_version(&mut body, version);
    let (condition, bytes) = (Condition::Revision(row.revision()), text::encode(&body));
    let transaction = Transaction::new(Durability::Sync);
    let transaction = match row.expires {
        Some(end) => transaction.put_until(queue.collection, row.id.clone(), condition, bytes, end),
        None => transaction.put(queue.collection, row.id.clone(), condition, bytes),
    };
    app.commit(effects.into_iter().fold(transaction, |tx, effect| effect.add_to(tx))).await?;
    shown(app, id, As::Changed)
}

/// A new row of the same output.
async fn replay(State(app): State<App>, principal: Principal, Id(id): Id) -> Answer {
    let queue = app.resources().get("publish_queue")?;
    Sight::of(&principal, Action::Create, &queue.name)?;
    let row = find(&app, &queue, &id)?.ok_or_else(|| missing(&queue, &id))?;
    let Value::Object(mut body) = audience::body(&row)? else { return Err(missing(&queue, &id).into()) };
    if body.get("formatted_item_id").is_none_or(Value::is_null) && !body.contains_key("formatted_item") {
        return Err(Problem::new(Slug::StateConflict, "there is nothing to send in this row").into());
    }
    for member in ["completed_at", "transmit_started_at", "next_retry_attempt_at", "receipt"] {
        body.shift_remove(member);
    }
    let fresh = ids::new_id(app.store().now())?;
    for (name, value) in [
        ("state", json!("pending")),
        ("error_message", Value::Null),
        ("retry_attempt", json!(0)),
        ("replay_of", json!(id)),
    ] {
        body.insert(name.to_owned(), value);
    }
    patch::set_version(&mut body, 1);
    let (made, used) = (fresh.clone(), app.clone());
    app.scan(move |store| {
        for _ in 1..TRIES {
            match replayed(&used, store, &fresh, body.clone()) {
                // Another row of the subscriber has taken the number.
                Err(error) if matches!(error.slug(), Slug::PreconditionFailed | Slug::Conflict) => {}
                done => return done,
            }
        }
        replayed(&used, store, &fresh, body)
    })
    .await?;
    shown(&app, made.as_str(), As::Created)
}

/// Commits a new row under the next number of its subscriber. What it sends is kept as long as itself.
fn replayed(app: &App, store: &Store, id: &DocId, mut body: Map<String, Value>) -> Result<(), Problem> {
    let collections = app.publishing().collections();
    let subscriber = body.get("subscriber_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let document = items::find(store, collections.subscribers, &subscriber)?;
    let document = document.ok_or_else(|| Problem::new(Slug::StateConflict, "the subscriber is gone"))?;
    let mut numbers = Numbers::new(store, collections.sequences);
    body.insert("published_seq_num".to_owned(), numbers.next(&subscriber, &document)?.into());
    let tx = Transaction::new(Durability::Sync).enqueue(job(app, id.as_str(), &body)?);
    let tx = numbers.put(tx, &subscriber)?;
    let end = exchange::end(app);
    let put = |tx: Transaction, collection, id: DocId, condition, bytes: Vec<u8>| match end {
        Some(end) => tx.put_until(collection, id, condition, bytes, end),
        None => tx.put(collection, id, condition, bytes),
    };
    let mut tx = put(tx, collections.queue, id.clone(), Condition::Absent, text::encode(&body));
    if let Some(output) = body.get("formatted_item_id").and_then(Value::as_str) {
        let Some(output) = store.get(collections.formatted, output)? else {
            return Err(Problem::new(Slug::StateConflict, "the formatted item is no longer kept"));
        };
        let condition = Condition::Revision(output.revision());
        tx = put(tx, collections.formatted, output.id, condition, output.body.to_vec());
    }
    store.commit(tx).map(drop).map_err(crate::resources::told)
}

fn shown(app: &App, id: &str, kind: As) -> Answer {
    let queue = app.resources().get("publish_queue")?;
    let row = find(app, &queue, id)?.ok_or_else(|| missing(&queue, id))?;
    answer::document(&queue.name, &row, kind, false, &[])
}

/// An answer in one JSON value.
pub(super) fn told(value: &Value) -> Answer {
    let response: Response = answer::json_bytes(value.to_string().into_bytes());
    Ok((StatusCode::OK, response).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Running, bearer};

    #[tokio::test]
    async fn a_new_row_goes_where_its_subscriber_is() {
        let server = Running::start().await;
        server.add_user("root", "correct horse battery", "administrator").await;
        let root = bearer(&server.sign_in("root", "correct horse battery").await["token"]);
        let headers = [("authorization", root.as_str())];
        let subscriber = json!({
            "name": "s", "is_active": true, "products": [],
            "destinations": [{
                "name": "d", "format": "ninjs", "delivery_type": "ftp", "config": {"host": "own", "password": "hidden"},
            }],
        });
        let made = server.post("/api/subscribers", &headers, &subscriber.to_string()).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let made = made.json();
        let id = made["_id"].clone();
        let stored = server.get(&format!("/api/subscribers/{}", id.as_str().unwrap()), &headers).await.json();
        let own = stored["destinations"][0].clone();
        let row = |destination: &Value| {
            json!({
                "item_id": "i", "subscriber_id": id, "state": "canceled", "formatted_item": "x", "destination": destination,
            })
        };
        let named = [json!({"_id": own["_id"]}), json!({"name": "d"})];
        for mut asked in named {
            asked["delivery_type"] = json!("http_push");
            asked["config"] = json!({"host": "elsewhere", "resource_url": "http://elsewhere"});
            let made = server.post("/api/publish_queue", &headers, &row(&asked).to_string()).await;
            assert_eq!(made.status, 201, "{:?}", made.body);
            let made = made.json();
            let path = format!("/api/publish_queue/{}", made["_id"].as_str().unwrap());
            let shown = server.get(&path, &headers).await.json();
            assert_eq!(shown["destination"], own, "{shown}");
            assert_eq!(own["config"], json!({"host": "own"}));
        }
        for asked in [json!({"_id": "x", "name": "d"}), json!({"name": "x"}), json!({}), Value::Null] {
            let refused = server.post("/api/publish_queue", &headers, &row(&asked).to_string()).await;
            assert_eq!(refused.status, 400, "{asked}: {:?}", refused.body);
            assert!(refused.json()["_issues"]["destination"].is_string(), "{:?}", refused.body);
        }
        let mut stranger = row(&json!({"name": "d"}));
        stranger["subscriber_id"] = json!("nobody");
        let refused = server.post("/api/publish_queue", &headers, &stranger.to_string()).await;
        assert_eq!(refused.status, 400, "{:?}", refused.body);
    }
}
