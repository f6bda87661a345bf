//! What is demanded of the configuration of ingest when it is saved or removed.

use dateline_engine::{CollectionId, DocId, Transaction};
use dateline_ingest::{check_provider, check_rule_set, routing};
use serde_json::{Map, Value, json};

use super::{of, secrets, state};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issue, Issues, date};
use crate::resources::rules::{Draft, Effect, Removal};

/// Whether documents of a resource are checked here.
pub(crate) fn is_configuration(resource: &str) -> bool {
    matches!(resource, "ingest_providers" | "routing_schemes" | "rule_sets")
}

/// Checks a document before it is saved.
///
/// # Errors
/// 400 in the words that clients know.
pub(crate) fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    if !issues.is_empty() {
        return Ok(Vec::new());
    }
    match draft.resource.name.as_str() {
        "routing_schemes" => {
            routing::check(body).map_err(refused)?;
            check_macros(draft.app, body, issues);
        }
        "rule_sets" => check_rule_set(body).map_err(refused)?,
        _ => return provider(draft, body, issues),
    }
    Ok(Vec::new())
}

/// Macros of rules are there.
fn check_macros(app: &App, scheme: &Map<String, Value>, issues: &mut Issues) {
    for (path, name) in routing::macros(scheme) {
        if let Err(reason) = app.macros().check(&name) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            issues.add(&path, Issue::Text(reason));
        }
    }
}

fn refused(sentence: String) -> Problem {
    Problem::new(Slug::ValidationFailed, sentence.as_str()).issue("validator exception", sentence)
}

fn provider(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    let ingest = of(draft.app);
    let parsers: Vec<&str> = ingest.parsers.iter().map(|parser| parser.key()).collect();
    for (member, sentence) in check_provider(body, &parsers) {
        let path: Vec<&str> = member.split('.').collect();
        issues.add(&path, Issue::Text(sentence));
    }
    if !issues.is_empty() {
        return Ok(Vec::new());
    }
    opened_or_closed(draft, body);
    let (store, collection) = (draft.app.store(), ingest.collections.secrets);
    Ok(secrets::settle(store, collection, draft.id, draft.stored, body)?.into_iter().collect())
}

/// Who opened or closed it, and when.
fn opened_or_closed(draft: &Draft<'_>, body: &mut Map<String, Value>) {
    let is_closed = |provider: &Map<String, Value>| provider.get("is_closed") == Some(&Value::Bool(true));
    let before = draft.stored.is_some_and(is_closed);
    if before == is_closed(body) {
        return;
    }
    let (at, by) = (date::format(draft.app.store().now().get()), draft.principal.user.as_str());
    let (member, told) = match before {
        true => ("last_opened", json!({"opened_at": at, "opened_by": by})),
        false => ("last_closed", json!({"closed_at": at, "closed_by": by, "message": ""})),
    };
    body.insert(member.to_owned(), told);
}

/// What becomes of a document of the configuration that is deleted.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn removal(app: &App, resource: &str, id: &DocId) -> Result<Removal, Problem> {
    let collections = of(app).collections;
    let is_named = |field: &str| -> Result<bool, Problem> {
        let named = [Value::from(id.as_str())];
        Ok(!app.store().lookup(collections.providers, field, &named)?.is_empty())
    };
    let refusal = match resource {
        "routing_schemes" if is_named("routing_scheme")? => {
            Some("Routing scheme is applied to channel(s). It cannot be deleted.")
        }
        "rule_sets" if is_named("rule_set")? => {
            Some("Cannot delete Rule set as it's associated with channel(s).")
        }
        "ingest_providers" if state::read(app, id.as_str())?.contains_key("last_item_update") => {
            Some("Deleting an Ingest Source after receiving items is prohibited.")
        }
        "ingest_providers" => {
            return Ok(Removal::Gone(vec![with_it(collections.secrets, collections.states, id)]));
        }
        _ => None,
    };
    Ok(match refusal {
        Some(words) => Removal::Refused(Problem::new(Slug::InUse, words).status(403)),
        None => Removal::Gone(Vec::new()),
    })
}

/// Secrets and state go with a provider.
fn with_it(secrets: CollectionId, states: CollectionId, id: &DocId) -> Effect {
    let id = id.clone();
    Effect::Also(Box::new(move |transaction: Transaction| {
        let always = dateline_engine::Condition::Always;
        transaction.delete(secrets, id.clone(), always).delete(states, id, always)
    }))
}
