//! Random work on the queue beside a naive model that keeps one list and looks at all of it.
//!
//! After every step both must tell the same, and the rows read back must give an equal queue.

mod promises;
mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use steps::{Step, step};

use super::Rows;
use crate::error::{Conflict, ErrorKind};
use crate::queue::rate::Meter;
use crate::queue::{
    Ack, Backoff, Beat, GroupOnFail, Heartbeat, Holder, JobState, LaneSettings, LeaseTerm, LeaseToken, Nack,
    NewJob, Progress, QueueState, Retry,
};
use crate::types::{JobId, Millis};

const LANES: [&str; 2] = ["mail", "push"];
const JOBS_MAX: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stand {
    Scheduled {
        due: u64,
    },
    /// Joined; `line` is when it came to the head of its group, if it has.
    Joined {
        order: u64,
        line: Option<(u64, u64)>,
    },
    Leased {
        until: u64,
        token: LeaseToken,
        holder: Holder,
    },
    Retrying {
        due: u64,
        /// Its group goes on.
        skipped: bool,
    },
    Dead {
        at: u64,
    },
}

#[derive(Clone, Debug)]
struct ModelJob {
    lane: usize,
    group: Option<u8>,
    unique: Option<u8>,
    priority: u8,
    failures: u32,
    attempts_max: u32,
    key: Option<u8>,
    retry: Option<Retry>,
    deadline: Option<u64>,
    progress: Option<Progress>,
    stand: Stand,
    /// Not to be leased before.
    earliest: u64,
    delayed_or_requeued: bool,
}

#[derive(Clone, Copy, Debug)]
struct ModelLane {
    known: bool,
    paused: bool,
    settings: LaneSettings,
}

struct World {
    state: QueueState,
    rows: Rows,
    epoch: u32,
    now: u64,
    last_id: u64,
    order: u64,
    jobs: BTreeMap<u64, ModelJob>,
    lanes: [ModelLane; 2],
    tokens: Vec<LeaseToken>,
    completed: BTreeMap<u64, u32>,
    cancelled_or_dropped: u64,
    first_leases: BTreeMap<(usize, u8), Vec<u64>>,
    /// Leases cancelled since the last restart, and when they would have ended.
    cancelled: BTreeMap<u64, (LeaseToken, u64)>,
    meters: BTreeMap<(usize, Option<LimitKey>), Meter>,
    /// When leases began, by lane or key, since its limits were last changed.
    begun: BTreeMap<(usize, Option<LimitKey>), Vec<u64>>,
}

/// What the limits per key count a job under: its key, or its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LimitKey {
    Own(u8),
    Group(u8),
}

impl ModelJob {
    fn limit_key(&self) -> Option<LimitKey> {
        self.key.map(LimitKey::Own).or(self.group.map(LimitKey::Group))
    }
}

impl World {
    fn new() -> Self {
        let rows = Rows::default();
        let lane = ModelLane { known: false, paused: false, settings: LaneSettings::INITIAL };
        Self {
            state: rows.load(1, JOBS_MAX).unwrap(),
            rows,
            epoch: 1,
            now: 1_000,
            last_id: 0,
            order: 0,
            jobs: BTreeMap::new(),
            lanes: [lane; 2],
            tokens: Vec::new(),
            completed: BTreeMap::new(),
            cancelled_or_dropped: 0,
            first_leases: BTreeMap::new(),
            cancelled: BTreeMap::new(),
            meters: BTreeMap::new(),
            begun: BTreeMap::new(),
        }
    }

    fn now(&self) -> Millis {
        Millis::new(self.now)
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn join(&mut self, id: u64) {
        let order = self.next_order();
        self.jobs.get_mut(&id).unwrap().stand = Stand::Joined { order, line: None };
        self.advance_lines();
    }

    /// A retry or a lost lease: the job was head and stays it.
    fn rejoin_as_head(&mut self, id: u64) {
        let order = self.next_order();
        let line = Some((order, self.now));
        self.jobs.get_mut(&id).unwrap().stand = Stand::Joined { order, line };
    }

    /// Whoever has nobody of its group before it comes to the head.
    fn advance_lines(&mut self) {
        loop {
            let mut joined: Vec<(u64, u64)> = self
                .jobs
                .iter()
                .filter_map(|(id, job)| match job.stand {
                    Stand::Joined { order, line: None } => Some((order, *id)),
                    _ => None,
                })
                .collect();
            joined.sort_unstable();
            let free = joined.into_iter().find(|(_, id)| {
                let job = &self.jobs[id];
                job.group.is_none()
                    || !self.jobs.values().any(|other| {
                        (other.lane, other.group) == (job.lane, job.group)
                            && matches!(
                                other.stand,
                                Stand::Joined { line: Some(_), .. }
                                    | Stand::Leased { .. }
                                    | Stand::Retrying { skipped: false, .. }
                            )
                    })
            });
            let Some((_, id)) = free else { return };
            let line = Some((self.next_order(), self.now));
            if let Stand::Joined { line: place, .. } = &mut self.jobs.get_mut(&id).unwrap().stand {
                *place = line;
            }
        }
    }

    fn fail(&mut self, id: u64, due: u64) {
        let skipped = match self.policy_of(id) {
            _ if self.gives_up(id) => return self.die(id),
            policy => policy == GroupOnFail::Skip,
        };
        if due > self.now {
            let job = self.jobs.get_mut(&id).unwrap();
            job.stand = Stand::Retrying { due, skipped };
            job.earliest = due;
            self.advance_lines();
        } else if skipped {
            self.join(id);
        } else {
            self.rejoin_as_head(id);
        }
    }

    fn policy_of(&self, id: u64) -> GroupOnFail {
        let job = &self.jobs[&id];
        let policy = self.lanes[job.lane].settings.group_on_fail;
        if job.group.is_some() { policy } else { GroupOnFail::Block }
    }

    /// Whether a failed job is dead.
    fn gives_up(&self, id: u64) -> bool {
        let job = &self.jobs[&id];
        let is_late = job.deadline.is_some_and(|deadline| deadline <= self.now);
        job.failures >= job.attempts_max || is_late || self.policy_of(id) == GroupOnFail::Dead
    }

    fn die(&mut self, id: u64) {
        let now = self.now;
        self.jobs.get_mut(&id).unwrap().stand = Stand::Dead { at: now };
        self.advance_lines();
    }

    fn tick(&mut self) {
        loop {
            let due = self.jobs.iter().filter_map(|(id, job)| {
                let keep = self.lanes[job.lane].settings.dead_ms_keep;
                let (at, kind) = match job.stand {
                    Stand::Scheduled { due } => (due, 1),
                    Stand::Retrying { due, .. } => (due, 2),
                    Stand::Leased { until, .. } => (until, 3),
                    Stand::Dead { at } if keep > 0 => (at + keep, 4),
                    _ => return None,
                };
                let age = job.deadline.filter(|_| !matches!(kind, 3 | 4)).map(|deadline| (deadline, 5, *id));
                Some((at, kind, *id)).into_iter().chain(age).min()
            });
            let lined = self.jobs.iter().filter(|(_, job)| matches!(job.stand, Stand::Joined { .. }));
            let due = due.chain(lined.filter_map(|(id, job)| Some((job.deadline?, 5, *id))));
            let Some((_, kind, id)) = due.filter(|(at, ..)| *at <= self.now).min() else { return };
            match kind {
                1 => self.join(id),
                2 if matches!(self.jobs[&id].stand, Stand::Retrying { skipped: true, .. }) => self.join(id),
                2 => self.rejoin_as_head(id),
                5 => self.die(id),
                3 => self.fail(id, self.now),
                _ => {
                    self.jobs.remove(&id);
                    self.cancelled_or_dropped += 1;
                }
            }
        }
    }

    fn holder_of(&self, lane: usize, unique: Option<u8>) -> Option<u64> {
        let key = unique?;
        let holds = |job: &ModelJob| {
            job.lane == lane && job.unique == Some(key) && !matches!(job.stand, Stand::Dead { .. })
        };
        self.jobs.iter().find(|(_, job)| holds(job)).map(|(id, _)| *id)
    }

    /// Any token ever given, but half the time one that holds.
    fn token(&self, pick: usize) -> Option<(LeaseToken, Option<u64>)> {
        let held: Vec<LeaseToken> = self
            .jobs
            .values()
            .filter_map(|job| match job.stand {
                Stand::Leased { token, .. } => Some(token),
                _ => None,
            })
            .collect();
        let from = if pick.is_multiple_of(2) && !held.is_empty() { &held } else { &self.tokens };
        let token = *from.get((pick / 2).checked_rem(from.len())?)?;
        Some((token, held.contains(&token).then_some(token.id.get())))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Enqueue { lane, group, unique, priority, delay_ms, attempts_max, key, retry, age_ms } => {
                let job = NewJob {
                    group: group.map(|group| format!("group-{group}")),
                    unique: unique.map(|unique| format!("unique-{unique}")),
                    priority,
                    delay: Duration::from_millis(delay_ms),
                    attempts_max,
                    key: key.map(|key| format!("key-{key}")),
                    retry,
                    age_max: Duration::from_millis(age_ms),
                    ..NewJob::new(LANES[lane], format!("payload {}", self.last_id + 1))
                };
                self.enqueue(lane, (group, unique, key), &job);
            }
            Step::Lease { lane, max, term_ms, holder } => self.lease(lane, max, term_ms, holder),
            Step::Ack { pick } => self.ack(pick),
            Step::Nack { pick, retry_in_ms } => self.nack(pick, retry_in_ms),
            Step::Heartbeat { pick, term_ms, progress } => self.heartbeat(pick, term_ms, progress),
            Step::Release { pick } => self.release(pick),
            Step::Cancel { pick } => self.cancel(pick),
            Step::Requeue { pick } => self.requeue(pick),
            Step::Pause { lane, paused } => {
                self.state.apply_pause(LANES[lane], paused, &mut self.rows);
                self.lanes[lane].known = true;
                self.lanes[lane].paused = paused;
            }
            Step::Settings { lane, settings } => {
                self.state.check_settings(LANES[lane], &settings).unwrap();
                let now = self.now();
                self.state.apply_settings(LANES[lane], settings, now, &mut self.rows);
                self.begun.retain(|(of, _), _| *of != lane);
                self.lanes[lane].known = true;
                self.lanes[lane].settings = settings;
            }
            Step::Pass { ms } => self.now += ms,
            Step::Restart => self.restart(),
        }
        self.state.tick(self.now(), &mut self.rows);
        self.tick();
    }

    fn enqueue(
        &mut self,
        lane: usize,
        (group, unique, key): (Option<u8>, Option<u8>, Option<u8>),
        new: &NewJob,
    ) {
        let prepared = new.prepare().unwrap();
        let holder = self.holder_of(lane, unique);
        assert_eq!(self.state.holder(&prepared), holder.map(JobId::new));
        let settings = self.lanes[lane].settings;
        let in_lane = self.jobs.values().filter(|job| job.lane == lane).count();
        let lane_is_full = settings.jobs_max > 0 && in_lane >= settings.jobs_max as usize;
        let is_full = holder.is_none() && (self.jobs.len() >= JOBS_MAX || lane_is_full || settings.draining);
        let checked = self.state.check_enqueue(std::slice::from_ref(&prepared));
        assert_eq!(checked.is_err(), is_full);
        if is_full {
            assert_eq!(checked.unwrap_err().kind(), ErrorKind::Busy);
            return;
        }
        let id = self.last_id + 1;
        let given = self.state.apply_enqueue(JobId::new(id), &prepared, self.now(), &mut self.rows);
        assert_eq!(given.get(), holder.unwrap_or(id));
        if holder.is_some() {
            return;
        }
        self.last_id = id;
        self.lanes[lane].known = true;
        let due = self.now + u64::try_from(new.delay.as_millis()).unwrap();
        let is_delayed = due > self.now;
        let own_age = u64::try_from(new.age_max.as_millis()).unwrap();
        let age_ms = if own_age > 0 { own_age } else { settings.age_ms_max };
        self.jobs.insert(
            id,
            ModelJob {
                lane,
                group,
                unique,
                priority: new.priority,
                failures: 0,
                attempts_max: if new.attempts_max == 0 { settings.attempts_max } else { new.attempts_max },
                key,
                retry: new.retry,
                deadline: (age_ms > 0).then_some(self.now + age_ms),
                progress: None,
                stand: Stand::Scheduled { due },
                earliest: due,
                delayed_or_requeued: is_delayed,
            },
        );
        if !is_delayed {
            self.join(id);
        }
    }

    fn lease(&mut self, lane: usize, max: usize, term_ms: u64, holder: Holder) {
        let ModelLane { paused, settings, .. } = self.lanes[lane];
        let leased = self.count(lane, |stand| matches!(stand, Stand::Leased { .. }));
        let room = match settings.leased_max as usize {
            0 => max,
            most => max.min(most.saturating_sub(leased)),
        };
        let mut candidates: Vec<(u8, u64, u64)> = self
            .jobs
            .iter()
            .filter_map(|(id, job)| match job.stand {
                Stand::Joined { line: Some((line, _)), .. } if job.lane == lane => {
                    Some((u8::MAX - job.priority, line, *id))
                }
                _ => None,
            })
            .collect();
        candidates.sort_unstable();
        let room = if paused { 0 } else { room };
        let wanted = self.under_limits(lane, room, candidates.iter().map(|(_, _, id)| *id));

        let term = LeaseTerm::new(Duration::from_millis(term_ms)).unwrap();
        let now = self.now();
        let grants = self.state.apply_lease(LANES[lane], max, term, holder, now, &mut self.rows);
        let got: Vec<u64> = grants.iter().map(|grant| grant.id.get()).collect();
        assert_eq!(got, wanted);
        for grant in grants {
            assert!(!self.tokens.contains(&grant.lease), "token {} is given twice", grant.lease);
            self.tokens.push(grant.lease);
            let until = self.now + term_ms;
            assert_eq!(grant.until.get(), until);
            let job = self.jobs.get_mut(&grant.id.get()).unwrap();
            assert!(job.earliest <= self.now, "job {} is early", grant.id);
            assert!(job.deadline.is_none_or(|deadline| deadline > self.now), "job {} is too old", grant.id);
            job.failures += 1;
            job.stand = Stand::Leased { until, token: grant.lease, holder };
            // Independent of the model's own idea of order: ids rise with enqueuing.
            if let (Some(group), false) = (job.group, job.delayed_or_requeued) {
                let firsts = self.first_leases.entry((lane, group)).or_default();
                if !firsts.contains(&grant.id.get()) {
                    assert!(firsts.last() < Some(&grant.id.get()), "group {group} out of order");
                    firsts.push(grant.id.get());
                }
            }
        }
    }

    /// The first of these jobs for which lane and key have room; their leases begin.
    fn under_limits(&mut self, lane: usize, room: usize, ids: impl Iterator<Item = u64>) -> Vec<u64> {
        let (settings, now) = (self.lanes[lane].settings, self.now());
        let mut taken: Vec<u64> = Vec::new();
        for id in ids {
            let key = self.jobs[&id].limit_key();
            let meter = |world: &Self, key| world.meters.get(&(lane, key)).copied().unwrap_or_default();
            let lane_is_dry = settings.rate.is_some_and(|rate| meter(self, None).tokens(&rate, now) == 0);
            if taken.len() >= room || lane_is_dry {
                break;
            }
            if key.is_some() {
                let same = |id: &u64| self.jobs[id].lane == lane && self.jobs[id].limit_key() == key;
                let runs =
                    |id: &u64| matches!(self.jobs[id].stand, Stand::Leased { .. }) || taken.contains(id);
                let leased = self.jobs.keys().filter(|id| same(id) && runs(id)).count();
                let is_full = settings.key_leased_max > 0 && leased >= settings.key_leased_max as usize;
                if is_full || settings.key_rate.is_some_and(|rate| meter(self, key).tokens(&rate, now) == 0) {
                    continue;
                }
            }
            for (key, rate) in [(None, settings.rate), (key, settings.key_rate.filter(|_| key.is_some()))] {
                if let Some(rate) = rate {
                    self.meters.entry((lane, key)).or_default().take(&rate, now);
                    self.begun.entry((lane, key)).or_default().push(self.now);
                }
            }
            taken.push(id);
        }
        taken
    }

    fn ack(&mut self, pick: usize) {
        let Some((lease, held)) = self.token(pick) else { return };
        let ack = Ack { lease, result: None };
        let checked = self.state.check_acks(std::slice::from_ref(&ack));
        assert_eq!(checked.is_ok(), held.is_some());
        let now = self.now();
        assert_eq!(self.state.apply_ack(&ack, now, &mut self.rows), held.is_some());
        match held {
            Some(id) => {
                *self.completed.entry(id).or_default() += 1;
                self.jobs.remove(&id);
                self.advance_lines();
            }
            None => assert_eq!(checked.unwrap_err().conflict(), Some(&Conflict::LeaseLost)),
        }
    }

    fn nack(&mut self, pick: usize, retry_in_ms: Option<u64>) {
        let Some((lease, held)) = self.token(pick) else { return };
        let error = format!("failure {pick}").repeat(pick % 3);
        let nack = Nack { lease, error, retry_in: retry_in_ms.map(Duration::from_millis) };
        assert_eq!(self.state.check_nack(&nack).is_ok(), held.is_some());
        let now = self.now();
        let nacked = self.state.apply_nack(&nack, now, &mut self.rows);
        assert_eq!(nacked.is_some(), held.is_some());
        let (Some(id), Some(nacked)) = (held, nacked) else { return };
        let job = &self.jobs[&id];
        let retry = job.retry.unwrap_or(self.lanes[job.lane].settings.retry);
        let is_dead = self.gives_up(id);
        let (least, most) = match retry.backoff {
            Backoff::Exponential => (1, (retry.ms_base << (job.failures - 1)).min(retry.ms_max)),
            Backoff::Linear => {
                let wait = (retry.ms_base * u64::from(job.failures)).min(retry.ms_max);
                (wait, wait)
            }
            Backoff::List(waits) => {
                let place = (job.failures as usize).min(waits.as_ms().len()) - 1;
                (waits.as_ms()[place], waits.as_ms()[place])
            }
        };
        assert_eq!(nacked.state, if is_dead { JobState::Dead } else { JobState::Retrying });
        assert_eq!(nacked.due.is_none(), is_dead);
        let due = nacked.due.map_or(0, Millis::get);
        if !is_dead {
            let wait = due - self.now;
            let (least, most) = retry_in_ms.map_or((least.max(1), most.max(1)), |ms| (ms.max(1), ms.max(1)));
            assert!((least..=most).contains(&wait), "{wait} is not within {least} to {most}");
        }
        self.fail(id, due);
    }

    fn heartbeat(&mut self, pick: usize, term_ms: u64, progress: Option<Progress>) {
        let Some((lease, held)) = self.token(pick) else { return };
        let term = LeaseTerm::new(Duration::from_millis(term_ms)).unwrap();
        let now = self.now();
        let beat = Heartbeat { lease, term, progress: progress.clone() };
        let told = self.state.apply_heartbeat(beat, now, &mut self.rows);
        let is_cancelled =
            self.cancelled.get(&lease.id.get()).is_some_and(|(of, until)| *of == lease && *until > self.now);
        let until = held.map(|_| Beat::Until(Millis::new(self.now + term_ms)));
        assert_eq!(told, until.or(is_cancelled.then_some(Beat::Cancel)));
        let Some(id) = held else { return };
        let job = self.jobs.get_mut(&id).unwrap();
        if let Some(progress) = progress {
            job.progress = Some(progress).filter(|told| *told != Progress::default());
        }
        if let Stand::Leased { until, .. } = &mut job.stand {
            *until = self.now + term_ms;
        }
    }

    fn release(&mut self, pick: usize) {
        let Some((lease, held)) = self.token(pick) else { return };
        let now = self.now();
        assert_eq!(self.state.apply_release(lease, now, &mut self.rows), held.is_some());
        if let Some(id) = held {
            self.jobs.get_mut(&id).unwrap().failures -= 1;
            self.rejoin_as_head(id);
        }
    }

    /// Any id ever given, but half the time one in the queue.
    fn any_id(&self, pick: usize) -> u64 {
        let present: Vec<u64> = self.jobs.keys().copied().collect();
        match (pick / 2).checked_rem(present.len()) {
            Some(place) if pick.is_multiple_of(2) => present[place],
            _ => pick as u64 / 2 % (self.last_id + 2),
        }
    }

    fn cancel(&mut self, pick: usize) {
        let id = self.any_id(pick);
        let removed = self.jobs.remove(&id);
        if let Some(Stand::Leased { until, token, .. }) = removed.as_ref().map(|job| job.stand) {
            self.cancelled.insert(id, (token, until));
        }
        let is_present = removed.is_some();
        assert_eq!(self.state.check_cancel(JobId::new(id)).is_ok(), is_present);
        if is_present {
            let now = self.now();
            self.state.apply_cancel(JobId::new(id), "the test", now, &mut self.rows);
            self.cancelled_or_dropped += 1;
            self.advance_lines();
        }
    }

    fn requeue(&mut self, pick: usize) {
        let dead: Vec<u64> = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job.stand, Stand::Dead { .. }))
            .map(|(id, _)| *id)
            .collect();
        let id = match (pick / 3).checked_rem(dead.len()) {
            Some(place) if !pick.is_multiple_of(3) => dead[place],
            _ => self.any_id(pick),
        };
        let may = self.jobs.get(&id).is_some_and(|job| {
            matches!(job.stand, Stand::Dead { .. }) && self.holder_of(job.lane, job.unique).is_none()
        });
        assert_eq!(self.state.check_requeue(JobId::new(id)).is_ok(), may);
        if may {
            let now = self.now();
            self.state.apply_requeue(JobId::new(id), now, &mut self.rows);
            let job = self.jobs.get_mut(&id).unwrap();
            (job.failures, job.delayed_or_requeued, job.deadline) = (0, true, None);
            job.earliest = 0;
            self.join(id);
        }
    }

    fn restart(&mut self) {
        self.epoch += 1;
        self.cancelled.clear();
        self.state = self.rows.load(self.epoch, JOBS_MAX).unwrap();
        let now = self.now();
        self.state.recover(now, &mut self.rows);
        let orphans: Vec<u64> = self
            .jobs
            .iter()
            .filter_map(|(id, job)| match job.stand {
                Stand::Leased { holder: Holder::Process, .. } => Some(*id),
                _ => None,
            })
            .collect();
        for id in orphans {
            self.fail(id, self.now);
        }
    }

    fn count(&self, lane: usize, is: impl Fn(Stand) -> bool) -> usize {
        self.jobs.values().filter(|job| job.lane == lane && is(job.stand)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_is_its_model(steps in proptest::collection::vec(step(), 1..160)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check();
        }
    }
}
