//! Takes items: each is stored and routed in one commit.

use std::collections::BTreeSet;

use dateline_engine::{Condition, Document, Durability, Error, ErrorKind, Millis, Result, Transaction};
use dateline_formats::{Fields, Item, parse_time};
use dateline_ingest::routing::{self, Target};
use dateline_ingest::{Arrival, Arriving, Code, IngestError, arrive, prolonged, references};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fetching::{Fetched, Fetcher};
use super::outgoing::Outgoing;
use super::provider::Channel;
use super::run::Report;
use super::{object, of};
use crate::app::App;
use crate::eve::{json as text, patch};
use crate::internal::{Routed, routed_job};
use crate::macros::{Call, Macro, Trouble as MacroTrouble};
use crate::publishing::{new_id, now};

/// An item that somebody else stores at the same time.
const TRIES: usize = 5;
/// Items of one URI that are canceled together.
const SAME_MAX: usize = 1_000;

/// Whoever takes items of one provider.
pub(super) struct Taker<'a> {
    pub(super) app: &'a App,
    pub(super) channel: &'a Channel,
}

enum Taken {
    New,
    Updated,
    Known,
    Left,
}

impl Taker<'_> {
    /// Takes items of one document, packages last. What stands inside another item goes no way of its own.
    pub(super) fn take_all(&self, items: Vec<Fields>, report: &mut Report) {
        let inside: BTreeSet<String> = items.iter().flat_map(inside).collect();
        let is_package = |item: &Fields| Item::from(item).text("type") == "composite";
        let (packages, others): (Vec<Fields>, Vec<Fields>) = items.into_iter().partition(is_package);
        let mut failed: BTreeSet<String> = BTreeSet::new();
        for item in others.into_iter().chain(packages) {
            let guid = Item::from(&item).text("guid").to_owned();
            let lacks = references(&item).into_iter().find(|member| failed.contains(member));
            let taken = match lacks {
                Some(member) => {
                    Err(IngestError::new(Code::STORING, format!("{guid}: its member {member} failed")))
                }
                None => self.take(&item, !inside.contains(&guid)),
            };
            let is_stored = matches!(taken, Ok(Taken::New | Taken::Updated));
            match taken {
                Ok(Taken::New) => report.new += 1,
                Ok(Taken::Updated) => report.updated += 1,
                Ok(Taken::Known) => report.known += 1,
                Ok(Taken::Left) => report.left += 1,
                Err(error) => {
                    report.failed += 1;
                    report.fail(error);
                    failed.insert(guid);
                    continue;
                }
            }
            if is_stored {
                let made = parse_time(Item::from(&item).text("versioncreated"));
                report.newest = report.newest.max(Some(made.unwrap_or_else(|| now(self.app.store()))));
            }
        }
    }

    fn take(&self, item: &Fields, is_routed: bool) -> std::result::Result<Taken, IngestError> {
        let told = |error: Error| {
            let guid = Item::from(item).text("guid");
            IngestError::new(Code::STORING, format!("{guid}: {error}"))
        };
        for attempt in 1..=TRIES {
            match self.attempt(item, is_routed) {
                Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
                done => return done.map_err(told),
            }
        }
        Err(IngestError::new(Code::STORING, "it changes all the time"))
    }

    fn attempt(&self, item: &Fields, is_routed: bool) -> Result<Taken> {
        let (app, channel) = (self.app, self.channel);
        let (store, collections, now) = (app.store(), of(app).collections, now(app.store()));
        let known = self.known(Item::from(item).text("guid"))?;
        let id = match &known {
            Some((document, _)) => document.id.clone(),
            None => {
                new_id(app, &Fields::new()).map_err(|problem| Error::internal(problem.detail().to_owned()))?
            }
        };
        let sequence = Sequence::next(app, &channel.provider.id)?;
        let arrival = arrive(
            item.clone(),
            &Arriving {
                provider: &channel.provider,
                stored: known.as_ref().map(|(_, fields)| fields),
                site: &channel.site,
                rule_set: channel.rule_set.as_ref(),
                now,
                id: id.as_str(),
                sequence: sequence.number,
            },
        );
        let (mut fields, is_new, took_sequence) = match arrival {
            Arrival::Known => {
                if let Some((document, stored)) = &known {
                    self.prolong(item, document, stored, now)?;
                }
                return Ok(Taken::Known);
            }
            Arrival::Expired | Arrival::Unwanted => return Ok(Taken::Left),
            Arrival::Stored { fields, is_new, took_sequence } => (fields, is_new, took_sequence),
        };
        let mut transaction = Transaction::new(Durability::Sync);
        if took_sequence {
            transaction = sequence.put(app, transaction);
        }
        if Item::from(&fields).text("state") == "killed" {
            transaction = self.cancel(transaction, id.as_str(), Item::from(&fields).text("uri"))?;
        } else if is_routed {
            transaction = self.route(transaction, id.as_str(), &mut fields, now)?;
        }
        let version = known.as_ref().map_or(0, |(_, stored)| patch::version(stored)) + 1;
        patch::set_version(&mut fields, version);
        let condition = known
            .as_ref()
            .map_or(Condition::Absent, |(document, _)| Condition::Revision(document.revision()));
        let end = end_of(&fields);
        let bytes = text::encode(&fields);
        transaction = match end {
            Some(end) => transaction.put_until(collections.ingest, id, condition, bytes, end),
            None => transaction.put(collections.ingest, id, condition, bytes),
        };
        store.commit(transaction)?;
        Ok(if is_new { Taken::New } else { Taken::Updated })
    }

    /// The stored item of a guid.
    fn known(&self, guid: &str) -> Result<Option<(Document, Fields)>> {
        by_guid(self.app, guid)
    }

    /// Keeps a known item longer when its sender does not date it.
    fn prolong(&self, item: &Fields, document: &Document, stored: &Fields, now: Timestamp) -> Result<()> {
        let Some(end) = prolonged(item, stored, self.channel.provider.expiry_minutes, now) else {
            return Ok(());
        };
        let mut fields = stored.clone();
        fields.insert("expiry".to_owned(), dateline_formats::wire_time(end).into());
        let version = patch::version(&fields) + 1;
        patch::set_version(&mut fields, version);
        let Some(end) = end_of(&fields) else { return Ok(()) };
        let condition = Condition::Revision(document.revision());
        let transaction = Transaction::new(Durability::Buffered);
        let ingest = of(self.app).collections.ingest;
        let transaction =
            transaction.put_until(ingest, document.id.clone(), condition, text::encode(&fields), end);
        self.app.store().commit(transaction).map(drop)
    }

    /// Everything of a URI that is canceled goes with it.
    fn cancel(&self, mut transaction: Transaction, own: &str, uri: &str) -> Result<Transaction> {
        let (store, ingest) = (self.app.store(), of(self.app).collections.ingest);
        let same = store.lookup(ingest, "uri", &[Value::from(uri)])?;
        for id in same.into_iter().filter(|id| id.as_str() != own).take(SAME_MAX) {
            let (Some(document), Some(mut fields)) =
                (store.get(ingest, id.as_str())?, object(store, ingest, id.as_str())?)
            else {
                continue;
            };
            fields.insert("pubstatus".to_owned(), "canceled".into());
            fields.insert("state".to_owned(), "killed".into());
            let version = patch::version(&fields) + 1;
            patch::set_version(&mut fields, version);
            let condition = Condition::Revision(document.revision());
            let end = document.expires.or_else(|| end_of(&fields)).unwrap_or(store.now());
            transaction = transaction.put_until(ingest, id, condition, text::encode(&fields), end);
        }
        Ok(transaction)
    }

    /// Adds what the routing scheme does with an item. A destination that is not there is told and left out.
    fn route(
        &self,
        mut transaction: Transaction,
        id: &str,
        fields: &mut Fields,
        now: Timestamp,
    ) -> Result<Transaction> {
        let Some(scheme) = &self.channel.scheme else { return Ok(transaction) };
        let mut shown = fields.clone();
        shown.insert("_id".to_owned(), id.into());
        let value = Value::Object(shown);
        let audience = self.app.publishing().audience();
        let matches = |filter: &str| audience.matches(self.app.store(), filter, &value, now);
        let routed = routing::route(scheme, fields, now, matches)?;
        for step in routed.steps {
            let outgoing = Outgoing::of(step);
            if let Some(deferred) = self.deferred(id, &outgoing) {
                transaction = transaction.enqueue(routed_job(self.app, &deferred));
            } else if let Some(fetched) = self.fetched(id, fields, &outgoing, now)? {
                transaction = outgoing.add_to(self.app, transaction, fetched, now)?;
            } else {
                continue;
            }
            fields.insert("archived".to_owned(), dateline_formats::wire_time(now).into());
        }
        Ok(transaction)
    }

    /// The order of an item whose macro another server does: nobody waits for that here.
    fn deferred(&self, id: &str, outgoing: &Outgoing) -> Option<Routed> {
        let name = outgoing.target.macro_name.as_deref()?;
        matches!(self.app.macros().find(name), Some(Macro::External(_))).then(|| outgoing.order(id, name))
    }

    /// The new item; none for a destination that is not there, and for what its macro stops, which is told.
    fn fetched(
        &self,
        id: &str,
        fields: &Fields,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Result<Option<Fetched>> {
        let Target { desk, stage, macro_name } = &outgoing.target;
        let fetcher = Fetcher { app: self.app, user: "", state: "routed", now };
        let mut fetched = match fetcher.fetch(id, fields, desk, stage.as_deref()) {
            Ok(fetched) => fetched,
            Err(trouble) => {
                let reason = trouble.into_error()?;
                tracing::warn!(item = id, desk, reason, "a routing rule leads nowhere");
                return Ok(None);
            }
        };
        let Some(name) = macro_name else { return Ok(Some(fetched)) };
        let call = Call { item: &fetched.item, desk, stage: Some(&fetched.stage), cause: "routing", id };
        match self.app.macros().run_here(self.app, name, &call) {
            Ok(outcome) => match outcome.and_then(|outcome| outcome.onto(&mut fetched.item)) {
                None => return Ok(Some(fetched)),
                Some(reason) => tracing::info!(item = id, desk, reason, "a macro stops an item"),
            },
            Err(MacroTrouble::Store(error)) => return Err(error),
            Err(trouble) => tracing::warn!(item = id, desk, %trouble, "a routing rule leads nowhere"),
        }
        Ok(None)
    }
}

/// Guids of what stands inside an item: members of a package, associated items.
fn inside(item: &Fields) -> Vec<String> {
    let associations = Item::from(item).entries("associations").map(|(_, own)| own.text("guid").to_owned());
    associations.chain(references(item)).filter(|guid| !guid.is_empty()).collect()
}

/// The stored item of a guid.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn by_guid(app: &App, guid: &str) -> Result<Option<(Document, Fields)>> {
    let (store, ingest) = (app.store(), of(app).collections.ingest);
    let Some(id) = store.lookup(ingest, "guid", &[Value::from(guid)])?.into_iter().next() else {
        return Ok(None);
    };
    let (document, fields) = (store.get(ingest, id.as_str())?, object(store, ingest, id.as_str())?);
    Ok(document.zip(fields))
}

fn end_of(fields: &Fields) -> Option<Millis> {
    let end = parse_time(Item::from(fields).text("expiry"))?;
    u64::try_from(end.as_millisecond()).ok().map(Millis::new)
}

/// Numbers of a provider: 1 to 9999, and again.
struct Sequence {
    number: u64,
    key: dateline_engine::DocId,
    condition: Condition,
    version: u64,
}

const SEQUENCE_MAX: u64 = 9_999;

impl Sequence {
    fn next(app: &App, provider: &str) -> Result<Sequence> {
        let key = dateline_engine::DocId::new(format!("ing:{provider}"))?;
        let sequences = app.publishing().collections().sequences;
        let document = app.store().get(sequences, key.as_str())?;
        let stored = object(app.store(), sequences, key.as_str())?.unwrap_or_default();
        let last = stored.get("sequence_number").and_then(Value::as_u64).unwrap_or(0);
        let number = if (1..SEQUENCE_MAX).contains(&last) { last + 1 } else { 1 };
        let condition =
            document.map_or(Condition::Absent, |document| Condition::Revision(document.revision()));
        Ok(Sequence { number, key, condition, version: patch::version(&stored) + 1 })
    }

    fn put(self, app: &App, transaction: Transaction) -> Transaction {
        let text = json!({"sequence_number": self.number, "_version": self.version}).to_string();
        transaction.put(app.publishing().collections().sequences, self.key, self.condition, text)
    }
}
