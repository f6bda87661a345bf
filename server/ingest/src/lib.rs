//! Ingest: what others send becomes items, and what becomes of those items is decided.
//!
//! **What it is for.** A [`Parser`] reads one format of news; [`Parsers`] finds it by the key that a provider names, or by
//! looking at the document. [`arrive`] decides whether an item is new, newer or known, and how it is stored. The
//! [`routing`] room holds routing schemes: which rules take an item now, and what they do with it. [`fetch`] makes an item
//! of the newsroom of it. [`Health`] says when a provider is asked again, when it has gone quiet and when it is closed.
//!
//! **The way of an item.** bytes -> [`Document`] (decoded, bounded, no foreign entities) -> items of a parser, cleaned ->
//! [`arrive`] -> stored by the server -> [`routing::route`] -> [`fetch`] -> stored, and published as if somebody had.
//!
//! **What it does not know.** The store, HTTP, the network, files, clocks: values in, decisions out. Vocabularies are lent
//! as `dateline_formats::Site` has them; content filters are answered by the caller.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

mod arrival;
mod clean;
mod document;
mod error;
mod fetched;
mod health;
mod limits;
mod novelty;
mod package;
mod parse;
mod provider;
pub mod routing;
mod rule_set;
mod subjects;
mod time;
mod xml;

pub use arrival::{Arrival, Arriving, arrive, expiry_of, prolonged};
pub use document::Document;
pub use error::{Code, IngestError};
pub use fetched::{Fetching, fetch};
pub use health::Health;
pub use limits::{DOCUMENT_BYTES_MAX, FILES_MAX, ITEMS_MAX};
pub use novelty::{Novelty, novelty};
pub use package::references;
pub use parse::{Parser, Parsers, Reading};
pub use provider::{Provider, Service, check as check_provider};
pub use rule_set::{apply as apply_rule_set, check as check_rule_set};
