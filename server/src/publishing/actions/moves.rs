//! Moves of an item to another desk or stage, and duplicates of it.

use axum::extract::State;
use axum::http::HeaderMap;
use dateline_engine::{Condition, Durability, Transaction};
use dateline_publish::internal::{Copying, copy};
use serde_json::{Map, Value, json};

use super::act::{answered, is_locked_by_other};
use super::notices;
use super::told::{Sent, refusal};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{date, json as text, patch};
use crate::http::{Answer, JsonBody, ObjectBody};
use crate::publishing::items;
use crate::resources::answer::As;
use crate::resources::target::Id;
use crate::resources::{Sight, find, missing};

/// `POST /api/archive/{id}/move {"task": {"desk", "stage"?}}`, or an array of one -> 201 the item.
///
/// # Errors
/// 400 without a desk; 403 for a lock of another; 412 for an item that is out.
pub(super) async fn relocate(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
    JsonBody(asked): JsonBody,
) -> Answer {
    needs(&principal, "move")?;
    let asked = if let Value::Array(mut all) = asked { all.pop().unwrap_or_default() } else { asked };
    let (desk, stage) = place(&app, &asked)?;
    let archive = app.resources().get("archive")?;
    let document = find(&app, &archive, &id)?.ok_or_else(|| missing(&archive, &id))?;
    let Value::Object(mut item) = items::view(&document)? else { return Err(missing(&archive, &id).into()) };
    if is_locked_by_other(&item, Some(principal.user.as_str())) {
        return Err(refusal(403, "The item was locked by another user", Sent::AsRequest).into());
    }
    let state = item.get("state").and_then(Value::as_str).unwrap_or_default();
    if matches!(
        state,
        "spiked" | "published" | "scheduled" | "corrected" | "killed" | "recalled" | "unpublished"
    ) {
        return Err(refusal(412, "Workflow transition is invalid.", Sent::AsRequest).into());
    }
    let mut task = item.get("task").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(before) = task.get("desk").filter(|before| before.as_str() != Some(desk.as_str())).cloned() {
        task.insert("last_production_desk".to_owned(), before);
    }
    task.insert("desk".to_owned(), desk.into());
    task.insert("stage".to_owned(), stage.into());
    let version = item.get("_current_version").and_then(Value::as_u64).unwrap_or(0) + 1;
    for (member, value) in [
        ("task", Value::Object(task)),
        ("state", json!("submitted")),
        ("operation", json!("move")),
        ("_current_version", json!(version)),
        ("versioncreated", json!(date::format(app.store().now().get()))),
    ] {
        item.insert(member.to_owned(), value);
    }
    item.shift_remove("_id");
    let next = patch::version(&item) + 1;
    patch::set_version(&mut item, next);
    let condition = Condition::Revision(document.revision());
    let transaction = Transaction::new(Durability::Sync).put(
        archive.collection,
        document.id.clone(),
        condition,
        text::encode(&item),
    );
    let transaction = notices::record(&app, transaction, "item:move", &id, principal.user.as_str(), &item)?;
    app.commit(transaction).await.map_err(crate::resources::told)?;
    answered(&app, &id, As::Created, &headers)
}

/// `POST /api/archive/{id}/duplicate {"desk", "stage"?}` -> 201 the new item.
///
/// # Errors
/// 400 without a desk.
pub(super) async fn duplicate(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
    ObjectBody(asked): ObjectBody,
) -> Answer {
    needs(&principal, "duplicate")?;
    let (desk, stage) = place(&app, &Value::Object(asked))?;
    let archive = app.resources().get("archive")?;
    Sight::of(&principal, Action::Read, &archive.name)?;
    let document = find(&app, &archive, &id)?.ok_or_else(|| missing(&archive, &id))?;
    let Value::Object(item) = items::view(&document)? else { return Err(missing(&archive, &id).into()) };
    let (fresh, user) = (super::saving::new_id(&app, &Map::new())?, principal.user.as_str());
    let copying = Copying {
        id: fresh.as_str(),
        original: &id,
        desk: &desk,
        stage: stage.as_deref(),
        state: "submitted",
        user,
        unique_id: app.publishing().counters().unique(),
        now: items::now(app.store()),
    };
    let mut item = copy(&item, &copying);
    patch::set_version(&mut item, 1);
    let transaction = Transaction::new(Durability::Sync).put(
        archive.collection,
        fresh.clone(),
        Condition::Absent,
        text::encode(&item),
    );
    let transaction = notices::record(&app, transaction, "item:duplicate", fresh.as_str(), user, &item)?;
    app.commit(transaction).await.map_err(crate::resources::told)?;
    answered(&app, fresh.as_str(), As::Created, &headers)
}

fn needs(principal: &Principal, privilege: &str) -> Result<(), Problem> {
    if principal.holds(privilege) && principal.scopes.allow("archive", true) {
        return Ok(());
    }
    Err(Problem::new(Slug::Forbidden, format!("this needs privilege {privilege}"))
        .message("Insufficient privileges for the requested operation."))
}

/// Desk and stage that are asked for, at the top or in `task`; the incoming stage of the desk without one.
fn place(app: &App, asked: &Value) -> Result<(String, Option<String>), Problem> {
    let within = asked.get("task").filter(|task| task.is_object()).unwrap_or(asked);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let missing =
        || Problem::new(Slug::ValidationFailed, "desk: required field").issue("desk", json!({"required": 1}));
    let desk = text(within, "desk").ok_or_else(missing)?;
    let found = items::find(app.store(), app.publishing().collections().desks, &desk)?;
    let found = found.ok_or_else(|| {
        let text = format!("value '{desk}' must exist in resource 'desks', field '_id'.");
        Problem::new(Slug::ValidationFailed, text.as_str()).issue("desk", text)
    })?;
    let stage = text(within, "stage").or_else(|| text(&found, "incoming_stage"));
    Ok((desk, stage))
}

/// The members of a body without those of the server.
pub(super) fn updates(mut body: Map<String, Value>) -> Map<String, Value> {
    crate::eve::system::take(&mut body);
    body
}
