//! What may happen to a queue, at random.

use proptest::prelude::*;

use super::LANES;
use crate::queue::{Backoff, GroupOnFail, Holder, LaneSettings, Progress, Rate, Retry, Waits};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Enqueue {
        lane: usize,
        group: Option<u8>,
        unique: Option<u8>,
        priority: u8,
        delay_ms: u64,
        attempts_max: u32,
        key: Option<u8>,
        retry: Option<Retry>,
        age_ms: u64,
    },
    Lease {
        lane: usize,
        max: usize,
        term_ms: u64,
        holder: Holder,
    },
    Ack {
        pick: usize,
    },
    Nack {
        pick: usize,
        retry_in_ms: Option<u64>,
    },
    Heartbeat {
        pick: usize,
        term_ms: u64,
        progress: Option<Progress>,
    },
    Release {
        pick: usize,
    },
    Cancel {
        pick: usize,
    },
    Requeue {
        pick: usize,
    },
    Pause {
        lane: usize,
        paused: bool,
    },
    Settings {
        lane: usize,
        settings: LaneSettings,
    },
    Pass {
        ms: u64,
    },
    Restart,
}

/// The weights keep the queue between empty and full.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let lane = 0..LANES.len();
    let pick = 0..1_000_usize;
    let maybe = |most: u8| proptest::option::weighted(0.6, 0..most);
    let enqueue = (
        lane.clone(),
        maybe(3),
        proptest::option::weighted(0.2, 0..3_u8),
        0..4_u8,
        0..4_u8,
        0..60_u64,
        0..4_u32,
        (proptest::option::weighted(0.3, 0..2_u8), proptest::option::weighted(0.2, retry()), 0..6_u64),
    );
    prop_oneof![
        8 => enqueue.prop_map(|(lane, group, unique, priority, late, delay_ms, attempts_max, rest)| Step::Enqueue {
            lane, group, unique, priority: priority * 5, attempts_max, key: rest.0, retry: rest.1,
            age_ms: if rest.2 == 0 { 90 } else { 0 },
            delay_ms: if late == 0 { delay_ms } else { 0 },
        }),
        6 => (lane.clone(), 1..4_usize, 1..80_u64, any::<bool>()).prop_map(|(lane, max, term_ms, inside)| {
            Step::Lease { lane, max, term_ms, holder: if inside { Holder::Process } else { Holder::Worker } }
        }),
        5 => pick.clone().prop_map(|pick| Step::Ack { pick }),
        4 => (pick.clone(), proptest::option::of(0..60_u64))
            .prop_map(|(pick, retry_in_ms)| Step::Nack { pick, retry_in_ms }),
        2 => (pick.clone(), 1..80_u64, proptest::option::of(progress()))
            .prop_map(|(pick, term_ms, progress)| Step::Heartbeat { pick, term_ms, progress }),
        1 => pick.clone().prop_map(|pick| Step::Release { pick }),
        1 => pick.clone().prop_map(|pick| Step::Cancel { pick }),
        2 => pick.prop_map(|pick| Step::Requeue { pick }),
        1 => (lane.clone(), any::<bool>()).prop_map(|(lane, paused)| Step::Pause { lane, paused }),
        1 => (lane, settings()).prop_map(|(lane, settings)| Step::Settings { lane, settings }),
        5 => (0..70_u64).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::Restart),
    ]
}

fn settings() -> impl Strategy<Value = LaneSettings> {
    let ranges = (0..3_u32, 0..3_u64, 0..3_u32, 0..2_u64);
    let rates = (proptest::option::of(rate()), proptest::option::of(rate()), 0..3_u32);
    let policies = (0..GroupOnFail::ALL.len(), retry(), 0..4_u64, 0..5_u8);
    (ranges, rates, policies).prop_map(|(ranges, (rate, key_rate, key_leased_max), policies)| {
        let (leased_max, dead, jobs_max, done) = ranges;
        let (policy, retry, age, draining) = policies;
        LaneSettings {
            attempts_max: 3,
            retry,
            rate,
            key_rate,
            key_leased_max,
            group_on_fail: GroupOnFail::ALL[policy],
            age_ms_max: age / 3 * 120,
            draining: draining == 0,
            done_ms_keep: done * 1_000,
            dead_ms_keep: dead * 150,
            jobs_max: jobs_max * 8,
            leased_max: leased_max * 2,
        }
    })
}

fn rate() -> impl Strategy<Value = Rate> {
    let rate = (1..4_u32, 10..90_u64, 1..4_u32);
    rate.prop_map(|(jobs, per_ms, burst)| Rate { jobs, per_ms, burst })
}

fn retry() -> impl Strategy<Value = Retry> {
    let backoff = prop_oneof![
        2 => Just(Backoff::Exponential),
        1 => Just(Backoff::Linear),
        1 => proptest::collection::vec(0..40_u64, 1..4).prop_map(|waits| Backoff::List(Waits::new(&waits).unwrap())),
    ];
    // A list makes no use of base and maximum, and a job's own does not keep them.
    backoff.prop_map(|backoff| match backoff {
        Backoff::List(_) => Retry { backoff, ms_base: 0, ms_max: 0 },
        _ => Retry { backoff, ms_base: 20, ms_max: 50 },
    })
}

fn progress() -> impl Strategy<Value = Progress> {
    let progress = (proptest::option::of(0..=100_u8), proptest::option::of("[a-z]{1,9}"));
    progress.prop_map(|(percent, message)| Progress { percent, message })
}
