//! A scheduled item whose schedule is taken away by a save: it is worked on again, and its published row goes.

use dateline_engine::{Condition, DocId, Transaction};
use dateline_formats::Fields;
use dateline_publish::action::{Command, Edit};
use serde_json::{Map, Value};

use super::act::{Asked, produced};
use super::shelf::Shelf;
use super::told::Sent;
use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{json as text, patch};
use crate::ids;
use crate::resources::rules::{Draft, Effect};

/// Whether a save takes the schedule of a scheduled item away.
pub(super) fn is_meant(stored: &Map<String, Value>, body: &Map<String, Value>) -> bool {
    let is_set = |item: &Map<String, Value>| item.get("publish_schedule").is_some_and(|at| !at.is_null());
    stored.get("state").and_then(Value::as_str) == Some("scheduled") && is_set(stored) && !is_set(body)
}

/// Makes the body what it is then, and gives the writes that go with it.
///
/// # Errors
/// What the producer refuses with.
pub(super) async fn give_up(
    draft: &Draft<'_>,
    stored: &Map<String, Value>,
    body: &mut Map<String, Value>,
) -> Result<Vec<Effect>, Problem> {
    let mut original: Fields = stored.clone();
    original.insert("_id".to_owned(), draft.id.as_str().into());
    let changed = patch::changed(stored, body);
    let updates: Fields = changed
        .into_iter()
        .map(|name| (name.to_owned(), body.get(name).cloned().unwrap_or(Value::Null)))
        .collect();
    let (app, user, id) = (draft.app.clone(), draft.principal.user.clone(), draft.id.clone());
    let asked: Asked = Box::new(move |_: &App, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(&Command::Deschedule(Edit { updates: &updates, desk: None, is_confirmed: true }));
        Ok(())
    });
    let published = draft.app.publishing().collections().published;
    let done = draft.app.scan(move |store| -> Result<_, Problem> {
        let collections = app.publishing().collections();
        let shelf = Shelf::new(store.snapshot()?, collections, collections.desks);
        let user = Some(user.as_str());
        let production = produced(&app, store, &shelf, user, &original, Sent::AsChange, &asked);
        // What went out earlier stays as the proof of that.
        let rows = shelf.having(published, "item_id", id.as_str()).into_iter();
        let rows = rows.filter(|row| row.get("state").and_then(Value::as_str) == Some("scheduled"));
        let rows: Vec<DocId> = rows.filter_map(|row| DocId::new(row.get("_id")?.as_str()?).ok()).collect();
        shelf.check()?;
        Ok((production?, rows))
    });
    let (production, rows) = done.await.map_err(crate::http::Refusal::into_problem)?;
    if let Some(item) = production.versions.last() {
        *body = item.clone();
        body.shift_remove("_id");
    }
    let mut effects = Vec::new();
    effects.push(Effect::Also(Box::new(move |transaction: Transaction| {
        rows.into_iter().fold(transaction, |tx, row| tx.delete(published, row, Condition::Always))
    })));
    let history = draft.app.publishing().collections().history;
    for mut record in production.history {
        record.insert("_version".to_owned(), 1.into());
        let id = ids::new_id(draft.app.store().now())?;
        let bytes = text::encode(&record);
        effects.push(Effect::Also(Box::new(move |transaction: Transaction| {
            transaction.put(history, id, Condition::Absent, bytes)
        })));
    }
    Ok(effects)
}
