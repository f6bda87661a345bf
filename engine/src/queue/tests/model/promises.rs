//! What must hold after every step.

use crate::kv::families::Family;
use crate::queue::entry::{Entry, Phase};
use crate::queue::tests::contents;
use crate::queue::{JobState, key};
use crate::types::{JobId, Millis};

use super::{JOBS_MAX, LANES, Stand, World};

impl World {
    pub(super) fn check(&self) {
        self.check_jobs();
        self.check_lanes();
        self.check_promises();
        let loaded = self.rows.load(self.epoch, JOBS_MAX).unwrap();
        assert_eq!(contents(&loaded), contents(&self.state));
    }

    fn check_jobs(&self) {
        let payloads = self.rows.of(Family::Job).map(|(key, _)| key::parse_job(key).unwrap().1.get());
        assert!(payloads.eq_sorted(self.jobs.keys().copied()), "payloads and jobs differ");
        assert_eq!(self.state.len(), self.jobs.len());
        for (id, job) in &self.jobs {
            let entry = &self.state.jobs[&JobId::new(*id)];
            let (phase, at) = match job.stand {
                Stand::Scheduled { due } => (Phase::Scheduled, Some(due)),
                Stand::Joined { line: None, .. } => (Phase::Waiting, None),
                Stand::Joined { line: Some((_, since)), .. } => (Phase::Ready, Some(since)),
                Stand::Leased { until, holder, .. } => (Phase::Leased(holder), Some(until)),
                Stand::Retrying { due, skipped: false } => (Phase::Retrying, Some(due)),
                Stand::Retrying { due, skipped: true } => (Phase::Skipped, Some(due)),
                Stand::Dead { at } => (Phase::Dead, Some(at)),
            };
            assert_eq!(entry.phase, phase, "job {id}");
            assert_eq!(entry.at.get(), at.unwrap_or(entry.at.get()), "job {id}");
            assert_eq!(entry.failures(), job.failures, "job {id}");
            assert_eq!(entry.deadline().map(Millis::get), job.deadline, "job {id}");
            let progress = entry.more.as_ref().and_then(|more| more.progress.clone());
            assert_eq!(progress, job.progress, "job {id}");
        }
    }

    fn check_lanes(&self) {
        let views = self.state.lanes();
        assert_eq!(views.len(), self.lanes.iter().filter(|lane| lane.known).count());
        for view in views {
            let lane = LANES.iter().position(|name| **name == *view.name).unwrap();
            let since = self.jobs.values().filter_map(|job| match job.stand {
                Stand::Joined { line: Some((_, since)), .. } if job.lane == lane => Some(since),
                _ => None,
            });
            assert_eq!(view.oldest_ready.map(Millis::get), since.min());
            assert_eq!((view.paused, view.settings), (self.lanes[lane].paused, self.lanes[lane].settings));
            let count = |is: fn(Stand) -> bool| self.count(lane, is);
            assert_eq!(view.ready, count(|stand| matches!(stand, Stand::Joined { line: Some(_), .. })));
            assert_eq!(view.waiting, count(|stand| matches!(stand, Stand::Joined { line: None, .. })));
            assert_eq!(view.leased, count(|stand| matches!(stand, Stand::Leased { .. })));
            assert_eq!(view.scheduled, count(|stand| matches!(stand, Stand::Scheduled { .. })));
            assert_eq!(view.retrying, count(|stand| matches!(stand, Stand::Retrying { .. })));
            assert_eq!(view.dead, count(|stand| matches!(stand, Stand::Dead { .. })));
            assert!(view.held <= view.ready);
            let lane = &self.state.lanes[&view.id];
            for state in JobState::ALL {
                let of = |(_, job): &(&JobId, &Entry)| job.lane == view.id && job.phase.state() == state;
                let ids = self.state.jobs.iter().filter(of).map(|(id, _)| id.get());
                assert!(ids.eq_sorted(lane.members(state, JobId::ZERO).map(JobId::get)), "{state}");
            }
        }
    }

    /// What users are promised, in terms of the queue alone.
    fn check_promises(&self) {
        assert!(self.completed.values().all(|times| *times == 1), "completed twice: {:?}", self.completed);
        let accounted = self.state.len() + self.completed.len();
        assert_eq!(accounted as u64 + self.cancelled_or_dropped, self.last_id, "a job is lost");
        self.check_rates();
        let mut heads = std::collections::BTreeSet::new();
        for job in self.state.jobs.values().filter(|job| job.group.is_some()) {
            if matches!(job.phase, Phase::Leased(_) | Phase::Retrying | Phase::Ready) {
                assert!(heads.insert((job.lane, job.group)), "two of one group at once");
            }
        }
    }
}

impl World {
    /// No window of time sees more leases begin than a bucket holds and what came meanwhile.
    fn check_rates(&self) {
        for ((lane, key), begun) in &self.begun {
            let settings = self.lanes[*lane].settings;
            let Some(rate) = (if key.is_some() { settings.key_rate } else { settings.rate }) else {
                continue;
            };
            for (first, start) in begun.iter().enumerate() {
                let window = begun.last().unwrap() - start;
                let most = u64::from(rate.burst) + window * u64::from(rate.jobs) / rate.per_ms;
                let count = (begun.len() - first) as u64;
                assert!(count <= most, "{count} leases of {key:?} in {window} ms, {rate:?}");
            }
        }
    }
}

trait EqSorted: Iterator<Item = u64> + Sized {
    fn eq_sorted(self, other: impl Iterator<Item = u64>) -> bool {
        let mut all: Vec<u64> = self.collect();
        all.sort_unstable();
        all.into_iter().eq(other)
    }
}

impl<I: Iterator<Item = u64>> EqSorted for I {}
