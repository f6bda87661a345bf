//! The resources of the store, read once per state of the catalog.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dateline_engine::{Catalog, Store};

use crate::eve::problem::{Problem, Slug};
use crate::resources::Resource;

/// Resources by name, for one state of the catalog.
struct Table {
    catalog: Arc<Catalog>,
    by_name: HashMap<String, Arc<Resource>>,
}

/// All resources. The table follows the catalog: a look-up after a definition sees it.
pub(crate) struct Resources {
    store: Store,
    table: ArcSwap<Table>,
}

impl Resources {
    pub(crate) fn new(store: Store) -> Self {
        let table = ArcSwap::from_pointee(read(store.catalog()));
        Self { store, table }
    }

    fn table(&self) -> Arc<Table> {
        let catalog = self.store.catalog();
        let table = self.table.load_full();
        if Arc::ptr_eq(&table.catalog, &catalog) {
            return table;
        }
        let table = Arc::new(read(catalog));
        self.table.store(Arc::clone(&table));
        table
    }

    /// The resource of this name.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Resource>, Problem> {
        let table = self.table();
        let found = table.by_name.get(name).map(Arc::clone);
        found.ok_or_else(|| Problem::new(Slug::UnknownResource, format!("there is no resource '{name}'")))
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Resource>> {
        let mut all: Vec<_> = self.table().by_name.values().map(Arc::clone).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

fn read(catalog: Arc<Catalog>) -> Table {
    let mut by_name = HashMap::new();
    for collection in catalog.iter() {
        match Resource::of(collection) {
            Ok(resource) => {
                by_name.insert(collection.name.clone(), Arc::new(resource));
            }
            Err(issues) => {
                let issues = serde_json::Value::Object(issues.to_json(crate::eve::Wording::Codes));
                tracing::error!(collection = collection.name, %issues, "definition cannot be read");
            }
        }
    }
    Table { catalog, by_name }
}
