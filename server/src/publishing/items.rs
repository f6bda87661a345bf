//! Items as decisions and formats see them.

use dateline_engine::{CollectionId, Document, ErrorKind, Result, Store};
use jiff::Timestamp;
use serde_json::Value;

use super::audience::body;

/// The body of an item with its id.
///
/// # Errors
/// `Corrupt` when it cannot be read.
pub(crate) fn view(document: &Document) -> Result<Value> {
    let mut item = body(document)?;
    if let Some(members) = item.as_object_mut() {
        members.insert("_id".to_owned(), document.id.as_str().into());
    }
    Ok(item)
}

/// The item of this id; none also for what can never be an id.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn find(store: &Store, collection: CollectionId, id: &str) -> Result<Option<Value>> {
    match store.get(collection, id) {
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(None),
        found => found?.as_ref().map(view).transpose(),
    }
}

/// The time of the store's clock.
pub(crate) fn now(store: &Store) -> Timestamp {
    let ms = i64::try_from(store.now().get()).ok();
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}
