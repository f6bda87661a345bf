//! What may happen to a queue, at random.

use proptest::prelude::*;

use super::LANES;
use crate::queue::{Holder, LaneSettings};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Enqueue {
        lane: usize,
        group: Option<u8>,
        unique: Option<u8>,
        priority: u8,
        delay_ms: u64,
        attempts_max: u32,
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
    );
    prop_oneof![
        8 => enqueue.prop_map(|(lane, group, unique, priority, late, delay_ms, attempts_max)| Step::Enqueue {
            lane, group, unique, priority: priority * 5, attempts_max,
            delay_ms: if late == 0 { delay_ms } else { 0 },
        }),
        6 => (lane.clone(), 1..4_usize, 1..80_u64, any::<bool>()).prop_map(|(lane, max, term_ms, inside)| {
            Step::Lease { lane, max, term_ms, holder: if inside { Holder::Process } else { Holder::Worker } }
        }),
        5 => pick.clone().prop_map(|pick| Step::Ack { pick }),
        4 => (pick.clone(), proptest::option::of(0..60_u64))
            .prop_map(|(pick, retry_in_ms)| Step::Nack { pick, retry_in_ms }),
        2 => (pick.clone(), 1..80_u64).prop_map(|(pick, term_ms)| Step::Heartbeat { pick, term_ms }),
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
    ranges.prop_map(|(leased_max, dead, jobs_max, done)| LaneSettings {
        attempts_max: 3,
        backoff_ms_base: 20,
        backoff_ms_max: 50,
        done_ms_keep: done * 1_000,
        dead_ms_keep: dead * 150,
        jobs_max: jobs_max * 8,
        leased_max: leased_max * 2,
    })
}
