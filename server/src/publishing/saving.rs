//! What is demanded of the configuration of publishing when it is saved or removed.
//!
//! The decisions are the catalog's; here its refusals become answers, and what a write causes beside the document is
//! added to its commit. One such document is written at a time, so that two writers cannot make together what
//! either would be refused.

use dateline_engine::{Condition, DocId, Transaction};
use dateline_publish::filter::{Catalog, Refusal};
use dateline_publish::validate;
use serde_json::{Map, Value, json};

use super::{actions, destinations};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issue, Issues};
use crate::ids;
use crate::internal;
use crate::resources::rules::{Draft, Effect, Removal};

/// Whether documents of a resource are checked against others of their kind, and so are written one at a time.
pub(crate) fn is_configuration(resource: &str) -> bool {
    matches!(
        resource,
        "filter_conditions"
            | "content_filters"
            | "products"
            | "subscribers"
            | "vocabularies"
            | "content_types"
            | "desks"
            | "stages"
    )
}

/// Checks a document before it is saved.
///
/// # Errors
/// 400 in the words that clients know.
pub(crate) async fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    if !issues.is_empty() {
        // What the schema refuses already is not judged.
        return Ok(Vec::new());
    }
    match draft.resource.name.as_str() {
        "filter_conditions" | "content_filters" | "products" => {
            if draft.resource.name == "products" {
                body.entry("product_type").or_insert_with(|| "both".into());
            }
            judge(draft, body).await?;
            Ok(Vec::new())
        }
        "subscribers" => {
            judge(draft, body).await?;
            // Nothing is sent to a subscriber that nobody has switched on.
            body.entry("is_active").or_insert(Value::Bool(false));
            let secrets = draft.app.publishing().collections().secrets;
            let effect = destinations::settle(draft.app.store(), secrets, draft.id, draft.stored, body)?;
            Ok(effect.into_iter().collect())
        }
        "vocabularies" => {
            check_items(body, issues);
            Ok(Vec::new())
        }
        "content_types" => {
            check_profile(draft, body)?;
            Ok(Vec::new())
        }
        "desks" if draft.stored.is_none() => with_stages(draft, body),
        _ => Ok(Vec::new()),
    }
}

/// Each type of items but text has one profile.
fn check_profile(draft: &Draft<'_>, body: &Map<String, Value>) -> Result<(), Problem> {
    let (publishing, nothing) = (draft.app.publishing(), Map::new());
    let site = publishing.site(draft.app.store())?;
    let rules = actions::rules(publishing.settings(), &site, &[], &nothing);
    let checked = validate::check_profile(&rules, draft.id.as_str(), &Value::Object(body.clone()));
    checked.map_err(|refusal| Problem::new(Slug::ValidationFailed, refusal.message()))
}

/// Asks the catalog, on a thread that may read.
async fn judge(draft: &Draft<'_>, body: &Map<String, Value>) -> Result<(), Problem> {
    let (app, id) = (draft.app.clone(), draft.id.clone());
    let (name, document) = (draft.resource.name.clone(), Value::Object(body.clone()));
    let judged = draft.app.scan(move |store| -> Result<_, Problem> {
        let asked = app.publishing().audience().ask(store, |percolator| {
            let (catalog, id) = (percolator.catalog(), id.as_str());
            match name.as_str() {
                "filter_conditions" => catalog.check_condition(id, &document),
                "content_filters" => catalog.check_filter(id, &document),
                "products" => catalog.check_product(id, &document),
                _ => catalog.check_subscriber(&document),
            }
        });
        Ok(asked?)
    });
    let judged = judged.await.map_err(crate::http::Refusal::into_problem)?;
    judged.map_err(|refusal| refused(&refusal, draft.stored.is_some()))
}

fn refused(refusal: &Refusal, is_change: bool) -> Problem {
    let mut problem = Problem::new(Slug::ValidationFailed, refusal.message.as_str());
    for field in &refusal.fields {
        problem = match *field {
            "destinations" | "api_products" => problem.issue(*field, json!({"required": 1})),
            "sequence_num_settings.min" => problem.issue(*field, 1),
            field => problem.issue(field, refusal.message.as_str()),
        };
    }
    if is_change {
        // Clients know what a change is refused for by this name.
        problem = problem.issue("validator exception", format!("400: {}", refusal.message));
    }
    problem
}

/// What becomes of a document of the configuration that is to be removed.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn removal(
    app: &App,
    resource: &str,
    id: &DocId,
    stored: &Map<String, Value>,
) -> Result<Removal, Problem> {
    let asks: fn(&Catalog, &str) -> Result<(), Refusal> = match resource {
        "filter_conditions" => |catalog, id| catalog.check_condition_removal(id),
        "content_filters" => |catalog, id| catalog.check_filter_removal(id, &[]),
        "products" => |catalog, id| catalog.check_product_removal(id),
        "vocabularies" => {
            let is_field = stored.get("field_type").is_some_and(Value::is_string);
            return Ok(match is_field {
                true => Removal::Gone(Vec::new()),
                false => in_use("Default vocabularies cannot be deleted"),
            });
        }
        "stages" => {
            let used = internal::saving::users(app, "stage", id.as_str())?;
            return Ok(match used.is_empty() {
                true => Removal::Gone(Vec::new()),
                false => in_use(&format!("Stage is used by internal destination(s): {}", used.join(", "))),
            });
        }
        "desks" => {
            let (app, id) = (app.clone(), id.clone());
            let held = app.clone().scan(move |_| held_by(&app, &id)).await;
            return held.map_err(crate::http::Refusal::into_problem);
        }
        _ => return Ok(Removal::Gone(Vec::new())),
    };
    if resource == "content_filters" {
        let used = internal::saving::users(app, "filter", id.as_str())?;
        if !used.is_empty() {
            let used = used.join(",");
            return Ok(in_use(&format!(
                "Content filter has been referenced by internal destination(s) {used}"
            )));
        }
    }
    let (asked, id) = (app.clone(), id.clone());
    let judged = app.scan(move |store| -> Result<_, Problem> {
        let judged =
            asked.publishing().audience().ask(store, |percolator| asks(percolator.catalog(), id.as_str()))?;
        Ok(judged)
    });
    Ok(match judged.await.map_err(crate::http::Refusal::into_problem)? {
        Ok(()) => Removal::Gone(Vec::new()),
        Err(refusal) => in_use(&refusal.message),
    })
}

/// The dialect answers 400 where others would say 409.
fn in_use(message: &str) -> Removal {
    Removal::Refused(Problem::new(Slug::InUse, message).status(400))
}

/// A desk with items stays; else its stages go with it.
fn held_by(app: &App, desk: &DocId) -> Result<Removal, Problem> {
    let collections = app.publishing().collections();
    let named = [Value::from(desk.as_str())];
    if !app.store().lookup(collections.archive, "task.desk", &named)?.is_empty() {
        let problem = Problem::new(Slug::InUse, "Cannot delete desk as it has article(s).").status(412);
        return Ok(Removal::Refused(problem));
    }
    let used = internal::saving::users(app, "desk", desk.as_str())?;
    if !used.is_empty() {
        let words =
            format!("Cannot delete desk as it is used by internal destination(s): {}.", used.join(", "));
        return Ok(Removal::Refused(Problem::new(Slug::InUse, words).status(412)));
    }
    let (stages, own) = (collections.stages, app.store().lookup(collections.stages, "desk", &named)?);
    let with = move |transaction: Transaction| {
        own.into_iter().fold(transaction, |tx, stage| tx.delete(stages, stage, Condition::Always))
    };
    Ok(Removal::Gone(vec![Effect::Also(Box::new(with))]))
}

/// A new desk gets the two stages it cannot do without, in the same commit.
fn with_stages(draft: &Draft<'_>, body: &mut Map<String, Value>) -> Result<Vec<Effect>, Problem> {
    let stages = draft.app.publishing().collections().stages;
    let mut effects = Vec::new();
    for (member, name) in [("incoming_stage", "Incoming Stage"), ("working_stage", "Working Stage")] {
        if body.get(member).is_some_and(Value::is_string) {
            continue;
        }
        let id = ids::new_id(draft.app.store().now())?;
        body.insert(member.to_owned(), id.as_str().into());
        let stage = json!({
            "name": name, "desk": draft.id.as_str(), "is_visible": true, "local_readonly": false, "_version": 1,
        });
        let text = stage.to_string();
        effects.push(Effect::Also(Box::new(move |transaction: Transaction| {
            transaction.put(stages, id, Condition::Absent, text)
        })));
    }
    Ok(effects)
}

/// Values of the unique field occur once; those the schema of the vocabulary requires are there.
fn check_items(body: &Map<String, Value>, issues: &mut Issues) {
    let items = body.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(field) = body.get("unique_field").and_then(Value::as_str) {
        let mut seen: Vec<&Value> = Vec::new();
        for value in items.iter().filter_map(|item| item.get(field)).filter(|value| !value.is_null()) {
            if seen.contains(&value) {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let text = format!("Value {shown} for field {field} is not unique");
                return issues.add(&["items"], Issue::Text(text));
            }
            seen.push(value);
        }
    }
    let rules = body.get("schema").and_then(Value::as_object).into_iter().flatten();
    for (field, _) in rules.filter(|(_, rule)| rule.get("required") == Some(&Value::Bool(true))) {
        let missing = items.iter().position(|item| item.get(field).is_none_or(Value::is_null));
        if let Some(place) = missing {
            issues.add(&["items"], Issue::Text(format!("Required {field} in item {place}")));
        }
    }
}
