//! Ingest: from what providers have to items of the newsroom.
//!
//! **The way of an item.** The [`clock`] puts a job into lane `ingest` for each provider that is due. Its worker fetches
//! documents through the guard of `dateline-transmit`, has them read by a parser, and gives each item to a [`taker`]: in
//! one commit the item is stored in `ingest`, and what the routing scheme of the provider says is done with it: new items
//! of the newsroom, and for those that are to be published a job of lane `ingest:publish`, which asks the producer as a
//! person would. How the run went stands in `ingest_states`, in the commit that ends its job.
//!
//! **What it does not know.** Formats of news and decisions (`dateline-ingest`), the wire (`dateline-transmit`), and how an
//! item is published (`publishing`).

mod clock;
pub(crate) mod collections;
mod fetching;
mod lane;
mod outgoing;
mod provider;
mod publishing;
mod routes;
mod run;
pub(crate) mod saving;
mod secrets;
mod sources;
mod state;
mod taker;

use std::sync::Arc;

use dateline_engine::{CollectionId, Error, Result, Store};
use dateline_ingest::Parsers;
use serde_json::{Map, Value};

pub(crate) use clock::run as keep_time;
pub(crate) use lane::{INGEST_LANE, Poll};
pub(crate) use outgoing::fetch_routed;
pub(crate) use publishing::{PUBLISH_LANE, PublishRouted};
pub(crate) use routes::routes;
pub(crate) use state::{health, notices_of};

use crate::app::App;
use crate::config::Config;

/// What the parts of ingest share.
pub(crate) struct Ingest {
    collections: Collections,
    settings: Settings,
    parsers: Parsers,
}

/// Where the documents of ingest are.
#[derive(Clone, Copy, Debug)]
struct Collections {
    providers: CollectionId,
    states: CollectionId,
    secrets: CollectionId,
    ingest: CollectionId,
    schemes: CollectionId,
    rule_sets: CollectionId,
    activity: CollectionId,
}

/// Site settings by their usual names.
#[derive(Clone, Debug)]
struct Settings {
    /// `INGEST_EXPIRY_MINUTES`: how long items of providers that say nothing are kept.
    expiry_minutes: u32,
    /// `DEFAULT_CATEGORY_QCODES_FOR_AUTO_PUBLISHED_ARTICLES`.
    category: String,
}

impl Ingest {
    /// # Errors
    /// `Invalid` for a setting that cannot be read; `NotFound` without the built-in collections.
    pub(crate) fn open(store: &Store, config: &Config) -> Result<Self> {
        Ok(Self {
            collections: Collections {
                providers: collection(store, "ingest_providers")?,
                states: collection(store, "ingest_states")?,
                secrets: collection(store, "ingest_secrets")?,
                ingest: collection(store, "ingest")?,
                schemes: collection(store, "routing_schemes")?,
                rule_sets: collection(store, "rule_sets")?,
                activity: collection(store, "activity")?,
            },
            settings: Settings::read(&config.superdesk)?,
            parsers: Parsers::standard(),
        })
    }
}

impl Settings {
    fn read(given: &Map<String, Value>) -> Result<Self> {
        let wrong = |name: &str, kind: &str| Error::invalid(format!("superdesk.{name}: must be {kind}"));
        let minutes = match given.get("INGEST_EXPIRY_MINUTES") {
            None | Some(Value::Null) => Some(2_880),
            Some(value) => value.as_u64().and_then(|minutes| u32::try_from(minutes).ok()),
        };
        let minutes = minutes.ok_or_else(|| wrong("INGEST_EXPIRY_MINUTES", "a whole number"))?;
        let name = "DEFAULT_CATEGORY_QCODES_FOR_AUTO_PUBLISHED_ARTICLES";
        let category = match given.get(name) {
            None | Some(Value::Null) => "a".to_owned(),
            Some(value) => value.as_str().ok_or_else(|| wrong(name, "a text"))?.to_owned(),
        };
        let expiry_minutes = if minutes == 0 { 2_880 } else { minutes };
        Ok(Self { expiry_minutes, category })
    }
}

/// A built-in collection.
fn collection(store: &Store, name: &str) -> Result<CollectionId> {
    let found = store.catalog().by_name(name).map(|collection| collection.id);
    found.ok_or_else(|| Error::not_found(format!("there is no collection '{name}'")))
}

/// An object of a collection, without its id; none also for what can never be an id.
fn object(store: &Store, collection: CollectionId, id: &str) -> Result<Option<Map<String, Value>>> {
    let found = crate::publishing::find_item(store, collection, id)?;
    Ok(found.and_then(|found| match found {
        Value::Object(mut fields) => {
            fields.shift_remove("_id");
            Some(fields)
        }
        _ => None,
    }))
}

/// The shared parts of an app.
fn of(app: &App) -> &Arc<Ingest> {
    app.ingest()
}
