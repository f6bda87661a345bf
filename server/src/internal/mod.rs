//! Internal producers: what goes out on one desk, or comes in, is sent to other desks of the newsroom.
//!
//! **The way of a copy.** The commit of an action has a job of lane `send:internal` for each version that goes out, if there is
//! anybody to send it to: the version, the copies and the end of their jobs are each one commit, so none is forgotten and
//! none made twice, whatever dies in between. That job asks the [`destinations`] and puts in its place a job for each that
//! takes the version; each of those makes one copy.
//!
//! A job of its own, and not the exchange's, because the exchange of a scheduled item waits for its time, and a
//! destination may want the copy at once; a job for each destination, because a macro of one that does not answer must not
//! hold up the others. Jobs of one destination and one item run in order, since a correction follows what it corrects.
//!
//! The id of a copy follows from the published row and the destination. Items that a routing rule sends through a macro
//! of another server are made in this lane too ([`ingest::fetch_routed`](crate::ingest::fetch_routed)).
//!
//! **What it does not know.** Which destination takes what, and what a copy is (`dateline-publish`); how items are
//! published (`publishing`); how macros are asked (`macros`).

pub(crate) mod collections;
mod copying;
mod deciding;
mod destinations;
mod job;
mod lane;
pub(crate) mod saving;

use dateline_engine::{CollectionId, NewJob, Result, Store};
use dateline_publish::internal::Event;

pub(crate) use job::{Routed, Version};
pub(crate) use lane::{INTERNAL_LANE, Internal};

use crate::app::App;
use destinations::Destinations;

/// What the parts of this room share.
pub(crate) struct Internals {
    collection: CollectionId,
    destinations: Destinations,
}

impl Internals {
    /// # Errors
    /// `NotFound` without the built-in collections.
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let collection = crate::publishing::collection(store, "internal_destinations")?;
        Ok(Self { collection, destinations: Destinations::new(collection) })
    }
}

/// The job that sends a version on; none when no destination can want it.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn version_job(app: &App, version: &Version) -> Result<Option<NewJob>> {
    let destinations = app.internals().destinations.current(app.store())?;
    let follows_only = matches!(version.event, Event::Unpublish | Event::Deschedule);
    let is_wanted = destinations.iter().any(|own| own.is_active && (own.publishes() || !follows_only));
    Ok(is_wanted.then(|| version.job(app)))
}

/// The job that brings an item through a macro of another server to a desk.
pub(crate) fn routed_job(app: &App, routed: &Routed) -> NewJob {
    routed.job(app)
}
