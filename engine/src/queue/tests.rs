//! Scenarios by name, the model test, and the rows both check against.

mod limits;
mod loading;
mod model;
mod scenarios;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::Result;
use crate::kv::families::Family;
use crate::queue::entry::Entry;
use crate::queue::group::Contents as GroupContents;
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::held::Place;
use crate::queue::lane::{Counts, LaneId};
use crate::queue::lease::Grant;
use crate::queue::rate::Meter;
use crate::queue::{Holder, LOAD_ORDER, LaneSettings, LeaseTerm, Loader, Mutations, NewJob, QueueState, key};
use crate::types::{Epoch, JobId, Millis};

/// What the store would hold. Refuses what no correct queue does.
#[derive(Clone, Debug, Default)]
struct Rows {
    map: BTreeMap<(Family, Vec<u8>), Vec<u8>>,
    /// Keys whose format promises that they are put once ever.
    spent: BTreeSet<(Family, Vec<u8>)>,
}

impl Mutations for Rows {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        let place = (family, key.to_vec());
        if matches!(family, Family::Ready | Family::Grp | Family::Job | Family::Done) {
            assert!(self.spent.insert(place.clone()), "{family:?} {key:02x?} is put twice");
        }
        if !matches!(family, Family::Jst | Family::Meta) {
            assert!(!self.map.contains_key(&place), "{family:?} {key:02x?} is overwritten");
        }
        self.map.insert(place, value.to_vec());
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        let old = self.map.remove(&(family, key.to_vec()));
        assert!(old.is_some(), "{family:?} {key:02x?} is deleted and was not there");
    }
}

impl Rows {
    fn of(&self, family: Family) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.map.iter().filter(move |((of, _), _)| *of == family);
        rows.map(|((_, key), value)| (key.as_slice(), value.as_slice()))
    }

    fn get(&self, family: Family, key: &[u8]) -> Option<Vec<u8>> {
        self.map.get(&(family, key.to_vec())).cloned()
    }

    fn load(&self, epoch: u32, jobs_max: usize) -> Result<QueueState> {
        let mut loader = Loader::new(Epoch::new(epoch), jobs_max);
        for family in LOAD_ORDER {
            for (key, value) in self.of(family) {
                loader.row(family, key, value)?;
            }
        }
        loader.finish()
    }
}

type LaneContents = (LaneId, String, bool, LaneSettings, Counts, GroupContents, Vec<Place>, Buckets);
/// The bucket of a lane, and leases and bucket of each key.
type Buckets = (Meter, Vec<(GroupHash, u32, Meter)>);

/// All of a state that must be the same after it has been read back.
#[derive(Debug, PartialEq)]
struct Contents {
    jobs: BTreeMap<JobId, Entry>,
    lanes: Vec<LaneContents>,
    uniques: BTreeMap<(LaneId, UniqueHash), JobId>,
    timers: String,
}

fn contents(state: &QueueState) -> Contents {
    let lanes = state.lanes.iter().map(|(id, lane)| {
        (
            *id,
            lane.name.to_string(),
            lane.paused,
            lane.settings,
            lane.counts,
            lane.groups.list(),
            lane.lines(),
            (lane.meter, lane.held.list().0),
        )
    });
    Contents {
        jobs: state.jobs.iter().map(|(id, job)| (*id, job.clone())).collect(),
        lanes: lanes.collect(),
        uniques: state.uniques.iter().map(|(place, id)| (*place, *id)).collect(),
        timers: format!("{:?}", state.timers),
    }
}

/// One queue, its rows and its clock, with short words for the scenarios.
struct Bench {
    state: QueueState,
    rows: Rows,
    now: Millis,
    last_id: u64,
}

impl Bench {
    fn new() -> Self {
        let rows = Rows::default();
        Self { state: rows.load(1, 1_000).unwrap(), rows, now: Millis::new(1_000), last_id: 0 }
    }

    fn enqueue(&mut self, job: NewJob) -> JobId {
        let job = job.prepare().unwrap();
        self.state.check_enqueue(std::slice::from_ref(&job)).unwrap();
        self.last_id += 1;
        self.state.apply_enqueue(JobId::new(self.last_id), &job, self.now, &mut self.rows)
    }

    fn lease(&mut self, max: usize) -> Vec<Grant> {
        let term = LeaseTerm::new(Duration::from_secs(10)).unwrap();
        self.state.apply_lease("mail", max, term, Holder::Worker, self.now, &mut self.rows)
    }

    fn lease_one(&mut self) -> Grant {
        let grants = self.lease(1);
        assert_eq!(grants.len(), 1, "one job should be ready");
        grants[0]
    }

    /// Lets time pass in one step and fires what is due.
    fn pass_ms(&mut self, by_ms: u64) -> Option<Millis> {
        self.now = Millis::new(self.now.get() + by_ms);
        self.state.tick(self.now, &mut self.rows)
    }

    fn state_of(&self, id: JobId) -> Option<crate::queue::Job> {
        let place = key::job(self.state.lane_of(id)?, id);
        let state = self.rows.get(Family::Jst, &place)?;
        Some(crate::queue::Job::decode("mail", id, &state, self.rows.get(Family::Job, &place)?).unwrap())
    }

    fn check_reload(&self) {
        let loaded = self.rows.load(2, 1_000).unwrap();
        assert_eq!(contents(&loaded), contents(&self.state));
    }
}

fn mail() -> NewJob {
    NewJob::new("mail", &b"hello"[..])
}

fn in_group(group: &str) -> NewJob {
    NewJob { group: Some(group.to_owned()), ..mail() }
}
