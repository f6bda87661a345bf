//! A provider with what belongs to it, as of one moment.

use std::sync::Arc;

use dateline_engine::Result;
use dateline_formats::{Fields, Site};
use dateline_ingest::Provider;
use serde_json::Value;

use super::{object, of, state};
use crate::app::App;

/// Everything that a run needs to know.
#[derive(Clone)]
pub(super) struct Channel {
    pub(super) provider: Provider,
    /// Its configuration with secrets.
    pub(super) config: Fields,
    pub(super) rule_set: Option<Fields>,
    pub(super) scheme: Option<Fields>,
    pub(super) site: Arc<Site>,
    pub(super) state: Fields,
}

impl Channel {
    /// None when there is no such provider.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn read(app: &App, id: &str) -> Result<Option<Channel>> {
        let (store, ingest) = (app.store(), of(app));
        let collections = ingest.collections;
        let Some(mut stored) = object(store, collections.providers, id)? else { return Ok(None) };
        let state = state::read(app, id)?;
        for member in ["last_updated", "last_item_arrived"] {
            stored.insert(member.to_owned(), state.get(member).cloned().unwrap_or(Value::Null));
        }
        let provider = Provider::read(id, &stored, ingest.settings.expiry_minutes);
        let named = |collection, id: &Option<String>| match id {
            Some(id) => object(store, collection, id),
            None => Ok(None),
        };
        let secrets = super::secrets::with_secrets(store, collections.secrets, id, &provider.config)?;
        Ok(Some(Channel {
            config: secrets,
            rule_set: named(collections.rule_sets, &provider.rule_set)?,
            scheme: named(collections.schemes, &provider.routing_scheme)?,
            site: app.publishing().site(store)?,
            state,
            provider,
        }))
    }
}
