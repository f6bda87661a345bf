//! The Eve dialect: what a request of `/api/{resource}` means and what its answer looks like.
//!
//! Pure logic. Nothing here does I/O, reads a clock, knows the store or the HTTP library; the caller hands in
//! bytes, JSON values and plain numbers and gets the same back. So every rule of the dialect is tested without
//! a server, and the HTTP layer stays a list of calls.
//!
//! The path of a request: [`json`] parses it within bounds, [`system`] takes the names the server owns out of it,
//! [`patch`] merges, [`validate`] holds it against a [`schema`], and [`render`] writes the answer. Lists go through
//! [`list`], which binds [`filter`], [`sort`], [`projection`] and [`page`] of one query string together. Whatever
//! goes wrong becomes one [`problem::Problem`].

mod check;
pub mod cursor;
pub mod date;
mod defaults;
pub mod etag;
pub mod filter;
pub mod issue;
pub mod json;
mod kind;
pub mod link;
pub mod list;
mod order;
pub mod page;
pub mod patch;
pub(crate) mod path;
mod pattern;
pub mod problem;
pub mod projection;
pub mod render;
pub mod schema;
pub mod sort;
pub mod system;
pub mod validate;

pub use check::{Check, folded};
pub use cursor::{Cursor, CursorError};
pub use etag::EntityTags;
pub use filter::{Filter, FilterError};
pub use issue::{Issue, Issues, Wording};
pub use json::{JsonError, Limits};
pub use link::Links;
pub use list::{ListQuery, Params};
pub use page::{ListMeta, PageRequest};
pub use problem::{Problem, Slug};
pub use projection::Projection;
pub use render::{Item, ListWriter, Meta};
pub use schema::{Relation, Unique};
pub use schema::{Schema, SchemaError};
pub use sort::{Sort, SortKey};
pub use system::Taken;
pub use validate::{Mode, Outcome, validate};
