//! Limits, policies and ages, one promise per test.

use std::time::Duration;

use super::{Bench, in_group, mail};
use crate::error::ErrorKind;
use crate::queue::{
    Ack, Backoff, Beat, GroupOnFail, Heartbeat, JobState, LaneSettings, LeaseTerm, LeaseToken, Nack, NewJob,
    Progress, Rate, Retry, Waits,
};
use crate::types::{JobId, Millis};

fn with(settings: LaneSettings) -> Bench {
    let mut bench = Bench::new();
    bench.state.check_settings("mail", &settings).unwrap();
    bench.state.apply_settings("mail", settings, bench.now, &mut bench.rows);
    bench
}

fn keyed(key: &str) -> NewJob {
    NewJob { key: Some(key.to_owned()), ..mail() }
}

fn ids(bench: &mut Bench, max: usize) -> Vec<u64> {
    bench.lease(max).iter().map(|grant| grant.id.get()).collect()
}

fn ack(bench: &mut Bench, lease: LeaseToken) {
    assert!(bench.state.apply_ack(&Ack { lease, result: None }, bench.now, &mut bench.rows));
}

fn nack(bench: &mut Bench, lease: LeaseToken) -> JobState {
    let nack = Nack { lease, error: "refused".to_owned(), retry_in: None };
    bench.state.apply_nack(&nack, bench.now, &mut bench.rows).unwrap().state
}

fn beat(bench: &mut Bench, lease: LeaseToken, progress: Option<Progress>) -> Option<Beat> {
    let term = LeaseTerm::new(Duration::from_secs(1)).unwrap();
    bench.state.apply_heartbeat(Heartbeat { lease, term, progress }, bench.now, &mut bench.rows)
}

#[test]
fn a_lane_gives_no_more_leases_than_its_rate_and_wakes_workers_for_the_next() {
    let rate = Rate { jobs: 1, per_ms: 100, burst: 2 };
    let mut bench = with(LaneSettings { rate: Some(rate), ..LaneSettings::INITIAL });
    for _ in 0..4 {
        bench.enqueue(mail());
    }
    assert_eq!(bench.lease(10).len(), 2, "the burst");
    bench.state.take_woken(bench.now);
    assert_eq!(bench.state.next_due(), Some(Millis::new(1_100)), "the writer wakes for the next token");
    bench.pass_ms(99);
    assert!(bench.state.take_woken(bench.now).is_empty());
    assert_eq!(bench.lease(10).len(), 0);
    bench.pass_ms(1);
    assert_eq!(bench.state.take_woken(bench.now), ["mail".into()]);
    assert_eq!(bench.lease(10).len(), 1);
    // A restart brings no tokens.
    bench.state = bench.rows.load(2, 1_000).unwrap();
    assert_eq!(bench.lease(10).len(), 0);
    bench.pass_ms(100);
    assert_eq!(bench.lease(10).len(), 1);
    bench.pass_ms(1_000);
    assert_eq!(
        bench.state.next_due(),
        Some(Millis::new(11_000)),
        "only leases end; a full bucket is forgotten"
    );
    bench.check_reload();
}

#[test]
fn a_busy_key_lets_others_pass_and_keeps_its_own_order() {
    let mut bench = with(LaneSettings { key_leased_max: 1, ..LaneSettings::INITIAL });
    for key in ["a", "a", "a", "b"] {
        bench.enqueue(keyed(key));
    }
    let grants = bench.lease(10);
    assert_eq!(grants.iter().map(|grant| grant.id.get()).collect::<Vec<_>>(), [1, 4]);
    let lane = &bench.state.lanes()[0];
    assert_eq!((lane.ready, lane.held, lane.oldest_ready), (2, 2, Some(Millis::new(1_000))));
    bench.state.take_woken(bench.now);
    bench.enqueue(keyed("c"));
    ack(&mut bench, grants[0].lease);
    assert_eq!(bench.state.take_woken(bench.now), ["mail".into()]);
    bench.check_reload();
    assert_eq!(ids(&mut bench, 10), [2, 5], "back at its old place, before who came later");
    // A job that waits for its key can be cancelled like any other.
    bench.state.apply_cancel(JobId::new(3), "me", bench.now, &mut bench.rows);
    assert_eq!(bench.state.lanes()[0].held, 0);
    bench.check_reload();
}

#[test]
fn the_bucket_of_a_key_is_its_own() {
    let rate = Rate { jobs: 1, per_ms: 1_000, burst: 1 };
    let mut bench = with(LaneSettings { key_rate: Some(rate), ..LaneSettings::INITIAL });
    for key in ["a", "a", "b"] {
        bench.enqueue(keyed(key));
    }
    bench.enqueue(mail());
    assert_eq!(ids(&mut bench, 10), [1, 3, 4], "without a key there is no limit");
    bench.check_reload();
    bench.state = bench.rows.load(2, 1_000).unwrap();
    assert_eq!(ids(&mut bench, 10), [] as [u64; 0], "a restart brings no tokens");
    bench.state.take_woken(bench.now);
    bench.pass_ms(1_000);
    assert_eq!(bench.state.take_woken(bench.now), ["mail".into()]);
    assert_eq!(ids(&mut bench, 10), [2]);
    let unlimited = LaneSettings::INITIAL;
    bench.enqueue(keyed("a"));
    assert_eq!(bench.lease(10).len(), 0);
    bench.state.apply_settings("mail", unlimited, bench.now, &mut bench.rows);
    assert_eq!(ids(&mut bench, 10), [5], "a limit that is lifted holds nobody back");
}

#[test]
fn a_group_is_its_key_unless_the_job_has_one() {
    let rate = Rate { jobs: 1, per_ms: 1_000, burst: 1 };
    let mut bench = with(LaneSettings { key_rate: Some(rate), ..LaneSettings::INITIAL });
    bench.enqueue(in_group("g"));
    bench.enqueue(in_group("g"));
    bench.enqueue(NewJob { key: Some("own".to_owned()), ..in_group("h") });
    let first = bench.lease(10);
    assert_eq!(first.len(), 2);
    ack(&mut bench, first[0].lease);
    assert_eq!(bench.lease(10).len(), 0, "its turn, but not its time");
    bench.pass_ms(1_000);
    assert_eq!(ids(&mut bench, 10), [2]);
}

#[test]
fn a_failed_member_blocks_is_skipped_or_dies() {
    let outcome = |policy| {
        let mut bench = with(LaneSettings { group_on_fail: policy, ..LaneSettings::INITIAL });
        bench.enqueue(in_group("g"));
        bench.enqueue(in_group("g"));
        let lease = bench.lease_one().lease;
        let state = nack(&mut bench, lease);
        bench.check_reload();
        let next = ids(&mut bench, 1);
        bench.pass_ms(1_000);
        bench.check_reload();
        (state, next)
    };
    assert_eq!(outcome(GroupOnFail::Block), (JobState::Retrying, vec![]));
    assert_eq!(outcome(GroupOnFail::Skip), (JobState::Retrying, vec![2]));
    assert_eq!(outcome(GroupOnFail::Dead), (JobState::Dead, vec![2]));
}

#[test]
fn a_job_has_its_own_way_to_be_tried_again() {
    let mut bench = Bench::new();
    let waits = Backoff::List(Waits::new(&[30, 70]).unwrap());
    let retry = Retry { backoff: waits, ms_base: 1, ms_max: 2 };
    let id = bench.enqueue(NewJob { retry: Some(retry), ..mail() });
    for wait in [30, 70, 70] {
        let lease = bench.lease_one().lease;
        nack(&mut bench, lease);
        bench.check_reload();
        bench.pass_ms(wait - 1);
        assert_eq!(bench.lease(1).len(), 0);
        bench.pass_ms(1);
        assert_eq!(bench.state_of(id).unwrap().state, JobState::Ready);
    }
}

#[test]
fn a_job_that_has_grown_too_old_is_dead_without_another_attempt() {
    let mut bench = with(LaneSettings { age_ms_max: 5_000, ..LaneSettings::INITIAL });
    let waits = bench.enqueue(mail());
    let runs = bench.enqueue(NewJob { age_max: Duration::from_millis(100), priority: 1, ..mail() });
    let lease = bench.lease_one().lease;
    bench.pass_ms(200);
    assert_eq!(
        bench.state_of(runs).unwrap().state,
        JobState::Leased,
        "an attempt that has begun may succeed"
    );
    assert_eq!(nack(&mut bench, lease), JobState::Dead);
    bench.check_reload();
    bench.pass_ms(4_799);
    assert_eq!(bench.state_of(waits).unwrap().state, JobState::Ready);
    bench.pass_ms(1);
    let dead = bench.state_of(waits).unwrap();
    assert_eq!((dead.state, dead.attempt), (JobState::Dead, 0));
    assert_eq!(dead.error.as_deref(), Some("older than its maximum age"));
    bench.state.apply_requeue(waits, bench.now, &mut bench.rows);
    bench.pass_ms(9_000);
    assert_eq!(
        bench.state_of(waits).unwrap().state,
        JobState::Ready,
        "who asks for it does not find it too old"
    );
    bench.check_reload();
}

#[test]
fn progress_is_kept_until_told_otherwise() {
    let mut bench = Bench::new();
    let id = bench.enqueue(mail());
    let lease = bench.lease_one().lease;
    let half = Progress { percent: Some(50), message: Some("\u{20ac}".repeat(200)) };
    beat(&mut bench, lease, Some(half)).unwrap();
    beat(&mut bench, lease, None).unwrap();
    bench.check_reload();
    let told = bench.state_of(id).unwrap().progress.unwrap();
    assert_eq!((told.percent, told.message.map(|text| text.len())), (Some(50), Some(510)));
    nack(&mut bench, lease);
    assert_eq!(bench.state_of(id).unwrap().progress.unwrap().percent, Some(50), "also over a retry");
    let high = Progress { percent: Some(101), message: None };
    assert_eq!(high.check().unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_worker_of_a_cancelled_job_is_told_to_stop() {
    let mut bench = Bench::new();
    let id = bench.enqueue(mail());
    let lease = bench.lease_one().lease;
    bench.state.apply_cancel(id, "me", bench.now, &mut bench.rows);
    assert_eq!(beat(&mut bench, lease, None), Some(Beat::Cancel));
    assert!(bench.state.check_lease(lease).is_err(), "and its completion is refused");
    bench.pass_ms(10_000);
    assert_eq!(
        beat(&mut bench, lease, None),
        None,
        "when the lease would have ended it is lost like any other"
    );
}

#[test]
fn a_draining_lane_takes_no_more_and_runs_out() {
    let mut bench = Bench::new();
    bench.enqueue(mail());
    let draining = LaneSettings { draining: true, ..LaneSettings::INITIAL };
    bench.state.apply_settings("mail", draining, bench.now, &mut bench.rows);
    let job = mail().prepare().unwrap();
    let refused = bench.state.check_enqueue(std::slice::from_ref(&job)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(refused.to_string().contains("draining"), "{refused}");
    bench.check_reload();
    assert_eq!(bench.lease(10).len(), 1);
}
