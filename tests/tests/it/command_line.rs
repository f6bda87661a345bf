//! The commands beside `serve`: import, export, verify, queue, users, tokens, version.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::program::{Outcome, Server, dateline, run};

/// A server, its administrator, and a place for files.
struct Desk {
    server: Server,
    admin: Client,
    home: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let server = Server::start();
        let admin = Client::admin(&server).await;
        Self { server, admin, home: tempfile::tempdir().expect("a temporary directory") }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    async fn run(&self, arguments: &[&str], file: Option<&Path>) -> Outcome {
        let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        all.extend([
            "--url".to_owned(),
            self.admin.url(),
            "--token".to_owned(),
            self.admin.token().to_owned(),
        ]);
        all.extend(file.map(|path| path.to_str().expect("a UTF-8 path").to_owned()));
        tokio::task::spawn_blocking(move || run(&all)).await.expect("the command is waited for")
    }
}

const IMPORT: [&str; 11] = [
    "import",
    "--collection",
    "ads",
    "--map",
    "title=name",
    "--map",
    "price=cost",
    "--lon",
    "x",
    "--lat",
    "y",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_keeps_the_good_rows_and_names_the_bad() {
    let desk = Desk::new().await;
    let file = desk.file("a.csv", "\u{feff}name;x;y;cost;new\nOne;13.4;52.5;7;true\nBad;13.4;99;7;true\n\"Two; too\";-180;-90;;false\nNo place;;;1;\n");
    let done = desk.run(&IMPORT, Some(&file)).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    let rejects =
        std::fs::read_to_string(desk.home.path().join("a.csv.rejects.ndjson")).expect("a file of rejects");
    let rejects: Vec<Value> = rejects.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let lines: Vec<u64> = rejects.iter().filter_map(|reject| reject["line"].as_u64()).collect();
    assert_eq!(lines, [3, 5], "{rejects:?}");
    assert!(
        rejects.iter().all(|reject| reject["reason"].as_str().is_some_and(|reason| !reason.is_empty())),
        "{rejects:?}"
    );
    let mut stored = desk.admin.read_all("ads").await;
    stored.sort_by_key(|ad| ad["title"].to_string());
    assert_eq!(stored.len(), 2, "{stored:?}");
    assert_eq!(
        (&stored[0]["title"], &stored[0]["price"], &stored[0]["new"]),
        (&json!("One"), &json!(7), &json!(true))
    );
    assert_eq!(stored[0]["location"]["coordinates"], json!([13.4, 52.5]));
    assert!(stored[1]["title"] == "Two; too" && stored[1].get("price").is_none(), "{}", stored[1]);
    assert!(stored.iter().all(|ad| ad.get("x").is_none() && ad.get("cost").is_none()), "{stored:?}");

    let features = json!({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"title": "Three"}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
    ]});
    let file = desk.file("b.geojson", &features.to_string());
    let done = desk.run(&["import", "--collection", "ads"], Some(&file)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let file = desk.file(
        "c.ndjson",
        "{\"_id\":\"four\",\"title\":\"Four\",\"coords\":[2,1]}\n{\"title\":\"Five\",\"coords\":[2,1]}\n",
    );
    let done = desk.run(&["import", "--collection", "ads", "--json"], Some(&file)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(serde_json::from_str::<Value>(done.stdout.trim()).is_ok(), "--json prints JSON: {done:?}");
    assert_eq!(desk.admin.read("/api/ads/four").await["title"], "Four");
    assert_eq!(desk.admin.read_all("ads").await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_import_goes_on_without_doubles() {
    let desk = Desk::new().await;
    let rows: String = (0..30_000)
        .map(|n| format!("Ad {n},{},{},{n}\n", f64::from(n % 360) - 180.0, f64::from(n % 180) - 90.0))
        .collect();
    let file = desk.file("many.csv", &format!("name,x,y,cost\n{rows}"));
    let mut command = dateline();
    command
        .args(IMPORT)
        .args(["--resume", "--url", &desk.admin.url(), "--token", desk.admin.token()])
        .arg(&file);
    let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the import starts");
    loop {
        let list = desk.admin.read("/api/ads?max_results=1").await;
        if list["_meta"]["total"].as_u64() > Some(3_000) {
            break;
        }
        assert!(first.try_wait().expect("the import can be asked").is_none(), "the import ended early");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.kill().expect("the import can be killed");
    first.wait().expect("the import can be waited for");
    let stored = desk.admin.read("/api/ads?max_results=1").await["_meta"]["total"].as_u64();
    assert!(stored < Some(30_000), "the import was too quick to be interrupted");
    let mut again = IMPORT.to_vec();
    again.push("--resume");
    let done = desk.run(&again, Some(&file)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let ads = desk.admin.read_all("ads").await;
    let mut titles: Vec<&str> = ads.iter().filter_map(|ad| ad["title"].as_str()).collect();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!((ads.len(), titles.len()), (30_000, 30_000), "every row once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_gives_back_what_was_imported() {
    let mut desk = Desk::new().await;
    let made: Vec<Value> = (0..600).map(|n| json!({"_id": format!("ad-{n:03}"), "title": format!("Ad {n}, \"new\""), "coords": [n % 80, n % 170], "price": n})).collect();
    let rows: String = made.iter().map(|ad| format!("{ad}\n")).collect();
    let file = desk.file("ads.ndjson", &rows);
    assert_eq!(desk.run(&["import", "--collection", "ads"], Some(&file)).await.code, Some(0));
    let check = |text: &str| {
        let mut back: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        back.sort_by_key(|ad| ad["_id"].to_string());
        assert_eq!(back.len(), made.len());
        for (back, made) in back.iter().zip(&made) {
            for name in ["_id", "title", "coords", "price"] {
                assert_eq!(back[name], made[name]);
            }
        }
    };
    let out = desk.home.path().join("out.ndjson");
    let done = desk.run(&["export", "--collection", "ads"], Some(&out)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    check(&std::fs::read_to_string(&out).expect("the file is written"));
    let condition = json!({"price": {"$lt": 10}}).to_string();
    let some = desk.run(&["export", "--collection", "ads", "--where", &condition], None).await;
    assert_eq!((some.code, some.stdout.lines().count()), (Some(0), 10), "{some:?}");
    let table = desk.run(&["export", "--collection", "ads", "--format", "csv"], None).await;
    assert_eq!(table.code, Some(0), "{table:?}");
    let mut reader = csv::Reader::from_reader(table.stdout.as_bytes());
    assert!(reader.headers().expect("headers").iter().any(|name| name == "title"));
    assert_eq!(reader.records().filter(|row| row.is_ok()).count(), made.len());

    // The same without a server, and the directory is sound.
    desk.server.stop();
    let data = desk.server.data();
    let data = data.to_str().expect("a UTF-8 path");
    let offline = run(&["export", "--collection", "ads", "--data", data]);
    assert_eq!(offline.code, Some(0), "{offline:?}");
    check(&offline.stdout);
    let file = desk.file("more.ndjson", "{\"title\":\"more\",\"coords\":[1,2]}\n");
    let import =
        run(&["import", "--collection", "ads", "--data", data, file.to_str().expect("a UTF-8 path")]);
    assert_eq!(import.code, Some(0), "{import:?}");
    let verified = run(&["verify", "--data", data, "--json"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(
        serde_json::from_str::<Value>(verified.stdout.trim()).is_ok(),
        "--json prints JSON: {verified:?}"
    );
    desk.server.launch();
    assert_eq!(desk.admin.read("/api/ads?max_results=1").await["_meta"]["total"], 601);
    assert_eq!(desk.run(&["verify"], None).await.code, Some(0), "verify of a running server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_and_jobs_by_hand() {
    let mut desk = Desk::new().await;
    let done = async |desk: &Desk, arguments: &[&str]| {
        let arguments: Vec<&str> = std::iter::once("queue").chain(arguments.iter().copied()).collect();
        let done = desk.run(&arguments, None).await;
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done.stdout.trim_end().to_owned()
    };
    let fails = async |desk: &Desk, arguments: &[&str], code: i32| {
        let arguments: Vec<&str> = std::iter::once("queue").chain(arguments.iter().copied()).collect();
        let done = desk.run(&arguments, None).await;
        assert!(
            done.code == Some(code) && done.stdout.is_empty() && !done.stderr.is_empty(),
            "{arguments:?}: {done:?}"
        );
    };
    let id =
        done(&desk, &["add", "mail", "{\"n\": 1}", "--priority", "3", "--attempts", "1", "--unique", "u"])
            .await;
    let again = done(&desk, &["add", "mail", "7", "--unique", "u", "--json"]).await;
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!((&again["_id"], &again["held"]), (&json!(id), &json!(true)));
    let later = done(&desk, &["add", "mail", "null", "--delay", "3600", "--group", "g"]).await;
    fails(&desk, &["add", "mail", "no JSON"], 2).await;
    fails(&desk, &["add", "mail", "1", "--priority", "16"], 1).await;

    let table = done(&desk, &["list"]).await;
    let row =
        table.lines().find(|line| line.starts_with("mail")).unwrap_or_else(|| panic!("no lane in {table}"));
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((cells[1], cells[3], cells.last().copied() == Some("paused")), ("1", "1", false), "{table}");
    done(&desk, &["pause", "mail"]).await;
    assert!(
        done(&desk, &["list"]).await.lines().any(|line| line.starts_with("mail") && line.ends_with("paused"))
    );
    done(&desk, &["resume", "mail"]).await;
    let lanes = done(&desk, &["list", "--json"]).await;
    let lanes: Vec<Value> = lanes.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lanes.iter().any(|lane| lane["lane"] == "mail" && lane["paused"] == false), "{lanes:?}");

    let job = desk.admin.post("/api/jobs/lease", &json!({"lane": "mail"})).reply().await.expect(200).json();
    let nack = json!({"lease": job["jobs"][0]["lease"], "error": "no\u{1b}route"});
    desk.admin.post(&format!("/api/jobs/{id}/nack"), &nack).reply().await.expect(200);
    let dead = done(&desk, &["jobs", "--lane", "mail", "--state", "dead"]).await;
    assert!(dead.lines().count() == 2 && dead.contains("no route") && dead.contains(&id), "{dead}");
    assert!(done(&desk, &["show", &id]).await.contains("{\"n\":1}"));
    fails(&desk, &["retry", &later], 4).await;
    done(&desk, &["retry", &id]).await;
    assert!(done(&desk, &["redrive", "mail"]).await.contains("0 jobs"));
    done(&desk, &["cancel", &id]).await;
    assert_eq!(desk.admin.read(&format!("/api/jobs/{id}")).await["state"], "cancelled");
    fails(&desk, &["cancel", &id], 3).await;
    fails(&desk, &["show", "99999999"], 3).await;
    fails(&desk, &["pause", "a b"], 1).await;
    fails(&desk, &["redrive", "none"], 3).await;
    fails(&desk, &["purge", "mail", "--state", "done"], 1).await;
    assert!(done(&desk, &["purge", "mail", "--state", "scheduled"]).await.contains("1 jobs"));
    let many: Vec<Value> = (0..700).map(|n| json!({"lane": "many", "payload": n})).collect();
    desk.admin.post("/api/jobs", &json!(many)).reply().await.expect(201);
    assert_eq!(done(&desk, &["jobs", "--lane", "many", "--limit", "650"]).await.lines().count(), 651);

    let schedule = json!({"name": "nightly", "cron": "0 3 * * *", "time_zone": "Asia/Tokyo", "lane": "mail"});
    desk.admin.post("/api/schedules", &schedule).reply().await.expect(201);
    let schedules = done(&desk, &["schedules"]).await;
    assert!(
        schedules.lines().any(|line| line.starts_with("nightly") && line.ends_with("T18:00:00Z")),
        "{schedules}"
    );

    // The same without a server.
    desk.server.stop();
    let data = desk.server.data();
    let data = data.to_str().expect("a UTF-8 path");
    let offline = run(&["queue", "jobs", "--lane", "many", "--limit", "1", "--json", "--data", data]);
    let job: Value =
        serde_json::from_str(offline.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {offline:?}"));
    assert_eq!((offline.code, &job["payload"]), (Some(0), &json!(0)));
    assert_eq!(run(&["queue", "list"]).code, Some(2));
    assert_eq!(run(&["queue", "list", "--url", "http://127.0.0.1:1"]).code, Some(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_tokens_without_a_server() {
    let mut server = Server::idle();
    let data = server.data();
    let data = data.to_str().expect("a UTF-8 path").to_owned();
    assert_eq!(run(&["init", "--data", &data]).code, Some(0));
    server.launch();
    server.stop();
    let made =
        run(&["token", "create", "tester", "--data", &data, "--user", "admin", "--scope", "read", "--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let token: Value =
        serde_json::from_str(made.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {made:?}"));
    let secret = token["token"].as_str().unwrap_or_else(|| panic!("no token in {token}")).to_owned();
    let listed = run(&["user", "list", "--data", &data, "--json"]);
    assert!(listed.code == Some(0) && listed.stdout.contains("admin"), "{listed:?}");
    server.launch();
    Client::stranger(&server).with_token(&secret).read("/api/ads").await;
}

#[test]
fn version_and_description() {
    let plain = run(&["version"]);
    assert!(plain.code == Some(0) && plain.stdout.contains(env!("CARGO_PKG_VERSION")), "{plain:?}");
    let told = run(&["version", "--json"]);
    let told: Value =
        serde_json::from_str(told.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"), "{told}");
    let description = run(&["openapi"]);
    let description: Value = serde_json::from_str(&description.stdout).expect("JSON");
    assert!(description["paths"]["/api/changes"].is_object());
    assert!(run(&["completions", "bash"]).stdout.contains("dateline"));
}
