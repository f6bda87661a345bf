//! What one writer sent, and what it was promised.
//!
//! Invariant: at most one request of a writer is without an answer, so each thing is exactly known or one of two.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};

use super::client::{Client, Lost, Reply};

/// A document: the contents it may have. `None` is that it is not there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) may_be: Vec<Option<u64>>,
    pub(crate) etag: String,
}

/// How much was promised in one round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promised {
    pub(crate) documents: u64,
    pub(crate) jobs: u64,
    pub(crate) done: u64,
    pub(crate) fixes: u64,
    pub(crate) buffered: u64,
}

/// One writer.
pub(crate) struct Book {
    pub(crate) writer: usize,
    rng: Rng,
    count: u64,
    pub(crate) documents: BTreeMap<String, Known>,
    /// Documents whose state may have changed since they were last looked at.
    pub(crate) touched: BTreeSet<String>,
    /// The array whose outcome is unknown.
    pub(crate) open_array: Vec<String>,
    /// Buffered documents in the order in which they were acknowledged, and how many of them a later synced answer
    /// has made durable.
    pub(crate) buffered: Vec<String>,
    pub(crate) buffered_durable: usize,
    /// The buffered document whose outcome is unknown.
    pub(crate) buffered_open: Option<String>,
    /// Acknowledged jobs by id, and whether their completion was acknowledged (`Some(true)`) or asked for.
    pub(crate) jobs: BTreeMap<String, u64>,
    pub(crate) completed: BTreeMap<String, bool>,
    /// Number of the last fix that was acknowledged, and sent.
    pub(crate) fix_known: u64,
    pub(crate) fix_sent: u64,
    pub(crate) promised: Promised,
    /// An answer that no rule allows.
    pub(crate) strange: Vec<String>,
}

const BUFFERED: (&str, &str) = ("prefer", "durability=buffered");
const CREATE: (&str, &str) = ("if-none-match", "*");
const BEGAN_S: i64 = 1_767_225_600;

impl Book {
    pub(crate) fn new(writer: usize, seed: u64) -> Self {
        Self {
            writer,
            rng: Rng::with_seed(seed),
            count: 0,
            documents: BTreeMap::new(),
            touched: BTreeSet::new(),
            open_array: Vec::new(),
            buffered: Vec::new(),
            buffered_durable: 0,
            buffered_open: None,
            jobs: BTreeMap::new(),
            completed: BTreeMap::new(),
            fix_known: 0,
            fix_sent: 0,
            promised: Promised::default(),
            strange: Vec::new(),
        }
    }

    pub(crate) fn device(&self) -> String {
        format!("device-{}", self.writer)
    }

    pub(crate) fn lane(&self) -> String {
        format!("lane-{}", self.writer)
    }

    /// Writes until no answer comes; `buffered`: nothing that waits for the disk.
    pub(crate) async fn write(&mut self, client: &Client, buffered: bool) -> Lost {
        loop {
            let done = match if buffered { 7 } else { self.rng.u8(..12) } {
                0 | 1 => self.create(client).await,
                2 | 3 => self.rewrite(client).await,
                4 => self.remove(client).await,
                5 | 6 => self.array(client).await,
                7 | 8 => self.buffer(client).await,
                9 => self.enqueue(client).await,
                10 => self.complete(client).await,
                _ => self.fix(client).await,
            };
            if let Err(lost) = done {
                return lost;
            }
        }
    }

    fn name(&mut self, kind: char) -> String {
        self.count += 1;
        format!("{kind}{}-{}", self.writer, self.count)
    }

    fn body(&self, name: &str) -> Value {
        let filler = "x".repeat(usize::try_from(self.count % 900).unwrap_or(0));
        json!({"plate": name, "n": self.count, "filler": filler})
    }

    /// Whether it was done; an overloaded or stopped server has not done it, and says so. Everything buffered before
    /// an answer that waited for the disk is on the disk too.
    fn settle(&mut self, what: &str, reply: &Reply, status: u16) -> bool {
        if reply.status == status {
            self.buffered_durable = self.buffered.len();
            return true;
        }
        if !matches!(reply.status, 429 | 503) {
            self.strange.push(format!("{what}: {} {}", reply.status, reply.body));
        }
        false
    }

    async fn create(&mut self, client: &Client) -> Result<(), Lost> {
        let name = self.name('c');
        let body = self.body(&name);
        self.open(&name, Some(self.count));
        let reply = client.call("PUT", &format!("/api/cars/{name}"), &[CREATE], Some(&body)).await?;
        if self.settle(&name, &reply, 201) {
            self.close(&name, Some(self.count), &reply.body);
        }
        Ok(())
    }

    /// A write is under way: the old and the new content are both right.
    fn open(&mut self, name: &str, content: Option<u64>) {
        let known = self.documents.entry(name.to_owned());
        let known = known.or_insert_with(|| Known { may_be: vec![None], etag: String::new() });
        known.may_be.push(content);
        self.touched.insert(name.to_owned());
    }

    fn close(&mut self, name: &str, content: Option<u64>, answer: &Value) {
        let etag = answer["_etag"].as_str().unwrap_or_default().to_owned();
        self.documents.insert(name.to_owned(), Known { may_be: vec![content], etag });
        self.promised.documents += 1;
    }

    /// A document that is exactly known and there.
    fn pick(&mut self) -> Option<(String, String)> {
        let start = format!("c{}-{}", self.writer, self.rng.u64(..=self.count));
        let mut found = self.documents.range(start..).chain(self.documents.iter());
        let found = found.find(|(_, known)| matches!(known.may_be[..], [Some(_)]) && !known.etag.is_empty());
        found.map(|(name, known)| (name.clone(), format!("\"{}\"", known.etag)))
    }

    async fn rewrite(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((name, etag)) = self.pick() else { return Ok(()) };
        self.count += 1;
        let content = Some(self.count);
        let body = json!({"n": self.count});
        self.open(&name, content);
        let match_ = [("if-match", etag.as_str())];
        let reply = client.call("PATCH", &format!("/api/cars/{name}"), &match_, Some(&body)).await?;
        if self.settle(&name, &reply, 200) {
            self.close(&name, content, &reply.body);
        }
        Ok(())
    }

    async fn remove(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((name, etag)) = self.pick() else { return Ok(()) };
        self.open(&name, None);
        let match_ = [("if-match", etag.as_str())];
        let reply = client.call("DELETE", &format!("/api/cars/{name}"), &match_, None).await?;
        if self.settle(&name, &reply, 204) {
            self.close(&name, None, &Value::Null);
        }
        Ok(())
    }

    /// Several documents of which all are stored or none.
    async fn array(&mut self, client: &Client) -> Result<(), Lost> {
        let (mut bodies, mut names) = (Vec::new(), Vec::new());
        for _ in 0..self.rng.usize(2..=8) {
            let name = self.name('a');
            let mut body = self.body(&name);
            body["_id"] = json!(name);
            self.open(&name, Some(self.count));
            names.push((name, self.count));
            bodies.push(body);
        }
        self.open_array = names.iter().map(|(name, _)| name.clone()).collect();
        let reply = client.call("POST", "/api/cars", &[], Some(&json!(bodies))).await?;
        if self.settle("an array", &reply, 201) {
            names.iter().for_each(|(name, count)| self.close(name, Some(*count), &Value::Null));
            self.open_array.clear();
        }
        Ok(())
    }

    /// May be lost by a power cut, but only from the end.
    async fn buffer(&mut self, client: &Client) -> Result<(), Lost> {
        let name = self.name('b');
        let body = self.body(&name);
        self.buffered_open = Some(name.clone());
        let reply =
            client.call("PUT", &format!("/api/cars/{name}"), &[CREATE, BUFFERED], Some(&body)).await?;
        if reply.status == 201 {
            self.buffered_open = None;
            self.buffered.push(name);
            self.promised.buffered += 1;
        } else {
            // Settles nothing about what was buffered before.
            let durable = self.buffered_durable;
            self.settle(&name, &reply, 201);
            self.buffered_durable = durable;
        }
        Ok(())
    }

    async fn enqueue(&mut self, client: &Client) -> Result<(), Lost> {
        self.count += 1;
        let job = json!({"lane": self.lane(), "payload": {"n": self.count}, "group": "g"});
        let reply = client.call("POST", "/api/jobs", &[], Some(&job)).await?;
        if self.settle("a job", &reply, 201)
            && let Some(id) = reply.body["_id"].as_str()
        {
            self.jobs.insert(id.to_owned(), self.count);
            self.promised.jobs += 1;
        }
        Ok(())
    }

    async fn complete(&mut self, client: &Client) -> Result<(), Lost> {
        let ask = json!({"lane": self.lane(), "max": 1, "lease_s": 1});
        let reply = client.call("POST", "/api/jobs/lease", &[], Some(&ask)).await?;
        if reply.status != 200 {
            // A lease is no promise; only a strange answer counts.
            let durable = self.buffered_durable;
            self.settle("a lease", &reply, 200);
            self.buffered_durable = durable;
            return Ok(());
        }
        for job in reply.body["jobs"].as_array().into_iter().flatten() {
            let id = job["_id"].as_str().unwrap_or_default().to_owned();
            if self.completed.get(&id) == Some(&true) {
                self.strange.push(format!("job {id} was completed and is leased again"));
            }
            self.completed.insert(id.clone(), false);
            let ack = json!({"lease": job["lease"]});
            let reply = client.call("POST", &format!("/api/jobs/{id}/ack"), &[], Some(&ack)).await?;
            // The lease may have ended while the server was slow.
            if reply.status != 409 && self.settle("an ack", &reply, 204) {
                self.completed.insert(id, true);
                self.promised.done += 1;
            }
        }
        Ok(())
    }

    async fn fix(&mut self, client: &Client) -> Result<(), Lost> {
        self.fix_sent += 1;
        let at = BEGAN_S + i64::try_from(self.fix_sent).unwrap_or(0);
        let at = jiff::Timestamp::from_second(at).map_err(|_| Lost)?.to_string();
        let fix = json!([{"device": self.device(), "lon": 10.0, "lat": 50.0, "at": at}]);
        let reply = client.call("POST", "/api/positions", &[], Some(&fix)).await?;
        if self.settle("a fix", &reply, 202) {
            self.fix_known = self.fix_sent;
            self.promised.fixes += 1;
        }
        Ok(())
    }

    /// The number of a fix by its time, as it is answered.
    pub(crate) fn fix_number(at: &str) -> Option<u64> {
        let at: jiff::Timestamp = at.parse().ok()?;
        u64::try_from(at.as_second() - BEGAN_S).ok()
    }
}
