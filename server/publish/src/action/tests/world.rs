//! A store in memory, and what a site configures.

use std::collections::BTreeMap;

use dateline_formats::{Fields, Item};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::draft::{id_of, merged};
use super::super::{
    Archive, Command, Context, Edit, Editor, Production, Refusal, Settings, State, Target, produce,
};
use crate::validate::Rules;

pub(super) const NOW: &str = "2026-11-28T12:00:00+0000";

pub(super) fn object(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

pub(super) fn now() -> Timestamp {
    dateline_formats::parse_time(NOW).unwrap()
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) items: BTreeMap<String, Fields>,
    /// All published rows, oldest first; their ids are `row1`, `row2` ...
    pub(super) rows: Vec<Fields>,
    pub(super) rows_made: usize,
    pub(super) history: Vec<Fields>,
    pub(super) desks: BTreeMap<String, Fields>,
    pub(super) stages: BTreeMap<String, Fields>,
    pub(super) subscribers: Vec<Fields>,
    pub(super) profiles: BTreeMap<String, Value>,
    pub(super) vocabularies: BTreeMap<String, Value>,
    pub(super) validators: Vec<Value>,
    pub(super) schemas: Fields,
    pub(super) settings: Settings,
    pub(super) editor: Editor<'static>,
    pub(super) now: Timestamp,
}

impl Archive for World {
    fn item(&self, id: &str) -> Option<Fields> {
        self.items.get(id).cloned()
    }

    fn snapshots(&self, item: &str) -> Vec<Fields> {
        self.rows.iter().filter(|row| Item::from(*row).text("item_id") == item).cloned().collect()
    }

    fn packages(&self, item: &str) -> Vec<Fields> {
        let has = |package: &&Fields| super::super::groups::members(package).iter().any(|own| own == item);
        self.items.values().filter(has).cloned().collect()
    }

    fn translations(&self, translation: &str) -> Vec<Fields> {
        let is_of = |row: &&Fields| {
            Item::from(*row).text("translation_id") == translation
                && Item::from(*row).has("last_published_version")
        };
        self.rows.iter().filter(is_of).cloned().collect()
    }

    fn desk(&self, id: &str) -> Option<Fields> {
        self.desks.get(id).cloned()
    }

    fn stage(&self, id: &str) -> Option<Fields> {
        self.stages.get(id).cloned()
    }

    fn subscribers(&self) -> Vec<Fields> {
        self.subscribers.clone()
    }
}

impl World {
    pub(super) fn new() -> Self {
        let desk = json!({"name": "Sport", "source": "AFP", "content_expiry": 0,
            "working_stage": "working", "incoming_stage": "incoming"});
        Self {
            items: BTreeMap::new(),
            rows: Vec::new(),
            rows_made: 0,
            history: Vec::new(),
            desks: [("sport".to_owned(), object(desk))].into(),
            stages: BTreeMap::new(),
            subscribers: Vec::new(),
            profiles: BTreeMap::new(),
            vocabularies: [("related".to_owned(), json!({"field_type": "related_content"}))].into(),
            validators: Vec::new(),
            schemas: Fields::new(),
            settings: Settings::default(),
            editor: Editor { id: "ed", sign_off: "ED", name: "Ed" },
            now: now(),
        }
    }

    /// A world with this item in it, under the id `a`.
    pub(super) fn with(item: Value) -> Self {
        let mut world = Self::new();
        world.add("a", item);
        world
    }

    /// Adds an item in progress, or what `item` says.
    pub(super) fn add(&mut self, id: &str, item: Value) {
        let usual =
            object(json!({"_id": id, "guid": id, "type": "text", "state": "in_progress", "headline": "H",
            "slugline": "S", "event_id": "e", "unique_name": format!("#{id}"), "_current_version": 3,
            "task": {"desk": "sport", "stage": "s"}}));
        self.items.insert(id.to_owned(), merged(&usual, &object(item)));
    }

    /// Adds a published row of an item.
    pub(super) fn add_row(&mut self, item: &str, row: Value) {
        self.rows_made += 1;
        let usual = object(json!({"_id": format!("row{}", self.rows_made), "item_id": item,
            "state": "published", "last_published_version": true}));
        self.rows.push(merged(&usual, &object(row)));
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            archive: self,
            rules: Rules {
                profiles: &self.profiles,
                vocabularies: &self.vocabularies,
                validators: &self.validators,
                schemas: &self.schemas,
                holds_auto_published_to_profile: false,
                holds_media_to_profile: true,
                disallowed_characters: "",
            },
            settings: &self.settings,
            editor: self.editor,
            now: self.now,
        }
    }

    /// Decides, and changes nothing.
    pub(super) fn decide(&self, id: &str, command: &Command<'_>) -> Result<Production, Refusal> {
        produce(&self.context(), &self.items[id], command)
    }

    /// Decides and applies.
    pub(super) fn run(&mut self, id: &str, command: &Command<'_>) -> Result<Production, Refusal> {
        let production = self.decide(id, command)?;
        self.apply(&production);
        Ok(production)
    }

    pub(super) fn publish(&mut self, id: &str, updates: Value) -> Production {
        self.run(id, &Command::Publish(edit(&object(updates)))).unwrap()
    }

    pub(super) fn correct(&mut self, id: &str, updates: Value) -> Production {
        self.run(id, &Command::Correct(edit(&object(updates)))).unwrap()
    }

    pub(super) fn state(&self, id: &str) -> State {
        State::named(self.items[id]["state"].as_str().unwrap()).unwrap()
    }

    /// As the commit does it.
    pub(super) fn apply(&mut self, production: &Production) {
        for touch in &production.touched {
            let is_touched = |row: &&mut Fields| match &touch.target {
                Target::Snapshots(item) => row["item_id"] == json!(item),
                Target::Snapshot(id) => row["_id"] == json!(id),
                Target::Item(_) => false,
            };
            self.rows.iter_mut().filter(is_touched).for_each(|row| row.extend(touch.fields.clone()));
            if let Target::Item(id) = &touch.target {
                self.items.get_mut(id).unwrap().extend(touch.fields.clone());
            }
        }
        self.rows.retain(|row| !production.retracted.iter().any(|item| row["item_id"] == json!(item)));
        for version in &production.versions {
            self.items.insert(id_of(version).to_owned(), version.clone());
        }
        for row in &production.snapshots {
            self.rows_made += 1;
            let mut row = row.clone();
            row.insert("_id".to_owned(), format!("row{}", self.rows_made).into());
            row.insert("publish_sequence_no".to_owned(), self.rows_made.into());
            self.rows.push(row);
        }
        self.history.extend(production.history.iter().cloned());
    }
}

pub(super) fn edit(updates: &Fields) -> Edit<'_> {
    Edit { updates, desk: None, is_confirmed: false }
}
