//! Publishing: from an action on an item to deliveries.
//!
//! **The way of an item.** An action stores the new version, its snapshot in `published`, and a job of lane `publish`, in
//! one commit. The worker of that lane picks a channel, which asks the audience who gets the item, formats it once
//! for all whose output does not differ, and stores a row of `publish_queue` and a job of lane `transmit` for each
//! destination, again in one commit. A consumer sends, and settles the row together with its job.
//!
//! **What it does not know.** The decisions (`dateline-publish`), the formats (`dateline-formats`) and the wire
//! (`dateline-transmit`) are elsewhere; this room reads, commits and calls them.

mod audience;
pub(crate) mod collections;
mod destinations;
mod items;
mod lender;
mod questions;
mod related;
pub(crate) mod saving;
mod settings;
mod site;

use dateline_engine::{CollectionId, Error, Result, Store};
use dateline_formats::Registry;
use serde_json::{Map, Value};
use tokio::sync::MutexGuard;

pub(crate) use audience::Audience;
pub(crate) use questions::routes;
pub(crate) use settings::Settings;

use site::Sites;

/// What the parts of publishing share.
pub(crate) struct Publishing {
    settings: Settings,
    collections: Collections,
    audience: Audience,
    sites: Sites,
    formats: Registry,
    saving: tokio::sync::Mutex<()>,
}

/// Where the documents of publishing are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collections {
    pub(crate) archive: CollectionId,
    pub(crate) stages: CollectionId,
    pub(crate) secrets: CollectionId,
}

impl Publishing {
    /// # Errors
    /// `Invalid` for a setting that cannot be read; `NotFound` without the built-in collections.
    pub(crate) fn open(store: &Store, given: &Map<String, Value>) -> Result<Self> {
        Ok(Self {
            settings: Settings::read(given)?,
            collections: Collections {
                archive: collection(store, "archive")?,
                stages: collection(store, "stages")?,
                secrets: collection(store, "subscriber_secrets")?,
            },
            audience: Audience::new(store)?,
            sites: Sites::new(store)?,
            formats: Registry::standard(),
            saving: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn collections(&self) -> Collections {
        self.collections
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(crate) fn formats(&self) -> &Registry {
        &self.formats
    }

    /// Held from judging a document of the configuration until it is committed.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.saving.lock().await
    }

    /// What formats know of the site.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn site(&self, store: &Store) -> Result<std::sync::Arc<dateline_formats::Site>> {
        self.sites.current(store, &self.settings)
    }
}

/// A built-in collection.
fn collection(store: &Store, name: &str) -> Result<CollectionId> {
    let found = store.catalog().by_name(name).map(|collection| collection.id);
    found.ok_or_else(|| Error::not_found(format!("there is no collection '{name}'")))
}
