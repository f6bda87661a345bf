//! Lists of documents found by place, in the envelope of every list.

use dateline_engine::{CollectionId, DocId};
use serde_json::{Value, json};

use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{Item, ListMeta, ListWriter, PageRequest};
use crate::http::Refusal;
use crate::places::catch_up;
use crate::resources::{Resource, Sight, answer};

/// Documents in one answer at the most.
const FOUND_MAX: usize = 10_000;

/// A document that was found, with what is known of it besides.
pub(crate) type Found = (DocId, Option<(&'static str, Value)>);

/// Looks for an answer, on a thread that may read, once all is matched that was durable when the request came.
pub(crate) async fn ask<T: Send + 'static>(
    app: &App,
    find: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Refusal> {
    catch_up(app).await?;
    let asked = app.clone();
    app.scan(move |_| find(&asked)).await
}

/// The envelope of documents in the given order, as far as they may be seen.
pub(crate) fn documents(
    app: &App,
    resource: &Resource,
    sight: &Sight,
    found: Vec<Found>,
) -> Result<Vec<u8>, Problem> {
    let mut list = ListWriter::new(found.len() * 512);
    for (id, extra) in found {
        if list.len() == FOUND_MAX {
            break;
        }
        let Some(document) = app.store().get(resource.collection, id.as_str())? else { continue };
        if !sight.is_clear() && !sight.sees(&resource.name, id.as_str(), &answer::body_of(&document)?) {
            continue;
        }
        let tag = answer::tag(&document);
        let extras: Vec<(&str, Value)> = extra.into_iter().collect();
        let item = Item::read(answer::meta(&document, &tag), &resource.name);
        list.push(&document.body, &item.with(&extras))
            .map_err(|error| answer::damaged(&document, &error.to_string()))?;
    }
    Ok(finish(app, list, FOUND_MAX))
}

/// Closes an envelope that holds everything there is, up to `limit`.
pub(crate) fn finish(app: &App, list: ListWriter, limit: usize) -> Vec<u8> {
    let page = PageRequest { page: 1, max_results: limit as u64, cursor: None };
    let more = list.len() >= limit;
    // A list that was cut does not know how much there is.
    let meta = ListMeta::new(&page, (!more).then_some(list.len() as u64), more);
    let seq = app.geo().visible().seq.get();
    list.finish(&meta, None, &json!({}), seq, &[])
}

/// The member `user` of a stored document.
pub(crate) fn owner_of(app: &App, collection: CollectionId, id: &str) -> Result<Option<String>, Problem> {
    let Some(document) = app.store().get(collection, id)? else { return Ok(None) };
    Ok(answer::body_of(&document)?.get("user").and_then(Value::as_str).map(str::to_owned))
}
