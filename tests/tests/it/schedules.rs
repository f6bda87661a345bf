//! Schedules as operators use them: made, changed, paused, run by hand, and on time over kills.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::errors;
use crate::program::Server;

async fn ground() -> (Server, Client) {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    (server, admin)
}

async fn make(client: &Client, schedule: Value) -> Reply {
    client.post("/api/schedules", &schedule).reply().await.expect(201)
}

fn problem(reply: &Reply, status: u16, kind: &str) -> Value {
    let body = errors::problem(kind, reply, status);
    assert_eq!(body["type"], kind, "{body}");
    body
}

fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("not a time: {value}"))
}

/// The unfinished jobs of a lane: the tick each is of, and when it was added.
async fn ticks(client: &Client, lane: &str) -> Vec<(jiff::Timestamp, jiff::Timestamp)> {
    let jobs = client.read(&format!("/api/jobs?lane={lane}&max_results=500")).await;
    let jobs = jobs["_items"].as_array().cloned().unwrap_or_default();
    let tick = |job: &Value| {
        time(&json!(job["unique"].as_str().and_then(|key| key.split_once('@')).map(|key| key.1)))
    };
    jobs.iter().map(|job| (tick(job), time(&job["enqueued"]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_shows_when_it_comes() {
    let (_server, admin) = ground().await;
    let schedule = json!({
        "name": "report:daily", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "lane": "report",
        "payload": {"kind": "daily"}, "group": "reports",
    });
    let made = make(&admin, schedule).await;
    let (etag, made) = (made.etag(), made.json());
    assert_eq!(
        (&made["_id"], &made["overlap"], &made["catch_up"]),
        (&json!("report:daily"), &json!("skip"), &json!("last"))
    );
    let next: Vec<jiff::Timestamp> = made["next"].as_array().expect("a list").iter().map(time).collect();
    assert_eq!((next.len(), time(&made["next_at"])), (5, next[0]));
    let berlin = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    for at in &next {
        let wall = at.to_zoned(berlin.clone());
        // On the day without half past two it comes at three.
        assert!([(2, 30), (3, 0)].contains(&(wall.hour(), wall.minute())), "{wall}");
    }
    assert!(next.is_sorted() && next[0] > jiff::Timestamp::now());

    let changed =
        admin.patch("/api/schedules/report:daily", &etag, &json!({"payload": 7})).reply().await.expect(200);
    assert_eq!(changed.json()["next"], made["next"], "another payload, the same times");
    let paused = admin.patch("/api/schedules/report:daily", &changed.etag(), &json!({"paused": true}));
    let paused = paused.reply().await.expect(200);
    assert_eq!((&paused.json()["next_at"], &paused.json()["next"]), (&Value::Null, &json!([])));
    let moved = json!({"paused": false, "cron": "0 12 * * *", "time_zone": "UTC"});
    let moved = admin.patch("/api/schedules/report:daily", &paused.etag(), &moved).reply().await.expect(200);
    assert!(
        moved.json()["next_at"].as_str().is_some_and(|at| at.ends_with("T12:00:00Z")),
        "{}",
        moved.text()
    );
    // A document goes back as it was read.
    let read = admin.read("/api/schedules/report:daily").await;
    let put =
        admin.call("PUT", "/api/schedules/report:daily").if_match(&moved.etag()).json(&read).reply().await;
    assert_eq!(put.expect(200).json()["next"], read["next"]);
    let list = admin.read("/api/schedules").await;
    assert_eq!(list["_items"][0]["name"], "report:daily", "{list}");
    problem(
        &admin
            .post("/api/schedules", &json!({"name": "report:daily", "cron": "* * * * *", "lane": "x"}))
            .reply()
            .await,
        409,
        "conflict",
    );
    let etag = admin.get("/api/schedules/report:daily").reply().await.etag();
    admin.delete("/api/schedules/report:daily", &etag).reply().await.expect(204);
    problem(&admin.post("/api/schedules/report:daily/run", &json!({})).reply().await, 404, "not-found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_schedules_name_the_member() {
    let (_server, admin) = ground().await;
    for (member, bad) in [
        ("name", json!("")),
        ("name", json!("a/b")),
        ("name", json!("x".repeat(151))),
        ("cron", json!("61 * * * *")),
        ("cron", json!("every day")),
        ("cron", json!("0 0 30 2 *")),
        ("cron", json!(5)),
        ("time_zone", json!("Europe/Atlantis")),
        ("lane", json!("a b")),
        ("group", json!("")),
        ("jitter_s", json!(-1)),
        ("jitter_s", json!(100_000)),
        ("overlap", json!("maybe")),
        ("catch_up", json!("some")),
        ("paused", json!("yes")),
        ("until", json!("soon")),
        ("until", json!("2020-01-01T00:00:00Z")),
        ("colour", json!(1)),
    ] {
        let mut schedule = json!({"name": "s", "cron": "* * * * *", "lane": "mail"});
        schedule[member] = bad;
        let reply = admin.post("/api/schedules", &schedule).reply().await;
        let refused = if member == "name" && reply.json()["type"] == "invalid-id" {
            problem(&reply, 400, "invalid-id")["_issues"].clone()
        } else {
            problem(&reply, 400, "validation-failed")["_issues"].clone()
        };
        assert!(refused.get(member).is_some() || refused.get("_id").is_some(), "{schedule}: {refused}");
    }
    for missing in ["name", "cron", "lane"] {
        let mut schedule = json!({"name": "s", "cron": "* * * * *", "lane": "mail"});
        schedule.as_object_mut().expect("an object").remove(missing);
        let refused =
            problem(&admin.post("/api/schedules", &schedule).reply().await, 400, "validation-failed");
        assert!(refused["_issues"].get(missing).is_some(), "{missing}: {refused}");
    }
    assert_eq!(admin.read("/api/schedules").await["_meta"]["total"], 0);
    let made = admin.post("/api/tokens", &json!({"name": "worker", "scopes": ["jobs:write"]}));
    let worker = admin.with_token(&made.reply().await.expect(201).field("token"));
    let schedule = json!({"name": "s", "cron": "* * * * *", "lane": "mail"});
    problem(&worker.post("/api/schedules", &schedule).reply().await, 403, "forbidden");
    make(&admin, schedule).await;
    problem(&worker.get("/api/schedules/s").reply().await, 403, "forbidden");
    problem(&worker.post("/api/schedules/s/run", &json!({})).reply().await, 403, "forbidden");
    let long = admin.post("/api/schedules/s/run", &json!({"wait_s": 101})).reply().await;
    assert!(problem(&long, 400, "validation-failed")["_issues"].get("wait_s").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_is_on_time_and_neither_doubled_nor_lost_over_kills() {
    let (mut server, admin) = ground().await;
    let each = |name: &str, more: Value| {
        let mut schedule =
            json!({"name": name, "cron": "* * * * * *", "lane": name, "overlap": "queue", "catch_up": "all"});
        for (member, value) in more.as_object().expect("an object") {
            schedule[member] = value.clone();
        }
        schedule
    };
    let made = make(&admin, each("second", json!({}))).await.json();
    let first = time(&made["next_at"]);
    // Until the fourth tick has come; the machine may be busy.
    let come = async |count: usize| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while ticks(&admin, "second").await.len() < count {
            assert!(Instant::now() < deadline, "the ticks do not come");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    come(4).await;
    let mut late_ms: Vec<i128> =
        ticks(&admin, "second").await.iter().map(|(tick, at)| at.duration_since(*tick).as_millis()).collect();
    late_ms.sort_unstable();
    println!("late, in ms: {late_ms:?}");
    assert!(late_ms[0] >= 0, "a tick came early: {late_ms:?}");
    assert!(late_ms[0] < 500, "even the best is late: {late_ms:?}");
    for round in 1..=3 {
        tokio::time::sleep(Duration::from_millis(300 * round)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        server.launch();
    }
    come(12).await;
    let etag = loop {
        // A tick may come between the reading and the change.
        let etag = admin.get("/api/schedules/second").reply().await.etag();
        let paused = admin.patch("/api/schedules/second", &etag, &json!({"paused": true})).reply().await;
        if paused.status != 412 {
            break paused.expect(200).etag();
        }
    };
    let come: Vec<jiff::Timestamp> = ticks(&admin, "second").await.iter().map(|(tick, _)| *tick).collect();
    let expected: Vec<jiff::Timestamp> = (0..come.len())
        .map(|n| first + jiff::SignedDuration::from_secs(i64::try_from(n).expect("few")))
        .collect();
    assert_eq!(come, expected, "each second once, in order");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(ticks(&admin, "second").await.len(), come.len(), "a paused schedule stands");
    admin.delete("/api/schedules/second", &etag).reply().await.expect(204);

    // With `skip` the unfinished job keeps the next ones out.
    make(&admin, each("skipping", json!({"overlap": "skip"}))).await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let jobs = admin.read("/api/jobs?lane=skipping").await;
    assert_eq!(
        (jobs["_items"].as_array().map(Vec::len), &jobs["_items"][0]["unique"]),
        (Some(1), &json!("schedule:skipping"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_by_hand_answers_with_its_end() {
    let (_server, admin) = ground().await;
    make(&admin, json!({"name": "yearly", "cron": "0 0 1 1 *", "lane": "reports", "payload": {"n": 1}}))
        .await;
    let run = async |body: Value| admin.post("/api/schedules/yearly/run", &body).reply().await;
    let waiting = run(json!({"wait_s": 0.1})).await.expect(202).json();
    assert_eq!(
        (&waiting["state"], &waiting["held"], &waiting["schedule"]),
        (&json!("ready"), &json!(false), &json!("yearly"))
    );
    let worker = admin.clone();
    let work = tokio::spawn(async move {
        let leased = worker.post("/api/jobs/lease", &json!({"lane": "reports", "wait_s": 30})).reply().await;
        let job = leased.expect(200).json()["jobs"][0].clone();
        assert_eq!(job["payload"], json!({"n": 1}));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let ack = json!({"lease": job["lease"], "result": {"pages": 3}});
        let path = format!("/api/jobs/{}/ack", job["_id"].as_str().expect("an id"));
        worker.post(&path, &ack).reply().await.expect(204);
    });
    let done = run(json!({})).await.expect(200).json();
    work.await.expect("the worker");
    assert_eq!((&done["_id"], &done["held"]), (&waiting["_id"], &json!(true)), "the one that was there");
    assert_eq!((&done["state"], &done["result"]), (&json!("done"), &json!({"pages": 3})));
    let next = run(json!({"wait_s": 0})).await.expect(202).json();
    assert!(next["_id"] != done["_id"] && next["held"] == false, "{next}");
    assert_eq!(admin.read("/api/schedules/yearly").await.get("last_at"), None, "a run by hand is no tick");
}
