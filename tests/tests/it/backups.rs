//! Backups as an operator makes them: while others write, cut short, onto a full disk, and back again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::parts;
use crate::plan::seed;
use crate::program::{Outcome, Server, binary, dateline, outcome, run};

const WRITERS: usize = 3;

/// What was acknowledged: sequence, document, the number in it or `None` for a deletion.
type Books = Vec<(u64, String, Option<u64>)>;

async fn write(
    client: Client,
    writer: usize,
    seed: u64,
    mut stop: tokio::sync::watch::Receiver<bool>,
) -> Books {
    let mut rng = fastrand::Rng::with_seed(seed.wrapping_add(writer as u64));
    let mut books = Books::new();
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for n in 0_u64.. {
        if *stop.borrow_and_update() {
            break;
        }
        let id = format!("w{writer}-{}", rng.u8(0..40));
        let path = format!("/api/cars/{id}");
        let filler: String = (0..rng.usize(10..2_000)).map(|_| rng.alphanumeric()).collect();
        let body = json!({"n": n, "brand": format!("b{}", n % 7), "plate": id, "filler": filler});
        match tags.remove(&id) {
            None => {
                let told = client.put_new(&path, &body).reply().await.expect(201).json();
                books.push((told["_seq"].as_u64().expect("_seq"), id.clone(), Some(n)));
                tags.insert(id, told["_etag"].as_str().expect("_etag").to_owned());
            }
            Some(tag) if rng.u8(0..6) == 0 => {
                client.delete(&path, &tag).reply().await.expect(204);
                // A deletion is not told its sequence; the tombstone has it.
                let seq = client.get(&path).reply().await;
                seq.expect(404);
                books.push((0, id, None));
            }
            Some(tag) => {
                let told = client.patch(&path, &tag, &json!({"n": n})).reply().await.expect(200).json();
                books.push((told["_seq"].as_u64().expect("_seq"), id.clone(), Some(n)));
                tags.insert(id, told["_etag"].as_str().expect("_etag").to_owned());
            }
        }
    }
    books
}

/// The documents as they were at a sequence, by the books.
fn expected(books: &[(u64, String, Option<u64>)], seq: u64) -> BTreeMap<String, u64> {
    let mut state = BTreeMap::new();
    for (at, id, n) in books.iter().filter(|(at, ..)| *at <= seq) {
        match n {
            Some(n) => drop(state.insert(id.clone(), *n)),
            None => drop(state.remove(id)),
        }
        assert!(*at > 0);
    }
    state
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

async fn command(arguments: &[&str]) -> Outcome {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    tokio::task::spawn_blocking(move || run(&arguments)).await.expect("the command is waited for")
}

async fn good(arguments: &[&str]) -> String {
    let done = command(arguments).await;
    assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
    done.stdout
}

/// The documents of a directory.
async fn documents(data: &Path, scratch: &Path) -> BTreeMap<String, u64> {
    let file = scratch.join("cars.ndjson");
    good(&["export", "--data", text(data), "--collection", "cars", text(&file)]).await;
    let lines = std::fs::read_to_string(&file).expect("an export");
    let documents = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let pair = |document: Value| {
        (document["_id"].as_str().expect("_id").to_owned(), document["n"].as_u64().expect("n"))
    };
    documents.map(pair).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backup_under_load_is_what_was_acknowledged() {
    let _turn = parts::heavy().await;
    let seed = seed("backups");
    let mut rng = fastrand::Rng::with_seed(seed);
    let home = tempfile::tempdir().expect("a temporary directory");
    let (out, own) = (home.path().join("out"), home.path().join("own"));
    let mut server = Server::idle();
    server.flags(&["--set", &format!("backup.dir={}", own.display())]);
    server.launch();
    let admin = Client::admin(&server).await;
    let cars = json!({
        "name": "cars", "unique": [["plate"]], "indexes": [["brand"]],
        "schema": {"plate": {"type": "string"}, "n": {"type": "integer"}, "brand": {"type": "string"}, "filler": {"type": "string"}},
    });
    admin.post("/api/collections", &cars).reply().await.expect(201);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(admin.clone(), writer, seed, stopped.clone())))
        .collect();
    let (url, token) = (admin.url(), admin.token().to_owned());
    let create = ["backup", "create", "--url", &url, "--token", &token, text(&out), "--json"];
    for round in 0..3 {
        tokio::time::sleep(Duration::from_millis(rng.u64(200..500))).await;
        let told: Value = serde_json::from_str(&good(&create).await).expect("JSON");
        assert!(round == 0 || told["bytes_new"].as_u64() < told["bytes"].as_u64(), "{told}");
        // Another one dies at some moment: before, while or after it is sent.
        let mut child = dateline();
        let mut child =
            child.args(create).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        tokio::time::sleep(Duration::from_millis(rng.u64(5..120))).await;
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        good(&["backup", "verify", text(&out)]).await;
        // The server has noticed that nobody reads any more.
        for _ in 0..100 {
            if admin.read("/api/admin/backups").await["running"].is_null() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    stop.send(true).expect("the writers listen");
    let mut books = Books::new();
    for writer in writers {
        books.extend(writer.await.expect("a writer does not panic"));
    }
    fill_in_deletions(&admin, &mut books).await;
    assert!(books.len() > 150, "hardly anything was written: {}", books.len());

    // A backup on the server dies with the server; the next one is whole, and nothing of the first is left.
    let (killed, posted) = (admin.clone(), json!({"to": "site/daily"}));
    let begun =
        tokio::spawn(async move { killed.post("/api/admin/backup", &posted).attempt().await.is_ok() });
    tokio::time::sleep(Duration::from_millis(rng.u64(1..30))).await;
    tokio::task::block_in_place(|| server.kill());
    let _ = begun.await;
    tokio::task::block_in_place(|| server.launch());
    assert!(!server.data().join("checkpoint").exists());
    admin.post("/api/admin/backup", &json!({"to": "site/daily"})).reply().await.expect(201);
    let known = admin.read("/api/admin/backups").await;
    let newest = known["_items"].as_array().expect("_items").last().expect("a backup").clone();
    assert_eq!((&newest["to"], &known["running"]), (&json!("site/daily"), &Value::Null));
    good(&["backup", "verify", text(&own.join("site/daily"))]).await;
    tokio::task::block_in_place(|| server.stop());

    let list: Value =
        serde_json::from_str(&good(&["backup", "list", text(&out), "--json"]).await).expect("JSON");
    let list = list.as_array().expect("generations");
    assert!((3..=6).contains(&list.len()), "{list:?}");
    for generation in list {
        let (number, seq) = (generation["generation"].to_string(), generation["seq"].as_u64().expect("seq"));
        let data = home.path().join(format!("restored-{number}"));
        good(&["backup", "restore", text(&out), "--generation", &number, "--data", text(&data)]).await;
        assert_eq!(
            documents(&data, home.path()).await,
            expected(&books, seq),
            "generation {number} at {seq}"
        );
        good(&["verify", "--data", text(&data)]).await;
    }
    // And back to moments between them.
    let last = books.last().expect("books").0;
    for round in 0..3 {
        let seq =
            rng.u64(books[0].0..=list.last().expect("a generation")["seq"].as_u64().expect("seq").min(last));
        let data = home.path().join(format!("rewound-{round}"));
        good(&["backup", "restore", text(&out), "--to-seq", &seq.to_string(), "--data", text(&data)]).await;
        assert_eq!(documents(&data, home.path()).await, expected(&books, seq), "back to {seq}");
        good(&["verify", "--data", text(&data)]).await;
    }
}

/// Gives deletions their sequences, from the log, and puts the books in order.
async fn fill_in_deletions(admin: &Client, books: &mut Books) {
    let mut deletions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut at = 0;
    loop {
        let page = admin.read(&format!("/api/changes?since={at}&limit=1000&collections=cars")).await;
        for change in page["changes"].as_array().expect("changes") {
            if change["op"] == "delete" {
                let id = change["_id"].as_str().expect("_id").to_owned();
                deletions.entry(id).or_default().push(change["seq"].as_u64().expect("seq"));
            }
        }
        let last = page["last_seq"].as_u64().expect("last_seq");
        if last == at {
            break;
        }
        at = last;
    }
    for (seq, id, n) in books.iter_mut() {
        if n.is_none() {
            *seq = deletions.get_mut(id).expect("a deletion in the log").remove(0);
        }
    }
    books.sort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_leaves_nothing_half_made() {
    let allowed = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if !allowed {
        return parts::without("backups: this machine gives no mount namespace");
    }
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    for n in 0..60 {
        let filler: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
        admin.post("/api/cars", &json!({"n": n, "filler": filler})).reply().await.expect(201);
    }
    tokio::task::block_in_place(|| server.stop());
    let home = tempfile::tempdir().expect("a temporary directory");
    let script = r#"
        mkdir "$2/out" && mount -t tmpfs -o size=512k tmpfs "$2/out" || exit 77
        "$1" backup create --data "$3" "$2/out" && exit 1
        echo "refused: $?"
        find "$2/out" -name '*.new' -o -path '*/generations/*'
        "$1" backup list "$2/out"
        mount -o remount,size=64m "$2/out" && "$1" backup create --data "$3" "$2/out" && "$1" backup verify "$2/out"
    "#;
    let mut shell = Command::new("unshare");
    shell.args(["-rm", "sh", "-c", script, "sh"]).arg(binary()).arg(home.path()).arg(server.data());
    let done = tokio::task::spawn_blocking(move || outcome(shell, Duration::from_secs(60)))
        .await
        .expect("waited for");
    if done.code == Some(77) {
        return parts::without("backups: this machine mounts no tmpfs");
    }
    assert_eq!(done.code, Some(0), "{done:?}");
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines[..2], ["refused: 5", "no generations"], "{done:?}");
    assert!(lines[2].starts_with("generation 1 ") && lines[3].ends_with("all as it should be"), "{done:?}");
    assert!(done.stderr.contains("No space left"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_places_are_refused() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    let told = admin.post("/api/admin/backup", &json!({"to": "daily"})).reply().await.expect(409).json();
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("backup.dir")), "{told}");
    assert_eq!(admin.read("/api/admin/backups").await, json!({"_items": [], "running": null}));
    Client::stranger(&server).post("/api/admin/backup", &json!({"to": "daily"})).reply().await.expect(401);
    let home = tempfile::tempdir().expect("a temporary directory");
    let own = home.path().join("own");
    tokio::task::block_in_place(|| server.stop());
    server.flags(&["--set", &format!("backup.dir={}", own.display())]);
    tokio::task::block_in_place(|| server.launch());
    for to in
        [json!("../out"), json!("/etc"), json!(""), json!("a/../../b"), json!(".x"), json!(7), json!(null)]
    {
        let told = admin.post("/api/admin/backup", &json!({"to": to})).reply().await.expect(400).json();
        assert!(told["_issues"]["to"].is_string(), "{to}: {told}");
    }
    std::fs::create_dir_all(own.join("mine")).expect("a directory");
    std::fs::write(own.join("mine/thesis.tex"), "x").expect("a file");
    let told = admin.post("/api/admin/backup", &json!({"to": "mine"})).reply().await.expect(409).json();
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("thesis.tex")), "{told}");
    assert_eq!(std::fs::read_dir(own.join("mine")).expect("a directory").count(), 1);
    assert_eq!(std::fs::read_dir(home.path()).expect("a directory").count(), 1);

    let out = home.path().join("nothing");
    for arguments in [
        &["verify"][..],
        &["list"],
        &["prune", "--keep", "1"],
        &["restore", "--data", text(&own.join("new"))],
    ] {
        let all = [&["backup"], arguments, &[text(&out)]].concat();
        assert_eq!(command(&all).await.code, Some(3), "{all:?}");
        assert!(!out.exists() && !own.join("new").exists(), "looking makes nothing: {all:?}");
    }
    let data = server.data();
    assert_eq!(command(&["backup", "create", "--data", text(&data), text(&out)]).await.code, Some(5));
    assert_eq!(command(&["backup", "create", text(&out)]).await.code, Some(2));
    admin.post("/api/admin/backup", &json!({"to": "daily"})).reply().await.expect(201);
    let daily = own.join("daily");
    let restore = ["backup", "restore", text(&daily), "--data", text(&data)];
    assert_eq!(command(&restore).await.code, Some(4), "a directory with something in it");
    let new = home.path().join("new");
    let restore = ["backup", "restore", text(&daily), "--data", text(&new), "--to-seq", "999999"];
    assert_eq!(command(&restore).await.code, Some(1));
    let restore = ["backup", "restore", text(&daily), "--data", text(&new), "--to-time", "yesterday"];
    assert_eq!(command(&restore).await.code, Some(2));
    // What was refused did not spoil the place.
    good(&["backup", "restore", text(&daily), "--data", text(&new)]).await;
    tokio::task::block_in_place(|| server.stop());
}
