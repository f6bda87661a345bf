//! Where a run takes place: a store, or a whole application, in a directory of its own.

use std::path::Path;
use std::sync::Arc;

use dateline_engine::{CollectionId, CollectionOptions, Error, IndexSpec, Store, SystemClock};
use serde_json::json;

use super::super::outcome::Failure;
use super::parameters::Parameters;
use crate::app::{self, App, Consent, OpenError};
use crate::config::Config;
use crate::data::DataDir;

/// What a workload needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The engine.
    Store,
    /// The engine with its followers: search and places.
    App,
}

/// What a workload works on.
pub(crate) struct Ground {
    pub(crate) store: Store,
    app: Option<App>,
    // Only held: an application holds its own.
    _data: Option<DataDir>,
}

impl Ground {
    /// # Errors
    /// 2 naming a knob that is out of its bounds; 1 or 5 when the directory cannot be used.
    pub(crate) fn open(needs: Needs, parameters: &Parameters, dir: &Path) -> Result<Self, Failure> {
        let mut config = Config::new();
        config.engine = parameters.engine.clone();
        if needs == Needs::App {
            let app = App::builder().data(dir).config(config).open()?;
            return Ok(Self { store: app.store().clone(), app: Some(app), _data: None });
        }
        let data = DataDir::take(dir).map_err(OpenError::from)?;
        let opened = app::open_store(&data, &config, Arc::new(SystemClock), Consent::default());
        let store = opened.map_err(OpenError::from)?;
        Ok(Self { store, app: None, _data: Some(data) })
    }

    /// The application; a workload that did not ask for one has none.
    pub(crate) fn app(&self) -> Result<&App, Error> {
        self.app.as_ref().ok_or_else(|| Error::internal("this workload runs without an application"))
    }

    /// Ends what runs, so that the directory can be opened again.
    pub(crate) fn close(self) {
        match &self.app {
            Some(app) => app.stop(),
            None => self.store.close(),
        }
    }

    /// The collection of a workload, the same at each opening.
    pub(crate) fn collection(
        &self,
        name: &str,
        indexes: &[&str],
        searched: bool,
    ) -> Result<CollectionId, Error> {
        let definition =
            if searched { json!({"search": {"language": "en"}}).to_string() } else { String::new() };
        let indexes = indexes.iter().map(|&field| IndexSpec::from(field)).collect();
        self.store.ensure_collection(
            name,
            CollectionOptions { definition, indexes, ..CollectionOptions::default() },
        )
    }
}
