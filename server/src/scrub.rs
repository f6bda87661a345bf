//! The slow walk through everything that is stored, in search of damage; and what it has found.
//!
//! It reads at a bounded rate and begins again after `scrub.every_s`. Where it stands is kept in `DIR/scrub.json`, so a
//! restart goes on there; the file may be deleted. Damage is told in the log once it is found, and in `/readyz`,
//! `/metrics` and `GET /api/admin/engine` until a pass finds none.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dateline_engine::{Damage, ErrorKind, ScrubPlace, Scrubbed};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::eve::date;
use crate::work::Stop;

/// Bytes read without a pause.
const STEP_BYTES: u64 = 1 << 20;
/// Time between two savings of the state.
const SAVE_MS: u64 = 60_000;
/// Damaged places that are remembered.
const NAMED_MAX: usize = 20;
/// Wait after a step that failed, or when there is nothing to do.
const IDLE: Duration = Duration::from_secs(60);

/// Where the walk stands and what it has found. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Scrub(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// The pass under way; before the first one it has not begun.
    pass: Option<Pass>,
    /// The last one that came to its end.
    last: Option<Pass>,
    /// Bytes read since this process began.
    #[serde(skip)]
    bytes: u64,
}

/// One walk through everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// Where it goes on.
    place: String,
    began_ms: u64,
    ended_ms: u64,
    /// Damaged families that were known when it began.
    families: usize,
    keys: u64,
    bytes: u64,
    damaged: u64,
    /// The first damaged places.
    damage: Vec<String>,
}

impl Pass {
    fn take(&mut self, step: &Scrubbed) {
        self.keys += step.keys;
        self.bytes += step.bytes;
        self.damaged += step.damage.len() as u64;
        let room = NAMED_MAX.saturating_sub(self.damage.len());
        self.damage.extend(step.damage.iter().take(room).map(words));
    }
}

fn words(damage: &Damage) -> String {
    format!("{}/{}: {}", damage.family, damage.key, damage.error)
}

impl Scrub {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known to be damaged: by the last whole pass and the one under way.
    fn damaged(&self) -> u64 {
        let state = self.state();
        [&state.pass, &state.last].into_iter().flatten().map(|pass| pass.damaged).max().unwrap_or(0)
    }

    /// One line for `/readyz?verbose`, which anybody may read: no keys. Damage is no reason to send nobody here any more.
    pub(crate) fn check(&self, families: &[&str]) -> Result<String, String> {
        let damaged = self.damaged();
        let last = match &self.state().last {
            None => "no full pass yet".to_owned(),
            Some(last) => format!("last full pass {}", date::format(last.ended_ms)),
        };
        if damaged == 0 && families.is_empty() {
            return Ok(format!("{last}, nothing damaged"));
        }
        let families = families.join(", ");
        Err(format!("damaged families: {families}; {last}, {damaged} damaged places; see /api/admin/engine"))
    }

    /// The pass under way and the last one that came to its end, for administrators.
    pub(crate) fn told(&self) -> Value {
        let told = |pass: &Option<Pass>| {
            pass.as_ref().map(|pass| {
                json!({
                    "began": date::format(pass.began_ms),
                    "ended": (pass.ended_ms > 0).then(|| date::format(pass.ended_ms)),
                    "keys": pass.keys, "bytes": pass.bytes,
                    "damaged": pass.damaged, "damage": pass.damage,
                })
            })
        };
        let state = self.state();
        json!({"running": told(&state.pass), "last": told(&state.last)})
    }

    /// Figures for `/metrics`.
    pub(crate) fn registry(&self) -> Registry {
        let (bytes, damaged, passed) =
            (Counter::<u64>::default(), Gauge::<i64>::default(), Gauge::<i64>::default());
        damaged.set(i64::try_from(self.damaged()).unwrap_or(i64::MAX));
        let state = self.state();
        bytes.inc_by(state.bytes);
        passed.set(state.last.as_ref().map_or(0, |last| i64::try_from(last.ended_ms / 1000).unwrap_or(0)));
        let mut registry = Registry::with_prefix("dateline");
        registry.register("scrub_bytes", "Bytes that the search for damage has read", bytes);
        registry.register("scrub_damaged", "Damaged places found by the last full pass or since", damaged);
        registry.register(
            "scrub_last_pass_timestamp_seconds",
            "End of the last full pass, 0 for none",
            passed,
        );
        registry
    }

    /// One step of the walk; answers how many bytes were read, `None` while no pass is due.
    fn step(&self, app: &App) -> dateline_engine::Result<Option<u64>> {
        let now = app.store().now().get();
        let families = app.store().health().damaged.len();
        let every_ms = app.config().scrub.every_s.saturating_mul(1000);
        let mut pass = {
            let state = self.state();
            // What a reader or a merge has met since is looked for at once.
            let is_due = |last: &Pass| {
                now >= last.began_ms.saturating_add(every_ms)
                    || (families > last.families && last.damaged == 0)
            };
            match &state.pass {
                Some(pass) => pass.clone(),
                None if state.last.as_ref().is_none_or(is_due) => {
                    Pass { began_ms: now, families, ..Pass::default() }
                }
                None => return Ok(None),
            }
        };
        // A place that an older program has written may name a family that is no more: then the pass begins anew.
        let place = pass.place.parse::<ScrubPlace>().unwrap_or_default();
        let step = app.store().scrub(&place, STEP_BYTES.min(app.config().scrub.bytes_per_s))?;
        for Damage { family, key, error } in &step.damage {
            tracing::error!(family, key, error, "stored bytes are damaged");
        }
        pass.take(&step);
        let mut state = self.state();
        state.bytes += step.bytes;
        if let Some(next) = step.next {
            pass.place = next.to_string();
            state.pass = Some(pass);
            return Ok(Some(step.bytes));
        }
        pass.ended_ms = now;
        let Pass { keys, bytes, damaged, .. } = pass;
        tracing::info!(keys, bytes, damaged, "everything stored has been read");
        (state.last, state.pass) = (Some(pass), None);
        Ok(Some(step.bytes))
    }

    fn load(&self, app: &App) {
        let text = fs::read_to_string(file(app)).ok();
        // One that cannot be read costs a pass, nothing else.
        if let Some(found) = text.and_then(|text| serde_json::from_str(&text).ok()) {
            *self.state() = found;
        }
    }

    fn save(&self, app: &App) {
        let state = self.state().clone();
        let path = file(app);
        let draft = path.with_extension("json.new");
        let saved = serde_json::to_vec(&state)
            .map_err(std::io::Error::other)
            .and_then(|text| fs::write(&draft, text))
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = saved {
            tracing::debug!(%error, "the state of the scrub is not saved");
        }
    }
}

fn file(app: &App) -> PathBuf {
    app.data_dir().join("scrub.json")
}

/// Until it is told to stop. An error is told and the step is tried again later.
pub(crate) fn run(app: &App, stop: &Stop) {
    let rate = app.config().scrub.bytes_per_s;
    if rate == 0 {
        return;
    }
    let scrub = app.scrub();
    scrub.load(app);
    let mut saved_ms = app.store().now().get();
    while !stop.is_set() {
        let pause = match scrub.step(app) {
            Ok(Some(bytes)) => Duration::from_secs_f64(bytes as f64 / rate as f64),
            Ok(None) => IDLE,
            Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable) => IDLE,
            Err(error) => {
                tracing::error!(%error, "the search for damage failed and is tried again");
                IDLE
            }
        };
        let now = app.store().now().get();
        if now >= saved_ms + SAVE_MS || pause == IDLE {
            saved_ms = now;
            scrub.save(app);
        }
        stop.pause(pause);
    }
    scrub.save(app);
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionOptions, Condition, DocId, Durability, Options, Store, Transaction};

    use super::*;
    use crate::testing::{Running, test_config};

    /// Documents in a table on disk, one of them in a block with a changed byte.
    fn damaged(data: &std::path::Path) {
        let held = crate::data::DataDir::take(data).unwrap();
        let options = Options { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, ..Options::new() };
        let store = Store::open(&held.store(), options.clone()).unwrap();
        let definition = CollectionOptions { definition: "{}".to_owned(), ..CollectionOptions::default() };
        let cars = store.ensure_collection("cars", definition).unwrap();
        for n in 100..160 {
            let body = format!(r#"{{"mark":"mark {n}","filler":"{}"}}"#, "x".repeat(3_000));
            let id = DocId::new(format!("c{n}")).unwrap();
            store.commit(Transaction::new(Durability::Sync).put(cars, id, Condition::Always, body)).unwrap();
        }
        drop(store.checkpoint(&held.checkpoint(), &mut |_, _, _| ()).unwrap());
        store.close();
        drop(store);
        let mut changed = 0;
        for entry in fs::read_dir(held.store()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap_or_default();
            let is_table = path.extension().is_some_and(|end| end == "sst");
            if let Some(at) = bytes.windows(8).position(|window| window == b"mark 130").filter(|_| is_table) {
                bytes[at] ^= 0x20;
                fs::write(&path, bytes).unwrap();
                changed += 1;
            }
        }
        assert_eq!(changed, 1);
        // From the first reading on the family is merged no more, and writes go on.
        let store = Store::open(&held.store(), options).unwrap();
        let cars = store.catalog().by_name("cars").unwrap().id;
        assert_eq!(store.get(cars, "c130").unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_damaged_block_is_answered_with_corrupt_and_the_rest_is_served() {
        let place = tempfile::tempdir().unwrap();
        damaged(place.path());
        let app = App::builder().data(place.path()).config(test_config()).open().unwrap();
        let server = Running::serve(app.clone(), crate::routes()).await;
        server.add_user("ann", "a long password", "administrator").await;
        let token = server.sign_in("ann", "a long password").await["token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {token}");
        let signed = [("authorization", bearer.as_str())];
        let seen = server.get("/api/cars/c130", &signed).await;
        assert_eq!(seen.status, 500, "{seen:?}");
        let told = seen.json();
        assert_eq!(told["type"], "corrupt", "{told}");
        assert!(!told.to_string().contains(".sst"), "a client sees no file names: {told}");
        for path in ["/api/cars/c100", "/api/cars/c159", "/api/users"] {
            assert_eq!(server.get(path, &signed).await.status, 200, "{path}");
        }

        // Before the search comes by, the readers have met it.
        let ready = server.get("/readyz", &[]).await;
        assert_eq!(ready.status, 200);
        assert_eq!(ready.json()["status"], "damaged");
        let scrub = app.scrub();
        assert_eq!(scrub.told(), json!({"running": null, "last": null}));
        while scrub.state().last.is_none() {
            assert!(scrub.step(&app).unwrap().is_some());
            // As if the process ended here.
            scrub.save(&app);
            *scrub.state() = State::default();
            scrub.load(&app);
        }
        assert_eq!(scrub.step(&app).unwrap(), None, "the next pass is not due");
        scrub.state().last = Some(Pass { began_ms: app.store().now().get(), ..Pass::default() });
        while scrub.state().last.as_ref().is_none_or(|last| last.damaged == 0) {
            assert!(scrub.step(&app).unwrap().is_some(), "what a reader has met was not known to that pass");
        }
        assert_eq!(scrub.step(&app).unwrap(), None, "now it is");
        let ready = server.get("/readyz?verbose", &[]).await;
        let check = &ready.json()["checks"]["damage"];
        assert_eq!(ready.status, 200);
        assert_eq!(check["ok"], false);
        let detail = check["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("damaged families: heads; ") && detail.contains("1 damaged places"),
            "{detail}"
        );
        assert!(!detail.contains("c1"), "anybody may read it: {detail}");
        let engine = server.get("/api/admin/engine", &signed).await.json();
        assert_eq!(engine["damaged_families"], json!(["heads"]));
        let (last, place) = (&engine["scrub"]["last"], &engine["scrub"]["last"]["damage"][0]);
        assert_eq!((&last["damaged"], &engine["scrub"]["running"]), (&json!(1), &json!(null)));
        let place = place.as_str().unwrap();
        assert!(place.starts_with("heads/") && place.contains(".sst") && place.contains("offset"), "{place}");
        let metrics = String::from_utf8(server.get("/metrics", &[]).await.body.to_vec()).unwrap();
        assert!(metrics.contains("\ndateline_scrub_damaged 1\n"), "{metrics}");
        server.stop().await.stop();
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let damage = Damage { family: "heads", key: "k".to_owned(), error: "e".to_owned() };
        let mut pass = Pass::default();
        for _ in 0..3 {
            pass.take(&Scrubbed { keys: 1, bytes: 10, damage: vec![damage.clone(); 9], next: None });
        }
        assert_eq!((pass.keys, pass.bytes, pass.damaged, pass.damage.len()), (3, 30, 27, NAMED_MAX));
    }
}
