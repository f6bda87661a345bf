//! `GET /api/filter_conditions/parameters`: what people choose from when they write a condition.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use dateline_engine::Store;
use dateline_formats::Site;
use dateline_publish::filter::{Offered, Operator, Values};
use serde_json::{Value, json};

use super::{listed, told};
use crate::app::App;
use crate::eve::problem::Problem;
use crate::http::Answer;
use crate::publishing::audience::each;

/// Values offered for one field at the most.
const VALUES_MAX: usize = 5_000;

/// `{"_items": [{"field", "label", "operators", "values", "value_field"}]}`; `values` is empty where anything may be
/// written.
pub(super) async fn parameters(State(app): State<App>) -> Answer {
    let asked = app.clone();
    let all = app.scan(move |store| -> Result<Vec<Value>, Problem> {
        let publishing = asked.publishing();
        let offered = publishing.audience().ask(store, |percolator| percolator.catalog().offered())?;
        let site = publishing.site(store)?;
        let mut collections = BTreeMap::new();
        offered.iter().map(|field| shown(store, &site, field, &mut collections)).collect()
    });
    told(StatusCode::OK, &listed(&app, all.await?))
}

fn shown(
    store: &Store,
    site: &Site,
    offered: &Offered,
    known: &mut BTreeMap<&'static str, Vec<Value>>,
) -> Result<Value, Problem> {
    let values = match &offered.values {
        Values::Free => Vec::new(),
        Values::YesNo => {
            vec![json!({"qcode": "true", "name": "true"}), json!({"qcode": "false", "name": "false"})]
        }
        Values::Vocabulary(id) => {
            let rows = site.vocabularies.get(id).and_then(|own| own.get("items")).and_then(Value::as_array);
            let active = |row: &&Value| row.get("is_active") != Some(&Value::Bool(false));
            rows.into_iter().flatten().filter(active).take(VALUES_MAX).cloned().collect()
        }
        Values::Collection(name) => match known.get(name) {
            Some(values) => values.clone(),
            None => {
                let values = named(store, name)?;
                known.insert(name, values.clone());
                values
            }
        },
    };
    let operators: Vec<&str> = offered.operators.iter().copied().map(Operator::name).collect();
    Ok(json!({
        "field": offered.field, "label": offered.label, "operators": operators, "values": values,
        "value_field": offered.values.key(),
    }))
}

/// The documents of a collection by id and name; none where there is no such collection.
fn named(store: &Store, name: &str) -> Result<Vec<Value>, Problem> {
    let Some(collection) = store.catalog().by_name(name).map(|collection| collection.id) else {
        return Ok(Vec::new());
    };
    let mut values = Vec::new();
    each(&store.snapshot()?, collection, |id, document| {
        let name = ["name", "label"].iter().find_map(|key| document.get(*key)).cloned();
        values.push(json!({"_id": id.as_str(), "name": name}));
    })?;
    values.truncate(VALUES_MAX);
    Ok(values)
}
