//! Items that are written as documents: what a new one gets, and what a save of one demands and leaves.

use dateline_engine::{Condition, DocId, Transaction};
use dateline_formats::word_count;
use dateline_publish::action::schedule_settings;
use serde_json::{Map, Value, json};

use super::act::is_locked_by_other;
use super::told::{Sent, refusal, refused};
use super::{deschedule, packages};
use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{Issue, Issues, date, json as text, patch};
use crate::ids;
use crate::resources::rules::{Draft, Effect};

/// States in which a client may put a new item.
const FIRST_STATES: [&str; 5] = ["draft", "in_progress", "submitted", "fetched", "routed"];
/// Members that only actions change.
const OF_ACTIONS: [&str; 12] = [
    "state",
    "_current_version",
    "unique_id",
    "family_id",
    "firstcreated",
    "firstpublished",
    "operation",
    "original_creator",
    "lock_user",
    "lock_session",
    "lock_time",
    "lock_action",
];

/// The id of a new item: its `guid`, or a new URN.
///
/// # Errors
/// When no random bytes are to be had, or the `guid` cannot be a name.
pub(crate) fn new_id(app: &App, document: &Map<String, Value>) -> Result<DocId, Problem> {
    if let Some(guid) = document.get("guid").and_then(Value::as_str).filter(|guid| !guid.is_empty()) {
        return Ok(DocId::new(guid)?);
    }
    let now = app.store().now();
    let at = date::format_precise(now.get());
    let domain = &app.publishing().settings().urn_domain;
    Ok(DocId::new(format!("urn:newsml:{domain}:{at}:{}", ids::new_id(now)?))?)
}

/// Checks an item that is written as a document.
///
/// # Errors
/// 403, as 400 on a change, for a lock of another or a state in which items are not saved.
pub(crate) async fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    check_codes(body, issues);
    if !issues.is_empty() {
        return Ok(Vec::new());
    }
    let mut effects = Vec::new();
    if body.get("type").and_then(Value::as_str) == Some("composite") {
        effects = linked(draft, body).await?;
    }
    if let Some(stored) = draft.stored.filter(|stored| deschedule::is_meant(stored, body)) {
        refuse_locked(draft, stored)?;
        keep(stored, body);
        effects.extend(deschedule::give_up(draft, stored, body).await?);
        return Ok(effects);
    }
    let operation = match draft.stored {
        None => {
            complete(draft, body, issues)?;
            "create"
        }
        Some(stored) => {
            save(draft, stored, body)?;
            "update"
        }
    };
    if !issues.is_empty() {
        return Ok(Vec::new());
    }
    if ["publish_schedule", "embargo", "schedule_settings"].iter().any(|member| body.contains_key(*member)) {
        let settings = schedule_settings(body);
        body.insert("schedule_settings".to_owned(), Value::Object(settings));
    }
    if let Some(count) = body.get("body_html").and_then(Value::as_str).and_then(word_count) {
        body.insert("word_count".to_owned(), count.into());
    }
    effects.push(history(draft, body, operation)?);
    Ok(effects)
}

/// The links of the members of a package.
async fn linked(draft: &Draft<'_>, body: &Map<String, Value>) -> Result<Vec<Effect>, Problem> {
    let collections = draft.app.publishing().collections();
    let (id, stored, body) = (draft.id.clone(), draft.stored.cloned(), body.clone());
    let linked = draft.app.scan(move |store| packages::link(store, collections, &id, stored.as_ref(), &body));
    let linked = linked.await.map_err(crate::http::Refusal::into_problem)?;
    let sent = if draft.stored.is_some() { Sent::AsChange } else { Sent::AsRequest };
    linked.map_err(|reason| refused(&reason, sent))
}

fn complete(draft: &Draft<'_>, body: &mut Map<String, Value>, issues: &mut Issues) -> Result<(), Problem> {
    let (app, id) = (draft.app, draft.id.as_str());
    let (now, user) = (date::format(app.store().now().get()), draft.principal.user.as_str());
    let settings = app.publishing().settings();
    let on_desk = body.get("task").and_then(|task| task.get("desk")).is_some_and(Value::is_string);
    match body.get("state").and_then(Value::as_str) {
        Some(state) if !FIRST_STATES.contains(&state) => {
            issues.add(&["state"], Issue::Unallowed(Value::from(state)));
        }
        Some(_) => {}
        None => {
            let state = if on_desk { "in_progress" } else { "draft" };
            body.insert("state".to_owned(), state.into());
        }
    }
    let unique = app.publishing().counters().unique();
    let event = format!(
        "tag:{}:{}:{}",
        settings.urn_domain,
        &now.get(..4).unwrap_or("0"),
        ids::new_id(app.store().now())?
    );
    for (member, value) in [
        ("guid", json!(id)),
        ("firstcreated", json!(now)),
        ("versioncreated", json!(now)),
        ("unique_id", json!(unique)),
        ("unique_name", json!(format!("#{unique}"))),
        ("family_id", json!(id)),
        ("event_id", json!(event)),
        ("source", json!(settings.source)),
        ("priority", json!(6)),
        ("urgency", json!(3)),
        ("genre", json!([{"qcode": "Article", "name": "Article (news)"}])),
        ("language", json!(settings.language)),
        ("pubstatus", json!("usable")),
        ("format", json!("HTML")),
    ] {
        if body.get(member).is_none_or(Value::is_null) {
            body.insert(member.to_owned(), value);
        }
    }
    for (member, value) in [
        ("_current_version", json!(1)),
        ("operation", json!("create")),
        ("original_creator", json!(user)),
        ("version_creator", json!(user)),
    ] {
        body.insert(member.to_owned(), value);
    }
    Ok(())
}

fn save(
    draft: &Draft<'_>,
    stored: &Map<String, Value>,
    body: &mut Map<String, Value>,
) -> Result<(), Problem> {
    let text = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    refuse_locked(draft, stored)?;
    let state = text(stored, "state").unwrap_or_default();
    let reopens = state == "unpublished" && text(body, "state").as_deref() == Some("in_progress");
    match state.as_str() {
        "killed" | "recalled" => {
            return Err(refusal(403, "Item isn't in a valid state to be updated.", Sent::AsChange));
        }
        "published" | "corrected" | "scheduled" | "spiked" => {
            return Err(refusal(412, "Workflow transition is invalid.", Sent::AsChange));
        }
        "unpublished" if !reopens => {
            return Err(refusal(412, "Workflow transition is invalid.", Sent::AsChange));
        }
        _ => {}
    }
    keep(stored, body);
    let on_desk = body.get("task").and_then(|task| task.get("desk")).is_some_and(Value::is_string);
    if reopens || on_desk && matches!(state.as_str(), "draft" | "fetched" | "routed" | "submitted") {
        body.insert("state".to_owned(), "in_progress".into());
    }
    let version = stored.get("_current_version").and_then(Value::as_u64).unwrap_or(0) + 1;
    for (member, value) in [
        ("_current_version", json!(version)),
        ("operation", json!("update")),
        ("versioncreated", json!(date::format(draft.app.store().now().get()))),
        ("version_creator", json!(draft.principal.user.as_str())),
    ] {
        body.insert(member.to_owned(), value);
    }
    Ok(())
}

fn refuse_locked(draft: &Draft<'_>, stored: &Map<String, Value>) -> Result<(), Problem> {
    if is_locked_by_other(stored, Some(draft.principal.user.as_str())) {
        return Err(refusal(403, "The item was locked by another user", Sent::AsChange));
    }
    Ok(())
}

/// Leaves what only actions change as it is stored.
fn keep(stored: &Map<String, Value>, body: &mut Map<String, Value>) {
    for member in OF_ACTIONS {
        match stored.get(member) {
            Some(value) => body.insert(member.to_owned(), value.clone()),
            None => body.shift_remove(member),
        };
    }
}

/// The same code twice is a mistake; in two schemes it is two.
fn check_codes(body: &Map<String, Value>, issues: &mut Issues) {
    for (field, message) in [
        ("anpa_category", "Duplicate category codes are not allowed"),
        ("subject", "Duplicate subjects are not allowed"),
    ] {
        let mut seen: Vec<(Option<&Value>, &Value)> = Vec::new();
        let entries = body.get(field).and_then(Value::as_array).into_iter().flatten();
        for code in entries.filter_map(|entry| Some((entry.get("scheme"), entry.get("qcode")?))) {
            if seen.contains(&code) {
                issues.add(&[field], Issue::Text(message.to_owned()));
                break;
            }
            seen.push(code);
        }
    }
}

/// One row of the history of the item, in the commit of its version.
fn history(draft: &Draft<'_>, body: &Map<String, Value>, operation: &str) -> Result<Effect, Problem> {
    let mut update = Map::new();
    if let Some(stored) = draft.stored {
        for name in patch::changed(stored, body) {
            update.insert(name.to_owned(), body.get(name).cloned().unwrap_or(Value::Null));
        }
    }
    let row = json!({
        "item_id": draft.id.as_str(), "user_id": draft.principal.user.as_str(), "operation": operation,
        "update": update, "version": body.get("_current_version"), "_version": 1,
    });
    let (history, id) = (draft.app.publishing().collections().history, ids::new_id(draft.app.store().now())?);
    let bytes = row.as_object().map(text::encode).unwrap_or_default();
    Ok(Effect::Also(Box::new(move |transaction: Transaction| {
        transaction.put(history, id, Condition::Absent, bytes)
    })))
}
