//! A scheduled item whose time has come: it is published, as a new version of item and row, in the commit that queues it.

use dateline_engine::{Condition, DocId, Document, Result, Transaction};
use serde_json::{Map, Value};

use super::audience::body;
use crate::app::App;
use crate::eve::{date, json, patch};

/// What becomes of item and row.
pub(super) struct Release {
    pub(super) published: Map<String, Value>,
    archive: Option<(Document, Map<String, Value>)>,
}

/// The release of a scheduled row; `None` for one that is published already.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn of(app: &App, published: &Map<String, Value>) -> Result<Option<Release>> {
    if published.get("state").and_then(Value::as_str) != Some("scheduled") {
        return Ok(None);
    }
    let now = date::format(app.store().now().get());
    let next = |body: &Map<String, Value>| {
        let mut next = body.clone();
        let version = body.get("_current_version").and_then(Value::as_u64).unwrap_or(0) + 1;
        next.insert("state".to_owned(), "published".into());
        next.insert("_current_version".to_owned(), version.into());
        next.insert("versioncreated".to_owned(), now.as_str().into());
        next
    };
    let item = published.get("item_id").and_then(Value::as_str).unwrap_or_default();
    let archive = match app.store().get(app.publishing().collections().archive, item)? {
        Some(document) => match body(&document)? {
            Value::Object(stored) if stored.get("state") == published.get("state") => {
                let mut item = next(&stored);
                patch::set_version(&mut item, patch::version(&stored) + 1);
                Some((document, item))
            }
            _ => None,
        },
        None => None,
    };
    Ok(Some(Release { published: next(published), archive }))
}

impl Release {
    /// Adds the new version of the item.
    pub(super) fn add_to(&self, app: &App, transaction: Transaction) -> Transaction {
        let Some((document, item)) = &self.archive else { return transaction };
        let (id, condition): (DocId, _) = (document.id.clone(), Condition::Revision(document.revision()));
        transaction.put(app.publishing().collections().archive, id, condition, json::encode(item))
    }
}
