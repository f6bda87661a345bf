//! What is demanded of internal destinations when they are saved, and what is in use by them.

use dateline_engine::Result;
use dateline_formats::Item;
use dateline_publish::macros::AUTO_PUBLISH;
use serde_json::{Map, Value};

use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{Issue, Issues};
use crate::publishing::find_item;
use crate::resources::rules::{Draft, Effect};

/// The resource.
pub(crate) const DESTINATIONS: &str = "internal_destinations";

/// Checks a destination before it is saved.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn check(
    draft: &Draft<'_>,
    body: &Map<String, Value>,
    issues: &mut Issues,
) -> std::result::Result<Vec<Effect>, Problem> {
    let destination = Item::from(body);
    let (desk, stage, name) =
        (destination.text("desk"), destination.text("stage"), destination.text("macro"));
    if !stage.is_empty() && issues.of("stage").is_empty() {
        let stages = draft.app.publishing().collections().stages;
        let found = find_item(draft.app.store(), stages, stage)?;
        if found.as_ref().and_then(|found| found.get("desk")?.as_str()) != Some(desk) {
            issues.add(&["stage"], Issue::Text(format!("'{stage}' is no stage of desk '{desk}'")));
        }
    }
    if !name.is_empty()
        && name != AUTO_PUBLISH
        && let Err(reason) = draft.app.macros().check(name)
    {
        issues.add(&["macro"], Issue::Text(reason));
    }
    Ok(Vec::new())
}

/// Names of the destinations whose field has this value.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn users(app: &App, field: &str, value: &str) -> Result<Vec<String>> {
    let collection = app.internals().collection;
    let mut names = Vec::new();
    for id in app.store().lookup(collection, field, &[Value::from(value)])? {
        let found = find_item(app.store(), collection, id.as_str())?;
        let name = found.as_ref().and_then(|found| found.get("name")?.as_str());
        names.push(name.unwrap_or(id.as_str()).to_owned());
    }
    Ok(names)
}
