//! The real input, end to end: 34,006 places as ads, three files of tracks as devices, a program killed on the way,
//! and a stream that must equal the oracle's, event for event.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, query};
use crate::oracle::{Oracle, Step};
use crate::parts;
use crate::plan::{Measure, Plan, seed};
use crate::program::{Server, run};
use crate::snapshot::shift_first_device;
use crate::sse::{Heard, Subscriber};
use crate::stage::{Stage, compare};
use crate::tracks::{cities, fixes, shared};

const CATEGORIES: [&str; 7] = ["EG", "CN", "GB", "DE", "bikes", "cars", "boats"];
const KILLS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_input_equals_the_oracle_across_kills() {
    let Some(shared) = shared() else {
        parts::without("real input: no ../shared/data beside the repository and no DATELINE_SHARED");
        return;
    };
    let _turn = parts::heavy().await;
    let seed = seed("replay");
    let began = Instant::now();
    let mut stage = Stage::new(Server::start()).await;
    let mut oracle = Oracle::new();
    let ads = import_cities(&mut stage, &mut oracle, &shared).await;
    eprintln!("replay: {} ads imported after {:?}", ads.len(), began.elapsed());

    let fixes = fixes(&shared);
    assert_eq!(fixes.len(), 22_287 + 5_908 + 1_533, "every fix of the three files is replayed");
    let measure = Measure { batch_fixes: 60..=240, changes_max: 8, fences: 40, fixed_lists: 60 };
    let plan = Plan::new(seed, &fixes, &ads, &CATEGORIES, &measure);
    stage.prepare(&plan.setup).await;
    plan.setup.iter().for_each(|step| oracle.apply(step));
    eprintln!("replay: {} lists and fences after {:?}", plan.setup.len(), began.elapsed());

    let heard = perform(&mut stage, &mut oracle, &plan.steps, seed).await;
    eprintln!(
        "replay: {} steps, {} answers lost, {} events over {} connections after {:?}; nearest to a circle {} m",
        plan.steps.len(),
        stage.lost,
        heard.events.len(),
        heard.connections,
        began.elapsed(),
        oracle.narrowest_m,
    );
    compare(&oracle.expected, &heard.events);
    // A run in which little happens proves little.
    assert!(heard.events.len() > 2_000, "only {} events", heard.events.len());
    check_log(&stage.client, &heard).await;
    check_state(&stage.client, &mut oracle).await;
    eprintln!("replay: compared after {:?}", began.elapsed());

    let server = stage.server;
    server.lock().expect("no holder panics").stop();
    let data = server.lock().expect("no holder panics").data();
    verify(&data, began);
}

/// Plays the steps with kills between and during them; what a subscriber heard, complete.
pub(crate) async fn perform(stage: &mut Stage, oracle: &mut Oracle, steps: &[Step], seed: u64) -> Heard {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x6b69_6c6c);
    let subscriber = Subscriber::start(&stage.client, "matches,fences").await;
    let every = steps.len() / (KILLS + 1);
    let mut restart: Option<tokio::task::JoinHandle<()>> = None;
    for (index, step) in steps.iter().enumerate() {
        let turn = index.checked_div(every).unwrap_or(0);
        if index > 0 && every > 0 && index % every == 0 && turn <= KILLS {
            if let Some(restart) = restart.take() {
                restart.await.expect("a restart does not panic");
            }
            let after = Duration::from_millis(rng.u64(0..60));
            // The middle one is a clean stop: that must lose nothing either.
            let is_stop = turn == KILLS.div_ceil(2);
            restart = Some(if is_stop { stage.stop_soon(after) } else { stage.kill_soon(after) });
        }
        stage.send(step).await;
    }
    if let Some(restart) = restart {
        restart.await.expect("a restart does not panic");
    }
    steps.iter().for_each(|step| oracle.apply(step));
    let wanted = oracle.expected.len();
    subscriber.wait("all events", Duration::from_secs(60), |heard| heard.events.len() >= wanted).await;
    // Anything told twice comes soon after.
    tokio::time::sleep(Duration::from_secs(1)).await;
    subscriber.finish().await
}

async fn import_cities(stage: &mut Stage, oracle: &mut Oracle, shared: &Path) -> Vec<String> {
    let file = shared.join("data/cities.csv");
    let copy = tempfile::tempdir().expect("a temporary directory");
    // The command writes its state beside the file.
    let beside = copy.path().join("cities.csv");
    std::fs::copy(&file, &beside).expect("the file is copied");
    let (url, token) = (stage.client.url(), stage.client.token().to_owned());
    let arguments = [
        "import",
        "--url",
        &url,
        "--token",
        &token,
        "--collection",
        "ads",
        "--map",
        "title=name",
        "--map",
        "category=country",
        "--map",
        "price=population",
        "--lon",
        "lon",
        "--lat",
        "lat",
        beside.to_str().expect("a UTF-8 path"),
    ];
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    let outcome =
        tokio::task::spawn_blocking(move || run(&arguments)).await.expect("the import is waited for");
    assert_eq!(outcome.code, Some(0), "import: {}\n{}", outcome.stdout, outcome.stderr);

    let stored = stage.client.read_all("ads").await;
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for city in cities(shared) {
        let place = json!([city.lon, city.lat]);
        *wanted.entry(format!("{} {} {} {place}", city.name, city.country, city.population)).or_default() +=
            1;
    }
    assert_eq!(wanted.values().sum::<usize>(), 34_006);
    let mut ids = Vec::with_capacity(stored.len());
    for ad in stored {
        let place =
            json!([ad["location"]["coordinates"][0].as_f64(), ad["location"]["coordinates"][1].as_f64()]);
        let text = |name: &str| ad[name].as_str().unwrap_or_default().to_owned();
        let key = format!(
            "{} {} {} {place}",
            text("title"),
            text("category"),
            ad["price"].as_f64().unwrap_or(-1.0)
        );
        match wanted.get_mut(&key) {
            Some(left) if *left > 0 => *left -= 1,
            _ => panic!("imported, but not in the file: {ad}"),
        }
        let id = text("_id");
        stage.knows("ads", &id, &text("_etag"));
        let body: Value = json!({
            "title": ad["title"], "category": ad["category"], "price": ad["price"], "location": ad["location"],
        });
        oracle.apply(&Step::Put { resource: "ads", id: id.clone(), body });
        ids.push(id);
    }
    let missing: Vec<&String> = wanted.iter().filter(|(_, left)| **left > 0).map(|(key, _)| key).collect();
    assert!(missing.is_empty(), "{} places were not imported: {:?}", missing.len(), missing.first());
    ids
}

/// The log holds exactly what the stream told.
pub(crate) async fn check_log(client: &Client, heard: &Heard) {
    let (mut since, mut logged) = (0, Vec::new());
    loop {
        let page = client
            .read(&format!("/api/changes?since={since}&limit=5000&collections=matches,fence_events"))
            .await;
        let changes = page["changes"].as_array().expect("changes").clone();
        let last = page["last_seq"].as_u64().expect("last_seq");
        logged.extend(changes.iter().map(|change| change["seq"].as_u64().expect("seq")));
        if last == since {
            break;
        }
        since = last;
    }
    let told: Vec<u64> = heard.events.iter().filter_map(|told| told.id).map(|id| id.seq).collect();
    assert_eq!(logged.len(), told.len(), "events in the log, and told");
    assert_eq!(logged, told, "sequences in the log, and told");
}

/// What can be asked about lists, fences and devices is what the oracle holds.
pub(crate) async fn check_state(client: &Client, oracle: &mut Oracle) {
    for id in oracle.lists().cloned().collect::<Vec<_>>() {
        let answer = client.read(&format!("/api/adlists/{id}/matches")).await;
        let items = answer["_items"].as_array().expect("_items");
        let wanted = oracle.matches(&id);
        let got: Vec<(&str, Option<f64>)> = items
            .iter()
            .map(|ad| (ad["_id"].as_str().unwrap_or_default(), ad["distance_m"].as_f64()))
            .collect();
        assert_eq!(got.len(), wanted.len(), "matches of {id}: {got:?} {wanted:?}");
        assert!(got.is_sorted_by(|a, b| a.1 <= b.1), "matches of {id} come nearest first: {got:?}");
        let wanted: BTreeMap<&str, Option<f64>> =
            wanted.iter().map(|(ad, away_m)| (ad.as_str(), *away_m)).collect();
        for (ad, away_m) in got {
            let wanted_m = wanted.get(ad).unwrap_or_else(|| panic!("{ad} does not match {id}"));
            let is_near = |(got, wanted): (f64, f64)| (got - wanted).abs() <= 0.01;
            assert!(
                wanted_m.is_none() || away_m.zip(*wanted_m).is_some_and(is_near),
                "{id} {ad}: {away_m:?} {wanted_m:?}"
            );
        }
    }
    let devices: Vec<(String, (f64, f64))> =
        oracle.devices().map(|(id, place)| (id.clone(), place)).collect();
    for (index, (device, place)) in devices.into_iter().enumerate() {
        let inside = client.read(&format!("/api/devices/{device}/fences")).await;
        assert_eq!(ids(&inside), oracle.fences_of(&device), "fences of {device}");
        let now = client.read(&format!("/api/positions/{device}")).await;
        assert_eq!((now["lon"].as_f64(), now["lat"].as_f64()), (Some(place.0), Some(place.1)), "{device}");
        if index % 4 == 0 {
            let holding = client
                .read(&format!("/api/fences?{}", query(&[("contains", &format!("{},{}", place.0, place.1))])))
                .await;
            assert_eq!(ids(&holding), oracle.fences_holding(place), "fences that hold {place:?}");
        }
    }
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["_items"].as_array().expect("_items");
    let mut ids: Vec<String> =
        items.iter().map(|item| item["_id"].as_str().unwrap_or_default().to_owned()).collect();
    ids.sort();
    ids
}

/// `dateline verify` agrees with a sound directory, and names a difference that was planted.
fn verify(data: &Path, began: Instant) {
    let data_text = data.to_str().expect("a UTF-8 path");
    let sound = run(&["verify", "--data", data_text]);
    assert_eq!(sound.code, Some(0), "verify of a sound directory: {}\n{}", sound.stdout, sound.stderr);
    eprintln!("replay: verified after {:?}", began.elapsed());
    let device = shift_first_device(&data.join("geo"));
    let planted = run(&["verify", "--data", data_text]);
    assert_eq!(
        planted.code,
        Some(1),
        "verify after {device} was moved: {}\n{}",
        planted.stdout,
        planted.stderr
    );
    let said = format!("{}\n{}", planted.stdout, planted.stderr);
    assert!(said.contains(&device), "verify does not name {device}: {said}");
    eprintln!("replay: the planted difference is named after {:?}", began.elapsed());
}
