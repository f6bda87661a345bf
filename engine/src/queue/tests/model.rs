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
use crate::queue::{Ack, Holder, JobState, LaneSettings, LeaseTerm, LeaseToken, Nack, NewJob, QueueState};
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
                                    | Stand::Retrying { .. }
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
        let job = &self.jobs[&id];
        if job.failures >= job.attempts_max {
            let now = self.now;
            self.jobs.get_mut(&id).unwrap().stand = Stand::Dead { at: now };
            self.advance_lines();
        } else if due > self.now {
            let job = self.jobs.get_mut(&id).unwrap();
            job.stand = Stand::Retrying { due };
            job.earliest = due;
        } else {
            self.rejoin_as_head(id);
        }
    }

    fn tick(&mut self) {
        loop {
            let due = self.jobs.iter().filter_map(|(id, job)| {
                let keep = self.lanes[job.lane].settings.dead_ms_keep;
                let (at, kind) = match job.stand {
                    Stand::Scheduled { due } => (due, 1),
                    Stand::Retrying { due } => (due, 2),
                    Stand::Leased { until, .. } => (until, 3),
                    Stand::Dead { at } if keep > 0 => (at + keep, 4),
                    _ => return None,
                };
                Some((at, kind, *id))
            });
            let Some((_, kind, id)) = due.filter(|(at, ..)| *at <= self.now).min() else { return };
            match kind {
                1 => self.join(id),
                2 => self.rejoin_as_head(id),
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
            Step::Enqueue { lane, group, unique, priority, delay_ms, attempts_max } => {
                let job = NewJob {
                    group: group.map(|group| format!("group-{group}")),
                    unique: unique.map(|unique| format!("unique-{unique}")),
                    priority,
                    delay: Duration::from_millis(delay_ms),
                    attempts_max,
                    ..NewJob::new(LANES[lane], format!("payload {}", self.last_id + 1))
                };
                self.enqueue(lane, group, unique, &job);
            }
            Step::Lease { lane, max, term_ms, holder } => self.lease(lane, max, term_ms, holder),
            Step::Ack { pick } => self.ack(pick),
            Step::Nack { pick, retry_in_ms } => self.nack(pick, retry_in_ms),
            Step::Heartbeat { pick, term_ms } => self.heartbeat(pick, term_ms),
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
                self.state.apply_settings(LANES[lane], settings, &mut self.rows);
                self.lanes[lane].known = true;
                self.lanes[lane].settings = settings;
            }
            Step::Pass { ms } => self.now += ms,
            Step::Restart => self.restart(),
        }
        self.state.tick(self.now(), &mut self.rows);
        self.tick();
    }

    fn enqueue(&mut self, lane: usize, group: Option<u8>, unique: Option<u8>, new: &NewJob) {
        let prepared = new.prepare().unwrap();
        let holder = self.holder_of(lane, unique);
        assert_eq!(self.state.holder(&prepared), holder.map(JobId::new));
        let settings = self.lanes[lane].settings;
        let in_lane = self.jobs.values().filter(|job| job.lane == lane).count();
        let lane_is_full = settings.jobs_max > 0 && in_lane >= settings.jobs_max as usize;
        let is_full = holder.is_none() && (self.jobs.len() >= JOBS_MAX || lane_is_full);
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
        self.jobs.insert(
            id,
            ModelJob {
                lane,
                group,
                unique,
                priority: new.priority,
                failures: 0,
                attempts_max: if new.attempts_max == 0 { settings.attempts_max } else { new.attempts_max },
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
        candidates.truncate(if paused { 0 } else { room });
        let wanted: Vec<u64> = candidates.iter().map(|(_, _, id)| *id).collect();

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
        let settings = self.lanes[job.lane].settings;
        let ceiling = (settings.backoff_ms_base << (job.failures - 1)).min(settings.backoff_ms_max);
        let is_dead = job.failures >= job.attempts_max;
        assert_eq!(nacked.state, if is_dead { JobState::Dead } else { JobState::Retrying });
        assert_eq!(nacked.due.is_none(), is_dead);
        let due = nacked.due.map_or(0, Millis::get);
        if !is_dead {
            let wait = due - self.now;
            let (least, most) = retry_in_ms.map_or((1, ceiling.max(1)), |ms| (ms.max(1), ms.max(1)));
            assert!((least..=most).contains(&wait), "{wait} is not within {least} to {most}");
        }
        self.fail(id, due);
    }

    fn heartbeat(&mut self, pick: usize, term_ms: u64) {
        let Some((lease, held)) = self.token(pick) else { return };
        let term = LeaseTerm::new(Duration::from_millis(term_ms)).unwrap();
        let now = self.now();
        let until = self.state.apply_heartbeat(lease, term, now, &mut self.rows);
        let wanted = held.map(|_| self.now + term_ms);
        assert_eq!(until.map(Millis::get), wanted);
        if let (Some(id), Some(wanted)) = (held, wanted)
            && let Stand::Leased { until, .. } = &mut self.jobs.get_mut(&id).unwrap().stand
        {
            *until = wanted;
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
        let is_present = self.jobs.remove(&id).is_some();
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
            (job.failures, job.delayed_or_requeued) = (0, true);
            self.join(id);
        }
    }

    fn restart(&mut self) {
        self.epoch += 1;
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
