//! The queue's calls that hold no thread, and what listeners are told.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam::channel::bounded;

use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::{
    Ack, Clock, ErrorKind, Granted, Heartbeat, Holder, JobId, JobState, JobStep, LaneSettings, LeaseRequest,
    LeaseTerm, ManualClock, Millis, Nack, NewJob, Options, Result, Retention, Store, Transaction, TrimPolicy,
};

fn open() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
    let options = Options { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Options::new() };
    (Store::memory(options).unwrap(), clock)
}

fn enqueue(store: &Store, jobs: impl IntoIterator<Item = NewJob>) -> Vec<JobId> {
    let transaction = jobs.into_iter().fold(Transaction::new(crate::Durability::Sync), Transaction::enqueue);
    store.commit(transaction).unwrap().jobs
}

fn lease(store: &Store, max: usize) -> Granted {
    let (told, heard) = bounded(1);
    let request = LeaseRequest {
        lane: "mail".to_owned(),
        max,
        term: LeaseTerm::new(Duration::from_secs(30)).unwrap(),
        holder: Holder::Worker,
        wait: Duration::ZERO,
    };
    store.queue().submit_lease(request, move |granted| told.send(granted).unwrap());
    heard.recv().unwrap().unwrap()
}

fn acks(store: &Store, acks: Vec<Ack>) -> Result<Vec<bool>> {
    let (told, heard) = bounded(1);
    store.queue().submit_acks(acks, move |done| told.send(done).unwrap());
    heard.recv().unwrap()
}

#[test]
fn a_worker_that_waits_elsewhere_goes_through_a_whole_life() {
    let (store, clock) = open();
    let heard = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let hears = Arc::clone(&heard);
    store.queue().listen(move |news| {
        let mut heard = hears.lock().unwrap();
        heard.0.extend(news.woken.iter().map(ToString::to_string));
        heard.1.extend(news.events.iter().map(|event| (event.id, event.step)));
    });
    let ids = enqueue(&store, (0..3).map(|n| NewJob::new("mail", n.to_string())));
    clock.advance_ms(500);
    let granted = lease(&store, 2);
    assert_eq!((granted.len(), granted.is_empty()), (2, false));
    let jobs = store.queue().open(&granted).unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), ids[..2]);
    clock.advance_ms(200);
    let ack = |n: usize| Ack { lease: jobs[n].lease, result: Some("true".into()) };
    assert_eq!(acks(&store, vec![ack(0), ack(0)]).unwrap(), [true, false], "completed once");
    let (told, nacked) = bounded(1);
    let nack = Nack { lease: jobs[1].lease, error: "no".to_owned(), retry_in: Some(Duration::from_secs(9)) };
    store.queue().submit_nack(nack, move |done| told.send(done).unwrap());
    assert_eq!(nacked.recv().unwrap().unwrap().due, Some(Millis::new(10_700)));
    let (told, beaten) = bounded(1);
    let term = LeaseTerm::new(Duration::from_secs(1)).unwrap();
    store.queue().submit_heartbeat(Heartbeat { lease: jobs[1].lease, term, progress: None }, move |done| {
        told.send(done).unwrap()
    });
    assert_eq!(beaten.recv().unwrap().unwrap_err().kind(), ErrorKind::Conflict);

    let granted = lease(&store, 9);
    store.queue().give_back(granted);
    let again = store.queue().open(&lease(&store, 9)).unwrap();
    assert_eq!((again[0].id, again[0].attempt), (ids[2], 2), "given back, and given out again");
    store.queue().cancel(ids[2], "me").unwrap();

    let too_long = Ack { lease: again[0].lease, result: Some(vec![0; (64 << 10) + 1].into()) };
    assert_eq!(acks(&store, vec![too_long]).unwrap_err().kind(), ErrorKind::Invalid);
    // A last call, so that all before has been told.
    store.queue().lanes().unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard.0.iter().all(|lane| lane == "mail") && !heard.0.is_empty(), "{heard:?}");
    let leased = |n: usize, waited_ms| (ids[n], JobStep::Leased { waited_ms });
    assert_eq!(
        heard.1,
        [
            leased(0, 500),
            leased(1, 500),
            (ids[0], JobStep::Done { ran_ms: 200 }),
            (ids[1], JobStep::Retrying { ran_ms: 200 }),
            leased(2, 700),
            leased(2, 0),
            (ids[2], JobStep::Cancelled),
        ]
    );
}

#[test]
fn finished_jobs_are_found_by_id_and_others_by_state() {
    let (store, clock) = open();
    let ids = enqueue(&store, (0..5).map(|n| NewJob::new("mail", n.to_string())));
    let jobs = store.queue().open(&lease(&store, 2)).unwrap();
    clock.advance_ms(1_000);
    acks(&store, vec![Ack { lease: jobs[1].lease, result: Some("7".into()) }]).unwrap();
    let (lane, job) = store.queue().finished_job(ids[1]).unwrap().unwrap();
    assert_eq!((&*lane, job.state, job.finished), ("mail", JobState::Done, Millis::new(2_000)));
    assert_eq!(job.result.as_deref(), Some(&b"7"[..]));
    assert_eq!(store.queue().finished_job(ids[0]).unwrap(), None, "not finished");
    assert_eq!(store.queue().finished_job(JobId::new(9_999)).unwrap(), None, "never was");
    let of = |stands, skip, limit| -> Vec<JobId> {
        let found = store.queue().jobs_in("mail", stands, JobId::ZERO, skip, limit).unwrap();
        found.into_iter().map(|job| job.id).collect()
    };
    assert_eq!(of(None, 0, 9), [ids[0], ids[2], ids[3], ids[4]]);
    assert_eq!(of(None, 1, 2), [ids[2], ids[3]]);
    assert_eq!(of(Some(JobState::Leased), 0, 9), [ids[0]]);
    assert_eq!(of(Some(JobState::Ready), 1, 9), [ids[3], ids[4]]);
    assert!(of(None, 0, 0).is_empty());
}

/// Rows of finished jobs in the store below.
fn rows_of_finished(kv: &MemoryKv) -> usize {
    let (mut rows, all) = (0, KeyRange::new([], [u8::MAX; 32]));
    kv.scan(Family::Done, &all, Direction::Forward, &mut |_, _| {
        rows += 1;
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    rows
}

#[test]
fn a_finished_job_outlives_its_place_in_the_log_and_nothing_outlives_its_retention() {
    let (kv, clock) = (MemoryKv::default(), Arc::new(ManualClock::new(Millis::new(1_000))));
    let store = Store::start(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let ids = enqueue(&store, (0..2).map(|n| NewJob::new("mail", n.to_string())));
    let kept = LaneSettings { done_ms_keep: 600_000, ..LaneSettings::INITIAL };
    store.queue().configure("mail", kept).unwrap();
    let jobs = store.queue().open(&lease(&store, 1)).unwrap();
    acks(&store, vec![Ack { lease: jobs[0].lease, result: Some("7".into()) }]).unwrap();
    store.queue().cancel(ids[1], "nobody").unwrap();
    clock.advance_ms(300_000);
    enqueue(&store, [NewJob::new("other", "later")]);
    let lane = Retention { keep_ms: 1_000, keep_bytes: u64::MAX, hold_ms_max: 1_000 };
    let floor = store.trim(&TrimPolicy { log: lane, positions: lane }).unwrap().floor.seq.get();
    assert!(floor >= ids[1].get(), "{floor}: the log does not know the jobs any more");
    let found = |id| store.queue().finished_job(id).unwrap().map(|(lane, job)| (lane.to_string(), job.state));
    assert_eq!(found(ids[0]), Some(("mail".to_owned(), JobState::Done)));
    assert_eq!(found(ids[1]), Some(("mail".to_owned(), JobState::Cancelled)));
    assert_eq!(rows_of_finished(&kv), 4);
    clock.advance_ms(300_001);
    enqueue(&store, [NewJob::new("other", "a commit sweeps")]);
    assert_eq!((found(ids[0]), found(ids[1]), rows_of_finished(&kv)), (None, None, 0));
}

#[test]
fn a_receipt_says_which_jobs_are_new() {
    let (store, _) = open();
    let unique = |key: &str| NewJob { unique: Some(key.to_owned()), ..NewJob::new("mail", "1") };
    let first = store.commit(Transaction::new(crate::Durability::Sync).enqueue(unique("a"))).unwrap();
    assert!(first.is_new(first.jobs[0]));
    let again = store.commit(Transaction::new(crate::Durability::Sync).enqueue(unique("a"))).unwrap();
    assert_eq!((again.jobs.clone(), again.enqueued), (first.jobs.clone(), 0));
    assert!(!again.is_new(again.jobs[0]));
    let both = [unique("a"), unique("b")].into_iter();
    let both = store.commit(both.fold(Transaction::new(crate::Durability::Sync), Transaction::enqueue));
    let both = both.unwrap();
    assert_eq!([both.is_new(both.jobs[0]), both.is_new(both.jobs[1])], [false, true]);
}
