//! What the queue promises, one promise per test.

use std::time::Duration;

use bytes::Bytes;

use super::{Bench, in_group, mail};
use crate::error::{Conflict, ErrorKind};
use crate::kv::families::Family;
use crate::queue::{
    Ack, Beat, Heartbeat, Holder, JobState, LaneSettings, LeaseTerm, LeaseToken, LeasedJob, Nack, NewJob,
    key, record,
};
use crate::types::{JobId, Millis};

fn ack(lease: LeaseToken) -> Ack {
    Ack { lease, result: None }
}

fn nack(lease: LeaseToken, retry_in_ms: Option<u64>) -> Nack {
    Nack { lease, error: "refused".to_owned(), retry_in: retry_in_ms.map(Duration::from_millis) }
}

fn beat(lease: LeaseToken, term: LeaseTerm) -> Heartbeat {
    Heartbeat { lease, term, progress: None }
}

#[test]
fn a_job_is_run_and_leaves_only_its_result() {
    let mut bench = Bench::new();
    let id = bench.enqueue(mail());
    assert_eq!(bench.state_of(id).unwrap().state, JobState::Ready);
    let grant = bench.lease_one();
    let envelope = bench.rows.get(Family::Job, &key::job(grant.lane, grant.id)).unwrap();
    let leased = LeasedJob::open(&grant, envelope).unwrap();
    assert_eq!((leased.id, leased.attempt, &leased.payload[..]), (id, 1, &b"hello"[..]));
    assert_eq!(leased.until, Millis::new(11_000));

    let result = Some(Bytes::from_static(b"{\"sent\":1}"));
    let done = Ack { lease: leased.lease, result: result.clone() };
    bench.state.check_acks(std::slice::from_ref(&done)).unwrap();
    assert!(bench.state.apply_ack(&done, Millis::new(1_500), &mut bench.rows));
    assert_eq!(bench.state.len(), 0);
    let families: Vec<Family> = bench.rows.map.keys().map(|(family, _)| *family).collect();
    assert_eq!(families, [Family::Meta, Family::Done, Family::Done]);
    let found = bench.rows.get(Family::Done, &key::finished(id)).unwrap();
    let (lane, at) = record::decode_finished(&found).unwrap();
    let (place, value) = bench.rows.of(Family::Done).last().unwrap();
    assert_eq!(place, key::filed(lane, at, id));
    let (_, finished_at, of) = key::parse_filed(place).unwrap();
    let finished = record::decode_done(of, finished_at, value.to_vec()).unwrap();
    assert_eq!((finished.id, finished.state, finished.result), (id, JobState::Done, result));
    assert_eq!((finished.started, finished.finished), (Some(Millis::new(1_000)), Millis::new(1_500)));
}

#[test]
fn a_completion_is_accepted_once() {
    let mut bench = Bench::new();
    bench.enqueue(mail());
    let lease = bench.lease_one().lease;
    let twice = [ack(lease), ack(lease)];
    assert_eq!(bench.state.check_acks(&twice).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(bench.state.apply_ack(&twice[0], bench.now, &mut bench.rows));
    let error = bench.state.check_acks(&twice[1..]).unwrap_err();
    assert_eq!(error.conflict(), Some(&Conflict::LeaseLost));
    assert!(!bench.state.apply_ack(&twice[1], bench.now, &mut bench.rows));
}

#[test]
fn a_worker_that_comes_too_late_is_fenced_off() {
    let mut bench = Bench::new();
    bench.enqueue(NewJob { attempts_max: 2, ..mail() });
    let first = bench.lease_one().lease;
    bench.pass_ms(9_999);
    assert!(bench.state.check_lease(first).is_ok());
    bench.pass_ms(1);
    assert!(bench.state.check_lease(first).is_err());
    let second = bench.lease_one().lease;
    assert_eq!(second.attempt, 2);
    assert!(!bench.state.apply_ack(&ack(first), bench.now, &mut bench.rows));
    assert_eq!(bench.state.apply_nack(&nack(first, None), bench.now, &mut bench.rows), None);
    let term = LeaseTerm::new(Duration::from_secs(1)).unwrap();
    assert_eq!(bench.state.apply_heartbeat(beat(first, term), bench.now, &mut bench.rows), None);
    assert!(bench.state.apply_ack(&ack(second), bench.now, &mut bench.rows));
}

#[test]
fn a_requeued_job_never_reissues_a_token() {
    let mut bench = Bench::new();
    let id = bench.enqueue(NewJob { attempts_max: 1, ..mail() });
    let old = bench.lease_one().lease;
    bench.pass_ms(10_000);
    assert_eq!(bench.state_of(id).unwrap().state, JobState::Dead);
    bench.state.check_requeue(id).unwrap();
    bench.state.apply_requeue(id, bench.now, &mut bench.rows);
    let new = bench.lease_one().lease;
    assert_ne!(old, new);
    assert!(bench.state.check_lease(old).is_err());
    // The budget is full again: one failure, then dead.
    let nacked = bench.state.apply_nack(&nack(new, None), bench.now, &mut bench.rows).unwrap();
    assert_eq!(nacked.state, JobState::Dead);
}

#[test]
fn a_lease_forgotten_by_a_power_cut_is_not_the_next_one() {
    let mut bench = Bench::new();
    bench.enqueue(mail());
    let on_disk = bench.rows.clone();
    let lost = bench.lease_one().lease;
    bench.rows = on_disk;
    bench.state = bench.rows.load(2, 1_000).unwrap();
    let given = bench.lease_one().lease;
    assert_eq!((given.id, given.attempt), (lost.id, lost.attempt), "the attempt was forgotten");
    assert!(!bench.state.apply_ack(&ack(lost), bench.now, &mut bench.rows));
    assert!(bench.state.apply_ack(&ack(given), bench.now, &mut bench.rows));
}

#[test]
fn heartbeats_keep_a_lease_also_over_a_restart() {
    let mut bench = Bench::new();
    bench.enqueue(mail());
    let lease = bench.lease_one().lease;
    bench.pass_ms(9_000);
    let term = LeaseTerm::new(Duration::from_secs(10)).unwrap();
    let until = bench.state.apply_heartbeat(beat(lease, term), bench.now, &mut bench.rows);
    assert_eq!(until, Some(Beat::Until(Millis::new(20_000))));
    bench.pass_ms(9_000);
    bench.check_reload();
    bench.state = bench.rows.load(2, 1_000).unwrap();
    bench.state.recover(bench.now, &mut bench.rows);
    assert!(bench.lease(1).is_empty());
    assert!(bench.state.apply_ack(&ack(lease), bench.now, &mut bench.rows));
}

#[test]
fn leases_of_the_process_end_with_it() {
    let mut bench = Bench::new();
    let id = bench.enqueue(NewJob { attempts_max: 2, ..mail() });
    let term = LeaseTerm::new(Duration::from_secs(3_600)).unwrap();
    for attempt in 1..=2 {
        let grants = bench.state.apply_lease("mail", 1, term, Holder::Process, bench.now, &mut bench.rows);
        assert_eq!(grants[0].lease.attempt, attempt);
        bench.state = bench.rows.load(attempt + 1, 1_000).unwrap();
        bench.state.recover(bench.now, &mut bench.rows);
    }
    let job = bench.state_of(id).unwrap();
    assert_eq!(job.state, JobState::Dead, "a job that stops the server every time must give up");
    assert_eq!(job.error.unwrap(), "the server stopped during the attempt");
}

#[test]
fn a_lease_handed_back_costs_no_attempt() {
    let mut bench = Bench::new();
    let id = bench.enqueue(NewJob { attempts_max: 1, ..mail() });
    for _ in 0..3 {
        let lease = bench.lease_one().lease;
        assert!(bench.state.apply_release(lease, bench.now, &mut bench.rows));
        assert!(bench.state.check_lease(lease).is_err());
    }
    assert_eq!(bench.state_of(id).unwrap().state, JobState::Ready);
}

#[test]
fn a_failed_job_waits_then_gives_up() {
    let mut bench = Bench::new();
    let id = bench.enqueue(NewJob { attempts_max: 2, ..mail() });
    let lease = bench.lease_one().lease;
    let failed = nack(lease, Some(500));
    bench.state.check_nack(&failed).unwrap();
    let nacked = bench.state.apply_nack(&failed, bench.now, &mut bench.rows).unwrap();
    assert_eq!((nacked.state, nacked.due), (JobState::Retrying, Some(Millis::new(1_500))));
    assert_eq!(bench.pass_ms(499), Some(Millis::new(1_500)));
    assert!(bench.lease(1).is_empty(), "before its time");
    bench.pass_ms(1);
    let lease = bench.lease_one().lease;
    let nacked = bench.state.apply_nack(&nack(lease, Some(0)), bench.now, &mut bench.rows).unwrap();
    assert_eq!((nacked.state, nacked.due), (JobState::Dead, None));
    let (place, value) = bench.rows.of(Family::Dead).next().unwrap();
    assert_eq!(key::parse_filed(place).unwrap().2, id);
    assert_eq!(record::decode_dead(value).unwrap(), "refused");
    bench.check_reload();
}

#[test]
fn priorities_come_first_then_order_of_becoming_ready() {
    let mut bench = Bench::new();
    let of = |priority| NewJob { priority, ..mail() };
    let ids: Vec<JobId> = [0, 9, 15, 9].map(|priority| bench.enqueue(of(priority))).to_vec();
    let order: Vec<JobId> = bench.lease(10).iter().map(|grant| grant.id).collect();
    assert_eq!(order, [ids[2], ids[1], ids[3], ids[0]]);
}

#[test]
fn a_group_runs_in_order_and_a_retry_blocks_it() {
    let mut bench = Bench::new();
    let ids: Vec<JobId> = (0..3).map(|_| bench.enqueue(in_group("subscriber-7"))).collect();
    let other = bench.enqueue(in_group("subscriber-8"));
    let urgent = bench.enqueue(NewJob { priority: 15, ..in_group("subscriber-7") });
    let leased: Vec<JobId> = bench.lease(10).iter().map(|grant| grant.id).collect();
    assert_eq!(leased, [ids[0], other], "one of each group, whatever the priority behind it");
    let first = bench.state.jobs[&ids[0]].token(ids[0]);
    bench.state.apply_nack(&nack(first, Some(5_000)), bench.now, &mut bench.rows);
    assert!(bench.lease(10).is_empty(), "the retry blocks its group");
    bench.check_reload();
    bench.pass_ms(5_000);
    let mut order = Vec::new();
    while let Some(grant) = bench.lease(10).first().copied() {
        assert!(bench.lease(10).is_empty());
        order.push(grant.id);
        assert!(bench.state.apply_ack(&ack(grant.lease), bench.now, &mut bench.rows));
    }
    assert_eq!(order, [ids[0], ids[1], ids[2], urgent]);
}

#[test]
fn a_dead_or_cancelled_head_lets_its_group_go_on() {
    let mut bench = Bench::new();
    let ids: Vec<JobId> =
        (0..4).map(|_| bench.enqueue(NewJob { attempts_max: 1, ..in_group("g") })).collect();
    bench.state.apply_cancel(ids[1], "ada: not needed", bench.now, &mut bench.rows);
    let lease = bench.lease_one().lease;
    bench.state.apply_nack(&nack(lease, None), bench.now, &mut bench.rows);
    let grant = bench.lease_one();
    assert_eq!(grant.id, ids[2]);
    bench.state.check_cancel(ids[2]).unwrap();
    bench.state.apply_cancel(ids[2], "ada: stuck", bench.now, &mut bench.rows);
    assert!(bench.state.check_lease(grant.lease).is_err());
    assert_eq!(bench.lease_one().id, ids[3]);
    assert_eq!(bench.state.check_cancel(ids[2]).unwrap_err().kind(), ErrorKind::NotFound);
    let (place, value) = bench.rows.of(Family::Done).last().unwrap();
    let (_, at, id) = key::parse_filed(place).unwrap();
    let gone = record::decode_done(id, at, value.to_vec()).unwrap();
    assert_eq!((gone.id, gone.state), (ids[2], JobState::Cancelled));
    assert_eq!(&gone.result.unwrap()[..], b"ada: stuck");
}

#[test]
fn a_delayed_job_joins_its_group_when_due() {
    let mut bench = Bench::new();
    let late = bench.enqueue(NewJob { delay: Duration::from_millis(100), ..in_group("g") });
    let now = bench.enqueue(in_group("g"));
    assert_eq!(bench.lease_one().id, now);
    bench.pass_ms(100);
    assert!(bench.lease(1).is_empty(), "its group is busy");
    let lease = bench.state.jobs[&now].token(now);
    assert!(bench.state.apply_ack(&ack(lease), bench.now, &mut bench.rows));
    assert_eq!(bench.lease_one().id, late);
}

#[test]
fn a_unique_key_answers_the_first_job_until_it_is_finished() {
    let mut bench = Bench::new();
    let unique = || NewJob { unique: Some("nightly".to_owned()), attempts_max: 1, ..mail() };
    let first = bench.enqueue(unique());
    assert_eq!(bench.enqueue(unique()), first);
    let elsewhere = NewJob { lane: "other".to_owned(), ..unique() };
    assert_ne!(bench.enqueue(elsewhere), first, "keys are per lane");
    let lease = bench.lease_one().lease;
    assert_eq!(bench.enqueue(unique()), first, "leased is not finished");
    bench.state.apply_nack(&nack(lease, None), bench.now, &mut bench.rows);
    let second = bench.enqueue(unique());
    assert_ne!(second, first, "dead is finished");
    let refused = bench.state.check_requeue(first).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    bench.check_reload();
    let lease = bench.lease_one().lease;
    assert!(bench.state.apply_ack(&ack(lease), bench.now, &mut bench.rows));
    bench.state.check_requeue(first).unwrap();
    bench.state.apply_requeue(first, bench.now, &mut bench.rows);
    assert_eq!(bench.enqueue(unique()), first);
    bench.check_reload();
}

#[test]
fn a_paused_lane_stays_paused_over_a_restart() {
    let mut bench = Bench::new();
    bench.state.check_lane("mail").unwrap();
    bench.state.apply_pause("mail", true, &mut bench.rows);
    bench.enqueue(mail());
    bench.state = bench.rows.load(2, 1_000).unwrap();
    assert!(bench.state.lanes()[0].paused);
    assert!(bench.lease(1).is_empty());
    assert!(bench.state.take_woken(bench.now).is_empty());
    bench.state.apply_pause("mail", false, &mut bench.rows);
    assert_eq!(bench.state.take_woken(bench.now), ["mail".into()]);
    bench.lease_one();
}

#[test]
fn a_full_queue_says_busy_before_anything_happens() {
    let mut bench = Bench::new();
    let many: Vec<_> = (0..1_001).map(|_| mail().prepare().unwrap()).collect();
    assert!(bench.state.check_enqueue(&many[..1_000]).is_ok());
    assert_eq!(bench.state.check_enqueue(&many).unwrap_err().kind(), ErrorKind::Busy);
    let narrow = LaneSettings { jobs_max: 2, ..LaneSettings::INITIAL };
    bench.state.check_settings("mail", &narrow).unwrap();
    bench.state.apply_settings("mail", narrow, bench.now, &mut bench.rows);
    assert!(bench.state.check_enqueue(&many[..2]).is_ok());
    assert_eq!(bench.state.check_enqueue(&many[..3]).unwrap_err().kind(), ErrorKind::Busy);
}

#[test]
fn lanes_are_bounded() {
    let bench = Bench::new();
    let on = |count: usize| -> Vec<_> {
        (0..count).map(|n| NewJob::new(format!("lane-{n}"), "x").prepare().unwrap()).collect()
    };
    let state = Bench { state: bench.rows.load(1, 10_000).unwrap(), ..bench }.state;
    assert!(state.check_enqueue(&on(1_024)).is_ok());
    assert_eq!(state.check_enqueue(&on(1_025)).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn leases_at_a_time_are_bounded() {
    let mut bench = Bench::new();
    let settings = LaneSettings { leased_max: 2, ..LaneSettings::INITIAL };
    bench.state.apply_settings("mail", settings, bench.now, &mut bench.rows);
    for _ in 0..5 {
        bench.enqueue(mail());
    }
    let grants = bench.lease(10);
    assert_eq!(grants.len(), 2);
    bench.state.take_woken(bench.now);
    assert!(bench.state.apply_ack(&ack(grants[0].lease), bench.now, &mut bench.rows));
    assert_eq!(bench.state.take_woken(bench.now), ["mail".into()]);
    assert_eq!(bench.lease(10).len(), 1);
}

#[test]
fn dead_jobs_and_results_are_kept_as_long_as_told() {
    let mut bench = Bench::new();
    let settings = LaneSettings { dead_ms_keep: 60_000, done_ms_keep: 5_000, ..LaneSettings::INITIAL };
    let id = bench.enqueue(NewJob { attempts_max: 1, ..mail() });
    let lease = bench.lease_one().lease;
    bench.state.apply_nack(&nack(lease, None), bench.now, &mut bench.rows);
    bench.state.apply_settings("mail", settings, bench.now, &mut bench.rows);
    bench.check_reload();
    bench.pass_ms(59_999);
    assert!(bench.state_of(id).is_some());
    bench.pass_ms(1);
    assert_eq!(bench.state.len(), 0);
    assert_eq!(bench.rows.map.len(), 1, "only the lane is left: {:?}", bench.rows.map);

    bench.enqueue(mail());
    let lease = bench.lease_one().lease;
    assert!(bench.state.apply_ack(&ack(lease), bench.now, &mut bench.rows));
    let done = bench.rows.of(Family::Done).last().unwrap().0.to_vec();
    let is_expired = |bench: &Bench| {
        let ranges = bench.state.done_expired(bench.now);
        ranges.iter().any(|(from, to)| done[..] >= from[..] && done[..] < to[..])
    };
    bench.pass_ms(5_000);
    assert!(!is_expired(&bench));
    bench.pass_ms(1);
    assert!(is_expired(&bench));
}

#[test]
fn the_oldest_ready_job_is_known_without_looking() {
    let mut bench = Bench::new();
    bench.enqueue(mail());
    bench.pass_ms(50);
    bench.enqueue(NewJob { priority: 3, ..mail() });
    assert_eq!(bench.state.lanes()[0].oldest_ready, Some(Millis::new(1_000)));
    bench.lease_one();
    assert_eq!(bench.state.lanes()[0].oldest_ready, Some(Millis::new(1_000)));
    bench.lease_one();
    assert_eq!(bench.state.lanes()[0].oldest_ready, None);
}

#[test]
fn a_tick_is_bounded_and_goes_on_with_the_next() {
    let mut bench = Bench::new();
    bench.state = bench.rows.load(1, 10_000).unwrap();
    for _ in 0..1_500 {
        bench.enqueue(NewJob { delay: Duration::from_millis(10), ..mail() });
    }
    assert_eq!(bench.pass_ms(10), Some(Millis::new(1_010)));
    assert_eq!(bench.state.lanes()[0].ready, 1_024);
    assert_eq!(bench.pass_ms(0), None);
    assert_eq!(bench.state.lanes()[0].ready, 1_500);
}
