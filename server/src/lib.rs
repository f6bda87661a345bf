//! The server of Dateline: HTTP, streams, sign-in, the command line and the console over the engine and its followers.
//!
//! **What it is for.** Bytes come in over HTTP, become one transaction of the engine's log, and go out as answers,
//! lists, searches and streams. Everything asynchronous begins here; the rooms below are synchronous.
//!
//! **The way of a request.** listener -> `http::frame` (id, log, figures, one error body) -> `http::gate` (host,
//! origin, credentials, access, body bound) -> a handler of some room -> [`App::commit`](app::App::commit) or a read ->
//! answer. A room registers its handlers with [`http::Routes`], which also writes the OpenAPI document.
//!
//! **What it does not know.** How documents, indexes and matches are stored: that is the engine's, the index's and the
//! geo crate's.

pub mod app;
pub mod auth;
mod backups;
mod blobs;
pub mod cli;
pub mod config;
mod console;
pub mod data;
mod engine_view;
pub mod eve;
pub mod health;
pub mod http;
pub mod ids;
mod ingest;
mod internal;
pub mod listener;
mod macros;
mod mail;
mod media;
pub mod metrics;
mod ogc;
mod outcome;
mod places;
mod publishing;
mod queues;
mod resources;
mod schedules;
mod scrub;
mod secrets;
mod streams;
#[cfg(test)]
mod testing;
mod verify;
mod witness;
mod work;

use http::Routes;

/// Every route of the program. A new room adds one line here.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .merge(auth::routes::routes())
        .merge(health::routes())
        .merge(engine_view::routes())
        .merge(metrics::routes())
        .merge(http::openapi::routes())
        .merge(http::docs::routes())
        .merge(resources::routes())
        .merge(blobs::routes())
        .merge(media::routes())
        .merge(places::routes())
        .merge(ogc::routes())
        .merge(publishing::routes())
        .merge(ingest::routes())
        .merge(macros::routes())
        .merge(queues::routes())
        .merge(schedules::routes())
        .merge(streams::routes())
        .merge(streams::feed_routes())
        .merge(verify::routes())
        .merge(backups::routes())
        .merge(console::routes())
}
