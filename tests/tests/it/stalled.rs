//! Who stands still: a program that is stopped and goes on, and readers that do not read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::parts;
use crate::program::{Server, signal};
use crate::sse::Stream;

const JOBS: usize = 20;
const SOON: Duration = Duration::from_secs(60);

async fn lease(client: &Client, body: Value) -> Vec<Value> {
    let leased = client.post("/api/jobs/lease", &body).reply().await.expect(200).json();
    leased["jobs"].as_array().cloned().unwrap_or_else(|| panic!("no jobs in {leased}"))
}

/// Tells the end of each job; those that were taken for done.
async fn ack(client: Client, jobs: Vec<Value>) -> Vec<String> {
    let mut done = Vec::new();
    for job in jobs {
        let id = job["_id"].as_str().expect("_id").to_owned();
        let reply =
            client.post(&format!("/api/jobs/{id}/ack"), &json!({"lease": job["lease"]})).reply().await;
        match reply.status {
            204 => done.push(id),
            status => assert_eq!((status, &reply.json()["type"]), (409, &json!("lease-lost"))),
        }
    }
    done
}

/// The worker's clock and the program's agree that its leases have ended, and both are asked at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_stood_still_takes_one_completion_of_each_job() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let jobs: Vec<Value> = (0..JOBS).map(|n| json!({"lane": "mail", "payload": n})).collect();
    admin.post("/api/jobs", &json!(jobs)).reply().await.expect(201);
    let late = lease(&admin, json!({"lane": "mail", "max": JOBS, "lease_s": 1})).await;
    assert_eq!(late.len(), JOBS);
    let waiting = {
        let client = admin.clone();
        tokio::spawn(async move {
            let (mut got, deadline) = (Vec::new(), Instant::now() + SOON);
            while got.len() < JOBS && Instant::now() < deadline {
                let more = json!({"lane": "mail", "max": JOBS, "lease_s": 60, "wait_s": 2});
                let more = lease(&client, more).await;
                if more.is_empty() && !got.is_empty() {
                    break;
                }
                got.extend(more);
            }
            got
        })
    };
    signal(server.process(), "STOP");
    let acks = tokio::spawn(ack(admin.clone(), late));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    signal(server.process(), "CONT");

    let first = acks.await.expect("the late worker");
    let second = waiting.await.expect("the other worker");
    let second = ack(admin.clone(), second).await;
    let mut times = BTreeMap::<String, usize>::new();
    first.iter().chain(&second).for_each(|id| *times.entry(id.clone()).or_default() += 1);
    eprintln!("stood still: {} of the first worker, {} of the second", first.len(), second.len());
    assert!(times.len() == JOBS && times.values().all(|count| *count == 1), "{times:?}");
    let row = admin.read("/api/queues/mail").await;
    assert_eq!((&row["ready"], &row["leased"]), (&json!(0), &json!(0)), "{row}");
}

/// The changes of a stream up to the document `last`: what it is of, and its sequence.
async fn follow(mut stream: Stream) -> Vec<(u64, String)> {
    let mut heard = Vec::new();
    loop {
        let told = stream.next().await.expect("the stream goes on").expect("the stream goes on");
        if told.kind != "change" {
            continue;
        }
        let id = told.data["_id"].as_str().expect("_id").to_owned();
        let is_last = id == "last";
        heard.push((told.id.expect("an id").seq, id));
        if is_last {
            return heard;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_does_not_read_holds_up_nobody_and_fills_no_memory() {
    const STALLED: usize = 40;
    const DOCUMENTS: usize = 400;
    let _turn = parts::heavy().await;
    let server = Server::start();
    let admin = Client::admin(&server).await;
    admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let mut stream = Stream::open(&admin, "changes:cars", None).await.expect("a stream");
        stream.expect("hello", SOON).await;
        stalled.push(stream);
    }
    let mut stream = Stream::open(&admin, "changes:cars", None).await.expect("a stream");
    stream.expect("hello", SOON).await;
    let reading = tokio::spawn(follow(stream));
    let before = server.resident_mib();

    // 26 MB, which would be a gigabyte if it were kept for each of them.
    let text = "x".repeat(64 << 10);
    for n in 0..DOCUMENTS {
        let id = if n + 1 == DOCUMENTS { "last".to_owned() } else { format!("car-{n}") };
        admin.post("/api/cars", &json!({"_id": id, "text": text})).reply().await.expect(201);
    }
    let written = Instant::now();
    let heard =
        tokio::time::timeout(SOON, reading).await.expect("the reader hears the last").expect("it reads");
    let (late, grown) = (written.elapsed(), server.resident_mib().saturating_sub(before));
    eprintln!("not reading: {STALLED} readers, {grown} MiB more, the one who reads is {late:?} behind");
    assert_eq!(heard.len(), DOCUMENTS);
    assert!(late < Duration::from_secs(5), "{late:?} behind the last write");
    assert!(grown < 300, "{grown} MiB more");

    // Whoever reads again has missed nothing.
    for stream in stalled.drain(..3) {
        let late = tokio::time::timeout(SOON, follow(stream)).await.expect("it hears the last");
        assert!(late == heard, "{} records, {} were written", late.len(), heard.len());
    }
}
