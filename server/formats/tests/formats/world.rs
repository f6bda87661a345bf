//! A site, a recipient and a set of items of every type.

use dateline_formats::{Context, Document, FormatError, Formatter, Recipient, Related, Site};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) related: Related,
    pub(crate) recipient: Recipient,
    pub(crate) now: jiff::Timestamp,
    pub(crate) sequence: u64,
}

pub(crate) fn tests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub(crate) fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn map(value: &Value, name: &str) -> BTreeMap<String, Value> {
    let fields = value[name].as_object().cloned().unwrap_or_default();
    fields.into_iter().collect()
}

impl World {
    pub(crate) fn new() -> World {
        let site = read(&tests_dir().join("world/site.json"));
        let related = read(&tests_dir().join("world/related.json"));
        let pair =
            |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
        World {
            site: Site {
                provider: "dateline.example".to_owned(),
                urn_domain: "example".to_owned(),
                public_url: "https://content.example/".to_owned(),
                time_zone: jiff::tz::TimeZone::fixed(jiff::tz::offset(1)),
                vocabularies: map(&site, "vocabularies"),
                profiles: map(&site, "profiles"),
                users: map(&site, "users"),
                ..Site::default()
            },
            related: Related {
                items: map(&related, "items"),
                attachments: map(&related, "attachments"),
                assignment: Some(related["assignment"].clone()),
                products: related["products"].as_array().unwrap().iter().map(pair).collect(),
            },
            recipient: Recipient { config: config(json!({"associated_path": "/media/out"})), embeds: None },
            now: "2026-01-30T03:00:00Z".parse().unwrap(),
            sequence: 7,
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            sequence: self.sequence,
            site: &self.site,
            related: &self.related,
            recipient: &self.recipient,
        }
    }

    pub(crate) fn format(
        &self,
        formatter: &dyn Formatter,
        item: &Value,
    ) -> Result<Vec<Document>, FormatError> {
        formatter.format(item, &self.context())
    }
}

pub(crate) fn config(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// All items of `tests/items` by the names of their files, in order.
pub(crate) fn items() -> Vec<(String, Value)> {
    let mut items: Vec<_> = fs::read_dir(tests_dir().join("items"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(items.len() > 15);
    items
}

pub(crate) fn item(name: &str) -> Value {
    read(&tests_dir().join(format!("items/{name}.json")))
}
