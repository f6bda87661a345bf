//! Proves that the index is what the log says: the same documents at the same versions, on undamaged files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use dateline_engine::{Result, Seq, Store};
use tantivy::TantivyDocument;
use tantivy::schema::Value as _;

use crate::fault;
use crate::limits::DIFFERENCES_MAX;
use crate::schema::{SEQ, key, parse_key};
use crate::searched::Searched;
use crate::shared::View;

/// Names the first differences; none means equal.
pub(crate) fn verify(store: &Store, searched: &Searched, view: &View) -> Result<Vec<String>> {
    let mut differences = damaged_files(view);
    let mut indexed = match indexed(view, &mut differences) {
        // What lies in a damaged file may not be readable at all.
        Err(_) if !differences.is_empty() => return Ok(differences),
        indexed => indexed?,
    };
    let snapshot = store.snapshot()?;
    for (collection, _) in searched.all() {
        snapshot.scan_as_of(collection, None, view.seq, |document| {
            let name = key(collection, document.id.as_str());
            match indexed.remove(&name) {
                Some(seq) if seq == document.seq => {}
                Some(seq) => differences.push(format!("{name}: indexed {seq}, stored {}", document.seq)),
                None => differences.push(format!("{name}: version {} is not indexed", document.seq)),
            }
            if differences.len() < DIFFERENCES_MAX {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
    }
    for (name, seq) in indexed {
        if differences.len() >= DIFFERENCES_MAX {
            break;
        }
        if !is_forgotten(store, &name, seq, view.seq)? {
            differences.push(format!("{name}: version {seq} is indexed, the document is not there"));
        }
    }
    differences.truncate(DIFFERENCES_MAX);
    Ok(differences)
}

/// Every document of the index and the version it is of.
fn indexed(view: &View, differences: &mut Vec<String>) -> Result<BTreeMap<String, Seq>> {
    let mut found = BTreeMap::new();
    for segment in view.searcher.segment_readers() {
        let seqs = segment.fast_fields().u64(SEQ).map_err(fault::tantivy("read versions"))?;
        let store = segment.get_store_reader(1).map_err(|error| fault::tantivy("read keys")(error.into()))?;
        for place in segment.doc_ids_alive() {
            let document: TantivyDocument = store.get(place).map_err(fault::tantivy("read keys"))?;
            let name = document.get_first(view.generation.fields.key).and_then(|value| value.as_str());
            let name = name.unwrap_or_default().to_owned();
            let seq = Seq::new(seqs.first(place).unwrap_or(0));
            if let Some(other) = found.insert(name.clone(), seq) {
                differences.push(format!("{name}: indexed twice, versions {other} and {seq}"));
            }
        }
    }
    Ok(found)
}

/// Whether the document has moved on, or was dropped with its collection, and the store no longer keeps the version
/// that is indexed.
fn is_forgotten(store: &Store, name: &str, indexed: Seq, upto: Seq) -> Result<bool> {
    let (collection, id) = parse_key(name)?;
    let catalog = store.catalog();
    let dropped = catalog.ever(collection).and_then(|collection| collection.dropped_at());
    if dropped.is_some_and(|dropped| dropped > upto) {
        return Ok(true);
    }
    let moved_on = store.head(collection, id.as_str())?.is_some_and(|head| head.seq > upto);
    Ok(moved_on && store.version(collection, id.as_str(), indexed)?.is_none())
}

/// Files whose checksum is wrong. A merge may remove files while they are checked; then once more.
fn damaged_files(view: &View) -> Vec<String> {
    let check = || view.generation.index.validate_checksum();
    match check().or_else(|_| check()).or_else(|_| check()) {
        Ok(files) => files.iter().map(|file| format!("{}: damaged", file.display())).collect(),
        Err(error) => vec![format!("files cannot be checked: {error}")],
    }
}
