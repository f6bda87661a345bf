//! Server-sent events as a browser reads them: parsed, with ids kept, and resumed when the connection breaks.
//!
//! Invariant: a `Subscriber` sees each sequence at most once and in rising order, whatever happens to the program;
//! anything else is kept as a fault and fails the test.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Client, Lost, query};

/// `EPOCH-SEQ`, or `EPOCH-SEQ.N` between the events of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) events: u32,
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('-').and_then(|(epoch, place)| {
            let (seq, events) = place.split_once('.').unwrap_or((place, "0"));
            Some(Self { epoch: epoch.parse().ok()?, seq: seq.parse().ok()?, events: events.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("'{text}' is not EPOCH-SEQ"))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)?;
        if self.events > 0 { write!(f, ".{}", self.events) } else { Ok(()) }
    }
}

/// One event as it came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: Option<Id>,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// One open connection.
pub(crate) struct Stream {
    body: Incoming,
    unread: Vec<u8>,
    ready: VecDeque<Told>,
    pub(crate) comments: usize,
    pub(crate) media_type: String,
}

impl Stream {
    /// Opens a stream, after `last` if given.
    pub(crate) async fn open(client: &Client, topics: &str, last: Option<&str>) -> Result<Self, Lost> {
        Self::open_at(client, &format!("/api/stream?{}", query(&[("topics", topics)])), last).await
    }

    /// Opens a stream at a whole address.
    pub(crate) async fn open_at(client: &Client, path: &str, last: Option<&str>) -> Result<Self, Lost> {
        let mut call = client.get(path).header("accept", "text/event-stream");
        if let Some(last) = last {
            call = call.header("last-event-id", last);
        }
        let response = call.open().await?;
        if response.status() != 200 {
            return Err(Lost(format!("stream answered {}", response.status())));
        }
        let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let body = response.into_body();
        Ok(Self { body, unread: Vec::new(), ready: VecDeque::new(), comments: 0, media_type })
    }

    /// The next event; `None` when the program ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Told>, Lost> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Ok(Some(told));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(Lost(format!("stream: {error:?}"))),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.unread.extend_from_slice(data);
                        self.parse();
                    }
                }
            }
        }
    }

    /// The next event of a kind; others are skipped. Fails the test when none comes.
    pub(crate) async fn expect(&mut self, kind: &str, within: Duration) -> Told {
        let found = tokio::time::timeout(within, async {
            loop {
                match self.next().await {
                    Ok(Some(told)) if told.kind == kind => return told,
                    Ok(Some(_)) => {}
                    other => panic!("the stream ended before an event '{kind}': {other:?}"),
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("no event '{kind}' within {within:?}"))
    }

    /// HTML standard 9.2.6, as far as the program uses it: an event ends with an empty line.
    fn parse(&mut self) {
        while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.unread.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("a stream is UTF-8");
            let (mut id, mut kind, mut data) = (None, String::from("message"), None::<String>);
            for line in block.lines() {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match name {
                    "" => self.comments += usize::from(!line.is_empty()),
                    "id" => id = Some(value.parse().unwrap_or_else(|error| panic!("{error}"))),
                    "event" => value.clone_into(&mut kind),
                    "data" => match &mut data {
                        Some(text) => *text = format!("{text}\n{value}"),
                        None => data = Some(value.to_owned()),
                    },
                    "retry" => assert!(value.parse::<u64>().is_ok(), "retry: {value}"),
                    other => panic!("unknown field '{other}' in a stream"),
                }
            }
            if let Some(data) = data {
                let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
                self.ready.push_back(Told { id, kind, data });
            }
        }
    }
}

/// Everything a resuming subscriber was told.
#[derive(Default, Debug)]
pub(crate) struct Heard {
    pub(crate) events: Vec<Told>,
    pub(crate) faults: Vec<String>,
    /// Connections that came about.
    pub(crate) connections: usize,
    last: Option<Id>,
}

impl Heard {
    fn take(&mut self, told: Told, resumed_from: Option<Id>) {
        match told.kind.as_str() {
            "hello" => {
                let from = told.data["from"].as_u64();
                if let (Some(wanted), false) = (resumed_from, from == resumed_from.map(|id| id.seq)) {
                    self.faults.push(format!("resumed after {wanted}, but the stream starts at {from:?}"));
                }
            }
            "reset" => self.faults.push(format!("the stream was reset: {}", told.data)),
            _ => {}
        }
        let is_meta = matches!(told.kind.as_str(), "hello" | "pos" | "bye" | "reset");
        match told.id {
            Some(id) => {
                let before = self.last.map_or(0, |last| last.seq);
                if id.seq < before || (!is_meta && id.seq == before) {
                    self.faults.push(format!("{} {id} came after {:?}", told.kind, self.last));
                }
                if self.last.is_some_and(|last| id.epoch < last.epoch) {
                    self.faults.push(format!("epoch of {id} is before {:?}", self.last));
                }
                self.last = Some(id);
            }
            None if is_meta => {}
            None => self.faults.push(format!("an event without id: {told:?}")),
        }
        if !is_meta {
            if told.data["seq"].as_u64() != told.id.map(|id| id.seq) {
                self.faults.push(format!("id {:?} and seq of {} differ", told.id, told.data));
            }
            self.events.push(told);
        }
    }
}

/// Follows topics over any number of restarts of the program.
pub(crate) struct Subscriber {
    heard: Arc<Mutex<Heard>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Subscriber {
    /// Starts at the present head; returns once the program has said so.
    pub(crate) async fn start(client: &Client, topics: &str) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follow(client.clone(), topics.to_owned(), Arc::clone(&heard), stopped));
        let subscriber = Self { heard, stop, task };
        subscriber.wait("hello", Duration::from_secs(30), |heard| heard.last.is_some()).await;
        subscriber
    }

    /// Waits until enough was heard; tells how far it came if that does not happen.
    pub(crate) async fn wait(&self, what: &str, within: Duration, enough: impl Fn(&Heard) -> bool) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if enough(&self.heard.lock().expect("no holder panics")) {
                return true;
            }
            if self.task.is_finished() {
                eprintln!("the subscriber ended while waiting for {what}");
                return false;
            }
            if Instant::now() > deadline {
                let heard = self.heard.lock().expect("no holder panics");
                eprintln!(
                    "waited {within:?} for {what}: heard {} events, last {:?}",
                    heard.events.len(),
                    heard.last
                );
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it; what was heard, if nothing was wrong with it.
    pub(crate) async fn finish(self) -> Heard {
        let _ = self.stop.send(true);
        self.task.await.expect("the subscriber does not panic");
        let heard = std::mem::take(&mut *self.heard.lock().expect("no holder panics"));
        let shown = heard.faults.len().min(10);
        assert!(
            heard.faults.is_empty(),
            "{} faults of the stream: {:#?}",
            heard.faults.len(),
            &heard.faults[..shown]
        );
        heard
    }
}

async fn follow(
    client: Client,
    topics: String,
    heard: Arc<Mutex<Heard>>,
    mut stopped: watch::Receiver<bool>,
) {
    let work = async {
        loop {
            let last = heard.lock().expect("no holder panics").last;
            let text = last.map(|id| id.to_string());
            if let Ok(mut stream) = Stream::open(&client, &topics, text.as_deref()).await {
                heard.lock().expect("no holder panics").connections += 1;
                let mut resumed_from = last;
                while let Ok(Some(told)) = stream.next().await {
                    heard.lock().expect("no holder panics").take(told, resumed_from.take());
                }
            }
            // A browser waits as long as `retry` says; a test has no time for that.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}
