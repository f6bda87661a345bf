//! Collections: a document here defines a resource.

use dateline_engine::{DocId, Transaction};
use serde_json::{Map, Value};

use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{Issue, Issues};
use crate::resources::builtin::is_builtin;
use crate::resources::declaration::shown;
use crate::resources::definition::{check_members, options};
use crate::resources::rules::{Draft, Effect};
use crate::resources::upgrades::check_follow;

pub(crate) fn check(draft: &Draft<'_>, body: &mut Map<String, Value>, issues: &mut Issues) -> Vec<Effect> {
    let stored = draft.stored;
    // What reading has added may come back.
    body.shift_remove("_indexes");
    body.shift_remove("_schema_version");
    let version = body.shift_remove("_version");
    let effects = define(draft, body, stored, issues);
    if let Some(version) = version.filter(|_| stored.is_some()) {
        body.insert("_version".to_owned(), version);
    }
    effects
}

fn define(
    draft: &Draft<'_>,
    body: &Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    issues: &mut Issues,
) -> Vec<Effect> {
    let Some(name) = body.get("name").and_then(Value::as_str).map(str::to_owned) else {
        issues.add(&["name"], Issue::Required);
        return Vec::new();
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let declared = draft.app.store().catalog().by_name(&name).cloned();
    let known = declared.as_ref().map(|collection| collection.id);
    if let Some(stored) = stored {
        for fixed in ["name", "search"] {
            if stored.get(fixed).unwrap_or(&Value::Null) != body.get(fixed).unwrap_or(&Value::Null) {
                issues.add(&[fixed], Issue::Text("cannot be changed".to_owned()));
            }
        }
    }
    let taken = stored.is_none() && (is_builtin(&name) || known.is_some());
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        issues.add(&["name"], Issue::Text("1 to 64 lower-case letters, digits, '_' and '-'".to_owned()));
    } else if taken || RESERVED.contains(&name.as_str()) {
        issues.add(&["name"], Issue::NotUnique(Value::String(name.clone())));
    } else if name != draft.id.as_str() {
        issues.add(&["name"], Issue::Text(format!("must be '{}', as in the address", draft.id)));
    }
    if let Err(found) = check_members(body) {
        issues.merge(found);
    }
    match options(body) {
        Err(found) => {
            issues.merge(found);
            Vec::new()
        }
        Ok(options) => {
            if let Some(declared) = declared.filter(|_| stored.is_some()) {
                check_follow(&declared.options.upgrades, &options.upgrades, issues);
            }
            vec![Effect::Also(Box::new(move |transaction| match known {
                Some(known) => transaction.alter(known, options),
                None => transaction.define(name, options),
            }))]
        }
    }
}

/// What reading a collection's document adds: how far its indexes are, and the version of its schema.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn state(app: &App, name: &str) -> Result<Vec<(&'static str, Value)>, Problem> {
    let catalog = app.store().catalog();
    let Some(collection) = catalog.by_name(name) else { return Ok(Vec::new()) };
    let mut indexes = Vec::new();
    for index in collection.indexes() {
        let added = if index.is_readable() { None } else { Some(app.store().built(index.id)?) };
        indexes.push(shown(index, added));
    }
    let version = collection.schema_version().into();
    Ok(vec![("_indexes", Value::Array(indexes)), ("_schema_version", version)])
}

/// First parts of addresses that mean something else, now or in API versions to come.
const RESERVED: [&str; 55] = [
    "admin",
    "api_keys",
    "archive",
    "audit",
    "auth_db",
    "bulk",
    "change_user_password",
    "changes",
    "content_filters",
    "content_types",
    "contentapi",
    "credentials",
    "explain",
    "feed_parsers_allowed",
    "feeding_services_allowed",
    "feeds",
    "filter_conditions",
    "formatters",
    "ingest",
    "ingest_errors",
    "ingest_providers",
    "ingest_rule_handlers",
    "ingest_states",
    "internal_destinations",
    "items",
    "jobs",
    "macros",
    "media",
    "positions",
    "presence",
    "products",
    "publish",
    "publish_errors",
    "publish_queue",
    "published",
    "queues",
    "roles",
    "routing_schemes",
    "rule_sets",
    "schedules",
    "search",
    "search_capi",
    "sessions",
    "setup",
    "stream",
    "subscriber_token",
    "subscribers",
    "subscriptions",
    "tokens",
    "upload",
    "validate",
    "validators",
    "verify",
    "vocabularies",
    "ws",
];

/// With its document goes what it defined.
pub(crate) fn removal(app: &App, id: &DocId) -> Vec<Effect> {
    let defined = app.store().catalog().by_name(id.as_str()).map(|collection| collection.id);
    let drop =
        |collection| Effect::Also(Box::new(move |transaction: Transaction| transaction.drop(collection)));
    defined.map(drop).into_iter().collect()
}
