//! `search_capi`: what subscribers have, as the newsroom looks at it: of all of them, and under the names it uses
//! itself.

use axum::extract::State;
use axum::http::Uri;
use dateline_engine::Document;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::asked::{self, Asker};
use super::fields::Fields;
use super::shown::{base, outer, uri};
use super::{listing, versions};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::PageRequest;
use crate::eve::problem::Problem;
use crate::http::Answer;
use crate::publishing::items;
use crate::resources::target::Id;
use crate::resources::{Query, answer, find, missing};

/// Lists of which the members are known by a `qcode` in the newsroom.
const CODED: [&str; 8] =
    ["subject", "genre", "anpa_category", "place", "authors", "person", "organisation", "object"];

/// `GET /api/search_capi`.
pub(super) async fn search(
    State(app): State<App>,
    _: Principal,
    Query(params): Query,
    address: Uri,
) -> Answer {
    let today = items::now(app.store()).to_zoned(TimeZone::UTC).date();
    let asked = asked::of_list(&params, Asker::Newsroom, today)?;
    let page = PageRequest::parse(&params)?;
    let used = app.clone();
    let found = app.scan(move |_| -> Result<_, Problem> {
        let found = listing::find(&used, asked.conditions, &params)?;
        let shown = found.documents.iter().map(|found| shown(&used, found, &asked.fields));
        Ok((shown.collect::<Result<Vec<_>, Problem>>()?, found.total, found.next.is_some()))
    });
    let (shown, total, more) = found.await?;
    Ok(listing::envelope(&address, "/api/", &page, shown, total, more))
}

/// `GET /api/search_capi/{id}`: as it is, or its `version`.
pub(super) async fn one(State(app): State<App>, _: Principal, Id(id): Id, Query(params): Query) -> Answer {
    let (fields, version) = asked::of_item(&params)?;
    let resource = app.resources().get("items")?;
    let current = find(&app, &resource, &id)?.ok_or_else(|| missing(&resource, &id))?;
    let document = match version {
        None => current,
        Some(version) => {
            let (collection, named) = (resource.collection, id.clone());
            let found = app.scan(move |store| versions::of(store, collection, &named, None)).await?;
            let found = found.into_iter().find(|found| found.number == version);
            found.ok_or_else(|| versions::none(&id, version))?.document
        }
    };
    Ok(answer::json_bytes(shown(&app, &document, &fields)?.to_string().into_bytes()))
}

/// An item with its id, and with files where the newsroom finds them.
fn shown(app: &App, document: &Document, fields: &Fields) -> Result<Value, Problem> {
    let mut item = outer(document)?;
    let address = uri(&base(app), document.id.as_str(), &item);
    item.insert("uri".to_owned(), address.into());
    item.retain(|name, _| fields.shows(name));
    rename(&mut item);
    item.insert("_id".to_owned(), document.id.as_str().into());
    Ok(Value::Object(item))
}

/// Gives members, also of the items inside, the names that items have in the newsroom.
fn rename(item: &mut Map<String, Value>) {
    item.shift_remove("subscribers");
    if let Some(service) = item.shift_remove("service") {
        item.insert("anpa_category".to_owned(), service);
    }
    for name in CODED {
        let all = item.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
        for concept in all.filter_map(Value::as_object_mut) {
            if let Some(code) = concept.shift_remove("code") {
                concept.insert("qcode".to_owned(), code);
            }
        }
    }
    let mut signals = item.get("signal").and_then(Value::as_array).into_iter().flatten();
    if signals.any(|signal| signal.get("code").and_then(Value::as_str) == Some("cwarn")) {
        item.insert("flags".to_owned(), json!({"marked_for_legal": true}));
    }
    for own in super::store::inner(item) {
        rename(own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_the_names_of_the_newsroom() {
        let concept = |code: &str| json!([{"name": "x", "code": code, "scheme": "s"}]);
        let mut item = json!({
            "guid": "a", "service": concept("a"), "subject": concept("04000000"), "genre": [], "subscribers": ["s"],
            "signal": [{"code": "cwarn"}], "products": [{"code": "p", "name": "all"}],
            "associations": {"main": {"guid": "b", "service": concept("i"), "subscribers": ["s"]}, "none": null},
            "extra_items": {"media": {"items": [{"guid": "c", "subscribers": ["s"], "genre": concept("g")}]}},
        });
        rename(item.as_object_mut().unwrap());
        let renamed = |code: &str| json!([{"name": "x", "scheme": "s", "qcode": code}]);
        let expected = json!({
            "guid": "a", "anpa_category": renamed("a"), "subject": renamed("04000000"), "genre": [],
            "signal": [{"code": "cwarn"}], "products": [{"code": "p", "name": "all"}],
            "flags": {"marked_for_legal": true},
            "associations": {"main": {"guid": "b", "anpa_category": renamed("i")}, "none": null},
            "extra_items": {"media": {"items": [{"guid": "c", "genre": renamed("g")}]}},
        });
        assert_eq!(item, expected);
    }
}
