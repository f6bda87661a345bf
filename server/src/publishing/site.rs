//! What formats know of the site: settings, vocabularies, content profiles, people. Made anew when one of them changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{CollectionId, Result, Seq, Snapshot, Store};
use dateline_formats::Site;
use serde_json::Value;

use super::audience::each;
use super::settings::Settings;

/// The site as of the last change of what it is made of.
pub(crate) struct Sites {
    vocabularies: CollectionId,
    profiles: CollectionId,
    users: CollectionId,
    last: Mutex<Option<([Seq; 3], Arc<Site>)>>,
}

impl Sites {
    /// # Errors
    /// `NotFound` without the built-in collections.
    pub(crate) fn new(store: &Store) -> Result<Self> {
        Ok(Self {
            vocabularies: super::collection(store, "vocabularies")?,
            profiles: super::collection(store, "content_types")?,
            users: super::collection(store, "users")?,
            last: Mutex::default(),
        })
    }

    /// The site as of now. Reads the store when it has changed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn current(&self, store: &Store, settings: &Settings) -> Result<Arc<Site>> {
        let marks = [self.vocabularies, self.profiles, self.users].map(|own| store.changed(own));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, site)) = last.as_ref()
            && *known == marks
        {
            return Ok(Arc::clone(site));
        }
        let site = Arc::new(self.read(&store.snapshot()?, settings)?);
        *last = Some((marks, Arc::clone(&site)));
        Ok(site)
    }

    fn read(&self, snapshot: &Snapshot<'_>, settings: &Settings) -> Result<Site> {
        let all = |collection| -> Result<BTreeMap<String, Value>> {
            let mut found = BTreeMap::new();
            each(snapshot, collection, |id, document| {
                found.insert(id.as_str().to_owned(), document);
            })?;
            Ok(found)
        };
        Ok(Site {
            provider: settings.provider.clone(),
            language: settings.language.clone(),
            urn_domain: settings.urn_domain.clone(),
            time_zone: settings.time_zone.clone(),
            public_url: settings.public_url.clone(),
            extends_places: settings.extends_places,
            names_nitf_schema: settings.names_nitf_schema,
            common_renditions: settings.common_renditions.clone(),
            japanese_characters_per_minute: settings.japanese_characters_per_minute,
            vocabularies: all(self.vocabularies)?,
            profiles: all(self.profiles)?,
            users: all(self.users)?,
        })
    }
}
