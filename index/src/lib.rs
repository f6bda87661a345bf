//! Full-text search of a Dateline store: a follower of its log that keeps a tantivy index.
//!
//! **What it is for.** Finding documents by words, values and ranges, ranked. The index is an exact function
//! of the log up to a record it names, and says so in each answer; a reader who just wrote can wait for that
//! record. It can be thrown away and rebuilt at any time, and `verify` proves it equal to the store.
//!
//! **The way of a byte.** Feed of the log -> `follower` -> body of that version from the store -> `document`
//! (by the collection's `Mapping`) -> `writer` -> tantivy commit with the `checkpoint` as its payload, synced ->
//! new view for `reader`, `visible` moves, the cursor in the store follows. A query goes `query` (text to tree)
//! -> `compile` (tree to tantivy, by the mapping) -> `reader`.
//!
//! **One index for all collections.** One commit, one sync and one checkpoint then cover every collection, so
//! the number in an answer means the same for all of them, and thousands of small collections cost no files of
//! their own. Every word and value carries its collection and field, so the schema is fixed: a collection
//! defined later needs neither a rebuild nor a restart, word statistics of one collection do not leak into the
//! ranking of another, and a query cannot reach outside of its collection.
//!
//! **Bounds.** All in `limits`. Values past them are not indexed and are counted in the figures; the document
//! is found by the rest of it.
//!
//! **What it does not know.** HTTP, users and rights, bodies beyond the moment of indexing (they are in the
//! store), shapes and distances (that is geo's room; a `geo` field is found by its geohash cell), publishing.
//! It is synchronous: searching blocks the calling thread.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

mod address;
mod cell;
mod checkpoint;
mod compile;
mod date;
mod document;
mod fault;
mod figures;
mod follower;
mod generation;
mod language;
pub mod limits;
mod mapping;
mod number;
mod query;
mod reader;
mod rebuild;
mod schema;
mod search_index;
mod searched;
mod shared;
mod sheet;
mod verify;
mod visible;
mod words;
mod writer;

#[cfg(test)]
mod tests;

pub use generation::witness;
pub use language::Language;
pub use mapping::{Kind, Mapping};
pub use query::DefaultOperator;
pub use reader::{Hit, SearchAnswer, SearchRequest};
pub use search_index::{SearchIndex, SearchOptions};
pub use sheet::{Sheet, StandingQuery};
