//! The whole way of a story, with what the server would lend: from a command to rows of the queue.

#![expect(clippy::unwrap_used, reason = "in a test a failed assumption is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dateline_formats::{Fields, Registry, Related, Site};
use dateline_publish::action::{Archive, Command, Context, Edit, Editor, Production, Settings, produce};
use dateline_publish::filter::{Catalog, NoLender, Part, Percolator};
use dateline_publish::recipients::{Delivery, Request, recipients};
use dateline_publish::transmission::{Output, plan};
use dateline_publish::validate::{Rules, filter_document};
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Default)]
struct Store {
    items: BTreeMap<String, Fields>,
    published: Vec<Fields>,
    queue: Vec<Fields>,
    subscribers: BTreeMap<String, Fields>,
    sequence: u64,
}

impl Archive for Store {
    fn item(&self, id: &str) -> Option<Fields> {
        self.items.get(id).cloned()
    }
    fn snapshots(&self, item: &str) -> Vec<Fields> {
        self.published.iter().filter(|row| row["item_id"] == item).cloned().collect()
    }
    fn packages(&self, _item: &str) -> Vec<Fields> {
        Vec::new()
    }
    fn translations(&self, _translation: &str) -> Vec<Fields> {
        Vec::new()
    }
    fn desk(&self, _id: &str) -> Option<Fields> {
        None
    }
    fn stage(&self, _id: &str) -> Option<Fields> {
        None
    }
    fn subscribers(&self) -> Vec<Fields> {
        self.subscribers.values().cloned().collect()
    }
}

fn object(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn rules<'a>(
    profiles: &'a BTreeMap<String, Value>,
    vocabularies: &'a BTreeMap<String, Value>,
    schemas: &'a Fields,
) -> Rules<'a> {
    Rules {
        profiles,
        vocabularies,
        validators: &[],
        schemas,
        holds_auto_published_to_profile: false,
        holds_media_to_profile: true,
        disallowed_characters: "",
    }
}

/// Decides, commits, and lets the exchange make rows; gives (subscriber, destination, action, text) of each new row.
fn run(
    store: &mut Store,
    percolator: &Percolator,
    command: &Command<'_>,
) -> Vec<(String, String, String, String)> {
    let (profiles, vocabularies, schemas, settings) = <(_, _, _, Settings)>::default();
    let rules = rules(&profiles, &vocabularies, &schemas);
    let editor = Editor { id: "ed", sign_off: "ED", name: "Ed" };
    let production = {
        let context = Context { archive: &*store, rules, settings: &settings, editor, now: now() };
        produce(&context, &store.items["a"], command).unwrap()
    };
    commit(store, &production);
    let before = store.queue.len();
    for request in &production.requests {
        let row = store.published.iter().rfind(|row| row["item_id"] == *request.item).unwrap().clone();
        let item = filter_document(&rules, &row);
        let of_item = |id: &str| -> Vec<Delivery> {
            store.queue.iter().filter(|row| row["item_id"] == id).map(Delivery::of_row).collect()
        };
        let concerned = recipients(
            percolator,
            Request {
                action: request.action,
                item: &Value::from(item.clone()),
                now: now(),
                content_api: true,
                unpublish_to_matching: true,
                deliveries: &of_item(&request.item),
                original_deliveries: &[],
                chosen: &request.chosen,
            },
        )
        .unwrap();
        for recipient in &concerned.list {
            let subscriber = store.subscribers[&*recipient.subscriber].clone();
            let registry = Registry::standard();
            let plan = plan(&registry, &item, recipient, &subscriber);
            for task in &plan.tasks {
                store.sequence += 1;
                let config = task.destination.get("config").and_then(Value::as_object).cloned();
                let context = dateline_formats::Context {
                    now: now(),
                    sequence: store.sequence,
                    site: &Site::default(),
                    related: &Related::default(),
                    recipient: &dateline_formats::Recipient {
                        config: config.unwrap_or_default(),
                        embeds: None,
                    },
                };
                let documents = task.formatter.format(&Value::from(item.clone()), &context).unwrap();
                let outputs = documents.into_iter().map(|own| Output::text(store.sequence, own).unwrap());
                store.queue.extend(task.rows(&item, outputs.collect()));
            }
        }
    }
    let text = |row: &Fields, field: &str| row[field].as_str().unwrap().to_owned();
    let told = store.queue.iter().skip(before).map(|row| {
        let destination = row["destination"]["name"].as_str().unwrap().to_owned();
        (text(row, "subscriber_id"), destination, text(row, "publishing_action"), text(row, "formatted_item"))
    });
    told.collect()
}

fn commit(store: &mut Store, production: &Production) {
    for version in &production.versions {
        store.items.insert(version["_id"].as_str().unwrap().to_owned(), version.clone());
    }
    store.published.extend(production.snapshots.iter().cloned());
}

fn subscribed() -> (Store, Percolator) {
    let mut catalog = Catalog::new(Vec::new(), Arc::new(NoLender));
    let mut store = Store::default();
    catalog.set(Part::Product, "all", Some(&json!({"name": "all", "codes": "x"})));
    for (id, kind) in [("digital", "digital"), ("wire", "wire")] {
        let subscriber = json!({
            "_id": id, "name": id, "subscriber_type": kind, "is_active": true, "products": ["all"],
            "destinations": [{"name": "push", "format": "ninjs", "delivery_type": "http_push", "config": {}}],
        });
        catalog.set(Part::Subscriber, id, Some(&subscriber));
        store.subscribers.insert(id.to_owned(), object(subscriber));
    }
    store.items.insert(
        "a".to_owned(),
        object(json!({
            "_id": "a", "guid": "a", "type": "text", "state": "in_progress", "headline": "Storm",
            "body_html": "<p>Rain</p>", "_current_version": 1, "unique_name": "#1",
        })),
    );
    (store, Percolator::new(catalog))
}

#[test]
fn a_story_goes_out_is_corrected_and_killed() {
    let (mut store, percolator) = subscribed();
    let mut versions = BTreeSet::new();
    for (action, headline) in [("published", "Storm"), ("corrected", "Storms"), ("killed", "Kill")] {
        let updates = object(json!({"headline": headline}));
        let edit = Edit { updates: &updates, desk: None, is_confirmed: false };
        let command = match action {
            "published" => Command::Publish(edit),
            "corrected" => Command::Correct(edit),
            _ => Command::Kill(edit),
        };
        let rows = run(&mut store, &percolator, &command);
        let to: Vec<(&str, &str)> = rows.iter().map(|row| (row.0.as_str(), row.1.as_str())).collect();
        assert_eq!(to, [("digital", "push"), ("wire", "push")]);
        for (_, _, own, text) in &rows {
            let ninjs: Value = serde_json::from_str(text).unwrap();
            assert_eq!((own.as_str(), &ninjs["headline"]), (action, &json!(headline)));
            versions.insert(ninjs["version"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), ["2", "3", "4"]);
}
