//! Resources in Eve's dialect: what every collection of documents looks like over HTTP.
//!
//! The way of a write: read the stored version -> take system names -> merge -> validate against the schema -> the
//! resource's own rules -> one transaction under a precondition -> render. The way of a list: a snapshot -> candidates
//! (ids, search, place, or all) -> visibility and filter -> order -> one page -> render.
//!
//! A resource is a definition in JSON, the built-in ones included; rules that JSON cannot say are in one file per
//! resource. What this room does not know: sockets, sessions, streams.

pub(crate) mod ads;
pub(crate) mod answer;
mod builtin;
mod bulk;
mod candidates;
mod collections;
mod declaration;
mod definition;
mod devices;
mod home;
pub(crate) mod idempotency;
pub(crate) mod list;
mod moment;
pub(crate) mod part;
mod pending;
pub(crate) mod placed;
mod plan;
mod preconditions;
mod query;
mod read;
mod registry;
mod routes;
mod rows;
pub(crate) mod rules;
pub(crate) mod target;
mod upgrades;
mod users;
mod visibility;
mod write;

pub(crate) use builtin::{install, searched};
pub(crate) use definition::Resource;
pub(crate) use part::within;
pub(crate) use pending::{Writer, commit, told};
pub(crate) use preconditions::{Prefer, for_change, is_known};
pub(crate) use query::Query;
pub(crate) use read::{check_sight, find, missing};
pub(crate) use registry::Resources;
pub(crate) use routes::{list_doc, routes};
pub(crate) use visibility::Sight;
pub(crate) use write::create as create_document;
