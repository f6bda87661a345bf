//! Files of items, for subscribers that have an item with them.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use dateline_engine::Result;
use serde_json::Value;

use super::access::Visit;
use super::audit::{self, Seen};
use super::store::subscribers_of;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::media;
use crate::publishing::items;

/// `GET /contentapi/assets/{id}[.ext]`.
///
/// # Errors
/// 404 for a file that is not here or that is in no item of the subscriber.
pub(super) async fn asset(State(app): State<App>, visit: Visit, uri: Uri, headers: HeaderMap) -> Answer {
    visit.answered(served(&app, &visit, &uri, &headers).await)
}

async fn served(app: &App, visit: &Visit, uri: &Uri, headers: &HeaderMap) -> Answer {
    let id = media::id_in(uri, 2);
    let (used, named, subscriber) = (app.clone(), id.clone(), visit.subscriber.clone());
    let is_entitled = app.scan(move |_| -> Result<bool> { is_entitled(&used, &named, &subscriber) }).await?;
    if !is_entitled || media::find(app, &id)?.is_none() {
        let text = "Asset not found.";
        let problem = Problem::new(Slug::NotFound, text).message(text).with("internal_error", 10_003_u32);
        return Err(problem.into());
    }
    let answer = media::serve_public(app, headers, &id).await?;
    audit::record(app, visit, &Seen { kind: "assets", items: &[id], version: None });
    Ok(answer)
}

fn is_entitled(app: &App, id: &str, subscriber: &str) -> Result<bool> {
    let collection = app.publishing().collections().items;
    for holder in app.store().lookup(collection, "media_ids", &[Value::from(id)])? {
        let item = items::find(app.store(), collection, holder.as_str())?;
        if item.is_some_and(|item| shows(&item, id, subscriber)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the subscriber has the item, and in it a part that has the file.
fn shows(item: &Value, id: &str, subscriber: &str) -> bool {
    if !subscribers_of(item).any(|own| own == subscriber) {
        return false;
    }
    let mut alone = item.clone();
    if let Some(members) = alone.as_object_mut() {
        members.shift_remove("associations");
        members.shift_remove("extra_items");
    }
    let associations = item.get("associations").and_then(Value::as_object).into_iter().flatten();
    let extra = item.get("extra_items").and_then(Value::as_object).into_iter().flatten();
    let extra = extra.filter_map(|(_, field)| field.get("items")?.as_array()).flatten();
    media::ids_of(&alone).contains(id)
        || associations.map(|(_, own)| own).chain(extra).any(|own| shows(own, id, subscriber))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_shown_with_the_part_that_has_it() {
        let picture = |subscribers: Value| json!({"subscribers": subscribers, "renditions": {"original": {"media": "inside"}}});
        let item = json!({
            "subscribers": ["s", "t"], "renditions": {"original": {"media": "own"}},
            "associations": {"featuremedia": picture(json!(["s"])), "gone": null},
        });
        let check = |id: &str, subscriber: &str, expected: bool| {
            assert_eq!(shows(&item, id, subscriber), expected, "{id} {subscriber}");
        };
        check("own", "s", true);
        check("own", "t", true);
        check("own", "u", false);
        check("inside", "s", true);
        check("inside", "t", false);
        check("other", "s", false);
    }
}
