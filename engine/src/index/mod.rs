//! Declared secondary indexes and unique constraints.
//!
//! An index holds, for each document of its collection, one entry for each value its fields reach, in the order in
//! which lists are sorted. A field that a document lacks is a value like others, so every document is in every
//! index, and an index alone tells an order. Entries are written in the batch of their document.
//!
//! The life of an index that is declared on a collection with documents: **building** (every write keeps it, nobody
//! reads it, [`builder`] adds what was there before in small steps through the writer) -> **ready**; a unique one
//! that finds two documents with one value waits as **pending**, its first violations named, until they are gone.
//! Invariant: an entry of a plain index is put exactly once between deletes, so a step of the builder adds
//! a document only if no write since the declaration has done so.

pub(crate) mod builder;
mod fill;
mod key;
mod reach;
mod scan;
mod span;
mod spec;
mod state;

pub(crate) use fill::{Fill, entries, fits};
pub use key::Index;
pub(crate) use key::{IndexKey, is_marker, marker};
pub(crate) use scan::id_of_entry;
pub use scan::{IndexEntry, Reading};
pub use span::Spans;
pub use spec::{FieldKind, IndexField, IndexSpec};
pub(crate) use state::Progress;
pub use state::{IndexState, Violation};
