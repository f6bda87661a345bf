//! The lanes over a real store and matcher.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dateline_engine::{
    Condition, DocId, Durability, JobId, JobState, LeasedJob, NewJob, Receipt, Result, Transaction,
};
use serde_json::{Value, json};

use super::lane::{Desk, Lane};
use super::settle;
use super::stop::Stop;
use super::worker::Worker;
use super::*;
use crate::testing::test_config;

fn app() -> App {
    App::builder().config(test_config()).open().unwrap()
}

fn ad(app: &App, id: &str, body: &Value, lanes: &[&str]) -> Receipt {
    let ads = app.store().catalog().by_name("ads").unwrap().id;
    let tx = Transaction::new(Durability::Buffered);
    let tx = tx.put(ads, DocId::new(id).unwrap(), Condition::Always, body.to_string());
    let payload = json!({"ad": id}).to_string();
    let tx = lanes.iter().fold(tx, |tx, lane| tx.enqueue(NewJob::new(*lane, payload.clone())));
    app.store().commit(tx).unwrap()
}

fn body(app: &App, collection: &str, id: &str) -> Value {
    let collection = app.store().catalog().by_name(collection).unwrap().id;
    let document = app.store().get(collection, id).unwrap();
    document.map_or(Value::Null, |document| serde_json::from_slice(&document.body).unwrap())
}

/// The results of a lane's finished jobs, once there are `count`.
fn results(app: &App, lane: &str, count: usize) -> Vec<(JobId, Value)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = app.store().queue().finished(lane, 100).unwrap();
        if found.len() >= count {
            let result = |result: Option<bytes::Bytes>| {
                result.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
            };
            return found.into_iter().map(|job| (job.id, result(job.result))).collect();
        }
        assert!(Instant::now() < deadline, "{lane}: {} of {count} jobs finished", found.len());
        std::thread::sleep(Duration::from_millis(10));
    }
}

const PLACE: [f64; 2] = [52.5, 13.4];

#[test]
fn an_ad_ends_at_its_time_and_not_before() {
    let app = app();
    let due = json!({"title": "due", "coords": PLACE, "expires": "2020-01-01T00:00:00+0000", "_version": 4});
    ad(&app, "due", &due, &["ads:expire"]);
    let later = json!({"title": "later", "coords": PLACE, "expires": "2120-01-01T00:00:00Z", "_version": 1});
    // Not within ten years: the queue could not hold it, and it is not due either.
    let soon = app.store().now().get() + 3_600_000;
    let soon = crate::eve::date::format(soon);
    let moved = json!({"title": "moved", "coords": PLACE, "expires": soon, "_version": 1});
    ad(&app, "moved", &moved, &["ads:expire", "ads:expire"]);
    let off = json!({"title": "off", "coords": PLACE, "expires": "2020-01-01T00:00:00Z", "active": false});
    ad(&app, "off", &off, &["ads:expire"]);
    ad(&app, "endless", &json!({"title": "endless", "coords": PLACE}), &["ads:expire"]);
    let tx = Transaction::new(Durability::Buffered).enqueue(NewJob::new("ads:expire", r#"{"ad":"nowhere"}"#));
    app.store().commit(tx).unwrap();

    let workers = start(&app).unwrap();
    let results = results(&app, "ads:expire", 6);
    let of = |name: &str| results.iter().filter(|(_, result)| result.to_string().contains(name)).count();
    assert_eq!(
        (of("ended"), of("later_ms"), of("not active"), of("no end"), of("not there")),
        (1, 2, 1, 1, 1)
    );
    let mut expected = due.clone();
    expected["active"] = json!(false);
    expected["ended_reason"] = json!("expired");
    expected["_version"] = json!(5);
    assert_eq!(body(&app, "ads", "due"), expected);
    assert_eq!(body(&app, "ads", "moved"), moved);
    let waiting = app.store().queue().jobs("ads:expire", JobId::ZERO, 10).unwrap();
    let states: Vec<_> = waiting.iter().map(|job| (job.state, job.unique.as_deref())).collect();
    assert_eq!(states, [(JobState::Scheduled, Some("moved"))], "{later}");
    workers.stop();
    app.stop();
}

#[test]
fn a_new_ad_is_matched_and_logged_once() {
    let app = app();
    let workers = start(&app).unwrap();
    let receipts: Vec<Receipt> = (0..40)
        .map(|n| {
            let body = json!({"title": format!("ad {n}"), "coords": PLACE});
            ad(&app, &format!("ad{n}"), &body, &["new:ad", "new:log"])
        })
        .collect();
    let matched = results(&app, "new:ad", 40);
    for (id, result) in &matched {
        assert!(result["matched_through"].as_u64().unwrap() >= id.get(), "{id}: {result}");
    }
    results(&app, "new:log", 40);
    for (n, receipt) in receipts.iter().enumerate() {
        let told = body(&app, "activity", &format!("{:024x}", receipt.jobs[1].get()));
        assert_eq!((&told["event"], &told["ad"]), (&json!("ad:created"), &json!(format!("ad{n}"))));
        assert!(told["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    let followers = app.followers();
    let shown =
        followers.iter().filter(|(name, state)| name.starts_with("worker ") && state.failed.is_none());
    assert_eq!(shown.count(), super::OWN_LANES.len());
    workers.stop();
    app.stop();
}

#[test]
fn a_job_that_nobody_understands_does_not_hold_up_others() {
    let app = app();
    let tx = Transaction::new(Durability::Buffered).enqueue(NewJob::new("new:log", "nonsense"));
    let bad = app.store().commit(tx).unwrap().jobs[0];
    ad(&app, "good", &json!({"title": "good", "coords": PLACE}), &["new:log"]);
    let workers = start(&app).unwrap();
    results(&app, "new:log", 1);
    let job = app.store().queue().job(bad).unwrap().unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Retrying, 1));
    assert!(job.error.unwrap().contains("names no ad"));
    workers.stop();
    app.stop();
}

/// Panics over jobs with the payload `panic`; counts the others.
struct Fragile {
    done: Arc<AtomicU32>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl Lane for Fragile {
    fn name(&self) -> &'static str {
        "test:fragile"
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        self.sizes.lock().unwrap().push(jobs.len());
        assert!(jobs.iter().all(|job| &job.payload[..] != b"panic"), "a job to panic over");
        let left = settle::together(desk.app.store(), jobs, &|tx, job: &LeasedJob| {
            tx.complete(dateline_engine::Ack { lease: job.lease, result: None })
        })?;
        assert!(left.is_empty());
        self.done.fetch_add(u32::try_from(jobs.len()).unwrap(), Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_panic_costs_one_job_an_attempt_and_the_thread_goes_on() {
    let app = app();
    let enqueue = |payload: &'static str| {
        let tx = Transaction::new(Durability::Buffered).enqueue(NewJob::new("test:fragile", payload));
        app.store().commit(tx).unwrap().jobs[0]
    };
    let ids: Vec<JobId> = ["1", "2", "panic", "3"].into_iter().map(enqueue).collect();
    let (done, sizes, stop) = (Arc::new(AtomicU32::new(0)), Arc::default(), Arc::new(Stop::default()));
    let lane = Fragile { done: Arc::clone(&done), sizes: Arc::clone(&sizes) };
    let worker = Worker::new(&app, Box::new(lane), Arc::clone(&stop));
    let thread = std::thread::spawn(move || worker.run());
    let deadline = Instant::now() + Duration::from_secs(20);
    while done.load(Ordering::SeqCst) < 3 {
        assert!(Instant::now() < deadline, "the thread did not go on");
        std::thread::sleep(Duration::from_millis(10));
    }
    let poison = app.store().queue().job(ids[2]).unwrap().unwrap();
    assert!(poison.attempt >= 1 && poison.error.unwrap().contains("a job to panic over"));
    let told = Instant::now();
    stop.set();
    thread.join().unwrap();
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    let sizes = sizes.lock().unwrap();
    assert_eq!(sizes[0], 4);
    assert!(sizes[1..].iter().all(|&size| size == 1), "{sizes:?}");
    app.stop();
}

#[test]
fn workers_end_when_the_server_drains() {
    let app = app();
    let workers = start(&app).unwrap();
    app.drain();
    let told = Instant::now();
    let deadline = told + Duration::from_secs(5);
    while workers.threads.iter().any(|thread| !thread.is_finished()) {
        assert!(Instant::now() < deadline, "workers did not hear of the drain");
        std::thread::sleep(Duration::from_millis(10));
    }
    workers.stop();
    app.stop();
}
