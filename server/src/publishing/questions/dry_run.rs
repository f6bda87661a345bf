//! `POST /api/publish/dry_run`: everything that publishing an item would come to, without doing it.

use axum::extract::State;
use axum::http::StatusCode;
use dateline_publish::filter::{Question, TargetMedia};
use serde_json::{Value, json};

use super::told;
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody};
use crate::publishing::exchange::{Fault, Numbers, Plan, Request, named_action, plan};
use crate::publishing::items;
use crate::resources::Sight;

/// `{"item": id or document, "action"?: "publish", "subscribers"?: [chosen for a resend]}` -> `{"channel",
/// "subscribers": [{"subscriber", "accepted", "reason", "steps"}], "recipients": [id], "undecided", "queue": [row],
/// "skipped": [{"subscriber", "destination", "reason"}], "content_api": bool}`.
///
/// # Errors
/// 400 without an item, for an unknown action, and when nobody can have the item.
pub(super) async fn dry_run(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(asked): ObjectBody,
) -> Answer {
    Sight::of(&principal, Action::Read, "archive")?;
    let used = app.clone();
    let run = app.scan(move |_| run(&used, &Value::Object(asked)));
    told(StatusCode::OK, &run.await?)
}

fn run(app: &App, asked: &Value) -> Result<Value, Problem> {
    let bad = |detail: &str| Problem::new(Slug::BadRequest, detail);
    let (store, publishing) = (app.store(), app.publishing());
    let collections = publishing.collections();
    let item = match asked.get("item") {
        Some(item @ Value::Object(_)) => item.clone(),
        Some(Value::String(id)) => {
            items::find(store, collections.archive, id)?.ok_or_else(|| bad("Article not found!"))?
        }
        _ => return Err(bad("item: an id or a document is needed").issue("item", json!({"required": 1}))),
    };
    let name = asked.get("action").and_then(Value::as_str).unwrap_or("publish");
    let action = named_action(name)
        .ok_or_else(|| bad("unknown action").issue("action", format!("unallowed value {name}")))?;
    let chosen = asked.get("subscribers").and_then(Value::as_array).into_iter().flatten();
    let request = Request {
        action,
        item: item.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        published: String::new(),
        again: false,
        chosen: chosen.filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let mut numbers = Numbers::new(store, collections.sequences);
    let plan = plan(app, &request, &item, &mut numbers, "dry run").map_err(|fault| match fault {
        Fault::Item(message) => Problem::new(Slug::BadRequest, message),
        Fault::Store(error) => error.into(),
    })?;
    let question = Question {
        item: &item,
        now: items::now(store),
        media: TargetMedia::of_item(&item),
        content_api: publishing.settings().content_api,
    };
    let explained = publishing
        .audience()
        .ask(store, |percolator| percolator.catalog().explain_all(question))?
        .map_err(|fault| Problem::new(Slug::BadRequest, fault.message))?;
    let subscribers: Vec<Value> = explained.iter().map(|explained| explained.to_json()).collect();
    Ok(shown(&plan, subscribers))
}

fn shown(plan: &Plan, subscribers: Vec<Value>) -> Value {
    let rows = plan.rows.iter().map(|row| {
        let mut shown = row.body.clone();
        for member in ["_version", "published_id", "formatted_item_id", "encoded_item_id"] {
            shown.shift_remove(member);
        }
        let output = row.body.get("formatted_item_id").and_then(|id| plan.outputs.get(id.as_str()?));
        shown.insert("formatted_bytes".to_owned(), output.map(|output| output.bytes).into());
        Value::Object(shown)
    });
    let undecided = plan.undecided.iter().map(|own| {
        let filters: Vec<&str> = own.filters.iter().map(|filter| &**filter).collect();
        json!({"subscriber": &*own.subscriber, "filters": filters})
    });
    let skipped = plan.skipped.iter().map(
        |own| json!({"subscriber": own.subscriber, "destination": own.destination, "reason": own.reason}),
    );
    let recipients: Vec<&str> = plan.recipients.iter().map(|own| &*own.subscriber).collect();
    json!({
        "channel": plan.channel,
        "subscribers": subscribers,
        "recipients": recipients,
        "undecided": undecided.collect::<Vec<_>>(),
        "queue": rows.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "content_api": plan.stored.is_some(),
    })
}
