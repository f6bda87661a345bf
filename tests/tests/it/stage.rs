//! Plays steps against a program that may be killed at any moment, and compares what it told with the oracle.
//!
//! One step is under way at a time, and every step can be sent again: a creation answers 412 when it was done, a
//! change has a new `_etag`, a repeated fix is older than the device's last one or the same. So the order of the log is
//! the order of the steps, whenever the program dies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::{Client, Lost, Reply};
use crate::oracle::{Expected, Fix, Kind, Step};
use crate::program::Server;
use crate::sphere::Place;
use crate::sse::Told;
use crate::tracks::{millis, time_text};

const RETRY_MAX: Duration = Duration::from_secs(120);
/// The precision of distances in events.
const DISTANCE_M: f64 = 0.01;

/// A program that is played to.
pub(crate) struct Stage {
    pub(crate) server: Arc<Mutex<Server>>,
    pub(crate) client: Client,
    etags: HashMap<(&'static str, String), String>,
    /// Requests whose answer was lost.
    pub(crate) lost: usize,
}

impl Stage {
    pub(crate) async fn new(server: Server) -> Self {
        let client = Client::admin(&server).await;
        Self { server: Arc::new(Mutex::new(server)), client, etags: HashMap::new(), lost: 0 }
    }

    /// Documents that exist already and may be changed by steps.
    pub(crate) fn knows(&mut self, resource: &'static str, id: &str, etag: &str) {
        self.etags.insert((resource, id.to_owned()), etag.to_owned());
    }

    /// Creates documents in any order, several at a time.
    pub(crate) async fn prepare(&mut self, steps: &[Step]) {
        let mut waiting =
            steps.chunks(steps.len().div_ceil(8).max(1)).map(<[Step]>::to_vec).collect::<Vec<_>>();
        let workers = waiting.drain(..).map(|steps| {
            let client = self.client.clone();
            tokio::spawn(async move {
                let mut etags = Vec::new();
                for step in steps {
                    let Step::Put { resource, id, body } = step else {
                        panic!("only creations can be prepared")
                    };
                    let reply =
                        client.put_new(&format!("/api/{resource}/{id}"), &body).reply().await.expect(201);
                    etags.push(((resource, id), reply.etag()));
                }
                etags
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            self.etags.extend(worker.await.expect("a worker does not panic"));
        }
    }

    /// Kills the program after a while, once more while it recovers, and starts it again; steps go on meanwhile.
    pub(crate) fn kill_soon(&self, after: Duration) -> JoinHandle<()> {
        self.restart_soon(after, move |server| {
            server.kill();
            server.stumble(after * 3);
        })
    }

    /// The same with SIGTERM.
    pub(crate) fn stop_soon(&self, after: Duration) -> JoinHandle<()> {
        self.restart_soon(after, Server::stop)
    }

    fn restart_soon(
        &self,
        after: Duration,
        end: impl FnOnce(&mut Server) + Send + 'static,
    ) -> JoinHandle<()> {
        let server = Arc::clone(&self.server);
        tokio::task::spawn_blocking(move || {
            std::thread::sleep(after);
            let mut server = server.lock().expect("no holder panics");
            end(&mut server);
            server.launch();
        })
    }

    /// Does a step exactly once, however often it takes.
    pub(crate) async fn send(&mut self, step: &Step) {
        let deadline = Instant::now() + RETRY_MAX;
        let mut again = false;
        while let Err(Lost(reason)) = self.attempt(step, again).await {
            assert!(Instant::now() < deadline, "the program does not come back: {reason}");
            again = true;
            self.lost += 1;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn attempt(&mut self, step: &Step, again: bool) -> Result<(), Lost> {
        match step {
            Step::Fixes(fixes) => {
                let reply =
                    served(self.client.post("/api/positions", &batch(fixes)).attempt().await?)?.expect(202);
                let taken = reply.json();
                assert_eq!((&taken["accepted"], &taken["rejected"]), (&json!(fixes.len()), &json!([])));
            }
            Step::Put { resource, id, body } => {
                let path = format!("/api/{resource}/{id}");
                let reply = served(self.client.put_new(&path, body).attempt().await?)?;
                let reply = match reply.status {
                    412 if again => served(self.client.get(&path).attempt().await?)?.expect(200),
                    _ => reply.expect(201),
                };
                self.etags.insert((*resource, id.clone()), reply.etag());
            }
            Step::Patch { resource, id, changes } => {
                if again && self.was_done(resource, id).await? {
                    return Ok(());
                }
                let key = (*resource, id.clone());
                let reply = self.client.patch(&format!("/api/{resource}/{id}"), &self.etags[&key], changes);
                let reply = served(reply.attempt().await?)?.expect(200);
                self.etags.insert(key, reply.etag());
            }
            Step::Delete { resource, id } => {
                if again && self.was_done(resource, id).await? {
                    return Ok(());
                }
                let path = format!("/api/{resource}/{id}");
                let etag = &self.etags[&(*resource, id.clone())];
                served(self.client.delete(&path, etag).attempt().await?)?.expect(204);
                if *resource == "ads" {
                    // Ads stay, deactivated; a later step may wake one up again.
                    let reply = served(self.client.get(&path).attempt().await?)?.expect(200);
                    self.etags.insert((*resource, id.clone()), reply.etag());
                }
            }
        }
        Ok(())
    }

    /// Whether a change whose answer was lost has been made.
    async fn was_done(&mut self, resource: &'static str, id: &str) -> Result<bool, Lost> {
        let reply = served(self.client.get(&format!("/api/{resource}/{id}")).attempt().await?)?;
        if reply.status == 404 {
            return Ok(true);
        }
        let etag = reply.expect(200).etag();
        let known = self.etags.insert((resource, id.to_owned()), etag.clone());
        Ok(known.as_ref() != Some(&etag))
    }
}

/// A program that is ending says so; that is as good as no answer.
fn served(reply: Reply) -> Result<Reply, Lost> {
    if reply.status == 503 { Err(Lost(reply.text())) } else { Ok(reply) }
}

fn batch(fixes: &[Fix]) -> Value {
    let item = |fix: &Fix| json!({"device": fix.device, "lon": fix.place.0, "lat": fix.place.1, "at": time_text(fix.at_ms)});
    fixes.iter().map(item).collect()
}

/// Fails the test unless the events are those expected: none lost, none repeated, each right, in order.
pub(crate) fn compare(expected: &[Expected], heard: &[Told]) {
    type Owner = (Kind, String);
    let owner = |device: Option<&str>, user: Option<&str>| device.or(user).unwrap_or_default().to_owned();
    let mut wanted: BTreeMap<Owner, Vec<&Expected>> = BTreeMap::new();
    for event in expected {
        wanted
            .entry((event.kind, owner(event.device.as_deref(), event.user.as_deref())))
            .or_default()
            .push(event);
    }
    let mut got: BTreeMap<Owner, Vec<&Told>> = BTreeMap::new();
    for told in heard {
        let kind = if told.kind == "match" { Kind::Match } else { Kind::Fence };
        got.entry((kind, owner(told.data["device"].as_str(), told.data["user"].as_str())))
            .or_default()
            .push(told);
    }
    let mut faults = Vec::new();
    let mut causes: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    let owners: std::collections::BTreeSet<&Owner> = wanted.keys().chain(got.keys()).collect();
    for owner in owners {
        let (wanted, got) =
            (wanted.get(owner).map_or(&[][..], Vec::as_slice), got.get(owner).map_or(&[][..], Vec::as_slice));
        let differing =
            wanted.iter().zip(got).position(|(wanted, got)| difference(wanted, &got.data).is_some());
        let at = differing.or((wanted.len() != got.len()).then_some(wanted.len().min(got.len())));
        if let Some(at) = at {
            let pair =
                wanted.get(at).zip(got.get(at)).and_then(|(wanted, got)| difference(wanted, &got.data));
            faults.push(format!(
                "{owner:?}: {} expected, {} came; at {at} ({}):\n  expected {:?}\n  came     {:?}",
                wanted.len(),
                got.len(),
                pair.unwrap_or_else(|| "one is missing".to_owned()),
                wanted.get(at),
                got.get(at).map(|told| &told.data),
            ));
        }
        causes.extend(
            wanted.iter().zip(got).map(|(wanted, got)| (got.id.map_or(0, |id| id.seq), wanted.cause)),
        );
    }
    let shown = faults.len().min(5);
    assert!(
        faults.is_empty(),
        "{} owners were told otherwise:\n{}",
        faults.len(),
        faults[..shown].join("\n")
    );
    check_order(heard, &causes);
}

/// Per device matches and fences together are in the order of their causes, and of one cause exits come first.
fn check_order(heard: &[Told], causes: &BTreeMap<u64, (usize, usize)>) {
    let mut last: HashMap<&str, ((usize, usize), bool)> = HashMap::new();
    for told in heard {
        let Some(device) = told.data["device"].as_str() else { continue };
        let seq = told.id.map_or(0, |id| id.seq);
        let now = (causes[&seq], told.data["event"] == "enter");
        let before = last.insert(device, now);
        assert!(
            before.is_none_or(|before| before <= now),
            "out of order for {device}: {now:?} after {before:?}: {told:?}"
        );
    }
}

/// In what an event differs from the expected one.
fn difference(wanted: &Expected, got: &Value) -> Option<String> {
    let (rule_name, rule) = match wanted.kind {
        Kind::Match => ("adlist", &wanted.rule),
        Kind::Fence => ("fence", &wanted.rule),
    };
    let texts = [
        (rule_name, Some(rule.as_str())),
        ("ad", wanted.ad.as_deref()),
        ("device", wanted.device.as_deref()),
        ("user", wanted.user.as_deref()),
        ("event", Some(wanted.event)),
        ("reason", Some(wanted.reason)),
    ];
    for (name, text) in texts {
        if got[name].as_str() != text {
            return Some(format!("{name} is {}", got[name]));
        }
    }
    if let Some(wanted_m) = wanted.distance_m {
        match got["distance_m"].as_f64() {
            Some(got_m) if (got_m - wanted_m).abs() <= DISTANCE_M => {}
            _ => return Some(format!("distance_m is {}, not {wanted_m}", got["distance_m"])),
        }
    }
    let at_ms = got["at"].as_str().map(millis);
    match (wanted.at_ms, at_ms) {
        (Some(wanted), Some(got)) if wanted == got => {}
        // The server's clock; the test began a few minutes ago.
        (None, Some(got)) if (jiff::Timestamp::now().as_millisecond() - got).abs() < 3_600_000 => {}
        _ => return Some(format!("at is {}, not {:?}", got["at"], wanted.at_ms.map(time_text))),
    }
    let near = |place: Place, lon: &Value, lat: &Value| {
        let close = |got: &Value, wanted: f64| got.as_f64().is_some_and(|got| (got - wanted).abs() < 1e-7);
        close(lon, place.0) && close(lat, place.1)
    };
    if let Some(place) = wanted.place
        && !near(place, &got["lon"], &got["lat"])
    {
        return Some(format!("lon, lat are {}, {}", got["lon"], got["lat"]));
    }
    let is_move = wanted.kind == Kind::Fence && wanted.reason == "update:pos";
    let previous_fits = match wanted.previous {
        Some(place) => near(place, &got["previous"][0], &got["previous"][1]),
        None => got["previous"].is_null(),
    };
    (is_move && !previous_fits).then(|| format!("previous is {}", got["previous"]))
}

#[test]
fn a_comparison_can_fail() {
    use crate::sse::Id;
    let expected = |cause: usize, event: &'static str| Expected {
        cause: (cause, 0),
        kind: Kind::Match,
        rule: "list".to_owned(),
        ad: Some("ad".to_owned()),
        device: Some("device".to_owned()),
        user: None,
        event,
        reason: "update:pos",
        distance_m: Some(5.0),
        at_ms: Some(1_000),
        place: None,
        previous: None,
    };
    let told = |seq: u64, event: &str| Told {
        id: Some(Id { epoch: 1, seq, events: 0 }),
        kind: "match".to_owned(),
        data: json!({
            "adlist": "list", "ad": "ad", "device": "device", "user": null, "event": event, "reason": "update:pos",
            "distance_m": 5.002, "at": "1970-01-01T00:00:01Z", "seq": seq,
        }),
    };
    let wanted = [expected(1, "enter"), expected(2, "exit")];
    let right = [told(1, "enter"), told(2, "exit")];
    compare(&wanted, &right);
    let fails = |wrong: Vec<Told>| std::panic::catch_unwind(|| compare(&wanted, &wrong)).is_err();
    let with = |name: &str, value: Value| {
        let mut wrong = right.to_vec();
        wrong[1].data[name] = value;
        wrong
    };
    assert!(fails(vec![right[0].clone()]), "one is lost");
    assert!(fails(vec![right[0].clone(), right[1].clone(), told(3, "exit")]), "one is repeated");
    assert!(fails(vec![right[1].clone(), right[0].clone()]), "the order is wrong");
    assert!(fails(with("reason", json!("new:ad"))), "the reason is wrong");
    assert!(fails(with("distance_m", json!(5.02))), "the distance is wrong");
    assert!(fails(with("at", json!("1970-01-01T00:00:02Z"))), "the time is wrong");
    assert!(fails(with("device", json!("another"))), "the device is wrong");
}
