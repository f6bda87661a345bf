//! The queue as workers and operators elsewhere use it, over HTTP and the command line.

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

async fn add(client: &Client, job: Value) -> String {
    client.post("/api/jobs", &job).reply().await.expect(201).field("_id")
}

async fn lease(client: &Client, body: Value) -> Vec<Value> {
    let leased = client.post("/api/jobs/lease", &body).reply().await.expect(200).json();
    leased["jobs"].as_array().cloned().unwrap_or_else(|| panic!("no jobs in {leased}"))
}

async fn tell(client: &Client, job: &Value, what: &str, mut body: Value) -> Reply {
    body["lease"] = job["lease"].clone();
    client.post(&format!("/api/jobs/{}/{what}", job["_id"].as_str().expect("_id")), &body).reply().await
}

/// A refusal of this status and type.
fn problem(reply: &Reply, status: u16, kind: &str) -> Value {
    let body = errors::problem(kind, reply, status);
    assert_eq!(body["type"], kind, "{body}");
    body
}

async fn state(client: &Client, id: &str) -> String {
    client.get(&format!("/api/jobs/{id}")).reply().await.expect(200).field("state")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_through_its_life() {
    let (_server, admin) = ground().await;
    let payload = json!({"to": "a@example.org", "n": [1, 2.5, null, "\u{e9}"]});
    let id = add(&admin, json!({"lane": "mail", "payload": payload, "priority": 3})).await;
    let seen = admin.read(&format!("/api/jobs/{id}")).await;
    assert_eq!((&seen["state"], &seen["payload"], &seen["priority"]), (&json!("ready"), &payload, &json!(3)));
    let row = admin.read("/api/queues/mail").await;
    assert_eq!((&row["ready"], &row["paused"]), (&json!(1), &json!(false)));
    assert!(row["oldest_ready_s"].is_number(), "{row}");

    let jobs = lease(&admin, json!({"lane": "mail", "max": 5, "lease_s": 20})).await;
    assert_eq!(jobs.len(), 1);
    let job = &jobs[0];
    assert_eq!((&job["_id"], &job["payload"], &job["attempt"]), (&json!(id), &payload, &json!(1)));
    tell(&admin, job, "heartbeat", json!({"lease_s": 40})).await.expect(200);
    tell(&admin, job, "ack", json!({"result": {"sent": true}})).await.expect(204);
    let seen = admin.read(&format!("/api/jobs/{id}")).await;
    assert_eq!((&seen["state"], &seen["result"]), (&json!("done"), &json!({"sent": true})));
    problem(&tell(&admin, job, "ack", json!({})).await, 409, "lease-lost");
    let done = admin.read("/api/jobs?state=done&lane=mail").await;
    assert_eq!(done["_items"][0]["_id"], id.as_str(), "{done}");
    let figures = admin.get("/metrics").reply().await.text();
    let needle = "dateline_job_outcome_total{lane=\"mail\",outcome=\"done\"} 1";
    assert!(figures.contains(needle), "{needle} is not in the figures");
    for name in ["dateline_job_wait_seconds_count", "dateline_job_run_seconds_count", "dateline_queue_ready"]
    {
        assert!(figures.contains(&format!("{name}{{lane=\"mail\"}}")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_worker_gets_the_job_when_it_comes() {
    let (_server, admin) = ground().await;
    let started = Instant::now();
    assert!(lease(&admin, json!({"lane": "slow", "wait_s": 0.3})).await.is_empty());
    assert!(started.elapsed() >= Duration::from_millis(300));
    let waiters: Vec<_> = (0..20)
        .map(|_| {
            let worker = admin.clone();
            tokio::spawn(async move { lease(&worker, json!({"lane": "slow", "wait_s": 30})).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    let jobs: Vec<Value> = (0..20).map(|n| json!({"lane": "slow", "payload": n})).collect();
    admin.post("/api/jobs", &json!(jobs)).reply().await.expect(201);
    let mut got = Vec::new();
    for waiter in waiters {
        let jobs = waiter.await.expect("a worker");
        assert_eq!(jobs.len(), 1, "one each");
        got.push(jobs[0]["payload"].as_u64().expect("a number"));
    }
    got.sort_unstable();
    assert_eq!(got, (0..20).collect::<Vec<_>>(), "each job once");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_has_ended_is_lost() {
    let (_server, admin) = ground().await;
    let id = add(&admin, json!({"lane": "mail", "payload": 1})).await;
    let first = lease(&admin, json!({"lane": "mail", "lease_s": 0.2})).await.remove(0);
    let second = lease(&admin, json!({"lane": "mail", "lease_s": 30, "wait_s": 10})).await.remove(0);
    assert_eq!((&second["_id"], &second["attempt"]), (&json!(id), &json!(2)));
    problem(&tell(&admin, &first, "ack", json!({})).await, 409, "lease-lost");
    problem(&tell(&admin, &first, "nack", json!({"error": "late"})).await, 409, "lease-lost");
    problem(&tell(&admin, &first, "heartbeat", json!({"lease_s": 5})).await, 409, "lease-lost");
    tell(&admin, &second, "ack", json!({})).await.expect(204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_run_in_order_and_unique_keys_once() {
    let (_server, admin) = ground().await;
    let job = |group: &str, n: u64| json!({"lane": "mail", "group": group, "payload": n});
    let jobs = json!([job("a", 1), job("a", 2), job("b", 3), job("a", 4)]);
    let added = admin.post("/api/jobs", &jobs).reply().await.expect(201).json();
    assert_eq!(added["_items"].as_array().map(Vec::len), Some(4), "{added}");
    let mut order = Vec::new();
    loop {
        let leased = lease(&admin, json!({"lane": "mail", "max": 10})).await;
        let groups: Vec<&Value> = leased.iter().map(|job| &job["group"]).collect();
        assert!(groups.iter().filter(|group| **group == "a").count() <= 1, "one of a group at a time");
        if leased.is_empty() {
            break;
        }
        let acks: Vec<Value> = leased.iter().map(|job| json!({"lease": job["lease"]})).collect();
        let told = admin.post("/api/jobs/ack", &json!(acks)).reply().await.expect(200).json();
        assert_eq!(told, json!({"acked": acks.len(), "lost": []}));
        let again = admin.post("/api/jobs/ack", &json!(acks)).reply().await.expect(200).json();
        assert_eq!(again["acked"], 0, "{again}");
        order.extend(leased.iter().filter(|job| job["group"] == "a").map(|job| job["payload"].clone()));
    }
    assert_eq!(order, [1, 2, 4]);

    let unique = json!({"lane": "mail", "payload": 1, "unique": "report"});
    let id = add(&admin, unique.clone()).await;
    let held = admin.post("/api/jobs", &unique).reply().await.expect(200).json();
    assert_eq!((&held["_id"], &held["held"]), (&json!(id), &json!(true)));
    admin.call("DELETE", &format!("/api/jobs/{id}")).reply().await.expect(204);
    assert_eq!(state(&admin, &id).await, "cancelled");
    assert_ne!(add(&admin, unique).await, id, "free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_stays_paused_and_nothing_is_lost_over_a_kill() {
    let (mut server, admin) = ground().await;
    admin.post("/api/queues/mail/pause", &json!({})).reply().await.expect(200);
    let id = add(&admin, json!({"lane": "mail", "payload": 1})).await;
    assert!(lease(&admin, json!({"lane": "mail"})).await.is_empty());
    server.kill();
    server.launch();
    let row = admin.read("/api/queues/mail").await;
    assert_eq!((&row["ready"], &row["paused"]), (&json!(1), &json!(true)));
    assert!(lease(&admin, json!({"lane": "mail"})).await.is_empty());
    admin.post("/api/queues/mail/resume", &json!({})).reply().await.expect(200);
    let job = lease(&admin, json!({"lane": "mail", "lease_s": 60})).await.remove(0);
    assert_eq!(job["_id"], id.as_str());
    server.kill();
    server.launch();
    // The worker lives elsewhere, so its lease outlives the server.
    tell(&admin, &job, "ack", json!({"result": 1})).await.expect(204);
    server.kill();
    server.launch();
    assert_eq!(state(&admin, &id).await, "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotent_request_adds_its_jobs_once() {
    let (_server, admin) = ground().await;
    let jobs = json!([{"lane": "mail", "payload": 1}, {"lane": "mail", "payload": 2}]);
    let send = |body: &Value| admin.post("/api/jobs", body).header("idempotency-key", "order-7");
    let first = send(&jobs).reply().await.expect(201);
    let again = send(&jobs).reply().await.expect(201);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    problem(&send(&json!([{"lane": "mail", "payload": 3}])).reply().await, 422, "idempotency-mismatch");
    assert_eq!(admin.read("/api/queues/mail").await["ready"], 2);
    let both = json!({"lane": "mail", "payload": 1, "unique": "x"});
    let refused = admin.post("/api/jobs", &both).header("idempotency-key", "other").reply().await;
    let refused = problem(&refused, 400, "validation-failed");
    assert!(refused["_issues"]["unique"].is_string(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_jobs_are_tried_again_die_and_are_redriven() {
    let (_server, admin) = ground().await;
    let settings = json!({"attempts": 2, "backoff_s": 0.01, "backoff_max_s": 0.02});
    let set = admin.call("PATCH", "/api/queues/mail").json(&settings).reply().await.expect(200).json();
    assert_eq!(
        (&set["settings"]["attempts"], &set["settings"]["keep_done_s"]),
        (&json!(2), &json!(86_400.0))
    );
    let ids = [
        add(&admin, json!({"lane": "mail", "payload": 1})).await,
        add(&admin, json!({"lane": "mail", "payload": 2, "attempts": 1})).await,
    ];
    let jobs = lease(&admin, json!({"lane": "mail", "max": 2})).await;
    let nacked = tell(&admin, &jobs[0], "nack", json!({"error": "no route", "retry_in_s": 0.05})).await;
    assert_eq!(nacked.expect(200).json()["state"], "retrying");
    let nacked = tell(&admin, &jobs[1], "nack", json!({"error": "bad address"})).await;
    assert_eq!(nacked.expect(200).json()["state"], "dead");
    let again = lease(&admin, json!({"lane": "mail", "wait_s": 10})).await.remove(0);
    assert_eq!((&again["_id"], &again["attempt"]), (&json!(ids[0]), &json!(2)));
    tell(&admin, &again, "nack", json!({"error": "still no route"})).await.expect(200);
    let dead = admin.read("/api/jobs?state=dead&max_results=1&page=2").await;
    assert_eq!((&dead["_meta"]["total"], &dead["_items"][0]["_id"]), (&json!(2), &json!(ids[1])));
    assert_eq!(dead["_items"][0]["error"], "bad address");
    let retried = admin.post(&format!("/api/jobs/{}/retry", ids[1]), &json!({})).reply().await;
    assert_eq!(retried.expect(200).json()["state"], "ready");
    let twice = admin.post(&format!("/api/jobs/{}/retry", ids[1]), &json!({})).reply().await;
    problem(&twice, 409, "state-conflict");
    let other = json!({"error": "bad address"});
    let told = admin.post("/api/queues/mail/redrive", &other).reply().await.expect(200).json();
    assert_eq!(told, json!({"redriven": 0, "more": false}), "the one that is dead failed otherwise");
    let told =
        admin.post("/api/queues/mail/redrive", &json!({"error": "route"})).reply().await.expect(200).json();
    assert_eq!(told, json!({"redriven": 1, "more": false}));
    let told = admin.post("/api/queues/mail/purge", &json!({"state": "ready"})).reply().await;
    assert_eq!(told.expect(200).json(), json!({"purged": 2, "more": false}));
    assert_eq!(state(&admin, &ids[0]).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_progress_and_cancels_reach_workers() {
    let (mut server, admin) = ground().await;
    let set = async |body: Value| {
        admin.call("PATCH", "/api/queues/mail").json(&body).reply().await.expect(200).json()
    };
    let limits = json!({
        "rate": {"jobs": 3, "per_s": 3600.0, "burst": 3}, "key_leased_max": 1, "group_on_fail": "skip",
        "age_max_s": 60.0, "backoff": [1.5, 2.0],
    });
    let told = set(limits.clone()).await;
    for member in ["rate", "key_leased_max", "group_on_fail", "age_max_s", "backoff"] {
        assert_eq!(told["settings"][member], limits[member], "{told}");
    }
    let keyed =
        |n: u64| json!({"lane": "mail", "payload": n, "key": "k", "backoff": "linear", "backoff_s": 0.01});
    let first = add(&admin, keyed(1)).await;
    let second = add(&admin, keyed(2)).await;
    let free = add(&admin, json!({"lane": "mail", "payload": 3})).await;
    let jobs = lease(&admin, json!({"lane": "mail", "max": 10})).await;
    assert_eq!(
        jobs.iter().map(|job| &job["_id"]).collect::<Vec<_>>(),
        [&first, &free],
        "one of a key at a time"
    );
    assert_eq!(admin.read("/api/queues/mail").await["held"], 1);

    let progress = json!({"lease_s": 30, "progress": {"percent": 40, "message": "half way"}});
    let beat = tell(&admin, &jobs[0], "heartbeat", progress).await.expect(200).json();
    assert_eq!(beat["cancel"], false, "{beat}");
    let seen = admin.read(&format!("/api/jobs/{first}")).await;
    assert_eq!((&seen["progress"]["percent"], &seen["key"]), (&json!(40), &json!("k")), "{seen}");
    assert!(seen["deadline"].is_string(), "{seen}");
    admin.post(&format!("/api/jobs/{first}/cancel"), &json!({})).reply().await.expect(204);
    let beat = tell(&admin, &jobs[0], "heartbeat", json!({"lease_s": 30})).await.expect(200).json();
    assert_eq!((&beat["cancel"], &beat["until"]), (&json!(true), &Value::Null));
    problem(&tell(&admin, &jobs[0], "ack", json!({})).await, 409, "lease-lost");

    let jobs = lease(&admin, json!({"lane": "mail", "max": 10})).await;
    assert_eq!(jobs.iter().map(|job| &job["_id"]).collect::<Vec<_>>(), [&second]);
    add(&admin, json!({"lane": "mail", "payload": 4})).await;
    // Three have begun, and an hour has not passed: also not by a restart.
    server.kill();
    server.launch();
    let admin = Client::admin(&server).await;
    assert!(lease(&admin, json!({"lane": "mail", "max": 10})).await.is_empty());
    let set = json!({"rate": null, "draining": true});
    admin.call("PATCH", "/api/queues/mail").json(&set).reply().await.expect(200);
    assert_eq!(lease(&admin, json!({"lane": "mail", "max": 10})).await.len(), 1);
    let refused = admin.post("/api/jobs", &json!({"lane": "mail", "payload": 5})).reply().await;
    assert!([429, 503].contains(&refused.status), "a draining lane takes no more: {}", refused.status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_names_the_member() {
    let (_server, admin) = ground().await;
    let check = async |path: &str, body: Value, field: &str| {
        let refused = problem(&admin.post(path, &body).reply().await, 400, "validation-failed");
        assert!(refused["_issues"].get(field).is_some(), "{path} {body}: {refused}");
    };
    let job = |member: &str, value: Value| {
        let mut job = json!({"lane": "mail", "payload": 1});
        job[member] = value;
        job
    };
    for (member, bad) in [
        ("lane", json!("a b")),
        ("lane", json!(7)),
        ("priority", json!(16)),
        ("priority", json!(-1)),
        ("delay_s", json!(-1)),
        ("delay_s", json!("soon")),
        ("delay_s", json!(1e30)),
        ("group", json!("")),
        ("unique", json!("x".repeat(201))),
        ("attempts", json!(0)),
        ("attempts", json!(10_001)),
        ("key", json!("")),
        ("backoff", json!("often")),
        ("backoff", json!([])),
        ("backoff_s", json!(1_000)),
        ("age_max_s", json!(-1)),
        ("colour", json!(1)),
    ] {
        check("/api/jobs", job(member, bad), member).await;
    }
    check("/api/jobs", json!({"lane": "mail"}), "payload").await;
    check("/api/jobs", json!({"payload": 1}), "lane").await;
    check("/api/jobs", json!([job("priority", json!(1)), job("priority", json!(99))]), "1").await;
    assert!(
        admin.read("/api/queues").await["_items"]
            .as_array()
            .is_some_and(|lanes| { lanes.iter().all(|lane| lane["lane"] != "mail") })
    );
    check("/api/jobs/lease", json!({"lane": "mail", "max": 0}), "max").await;
    check("/api/jobs/lease", json!({"lane": "mail", "max": 1001}), "max").await;
    check("/api/jobs/lease", json!({"lane": "mail", "lease_s": 0}), "lease_s").await;
    check("/api/jobs/lease", json!({"lane": "mail", "wait_s": 61}), "wait_s").await;
    check("/api/jobs/7/ack", json!({"lease": "x"}), "lease").await;
    check("/api/jobs/7/ack", json!({"lease": "1-8-1"}), "lease").await;
    check("/api/queues/mail/purge", json!({"state": "done"}), "state").await;
    problem(&admin.get("/api/jobs/x").reply().await, 404, "not-found");
    problem(&admin.get("/api/jobs/99999999").reply().await, 404, "not-found");
    problem(&admin.get("/api/queues/none").reply().await, 404, "not-found");
    problem(&admin.get("/api/jobs?state=nope").reply().await, 400, "invalid-query");
    problem(&admin.post("/api/queues/a%20b/pause", &json!({})).reply().await, 400, "validation-failed");
    let set = |body: Value| admin.call("PATCH", "/api/queues/mail").json(&body);
    let refused =
        problem(&set(json!({"backoff_s": 9, "backoff_max_s": 1})).reply().await, 400, "validation-failed");
    assert!(refused["_issues"].get("backoff_s").is_some(), "{refused}");
    problem(&set(json!({"attempts": 0})).reply().await, 400, "validation-failed");
    for (field, bad) in [
        ("rate", json!({"rate": {"jobs": 0}})),
        ("rate", json!({"rate": {"jobs": 9_000, "burst": 1}})),
        ("key_rate.per_s", json!({"key_rate": {"jobs": 1, "per_s": -1}})),
        ("group_on_fail", json!({"group_on_fail": "explode"})),
        ("backoff", json!({"backoff": [1, 2, 3, 4, 5, 6, 7, 8, 9]})),
        ("age_max_s", json!({"age_max_s": 1e12})),
    ] {
        let refused = problem(&set(bad).reply().await, 400, "validation-failed");
        assert!(refused["_issues"].get(field).is_some(), "{field}: {refused}");
    }
    check(
        "/api/jobs/7/heartbeat",
        json!({"lease": "1-7-1", "lease_s": 1, "progress": {"percent": 101}}),
        "progress.percent",
    )
    .await;
    check("/api/queues/mail/redrive", json!({"enqueued_before": "yesterday"}), "enqueued_before").await;
    let deep = format!("{{\"lane\":\"mail\",\"payload\":{}1{}}}", "[".repeat(80), "]".repeat(80));
    problem(
        &admin.call("POST", "/api/jobs").raw("application/json", deep).reply().await,
        400,
        "json-too-complex",
    );
    let large = json!({"lane": "mail", "payload": "x".repeat(1 << 20)});
    check("/api/jobs", large, "payload").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_get_no_more_than_their_scopes() {
    let (_server, admin) = ground().await;
    let made = admin.post("/api/tokens", &json!({"name": "worker", "scopes": ["jobs:write"]}));
    let worker = admin.with_token(&made.reply().await.expect(201).field("token"));
    add(&worker, json!({"lane": "mail", "payload": 1})).await;
    let job = lease(&worker, json!({"lane": "mail"})).await.remove(0);
    tell(&worker, &job, "ack", json!({})).await.expect(204);
    for path in ["/api/jobs", "/api/jobs/1", "/api/queues", "/api/queues/mail"] {
        problem(&worker.get(path).reply().await, 403, "forbidden");
    }
    problem(&worker.post("/api/queues/mail/pause", &json!({})).reply().await, 403, "forbidden");
    // The lanes that the server works are not for workers, and not even an administrator takes jobs of them.
    let own = json!({"lane": "ads:expire", "payload": {"ad": "x"}});
    problem(&worker.post("/api/jobs", &own).reply().await, 403, "forbidden");
    problem(&admin.post("/api/jobs/lease", &json!({"lane": "new:ad"})).reply().await, 403, "forbidden");
    let unsigned = admin.post("/api/jobs", &own).unsigned().reply().await;
    problem(&unsigned, 401, "unauthorized");
}
