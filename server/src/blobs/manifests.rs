//! Manifests as documents: `{"length", "chunks": base64 of the hashes}` in a collection of their own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dateline_engine::{CollectionId, Condition, DocId, Document, Manifest, Result, Store, Transaction};
use serde_json::{Value, json};

use crate::eve::problem::{Problem, Slug};
use crate::resources::answer;

/// The collection; nobody reads it over HTTP.
pub(crate) const MANIFESTS: &str = "blob_manifests";

/// The collections that blobs live in.
#[derive(Clone, Copy)]
pub(crate) struct Shelf {
    pub(crate) manifests: CollectionId,
    pub(crate) blobs: CollectionId,
    pub(crate) uploads: CollectionId,
    pub(crate) media: CollectionId,
}

impl Shelf {
    pub(crate) fn of(store: &Store) -> std::result::Result<Self, Problem> {
        let catalog = store.catalog();
        let id = |name: &str| {
            let missing = || Problem::new(Slug::Internal, format!("there is no collection '{name}'"));
            catalog.by_name(name).map(|collection| collection.id).ok_or_else(missing)
        };
        Ok(Self {
            manifests: id(MANIFESTS)?,
            blobs: id("blobs")?,
            uploads: id("uploads")?,
            media: id("media")?,
        })
    }

    /// The manifest under this id, with the version it was read from.
    pub(crate) fn manifest(
        self,
        store: &Store,
        id: &str,
    ) -> std::result::Result<(Manifest, Document), Problem> {
        let document = store.get(self.manifests, id)?;
        let document =
            document.ok_or_else(|| Problem::new(Slug::NotFound, format!("'{id}' has no bytes")))?;
        let manifest = decode(&document).map_err(|error| answer::damaged(&document, &error.to_string()))?;
        Ok((manifest, document))
    }

    pub(crate) fn put(
        self,
        transaction: Transaction,
        id: DocId,
        condition: Condition,
        manifest: &Manifest,
    ) -> Transaction {
        transaction.put(self.manifests, id, condition, encode(manifest))
    }
}

fn encode(manifest: &Manifest) -> Vec<u8> {
    let chunks = STANDARD.encode(manifest.hashes());
    json!({"length": manifest.length(), "chunks": chunks}).to_string().into_bytes()
}

/// What a stored manifest says.
///
/// # Errors
/// `Invalid` when it is none.
pub(super) fn decode(document: &Document) -> Result<Manifest> {
    let body: Value = serde_json::from_slice(&document.body).unwrap_or_default();
    let chunks = body.get("chunks").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
    Manifest::new(body.get("length").and_then(Value::as_u64).unwrap_or(0), &chunks.unwrap_or_default())
}
