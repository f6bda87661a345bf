//! List, then watch: a copy of a collection that a client makes and keeps has no gap, whatever is written meanwhile.
//!
//! The client lists, takes `_seq` of the first page, and applies what the log tells after it. When the log does not
//! reach back that far any more, it is told so, and lists again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, next_cursor, query};
use crate::parts;
use crate::plan::seed;
use crate::program::Server;
use crate::sse::Stream;

const WRITERS: u64 = 3;
const WATCHERS: usize = 6;
const DOCUMENTS: usize = 60;
const SOON: Duration = Duration::from_secs(30);

/// A client's own copy: version and content of each document, and the place in the log it is as of.
#[derive(Debug, Default, PartialEq)]
struct Copy {
    documents: BTreeMap<String, (Value, Value)>,
    seq: u64,
}

impl Copy {
    async fn list(client: &Client) -> Self {
        let (mut copy, mut cursor) = (Self::default(), None::<String>);
        loop {
            let mut path = "/api/cars?max_results=7".to_owned();
            if let Some(cursor) = &cursor {
                path = format!("{path}&{}", query(&[("cursor", cursor)]));
            }
            let page = client.read(&path).await;
            if cursor.is_none() {
                copy.seq = page["_seq"].as_u64().expect("_seq");
            }
            for item in page["_items"].as_array().expect("_items") {
                copy.put(item);
            }
            cursor = next_cursor(&page);
            if cursor.is_none() {
                return copy;
            }
        }
    }

    fn put(&mut self, document: &Value) {
        let id = document["_id"].as_str().expect("_id").to_owned();
        self.documents.insert(id, (document["_version"].clone(), document["n"].clone()));
    }

    fn apply(&mut self, change: &Value) {
        let seq = change["seq"].as_u64().expect("seq");
        assert!(seq > self.seq, "{change} comes after {}", self.seq);
        self.seq = seq;
        match change["op"].as_str() {
            Some("put") => self.put(&change["doc"]),
            Some("delete") => drop(self.documents.remove(change["_id"].as_str().expect("_id"))),
            other => panic!("{other:?} in {change}"),
        }
    }

    /// Follows the log by long polls up to `end`, once that is known.
    async fn poll(&mut self, client: &Client, end: &tokio::sync::watch::Receiver<u64>) {
        while self.seq < *end.borrow() || *end.borrow() == 0 {
            let path =
                format!("/api/changes?since={}&collections=cars&include=doc&wait=1&limit=50", self.seq);
            let page = client.read(&path).await;
            for change in page["changes"].as_array().expect("changes") {
                self.apply(change);
            }
            self.seq = page["last_seq"].as_u64().expect("last_seq");
        }
    }

    /// The same by server-sent events.
    async fn listen(&mut self, client: &Client, end: &tokio::sync::watch::Receiver<u64>) {
        let mut stream =
            Stream::open(client, "changes:cars", Some(&self.seq.to_string())).await.expect("a stream");
        let mut end = end.clone();
        while self.seq < *end.borrow() || *end.borrow() == 0 {
            let told = tokio::select! {
                told = stream.next() => told.expect("the stream goes on").expect("the stream goes on"),
                // The last change may have been told already.
                _ = end.changed() => continue,
            };
            match told.kind.as_str() {
                "change" => self.apply(&told.data),
                "hello" | "pos" => {}
                other => panic!("{other} in a stream without a gap: {}", told.data),
            }
        }
    }
}

/// Creates, changes and deletes until it is told to stop.
async fn write(client: Client, seed: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/api/cars/c{}", rng.usize(..DOCUMENTS));
        let body = json!({"n": rng.u32(..)});
        let reply = match rng.u8(0..4) {
            0 => client.call("DELETE", &path).header("if-match", "*").reply().await,
            1 => client.put_new(&path, &body).reply().await,
            _ => client.call("PATCH", &path).json(&body).header("if-match", "*").reply().await,
        };
        // Another writer may have been faster.
        assert!(matches!(reply.status, 200 | 201 | 204 | 404 | 412), "{path}: {}", reply.text());
        written += u64::from(reply.status < 300);
    }
    written
}

struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Writers {
    fn start(client: &Client, rng: &mut fastrand::Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |seed| tokio::spawn(write(client.clone(), seed, Arc::clone(&stop)));
        let tasks = (0..WRITERS).map(|_| task(rng.u64(..))).collect();
        Self { stop, tasks }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        for task in self.tasks {
            written += task.await.expect("a writer does not panic");
        }
        written
    }
}

/// The place of the last change of the collection.
async fn last_change(client: &Client) -> u64 {
    client.post("/api/cars", &json!({"_id": "last", "n": 0})).reply().await.expect(201).json()["_seq"]
        .as_u64()
        .expect("_seq")
}

fn same(copy: &Copy, truth: &Copy, who: &str) {
    assert_eq!(copy.documents, truth.documents, "{who}: the copy, and what the list shows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_others_write_has_no_gap() {
    let _turn = parts::heavy().await;
    let mut rng = fastrand::Rng::with_seed(seed("watch"));
    let server = Server::start();
    let client = Client::admin(&server).await;
    client.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let writers = Writers::start(&client, &mut rng);
    let (tell, end) = tokio::sync::watch::channel(0);
    let watchers: Vec<_> = (0..WATCHERS)
        .map(|watcher| {
            let (client, end, after) = (client.clone(), end.clone(), rng.u64(0..1_500));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                let mut copy = Copy::list(&client).await;
                match watcher % 2 {
                    0 => copy.poll(&client, &end).await,
                    _ => copy.listen(&client, &end).await,
                }
                copy
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let written = writers.stop().await;
    assert!(written > 50, "hardly anything was written: {written}");
    tell.send_replace(last_change(&client).await);
    let truth = Copy::list(&client).await;
    for (number, watcher) in watchers.into_iter().enumerate() {
        let copy = tokio::time::timeout(SOON, watcher).await.expect("a watcher comes to the end");
        same(&copy.expect("a watcher does not panic"), &truth, &format!("watcher {number}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_the_log_does_not_reach_is_told_and_made_anew() {
    let _turn = parts::heavy().await;
    let mut rng = fastrand::Rng::with_seed(seed("watch"));
    let mut server = Server::idle();
    server.flags(&["--set", "feed.keep_s=1"]);
    server.launch();
    let client = Client::admin(&server).await;
    client.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let writers = Writers::start(&client, &mut rng);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let copy = Copy::list(&client).await;
    let late = copy.seq;
    writers.stop().await;
    // What holds the log is the index and the geo matcher; both have seen all of it when the program ends.
    tokio::task::block_in_place(|| {
        server.stop();
        server.launch();
    });
    let writers = Writers::start(&client, &mut rng);
    let deadline = Instant::now() + Duration::from_secs(60);
    let gone = loop {
        let reply = client.get(&format!("/api/changes?since={late}&collections=cars")).reply().await;
        match reply.status {
            410 => break reply.json(),
            _ => assert!(Instant::now() < deadline, "nothing is trimmed: {}", reply.text()),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(gone["floor"].as_u64() > Some(late), "{gone}");
    assert_eq!(gone["_issues"]["since"], "trimmed", "{gone}");
    let mut stream = Stream::open(&client, "changes:cars", Some(&late.to_string())).await.expect("a stream");
    let reset = stream.expect("reset", SOON).await;
    assert_eq!(reset.data["reason"], "trimmed", "{reset:?}");

    // Told so, both kinds of clients list again, while the log goes on being written and trimmed.
    let (tell, end) = tokio::sync::watch::channel(0);
    let watchers: Vec<_> = (0..2)
        .map(|watcher| {
            let (client, end) = (client.clone(), end.clone());
            tokio::spawn(async move {
                let mut copy = Copy::list(&client).await;
                match watcher {
                    0 => copy.poll(&client, &end).await,
                    _ => copy.listen(&client, &end).await,
                }
                copy
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    writers.stop().await;
    tell.send_replace(last_change(&client).await);
    let truth = Copy::list(&client).await;
    for watcher in watchers {
        let again = tokio::time::timeout(SOON, watcher).await.expect("a watcher comes to the end");
        same(&again.expect("a watcher does not panic"), &truth, "made anew");
    }
    assert_ne!(copy.documents, truth.documents, "the old copy would be right without being made anew");
}

/// Follows the log with long pauses; `false` when told that it does not reach back that far any more.
async fn follow_slowly(
    copy: &mut Copy,
    client: &Client,
    rng: &mut fastrand::Rng,
    end: &tokio::sync::watch::Receiver<u64>,
    by_events: bool,
) -> bool {
    let pause = async |rng: &mut fastrand::Rng| {
        let long = rng.u8(0..4) == 0;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..if long { 4_000 } else { 60 }))).await;
    };
    while copy.seq < *end.borrow() || *end.borrow() == 0 {
        pause(rng).await;
        if by_events {
            let last = copy.seq.to_string();
            let mut stream = Stream::open(client, "changes:cars", Some(&last)).await.expect("a stream");
            for _ in 0..rng.usize(1..200) {
                // At the end of the log nothing comes.
                let next = tokio::time::timeout(Duration::from_millis(200), stream.next()).await;
                let Ok(told) = next else { break };
                let told = told.expect("no error").expect("the stream goes on");
                match told.kind.as_str() {
                    "change" => copy.apply(&told.data),
                    "pos" => copy.seq = told.data["seq"].as_u64().expect("seq"),
                    "hello" => {}
                    "reset" if told.data["reason"] == "trimmed" => return false,
                    other => panic!("{other}: {}", told.data),
                }
            }
            continue;
        }
        let path = format!(
            "/api/changes?since={}&collections=cars&include=doc&limit={}",
            copy.seq,
            rng.usize(1..300)
        );
        let reply = client.get(&path).reply().await;
        if reply.status == 410 {
            let gone = reply.json();
            assert_eq!(gone["_issues"]["since"], "trimmed", "{gone}");
            return false;
        }
        let page = reply.expect(200).json();
        page["changes"].as_array().expect("changes").iter().for_each(|change| copy.apply(change));
        copy.seq = page["last_seq"].as_u64().expect("last_seq");
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_copy_is_right_in_the_end_or_told_to_begin_again() {
    let _turn = parts::heavy().await;
    let mut rng = fastrand::Rng::with_seed(seed("watch"));
    let mut server = Server::idle();
    // Nobody holds the log: it is trimmed to its last second, every second.
    server.flags(&["--set", "feed.keep_s=1", "--set", "feed.hold_s_max=1"]);
    server.launch();
    let client = Client::admin(&server).await;
    client.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let writers = Writers::start(&client, &mut rng);
    let (tell, end) = tokio::sync::watch::channel(0);
    let watchers: Vec<_> = (0..WATCHERS)
        .map(|watcher| {
            let (client, end, mut rng) = (client.clone(), end.clone(), rng.fork());
            tokio::spawn(async move {
                let mut begun = 1;
                let mut copy = Copy::list(&client).await;
                while !follow_slowly(&mut copy, &client, &mut rng, &end, watcher % 2 == 1).await {
                    begun += 1;
                    copy = Copy::list(&client).await;
                }
                (copy, begun)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let written = writers.stop().await;
    tell.send_replace(last_change(&client).await);
    let truth = Copy::list(&client).await;
    let mut lists = Vec::new();
    for (number, watcher) in watchers.into_iter().enumerate() {
        let watched = tokio::time::timeout(SOON, watcher).await.expect("a watcher comes to the end");
        let (copy, begun) = watched.expect("a watcher does not panic");
        same(&copy, &truth, &format!("watcher {number}, who listed {begun} times"));
        lists.push(begun);
    }
    eprintln!("{written} writes; the watchers listed {lists:?} times");
    assert!(written > 100 && lists.iter().any(|begun| *begun > 1), "{written} writes, {lists:?}");
}
