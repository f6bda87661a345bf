//! Removes files that nothing holds. Their bytes go with the next sweep of manifests and chunks.

use std::ops::ControlFlow;

use dateline_engine::{Condition, Durability, ErrorKind, Millis, Result, Store, Transaction};
use serde_json::Value;

use super::Collections;

/// Removes the documents of files that were last stored before `before` and that no row refers to; says how many.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) fn sweep(store: &Store, before: Millis) -> Result<usize> {
    let collections = Collections::of(store)?;
    let (snapshot, mut unheld) = (store.snapshot()?, Vec::new());
    let mut failed = None;
    snapshot.scan(collections.files, None, false, |document| {
        if document.updated >= before {
            return ControlFlow::Continue(());
        }
        match store.lookup(collections.references, "media_id", &[Value::from(document.id.as_str())]) {
            Ok(rows) if rows.is_empty() => unheld.push((document.id.clone(), document.revision())),
            Ok(_) => {}
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    drop(snapshot);
    if let Some(error) = failed {
        return Err(error);
    }
    let mut swept = 0;
    for (id, revision) in unheld {
        let transaction = Transaction::new(Durability::Buffered);
        // Who stores the same file meanwhile writes its document anew.
        match store.commit(transaction.delete(collections.files, id, Condition::Revision(revision))) {
            Ok(_) => swept += 1,
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::app::App;
    use crate::blobs::Shelf;
    use crate::media::files::{self, NewFile};
    use crate::media::references;

    #[test]
    fn a_file_stays_as_long_as_somebody_holds_it() {
        let app = App::builder().open().unwrap();
        let (store, shelf) = (app.store(), Shelf::of(app.store()).unwrap());
        let references = app.media().collections().references;
        let keep = |bytes: &[u8], holder: Option<&str>| {
            let file = NewFile::of(bytes.to_vec(), Map::new()).unwrap();
            let id = file.id().to_owned();
            let transaction = file.add_to(shelf, Transaction::new(Durability::Sync));
            let transaction = match holder {
                Some(holder) => references::add(transaction, references, holder, std::slice::from_ref(&id)),
                None => transaction,
            };
            store.commit(transaction).unwrap();
            id
        };
        let held = keep(b"held", Some("item"));
        let left = keep(b"left", None);
        assert_eq!(sweep(store, Millis::new(1)).unwrap(), 0, "too young");
        let later = Millis::new(store.now().get() + 1_000);
        assert_eq!(sweep(store, later).unwrap(), 1);
        let is_here = |id: &str| files::find(&app, id).unwrap().is_some();
        assert_eq!([is_here(&held), is_here(&left)], [true, false]);
        // The same file again is the same file.
        assert_eq!(keep(b"left", Some("other")), left);
        assert_eq!(sweep(store, later).unwrap(), 0);
        assert!(is_here(&left));
    }
}
