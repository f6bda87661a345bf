//! One job followed to its end: by a wait, and by server-sent events.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::program::Server;
use crate::sse::Stream;

const SOON: Duration = Duration::from_secs(20);

async fn add(client: &Client, job: Value) -> String {
    client.post("/api/jobs", &job).reply().await.expect(201).field("_id")
}

/// One job of a lane, in hand.
async fn lease(client: &Client, lane: &str) -> Value {
    let leased = client.post("/api/jobs/lease", &json!({"lane": lane, "wait_s": 10})).reply().await;
    leased.expect(200).json()["jobs"][0].clone()
}

async fn tell(client: &Client, job: &Value, what: &str, mut body: Value, status: u16) {
    body["lease"] = job["lease"].clone();
    let path = format!("/api/jobs/{}/{what}", job["_id"].as_str().expect("_id"));
    client.post(&path, &body).reply().await.expect(status);
}

async fn follow(client: &Client, id: &str) -> Stream {
    Stream::open_at(client, &format!("/api/jobs/{id}"), None).await.expect("a stream")
}

/// What a stream tells next of its job.
async fn told(stream: &mut Stream) -> Value {
    let next = tokio::time::timeout(SOON, stream.next()).await.expect("something is told");
    let told = next.expect("no error").expect("the stream goes on");
    assert_eq!(told.kind, "job", "{told:?}");
    told.data
}

/// The stream says why it ends, and ends.
async fn ends(mut stream: Stream, reason: &str) {
    let bye = stream.expect("bye", SOON).await;
    assert_eq!(bye.data["reason"], reason, "{bye:?}");
    let end = tokio::time::timeout(SOON, stream.next()).await.expect("the stream ends");
    assert!(matches!(end, Ok(None)), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_with_the_job() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    for (end, body, status, state) in [
        ("ack", json!({"result": {"sent": true}}), 204, "done"),
        ("nack", json!({"error": "no route"}), 200, "dead"),
        ("cancel", json!({}), 204, "cancelled"),
    ] {
        let id = add(&admin, json!({"lane": "mail", "payload": 1, "attempts": 1})).await;
        let (path, waiting) = (format!("/api/jobs/{id}?wait=60"), admin.clone());
        let began = Instant::now();
        let wait = tokio::spawn(async move { waiting.read(&path).await });
        let job = lease(&admin, "mail").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!wait.is_finished(), "{end}: a job in hand has not ended");
        tell(&admin, &job, end, body, status).await;
        let seen = tokio::time::timeout(SOON, wait).await.expect("soon").expect("no panic");
        assert_eq!(seen["state"], state, "{seen}");
        assert!(began.elapsed() < SOON, "{end}: {:?}", began.elapsed());
        assert_eq!(
            admin.read(&format!("/api/jobs/{id}?wait=60")).await["state"],
            state,
            "it has ended already"
        );
    }
    let id = add(&admin, json!({"lane": "mail", "payload": 1})).await;
    let began = Instant::now();
    assert_eq!(admin.read(&format!("/api/jobs/{id}?wait=1")).await["state"], "ready");
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());

    // A lane that keeps nothing: who waited hears the end all the same.
    add(&admin, json!({"lane": "brief", "payload": 0, "delay_s": 3600})).await;
    admin.call("PATCH", "/api/queues/brief").json(&json!({"keep_done_s": 0})).reply().await.expect(200);
    let id = add(&admin, json!({"lane": "brief", "payload": 1})).await;
    let mut stream = follow(&admin, &id).await;
    assert_eq!(told(&mut stream).await["state"], "ready");
    let job = lease(&admin, "brief").await;
    assert_eq!(told(&mut stream).await["state"], "leased");
    tell(&admin, &job, "ack", json!({"result": 1}), 204).await;
    assert_eq!(told(&mut stream).await["state"], "done");
    ends(stream, "ended").await;
    problem("kept nowhere", &admin.get(&format!("/api/jobs/{id}?wait=60")).reply().await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_every_step_of_a_job() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    let id = add(&admin, json!({"lane": "mail", "payload": 1, "attempts": 2, "delay_s": 1})).await;
    let mut stream = follow(&admin, &id).await;
    assert!(stream.media_type.starts_with("text/event-stream"), "{}", stream.media_type);
    assert_eq!(told(&mut stream).await["state"], "scheduled");
    assert_eq!(told(&mut stream).await["state"], "ready", "its time comes without anybody's doing");
    let job = lease(&admin, "mail").await;
    let seen = told(&mut stream).await;
    assert_eq!((&seen["state"], &seen["attempt"]), (&json!("leased"), &json!(1)));
    tell(&admin, &job, "heartbeat", json!({"lease_s": 60, "progress": {"percent": 40}}), 200).await;
    assert_eq!(told(&mut stream).await["progress"]["percent"], 40);
    tell(&admin, &job, "nack", json!({"error": "busy", "retry_in_s": 0.2}), 200).await;
    let seen = told(&mut stream).await;
    assert_eq!((&seen["state"], &seen["error"]), (&json!("retrying"), &json!("busy")));
    assert_eq!(told(&mut stream).await["state"], "ready");
    let job = lease(&admin, "mail").await;
    assert_eq!(told(&mut stream).await["attempt"], 2);
    tell(&admin, &job, "nack", json!({"error": "still busy"}), 200).await;
    assert_eq!(told(&mut stream).await["state"], "dead");
    ends(stream, "ended").await;
    let mut again = follow(&admin, &id).await;
    assert_eq!(told(&mut again).await["state"], "dead", "one who comes later hears the end");
    ends(again, "ended").await;

    // Who may not see jobs any more is told no more of them.
    let key = admin.post("/api/tokens", &json!({"name": "watcher", "scopes": ["jobs:read"]}));
    let key = key.reply().await.expect(201).json();
    let watcher = admin.with_token(key["token"].as_str().expect("a token"));
    let id = add(&admin, json!({"lane": "mail", "payload": "secret"})).await;
    let mut stream = follow(&watcher, &id).await;
    assert_eq!(told(&mut stream).await["payload"], "secret");
    let path = format!("/api/tokens/{}", key["_id"].as_str().expect("_id"));
    admin.call("DELETE", &path).header("if-match", "*").reply().await.expect(204);
    admin.post(&format!("/api/jobs/{id}/cancel"), &json!({})).reply().await.expect(204);
    ends(stream, "signed_out").await;

    let id = add(&admin, json!({"lane": "mail", "payload": 1})).await;
    let mut stream = follow(&admin, &id).await;
    told(&mut stream).await;
    tokio::task::block_in_place(|| server.stop());
    ends(stream, "shutdown").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_followed() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let stream = |path: &str| admin.get(path).header("accept", "text/event-stream");
    problem("no such job", &stream("/api/jobs/99999999").reply().await, 404);
    problem("no id", &stream("/api/jobs/x").reply().await, 404);
    problem("no wait", &admin.get("/api/jobs/1?wait=soon").reply().await, 400);
    let worker = admin.post("/api/tokens", &json!({"name": "worker", "scopes": ["jobs:write"]}));
    let worker = admin.with_token(&worker.reply().await.expect(201).field("token"));
    let id = add(&worker, json!({"lane": "mail", "payload": 1})).await;
    let refused = worker.get(&format!("/api/jobs/{id}")).header("accept", "text/event-stream").reply().await;
    problem("a worker does not read jobs", &refused, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_job_is_found_when_the_log_has_forgotten_it() {
    let mut server = Server::idle();
    server.flags(&["--set", "feed.keep_s=1", "--set", "feed.hold_s_max=1"]);
    server.launch();
    let admin = Client::admin(&server).await;
    let id = add(&admin, json!({"lane": "mail", "payload": 1})).await;
    let job = lease(&admin, "mail").await;
    tell(&admin, &job, "ack", json!({"result": {"sent": true}}), 204).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    // The id of a job is its place in the log.
    while admin.get(&format!("/api/changes?since={id}")).reply().await.status != 410 {
        assert!(Instant::now() < deadline, "nothing is trimmed");
        add(&admin, json!({"lane": "other", "payload": 1})).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for life in ["before a kill", "after it"] {
        let seen = admin.read(&format!("/api/jobs/{id}")).await;
        assert_eq!(
            (&seen["state"], &seen["result"]["sent"]),
            (&json!("done"), &json!(true)),
            "{life}: {seen}"
        );
        server.kill();
        server.launch();
    }
}
