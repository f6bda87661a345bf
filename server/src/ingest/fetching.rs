//! Fetches an ingested item: a new item on a desk, with its members when it is a package, in the transaction of the caller.

use std::collections::BTreeMap;

use dateline_engine::{Condition, DocId, Error, Result, Transaction};
use dateline_formats::{Fields, Item, word_count};
use dateline_ingest::{Fetching, fetch, references};
use jiff::Timestamp;
use serde_json::Value;

use super::object;
use super::taker::by_guid;
use crate::app::App;
use crate::eve::{json as text, patch};
use crate::publishing::{new_id, record_notice};

/// Packages in packages.
const DEPTH_MAX: usize = 3;
/// Members of a package.
const MEMBERS_MAX: usize = 200;

/// Whoever fetches.
pub(super) struct Fetcher<'a> {
    pub(super) app: &'a App,
    /// Empty for a rule.
    pub(super) user: &'a str,
    pub(super) state: &'a str,
    pub(super) now: Timestamp,
}

/// Why an item is not fetched.
pub(super) enum Trouble {
    /// In words for whoever asked.
    Because(String),
    /// The store.
    Store(Error),
}

impl Trouble {
    /// The words, or the error that concerns everybody.
    pub(super) fn into_error(self) -> Result<String> {
        match self {
            Trouble::Because(reason) => Ok(reason),
            Trouble::Store(error) => Err(error),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Store(error)
    }
}

/// Writes that a fetch adds.
type Puts = Vec<(DocId, Fields)>;

/// A new item that waits for its transaction, and may be changed until then.
pub(super) struct Fetched {
    pub(super) id: String,
    pub(super) item: Fields,
    /// Its stage.
    pub(super) stage: String,
    /// New items of its members.
    puts: Puts,
}

impl Fetcher<'_> {
    /// Makes the new item.
    ///
    /// # Errors
    /// When there is no such desk, or a member of the package is missing.
    pub(super) fn fetch(
        &self,
        ingest_id: &str,
        ingested: &Fields,
        desk: &str,
        stage: Option<&str>,
    ) -> std::result::Result<Fetched, Trouble> {
        let missing = || Trouble::Because(format!("there is no desk '{desk}'"));
        let place = self.place(desk, stage)?.ok_or_else(missing)?;
        let mut puts = Puts::new();
        let (id, item) = self.make(ingest_id, ingested, &place, 0, &mut puts)?;
        Ok(Fetched { id: id.as_str().to_owned(), item, stage: place.stage, puts })
    }

    /// Adds what was fetched, and its history, to a transaction.
    ///
    /// # Errors
    /// When no id can be made.
    pub(super) fn add(&self, mut transaction: Transaction, fetched: Fetched) -> Result<Transaction> {
        let archive = self.app.publishing().collections().archive;
        let own = (DocId::new(fetched.id.as_str())?, fetched.item);
        for (own, mut fields) in fetched.puts.into_iter().chain([own]) {
            if let Some(count) = word_count(Item::from(&fields).text("body_html")) {
                fields.insert("word_count".to_owned(), count.into());
            }
            patch::set_version(&mut fields, 1);
            transaction = transaction.put(archive, own, Condition::Absent, text::encode(&fields));
        }
        let body = Fields::from_iter([("_current_version".to_owned(), 1.into())]);
        record_notice(self.app, transaction, "item:fetch", &fetched.id, self.user, &body)
    }

    /// The desk; none when there is none.
    fn place(&self, desk: &str, stage: Option<&str>) -> Result<Option<Place>> {
        let desks = self.app.publishing().collections().desks;
        let Some(found) = object(self.app.store(), desks, desk)? else { return Ok(None) };
        let found = Item::from(&found);
        let stage = stage.map_or_else(|| found.text("incoming_stage").to_owned(), str::to_owned);
        let profile =
            Some(found.text("default_content_profile").to_owned()).filter(|profile| !profile.is_empty());
        Ok(Some(Place { desk: desk.to_owned(), stage, profile }))
    }

    fn make(
        &self,
        ingest_id: &str,
        ingested: &Fields,
        place: &Place,
        depth: usize,
        puts: &mut Puts,
    ) -> std::result::Result<(DocId, Fields), Trouble> {
        let id = new_id(self.app, &Fields::new());
        let id = id.map_err(|problem| Error::internal(problem.detail().to_owned()))?;
        let mut fields = fetch(
            ingested,
            &Fetching {
                id: id.as_str(),
                ingest_id,
                desk: &place.desk,
                stage: &place.stage,
                state: self.state,
                user: self.user,
                unique_id: self.app.publishing().counters().unique(),
                profile: place.profile.as_deref(),
                now: self.now,
            },
        );
        let members = references(ingested);
        if !members.is_empty() {
            let fetched = self.members(&members, place, depth, puts)?;
            point_to(&mut fields, &fetched);
        }
        Ok((id, fields))
    }

    /// New items of the members, by guid.
    fn members(
        &self,
        members: &[String],
        place: &Place,
        depth: usize,
        puts: &mut Puts,
    ) -> std::result::Result<BTreeMap<String, String>, Trouble> {
        if depth == DEPTH_MAX || members.len() > MEMBERS_MAX {
            return Err(Trouble::Because("the package is too large".to_owned()));
        }
        let mut fetched = BTreeMap::new();
        for guid in members {
            let Some((document, own)) = by_guid(self.app, guid)? else {
                return Err(Trouble::Because(format!("its member {guid} is not there")));
            };
            let (made, fields) = self.make(document.id.as_str(), &own, place, depth + 1, puts)?;
            fetched.insert(guid.clone(), made.as_str().to_owned());
            puts.push((made, fields));
        }
        Ok(fetched)
    }
}

struct Place {
    desk: String,
    stage: String,
    profile: Option<String>,
}

/// References of a package lead to the new items.
fn point_to(package: &mut Fields, fetched: &BTreeMap<String, String>) {
    let groups = package.get_mut("groups").and_then(Value::as_array_mut).into_iter().flatten();
    let refs = groups.filter_map(|group| group.get_mut("refs")?.as_array_mut()).flatten();
    for reference in refs.filter_map(Value::as_object_mut) {
        let guid = reference.get("residRef").and_then(Value::as_str).unwrap_or_default();
        if let Some(id) = fetched.get(guid) {
            reference.insert("residRef".to_owned(), id.as_str().into());
            reference.insert("guid".to_owned(), id.as_str().into());
            reference.insert("location".to_owned(), "archive".into());
        }
    }
}
