//! Publishing: from an action on an item to deliveries.
//!
//! **The way of an item.** An action stores the new version, its snapshot in `published`, and a job of lane `publish`, in
//! one commit. The worker of that lane picks a channel, which asks the audience who gets the item, formats it once
//! for all whose output does not differ, and stores a row of `publish_queue` and a job of lane `transmit` for each
//! destination, again in one commit. A consumer sends, and settles the row together with its job.
//!
//! **What it does not know.** The decisions (`dateline-publish`), the formats (`dateline-formats`) and the wire
//! (`dateline-transmit`) are elsewhere; this room reads, commits and calls them.

mod actions;
mod audience;
pub(crate) mod collections;
pub(crate) mod consumer;
mod content_api;
mod destinations;
pub(crate) mod exchange;
pub(crate) mod items;
mod legal;
mod lender;
mod questions;
mod related;
pub(crate) mod saving;
mod settings;
mod site;

use dateline_engine::{CollectionId, Error, Result, Store};
use dateline_formats::Registry;
use tokio::sync::MutexGuard;

pub(crate) use actions::{
    Followed, check as check_item, follow, new_id, notices_of, publish_automatically, record_notice,
};
pub(crate) use audience::{Audience, each as each_document};
pub(crate) use content_api::{EXPIRY_LANE, RemoveExpired};
pub(crate) use exchange::{hashed, item_of};
pub(crate) use items::{find as find_item, now};
pub(crate) use legal::keep as keep_legal;
pub(crate) use settings::Settings;

use crate::config::Config;
use crate::http::Routes;
use actions::Counters;
use consumer::Trials;
use content_api::Allowances;
use exchange::Channels;
use site::Sites;

/// What the parts of publishing share.
pub(crate) struct Publishing {
    settings: Settings,
    collections: Collections,
    audience: Audience,
    sites: Sites,
    formats: Registry,
    channels: Channels,
    counters: Counters,
    trials: Trials,
    allowances: Allowances,
    saving: tokio::sync::Mutex<()>,
}

/// Where the documents of publishing are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collections {
    pub(crate) archive: CollectionId,
    pub(crate) history: CollectionId,
    pub(crate) published: CollectionId,
    pub(crate) queue: CollectionId,
    pub(crate) formatted: CollectionId,
    pub(crate) sequences: CollectionId,
    pub(crate) subscribers: CollectionId,
    pub(crate) secrets: CollectionId,
    pub(crate) desks: CollectionId,
    pub(crate) stages: CollectionId,
    pub(crate) tokens: CollectionId,
    pub(crate) items: CollectionId,
    pub(crate) audit: CollectionId,
}

impl Publishing {
    /// # Errors
    /// `Invalid` for a setting that cannot be read; `NotFound` without the built-in collections.
    pub(crate) fn open(store: &Store, config: &Config) -> Result<Self> {
        let settings = Settings::read(&config.superdesk)?;
        Ok(Self {
            allowances: Allowances::new(settings.content_api_rate),
            settings,
            channels: Channels::read(&config.publishing.channels)?,
            collections: Collections {
                archive: collection(store, "archive")?,
                history: collection(store, "archive_history")?,
                published: collection(store, "published")?,
                queue: collection(store, "publish_queue")?,
                formatted: collection(store, "formatted_items")?,
                sequences: collection(store, "sequences")?,
                subscribers: collection(store, "subscribers")?,
                items: collection(store, "items")?,
                audit: collection(store, "api_audit")?,
                desks: collection(store, "desks")?,
                tokens: collection(store, "subscriber_tokens")?,
                stages: collection(store, "stages")?,
                secrets: collection(store, "subscriber_secrets")?,
            },
            audience: Audience::new(store)?,
            counters: Counters::open(store, collection(store, "published")?, collection(store, "archive")?)?,
            sites: Sites::new(store)?,
            formats: Registry::standard(),
            trials: Trials::new(),
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

    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn trials(&self) -> &Trials {
        &self.trials
    }

    fn allowances(&self) -> &Allowances {
        &self.allowances
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

/// Routes of publishing.
pub(crate) fn routes() -> Routes {
    questions::routes().merge(actions::routes()).merge(consumer::routes()).merge(content_api::routes())
}

/// A built-in collection.
pub(crate) fn collection(store: &Store, name: &str) -> Result<CollectionId> {
    let found = store.catalog().by_name(name).map(|collection| collection.id);
    found.ok_or_else(|| Error::not_found(format!("there is no collection '{name}'")))
}
