//! Lane `content_api:gc`: removes items of the content API that have not been written for `CONTENT_API_EXPIRY_DAYS`.
//!
//! They go by chains: an item with all its updates, in one commit, once the youngest of them is old enough. Whatever
//! is written to one of them meanwhile keeps the chain for the next time. A run that is broken off begins anew, and
//! what is gone is gone.

use std::ops::ControlFlow;

use dateline_engine::{
    Ack, CollectionId, Condition, DocId, Document, Durability, ErrorKind, LeasedJob, Millis, Result,
    Revision, Store, Transaction,
};
use serde_json::{Map, Value, json};

use super::lineage;
use crate::app::App;
use crate::publishing::audience;
use crate::schedules;
use crate::work::{Desk, Lane, hand_back, together};

/// The lane, and the schedule that fills it.
pub(crate) const EXPIRY_LANE: &str = "content_api:gc";
const CRON: &str = "0 2 * * *";
/// Items looked at in one view of the store.
const LOOK_MAX: usize = 500;
/// Items that go in one commit, but for the last chain.
const COMMIT_MAX: usize = 1_000;
/// Items of a chain that can go together; a longer one stays.
const CHAIN_MAX: usize = 2_000;

/// The lane.
pub(crate) struct RemoveExpired;

impl RemoveExpired {
    /// Sees to it that the lane is filled, if items expire at all.
    ///
    /// # Errors
    /// When the schedule cannot be written.
    pub(crate) fn new(app: &App) -> Result<Self> {
        if app.publishing().settings().content_api_expiry.is_some() {
            schedules::ensure(app, EXPIRY_LANE, CRON, EXPIRY_LANE)?;
        }
        Ok(Self)
    }
}

impl Lane for RemoveExpired {
    fn name(&self) -> &'static str {
        EXPIRY_LANE
    }

    fn jobs_max(&self) -> usize {
        1
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        desk.each(jobs, |job| match run(desk, job) {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                hand_back(desk.app.store(), job, &error.to_string())
            }
            done => done,
        })
    }
}

fn run(desk: &Desk<'_>, job: &LeasedJob) -> Result<()> {
    let store = desk.app.store();
    let end = |result: Value| {
        let ack = Ack { lease: job.lease, result: Some(result.to_string().into()) };
        store.commit(Transaction::new(Durability::Buffered).complete(ack)).map(drop)
    };
    let Some(kept) = desk.app.publishing().settings().content_api_expiry else {
        return end(json!({"skipped": "CONTENT_API_EXPIRY_DAYS is 0"}));
    };
    let kept_ms = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
    let mut sweep = Sweep {
        store,
        items: desk.app.publishing().collections().items,
        before: Millis::new(store.now().get().saturating_sub(kept_ms)),
        after: None,
        removed: 0,
    };
    while sweep.step()? {
        if desk.is_stopping() {
            drop(store.queue().release(job.lease));
            return Ok(());
        }
        desk.heartbeat(std::slice::from_ref(job))?;
    }
    end(json!({"removed": sweep.removed}))
}

/// An item of a chain, as it was seen.
struct Member {
    id: DocId,
    revision: Revision,
}

impl Member {
    fn of(document: &Document) -> Self {
        Self { id: document.id.clone(), revision: document.revision() }
    }
}

/// A walk over all items.
struct Sweep<'a> {
    store: &'a Store,
    items: CollectionId,
    /// What was written before this is too old.
    before: Millis,
    /// The last item that was looked at.
    after: Option<String>,
    removed: usize,
}

impl Sweep<'_> {
    /// Looks at some more items and removes the chains that begin with them; whether there is more.
    fn step(&mut self) -> Result<bool> {
        let (mut roots, mut looked) = (Vec::new(), 0);
        let after = self.after.take();
        self.store.snapshot()?.scan(self.items, after.as_deref(), false, |document| {
            looked += 1;
            if looked == LOOK_MAX {
                self.after = Some(document.id.as_str().to_owned());
            }
            if self.is_old(&document) && is_root(&document) {
                roots.push(Member::of(&document));
            }
            if looked < LOOK_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let (mut chains, mut count) = (Vec::new(), 0);
        for root in roots {
            let Some(chain) = self.chain(root)? else { continue };
            count += chain.len();
            chains.push(chain);
            if count >= COMMIT_MAX {
                self.remove(&std::mem::take(&mut chains))?;
                count = 0;
            }
        }
        self.remove(&chains)?;
        Ok(self.after.is_some())
    }

    fn is_old(&self, document: &Document) -> bool {
        document.updated < self.before
    }

    /// An item with all its updates, if they are all old; also one of which an update ends by itself stays whole.
    fn chain(&self, root: Member) -> Result<Option<Vec<Member>>> {
        let members = self.store.lookup(self.items, "original_id", &[Value::from(root.id.as_str())])?;
        if members.len() > CHAIN_MAX {
            tracing::warn!(item = %root.id, members = members.len(), "a chain is too long to expire");
            return Ok(None);
        }
        let mut chain = Vec::with_capacity(members.len() + 1);
        for id in members.iter().filter(|id| **id != root.id) {
            let Some(member) = self.store.get(self.items, id.as_str())? else { continue };
            if !self.is_old(&member) || has_own_end(&body(&member)) {
                return Ok(None);
            }
            chain.push(Member::of(&member));
        }
        chain.push(root);
        Ok(Some(chain))
    }

    fn remove(&mut self, chains: &[Vec<Member>]) -> Result<()> {
        let left = together(self.store, chains, &|transaction, chain| {
            chain.iter().fold(transaction, |transaction, member| {
                transaction.delete(self.items, member.id.clone(), Condition::Revision(member.revision))
            })
        })?;
        let all: usize = chains.iter().map(Vec::len).sum();
        let kept: usize = left.iter().map(|(chain, _)| chain.len()).sum();
        self.removed += all - kept;
        Ok(())
    }
}

/// Whether a chain begins with the item. One that cannot be read stays.
fn is_root(document: &Document) -> bool {
    let body = body(document);
    !body.is_empty() && lineage::ancestors(&body).next().is_none() && !has_own_end(&body)
}

fn has_own_end(body: &Map<String, Value>) -> bool {
    body.get("expiry").is_some_and(|expiry| !expiry.is_null())
}

fn body(document: &Document) -> Map<String, Value> {
    match audience::body(document) {
        Ok(Value::Object(body)) => body,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dateline_engine::ManualClock;

    use super::*;
    use crate::testing::{manual_clock, test_config};

    const DAY_MS: u64 = 86_400_000;

    fn app(days: u64) -> (App, Arc<ManualClock>) {
        let (mut config, clock) = (test_config(), manual_clock());
        config.superdesk.insert("CONTENT_API_EXPIRY_DAYS".to_owned(), days.into());
        (App::builder().config(config).clock(clock.clone()).open().unwrap(), clock)
    }

    fn put(app: &App, id: &str, body: Value) {
        let items = app.publishing().collections().items;
        let tx = Transaction::new(Durability::Buffered);
        let tx = tx.put(items, DocId::new(id).unwrap(), Condition::Always, body.to_string());
        app.store().commit(tx).unwrap();
    }

    fn ids(app: &App) -> Vec<String> {
        let mut found = Vec::new();
        let walk = app.store().snapshot().unwrap().ids(app.publishing().collections().items, |id| {
            found.push(id.to_string());
            ControlFlow::Continue(())
        });
        walk.unwrap();
        found
    }

    /// One whole run; gives what it removed.
    fn sweep(app: &App, days: u64) -> usize {
        let before = Millis::new(app.store().now().get() - days * DAY_MS);
        let items = app.publishing().collections().items;
        let mut sweep = Sweep { store: app.store(), items, before, after: None, removed: 0 };
        while sweep.step().unwrap() {}
        sweep.removed
    }

    #[test]
    fn a_chain_goes_when_its_youngest_is_old() {
        let (app, clock) = app(3);
        let chain = |id: &str, ancestors: &[&str]| {
            put(&app, id, json!({"original_id": "a", "ancestors": ancestors}));
        };
        chain("a", &[]);
        chain("b", &["a"]);
        put(&app, "kept", json!({"original_id": "kept", "expiry": "2020-01-01T00:00:00+0000"}));
        put(&app, "alone", json!({"headline": "from before there were chains"}));
        put(&app, "held", json!({"original_id": "held"}));
        put(&app, "holds", json!({"original_id": "held", "ancestors": ["held"], "expiry": "2120-01-01"}));
        clock.advance_ms(2 * DAY_MS);
        chain("c", &["a", "b"]);
        clock.advance_ms(2 * DAY_MS);
        assert_eq!(
            (sweep(&app, 3), ids(&app)),
            (1, ["a", "b", "c", "held", "holds", "kept"].map(String::from).into())
        );
        clock.advance_ms(2 * DAY_MS);
        assert_eq!((sweep(&app, 3), ids(&app)), (3, ["held", "holds", "kept"].map(String::from).into()));
        assert_eq!(sweep(&app, 3), 0, "a second run finds nothing");
        app.stop();
    }

    #[test]
    fn many_items_go_in_steps() {
        let (app, clock) = app(1);
        for n in 0..LOOK_MAX + 20 {
            put(&app, &format!("{n:04}"), json!({"original_id": format!("{n:04}")}));
        }
        clock.advance_ms(2 * DAY_MS);
        put(&app, "0000", json!({"original_id": "0000"}));
        let before = Millis::new(app.store().now().get() - DAY_MS);
        let items = app.publishing().collections().items;
        let mut first = Sweep { store: app.store(), items, before, after: None, removed: 0 };
        assert!(first.step().unwrap());
        assert_eq!(first.removed, LOOK_MAX - 1);
        // Whoever goes on after a crash begins anew.
        assert_eq!((sweep(&app, 1), ids(&app)), (20, vec!["0000".to_owned()]));
        app.stop();
    }

    #[test]
    fn what_changes_meanwhile_stays_whole() {
        let (app, clock) = app(1);
        put(&app, "a", json!({"original_id": "a"}));
        put(&app, "b", json!({"original_id": "a", "ancestors": ["a"]}));
        put(&app, "other", json!({"original_id": "other"}));
        clock.advance_ms(2 * DAY_MS);
        let before = Millis::new(app.store().now().get() - DAY_MS);
        let items = app.publishing().collections().items;
        let mut sweep = Sweep { store: app.store(), items, before, after: None, removed: 0 };
        let root = |id: &str| Member::of(&app.store().get(items, id).unwrap().unwrap());
        let chains = [sweep.chain(root("a")).unwrap().unwrap(), sweep.chain(root("other")).unwrap().unwrap()];
        put(&app, "b", json!({"original_id": "a", "ancestors": ["a"], "headline": "corrected"}));
        sweep.remove(&chains).unwrap();
        assert_eq!((sweep.removed, ids(&app)), (1, ["a", "b"].map(String::from).into()));
        app.stop();
    }

    #[test]
    fn the_schedule_is_there_only_where_items_expire() {
        for (days, is_there) in [(0, false), (7, true)] {
            let (app, _clock) = app(days);
            RemoveExpired::new(&app).unwrap();
            RemoveExpired::new(&app).unwrap();
            let found = app.store().get(app.bell().collection(), EXPIRY_LANE).unwrap();
            assert_eq!(found.is_some(), is_there, "{days}");
            if let Some(found) = found {
                let body = body(&found);
                assert_eq!((&body["cron"], &body["lane"]), (&json!(CRON), &json!(EXPIRY_LANE)));
                assert!(body["next_at"].as_str().unwrap().contains("T02:00:00"), "{body:?}");
            }
            app.stop();
        }
    }
}
