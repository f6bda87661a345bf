//! A scheduled item whose schedule is taken away by a save: it is worked on again, and its published row goes.

use dateline_formats::Fields;
use dateline_publish::action::{Command, Edit};
use serde_json::{Map, Value};

use super::act::{Asked, produced};
use super::enacting;
use super::shelf::Shelf;
use super::told::Sent;
use crate::eve::patch;
use crate::eve::problem::Problem;
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
    let asked: Asked = Box::new(move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(&Command::Deschedule(Edit { updates: &updates, desk: None, is_confirmed: true }));
        Ok(())
    });
    let done = draft.app.scan(move |store| -> Result<_, Problem> {
        let collections = app.publishing().collections();
        let shelf = Shelf::new(store.snapshot()?, collections, collections.desks);
        let user = Some(user.as_str());
        let decided = produced(&app, store, &shelf, user, &original, Sent::AsChange, &asked)
            .and_then(|production| Ok(enacting::enacted(&app, &shelf, &production)?));
        shelf.check()?;
        let mut enacted = decided?;
        // The save writes the item itself, under its own conditions.
        let item = enacted.take_item(&id);
        Ok((enacted, item))
    });
    let (enacted, item) = done.await.map_err(crate::http::Refusal::into_problem)?;
    if let Some(item) = item {
        *body = item;
    }
    Ok(vec![Effect::Also(Box::new(|transaction| enacted.add_to(transaction)))])
}
