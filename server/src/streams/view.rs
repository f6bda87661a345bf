//! What one reader of the log gets to see of it: the topics asked for, within what the reader may read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{Change, ChangeOp, Seq, Store};
use dateline_geo::Within;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::{Action, is_secret};
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Filter, date};
use crate::resources::{Resource, Sight};
use crate::streams::notices;
use crate::streams::position::Place;
use crate::streams::records::{Record, encoded};
use crate::streams::topics::Topics;

/// One event on its way to a reader.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The record that it is about.
    pub(crate) seq: Seq,
    /// Where a reader stands who has got it.
    pub(crate) place: Place,
    pub(crate) kind: &'static str,
    pub(crate) data: Arc<RawValue>,
    /// About what it takes up, in bytes.
    pub(crate) bytes: usize,
}

/// What an event takes up beside a document's body, in bytes: a guess from above.
const FRAME_BYTES: usize = 512;

/// What a reader asked for and may see.
pub(crate) struct View {
    app: App,
    principal: Principal,
    topics: Topics,
    filter: Filter,
    /// Only documents that lie in here.
    within: Option<Within>,
    with_documents: bool,
    /// What may be seen of a resource, found out once per resource.
    sights: Mutex<HashMap<String, Option<Sight>>>,
    lanes: Mutex<HashMap<u32, Arc<str>>>,
}

impl View {
    /// # Errors
    /// 404 and 403 for a collection that does not exist or may not be read.
    pub(crate) fn new(
        app: &App,
        principal: Principal,
        topics: Topics,
        filter: Filter,
        with_documents: bool,
    ) -> Result<Self, Problem> {
        for name in &topics.changes {
            app.resources().get(name)?;
            if is_secret(name) {
                return Err(Problem::new(Slug::Forbidden, format!("'{name}' cannot be read")));
            }
            Sight::of(&principal, Action::Read, name)?;
        }
        for (asked, name) in
            [(topics.matches, "matches"), (topics.fences, "fence_events"), (topics.queue, "queues")]
        {
            if asked {
                Sight::of(&principal, Action::Read, name)?;
            }
        }
        Ok(Self {
            app: app.clone(),
            principal,
            topics,
            filter,
            within: None,
            with_documents,
            sights: Mutex::default(),
            lanes: Mutex::default(),
        })
    }

    /// The same request with the rights of now.
    ///
    /// # Errors
    /// As `new`: what was allowed once may be forbidden now.
    pub(crate) fn again(&self, principal: Principal) -> Result<Self, Problem> {
        let (topics, filter) = (self.topics.clone(), self.filter.clone());
        let view = Self::new(&self.app, principal, topics, filter, self.with_documents)?;
        Ok(view.within(self.within.clone()))
    }

    /// Narrowed to documents that lie here.
    pub(crate) fn within(mut self, within: Option<Within>) -> Self {
        self.within = within;
        self
    }

    fn lies_within(&self, resource: &Resource, body: &Value) -> bool {
        let Some(within) = &self.within else { return true };
        resource.shapes(body).iter().any(|shape| within.meets(shape))
    }

    /// Whether a caller has exactly the rights that this view was made for.
    pub(crate) fn is_of(&self, caller: &Principal) -> bool {
        self.principal.has_rights_of(caller)
    }

    fn store(&self) -> &Store {
        self.app.store()
    }

    /// Adds the events of a record that the reader asked for and may see. The bytes of the bodies that had to be
    /// read are added to `looked_at`.
    pub(crate) fn events(
        &self,
        change: &Change,
        looked_at: &mut usize,
        events: &mut Vec<Event>,
    ) -> Result<(), Problem> {
        let before = events.len();
        if change.op == ChangeOp::Enqueue {
            if self.topics.queue {
                events.push(self.job(change)?);
            }
        // A purge forgets what had been told to be gone before.
        } else if change.op.is_document() && change.op != ChangeOp::Purge {
            self.of_document(change, looked_at, events)?;
        }
        // Whoever has got all of them stands after the record, whoever has not, between its events.
        let count = events.len() - before;
        for (index, event) in events.iter_mut().skip(before).enumerate().take(count.saturating_sub(1)) {
            let given = u32::try_from(index + 1).unwrap_or(u32::MAX);
            event.place = Place { seq: Seq::new(change.seq.get().saturating_sub(1)), events: given };
        }
        Ok(())
    }

    fn of_document(
        &self,
        change: &Change,
        looked_at: &mut usize,
        events: &mut Vec<Event>,
    ) -> Result<(), Problem> {
        let catalog = self.store().catalog();
        let Some(collection) = catalog.by_id(change.collection) else { return Ok(()) };
        let name = collection.name.as_str();
        let kind = match name {
            "matches" if self.topics.matches => Some("match"),
            "fence_events" if self.topics.fences => Some("fence"),
            _ if self.topics.all_changes || self.topics.changes.contains(name) => Some("change"),
            _ => None,
        };
        let notified = self.topics.notifications && notices::are_of(name);
        if is_secret(name) || (kind.is_none() && !notified) {
            return Ok(());
        }
        let Some(sight) = self.sight(name) else { return Ok(()) };
        let Ok(resource) = self.app.resources().get(name) else { return Ok(()) };
        let record = self.app.records().get(self.store(), change)?;
        *looked_at += record.body_bytes;
        if !sight.sees(name, change.id.as_str(), &record.body)
            || !self.lies_within(&resource, &record.body)
            || !self.passes(&record.shown)
        {
            return Ok(());
        }
        if let Some(kind) = kind {
            self.of_record(change, name, kind, &record, events)?;
        }
        if notified {
            let notices = record.notices(self.store(), name)?;
            events.extend(notices.iter().map(|data| Event {
                seq: change.seq,
                place: Place::after(change.seq),
                kind: "notification",
                data: Arc::clone(data),
                bytes: FRAME_BYTES,
            }));
        }
        Ok(())
    }

    fn of_record(
        &self,
        change: &Change,
        name: &str,
        kind: &'static str,
        record: &Record,
        events: &mut Vec<Event>,
    ) -> Result<(), Problem> {
        let data = match kind {
            "change" => record.change(name, self.with_documents)?,
            _ if change.op != ChangeOp::Put => return Ok(()),
            _ => record.event()?,
        };
        let shown = kind != "change" || self.with_documents;
        let bytes = FRAME_BYTES + if shown { record.body_bytes } else { 0 };
        events.push(Event { seq: change.seq, place: Place::after(change.seq), kind, data, bytes });
        Ok(())
    }

    fn sight(&self, name: &str) -> Option<Sight> {
        let mut sights = self.sights.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sights
            .entry(name.to_owned())
            .or_insert_with(|| Sight::of(&self.principal, Action::Read, name).ok());
        known.clone()
    }

    fn passes(&self, shown: &Value) -> bool {
        self.filter.is_everything() || (shown.is_object() && self.filter.matches(shown))
    }

    fn job(&self, change: &Change) -> Result<Event, Problem> {
        let lane = self.lane(change.collection.get())?;
        let data = json!({
            "_id": change.id.as_str(),
            "lane": lane.as_deref(),
            "state": "enqueued",
            "at": date::format(change.at.get()),
            "seq": change.seq.get(),
        });
        let (seq, place) = (change.seq, Place::after(change.seq));
        Ok(Event { seq, place, kind: "job", data: encoded(&data)?, bytes: FRAME_BYTES })
    }

    fn lane(&self, number: u32) -> Result<Option<Arc<str>>, Problem> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if !lanes.contains_key(&number) {
            lanes.extend(self.store().queue().lanes()?.into_iter().map(|lane| (lane.number(), lane.name)));
        }
        Ok(lanes.get(&number).map(Arc::clone))
    }
}
