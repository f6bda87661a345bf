//! Files into a server and out of it again, through the command line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::{Value, json};

use super::row::Mark;
use super::state::{self, State};
use crate::app::App;
use crate::cli::client::Client;
use crate::cli::inside::Inside;
use crate::cli::outcome::Exit;
use crate::cli::pass::Pass;
use crate::cli::place::Offline;
use crate::cli::run;
use crate::data::DataDir;
use crate::testing::test_config;

fn dateline(arguments: &[&str]) -> Exit {
    run(std::iter::once("dateline").chain(arguments.iter().copied()).map(OsString::from))
}

/// A server over a temporary directory, and files to import.
struct Stage {
    inside: Inside,
    pass: Pass,
    dir: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let inside = Inside::start(App::builder().config(test_config()).open().unwrap()).unwrap();
        let pass = Pass::issue(inside.app()).unwrap();
        Self { inside, pass, dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, command: &[&str], file: &Path) -> Exit {
        let place = ["--url", self.inside.url(), "--token", self.pass.token(), file.to_str().unwrap()];
        dateline(&[command, &place].concat())
    }

    fn get(&self, path: &str) -> Value {
        let client = Client::new(self.inside.url(), Some(self.pass.token().to_owned()), None).unwrap();
        client.call(Method::GET, path, None).unwrap()
    }

    fn total(&self, collection: &str) -> u64 {
        self.get(&format!("/api/{collection}?max_results=0"))["_meta"]["total"].as_u64().unwrap()
    }

    fn end(self) {
        self.pass.give_back(self.inside.app()).unwrap();
        self.inside.stop().unwrap();
    }
}

const ADS: [&str; 10] = [
    "import",
    "--collection",
    "ads",
    "--map",
    "title=name",
    "--map",
    "price=population",
    "--lon=x",
    "--lat=y",
    "--json",
];

fn cities(count: u32) -> String {
    let row = |n: u32| format!("city {n};{};{};{}\n", n * 10, f64::from(n % 180), f64::from(n % 90));
    std::iter::once("name;population;x;y\n".to_owned()).chain((1..=count).map(row)).collect()
}

fn rejected(file: &Path) -> Vec<(u64, String)> {
    let text = fs::read_to_string(state::beside(file, ".rejects.ndjson")).unwrap_or_default();
    let told = |line: &str| {
        let told: Value = serde_json::from_str(line).unwrap();
        (told["line"].as_u64().unwrap(), told["row"]["name"].as_str().unwrap().to_owned())
    };
    text.lines().map(told).collect()
}

#[test]
fn bad_rows_are_told_and_a_second_import_doubles_nothing() {
    let stage = Stage::new();
    let text = cities(1200)
        .replace("city 7;70;7;7\n", "city 7;70;7;91\n")
        .replace("city 600;6000;60;60\n", "city 600;lots;60;60\n")
        .replace("city 1100;11000;20;20\n", "city 1100;11000;;20\n");
    let file = stage.file("cities.csv", &text);
    assert_eq!(stage.run(&ADS, &file), Exit::Error);
    let expected = [(8, "city 7"), (601, "city 600"), (1101, "city 1100")];
    let expected: Vec<_> = expected.into_iter().map(|(line, name)| (line, name.to_owned())).collect();
    assert_eq!(rejected(&file), expected);
    assert_eq!(stage.total("ads"), 1197);
    let found = stage.get("/api/ads?where=%7B%22title%22%3A%22city%201200%22%7D");
    let ad = &found["_items"][0];
    assert_eq!(ad["price"], 12000);
    assert_eq!(ad["location"], json!({"type": "Point", "coordinates": [120, 30]}));
    assert!(ad.get("x").is_none() && ad.get("name").is_none());
    assert!(!state::path(&file).exists());

    assert_eq!(stage.run(&ADS, &file), Exit::Error);
    assert_eq!((stage.total("ads"), rejected(&file)), (1197, expected));
    fs::write(&file, cities(1200)).unwrap();
    assert_eq!(stage.run(&ADS, &file), Exit::Ok);
    assert_eq!((stage.total("ads"), rejected(&file)), (1200, vec![]));
    stage.end();
}

#[test]
fn an_interrupted_import_goes_on() {
    let stage = Stage::new();
    let file = stage.file("cities.csv", &cities(1000));
    assert_eq!(stage.run(&ADS, &file), Exit::Ok);
    // As if the last state had been written after row 300 and the process killed much later.
    let text = cities(300);
    let mark = Mark { rows: 300, bytes: text.len() as u64, lines: 301 };
    let target = format!("{}/ads", stage.inside.url());
    let earlier = State { mark, imported: 300, ..State::begin(target, "other".into(), text.len() as u64) };
    earlier.save(&state::path(&file)).unwrap();
    let resume = [&ADS[..], &["--resume"]].concat();
    assert_eq!(stage.run(&resume, &file), Exit::Conflict, "the columns were mapped in another way");

    let mapping = mapping_of_ads();
    State { mapping, ..earlier }.save(&state::path(&file)).unwrap();
    assert_eq!(stage.run(&resume, &file), Exit::Ok);
    assert_eq!(stage.total("ads"), 1000);
    assert!(!state::path(&file).exists());
    stage.end();
}

/// What an import with `ADS` writes into its state.
fn mapping_of_ads() -> String {
    let map = ["title=name".to_owned(), "price=population".to_owned()];
    let place = Some(("x", "y"));
    let wishes =
        super::Wishes { collection: "ads", map: &map, place, text: &[], time_format: None, typed: true };
    super::Mapping::new(&wishes).unwrap().fingerprint()
}

#[test]
fn refusals_have_their_exit_codes() {
    let stage = Stage::new();
    let file = stage.file("cities.csv", &cities(3));
    let url = stage.inside.url();
    let at = file.to_str().unwrap();
    assert_eq!(stage.run(&["import", "--collection", "nowhere"], &file), Exit::NotFound);
    assert_eq!(stage.run(&["import", "--collection", "ads", "--map", "title=nme"], &file), Exit::Usage);
    assert_eq!(stage.run(&ADS, Path::new("/nonexistent/a.csv")), Exit::NotFound);
    assert_eq!(dateline(&["import", "--collection", "ads", at]), Exit::Usage, "no place");
    let token = ["--url", url, "--token", "wrong"];
    assert_eq!(dateline(&[&["import", "--collection", "ads", at][..], &token].concat()), Exit::Error);
    assert_eq!(dateline(&[&["export", "--collection", "ads"][..], &token].concat()), Exit::Error);
    assert_eq!(dateline(&[&["verify"][..], &token].concat()), Exit::Error);
    assert_eq!(stage.total("ads"), 0);
    stage.end();
}

#[test]
fn positions_become_the_places_of_devices() {
    let stage = Stage::new();
    let text = "\u{feff}X;Y;tracker;t\n116.391305;39.898573;19;2008-12-11 04:42:14+00\n\
        116.5;39.5;19;2008-12-11 04:42:16+00\n116.5;99;19;2008-12-11 04:42:18+00\n1;2;20;yesterday\n";
    let file = stage.file("track.csv", text);
    let command = ["import", "--collection", "positions", "--map", "device=tracker", "--map", "at=t"];
    let command = [&command[..], &["--lon", "X", "--lat", "Y"]].concat();
    assert_eq!(stage.run(&command, &file), Exit::Error);
    let told = fs::read_to_string(state::beside(&file, ".rejects.ndjson")).unwrap();
    let lines: Vec<u64> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [4, 5]);
    let tail = stage.inside.app().store().watermark().applied();
    assert!(stage.inside.app().geo().wait_for(tail, std::time::Duration::from_secs(10)));
    let fix = stage.inside.app().geo().device("19").unwrap().unwrap().to_json();
    assert_eq!(fix, json!({"device": "19", "lon": 116.5, "lat": 39.5, "at": "2008-12-11T04:42:16Z"}));
    stage.end();
}

/// Into a directory, out of it in every format, into another one, and the same documents are there.
#[test]
fn what_is_exported_can_be_imported() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (first, second) = (path("first"), path("second"));
    for data in [&first, &second] {
        assert_eq!(dateline(&["init", "--data", data, "--json"]), Exit::Ok);
    }
    let file = path("cities.csv");
    fs::write(&file, cities(700)).unwrap();
    assert_eq!(dateline(&[&ADS[..], &["--data", &first, &file]].concat()), Exit::Ok);
    for name in ["ads.geojson", "ads.ndjson", "ads.csv"] {
        let out = path(name);
        assert_eq!(dateline(&["export", "--data", &first, "--collection", "ads", &out]), Exit::Ok);
        let again = ["import", "--data", &second, "--collection", "ads", "--lon=lon", "--lat=lat", &out];
        // Only a table has columns for the place. The ids are the same, so the second and third add nothing.
        let again = if name == "ads.csv" { again.to_vec() } else { [&again[..5], &again[7..]].concat() };
        assert_eq!(dateline(&again), Exit::Ok, "{name}");
    }
    let filter = r#"{"price": {"$lte": 50}}"#;
    let out = path("cheap.ndjson");
    let command = ["export", "--data", &second, "--collection", "ads", "--where", filter, &out];
    assert_eq!(dateline(&command), Exit::Ok);
    let told = fs::read_to_string(&out).unwrap();
    let mut cheap: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    cheap.sort_by_key(|ad| ad["price"].as_u64());
    let titles: Vec<_> = cheap.iter().map(|ad| ad["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["city 1", "city 2", "city 3", "city 4", "city 5"]);
    assert_eq!(cheap[4]["location"], json!({"type": "Point", "coordinates": [5, 5]}));
    for data in [&first, &second] {
        assert_eq!(dateline(&["verify", "--data", data]), Exit::Ok);
        let offline = Offline::open(DataDir::take(Path::new(data)).unwrap()).unwrap();
        // The administrator who did it all has passed.
        assert!(offline.auth.users().list(&offline.store, 10).unwrap().is_empty());
    }
    assert_eq!(dateline(&["export", "--data", &path("none"), "--collection", "ads"]), Exit::NotFound);
    assert_eq!(dateline(&["verify", "--data", &path("none")]), Exit::NotFound);
    let bad = ["export", "--data", &first, "--collection", "ads", "--where", "[1]"];
    assert_eq!(dateline(&bad), Exit::Usage);
}
