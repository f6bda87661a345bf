//! HTTP: the registry of routes and what every request passes on its way to a handler.
//!
//! The way of a request: listener -> [`path`] (trailing slash) -> router -> `frame` (id, log, metrics, panics, error
//! body, headers) -> `gate` (host, origin, credentials, access, body bound) -> handler -> back through the same.

pub mod body;
pub mod doc;
pub(crate) mod docs;
pub(crate) mod frame;
pub(crate) mod gate;
pub(crate) mod openapi;
pub(crate) mod origin;
pub(crate) mod path;
pub mod peer;
pub mod problem;
pub mod routes;

pub use body::{JsonBody, ObjectBody, RawBody};
pub use doc::{Access, Doc, Param};
pub use frame::RequestId;
pub use peer::Peer;
pub use problem::{Answer, Refusal};
pub use routes::Routes;

#[cfg(test)]
mod tests;
