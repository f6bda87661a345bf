//! Schemas that are upgraded over HTTP, as somebody does who has documents already: everything that reads shows the new
//! shape, writes need the tag of what was read, and nothing that was stored is lost or guessed at.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, next_cursor, query};
use crate::errors::problem;
use crate::lists::ids;
use crate::program::{Server, run};
use crate::sse::Stream;

const PATH: &str = "/api/collections/people";
const SOON: Duration = Duration::from_secs(20);

async fn people(admin: &Client) {
    let people = json!({
        "name": "people", "search": true, "indexes": [["town"], ["born"], ["at.town"]],
        "schema": {"name": {"type": "string"}, "town": {"type": "string"}, "born": {"type": "string"}},
    });
    admin.post("/api/collections", &people).reply().await.expect(201);
    let person = |id: &str, name: &str, town: &str, born: &str| json!({"_id": id, "name": name, "town": town, "born": born});
    let all = json!([
        person("a", "Ann", "Oslo", "1990"),
        person("b", "Bo", "Bergen", "1985"),
        person("c", "Cy", "Oslo", "unknown"),
    ]);
    admin.post("/api/people", &all).reply().await.expect(201);
}

fn steps() -> Value {
    json!([{"to": 2, "rename": {"town": "at.town"}, "convert": {"born": "number"}, "default": {"at.land": "NO"}}])
}

async fn upgrade(admin: &Client, changes: &Value) -> Value {
    let etag = admin.get(PATH).reply().await.expect(200).etag();
    admin.patch(PATH, &etag, changes).reply().await.expect(200).json()
}

/// The definition once all of its indexes are ready.
async fn settled(admin: &Client) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let found = admin.read(PATH).await;
        if found["_indexes"].as_array().is_some_and(|all| all.iter().all(|index| index["state"] == "ready")) {
            return found;
        }
        assert!(Instant::now() < deadline, "indexes do not settle: {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn shape(document: &Value) -> Value {
    json!([document["name"], document["town"], document["at"], document["born"]])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_reads_shows_the_new_shape() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    people(&admin).await;
    let before = admin.get("/api/people/a").reply().await.expect(200);
    let seq = admin.read("/api/people").await["_seq"].as_u64().expect("_seq");
    let mut stream = Stream::open(&admin, "changes:people", None).await.expect("a stream");
    stream.expect("hello", SOON).await;
    let schema = json!({"at": {"type": "dict"}, "born": {"type": "number"}, "name": {"type": "string"}});
    let changed = upgrade(&admin, &json!({"upgrades": steps(), "schema": schema})).await;
    let at_seq = format!("min_seq={}", changed["_seq"]);

    let ann = json!(["Ann", null, {"town": "Oslo", "land": "NO"}, 1990]);
    for path in
        ["/api/people/a".to_owned(), format!("/api/people/a?as_of={seq}"), "/api/people/a?version=1".into()]
    {
        assert_eq!(shape(&admin.read(&path).await), ann, "{path}");
    }
    // What could not be converted stays as it was.
    let cy = admin.read("/api/people/c").await;
    assert_eq!(shape(&cy), json!(["Cy", null, {"town": "Oslo", "land": "NO"}, "unknown"]));
    let where_ =
        |condition: &str, more: &str| format!("/api/people?{}{more}", query(&[("where", condition)]));
    for definition in [admin.read(PATH).await, settled(&admin).await] {
        assert_eq!(definition["_schema_version"], 2);
        for more in ["", &format!("&as_of={seq}")] {
            let in_oslo = admin.read(&where_(r#"{"at.town": "Oslo"}"#, more)).await;
            assert_eq!(ids(&in_oslo), ["a", "c"], "{more}");
            assert_eq!(shape(&in_oslo["_items"][0]), ann);
            let born =
                admin.read(&where_(r#"{"born": {"$gte": 1985}}"#, &format!("{more}&sort=-born"))).await;
            assert_eq!(ids(&born), ["a", "b"], "{more}");
            assert!(ids(&admin.read(&where_(r#"{"town": "Oslo"}"#, more)).await).is_empty(), "{more}");
        }
    }
    let explained = admin.read(&where_(r#"{"at.town": "Oslo"}"#, "&explain=true")).await;
    assert_eq!(explained["_explain"]["way"], "index", "{explained}");
    for (q, found) in
        [("at.town:Oslo", vec!["a", "c"]), ("born:[1980 TO 2000]", vec!["a", "b"]), ("town:Oslo", vec![])]
    {
        let mut hits: Vec<String> = {
            let list = admin.read(&format!("/api/people?{}&{at_seq}", query(&[("q", q)]))).await;
            ids(&list).into_iter().map(str::to_owned).collect()
        };
        hits.sort_unstable();
        assert_eq!(hits, found, "{q}");
    }
    let changes = admin.read("/api/changes?since=0&collections=people&include=doc").await;
    let changes = changes["changes"].as_array().expect("changes");
    assert_eq!((changes.len(), shape(&changes[0]["doc"])), (3, ann.clone()));
    // A stream tells what is written now, and from the beginning what was written then, in the shape of now.
    admin
        .post("/api/people", &json!({"_id": "d", "name": "Di", "at": {"town": "Oslo"}, "born": 2001}))
        .reply()
        .await
        .expect(201);
    let told = stream.expect("change", SOON).await;
    assert_eq!(told.data["_id"], "d", "{:?}", told.data);

    // A tag names what was shown: the old one neither matches nor is known.
    let (old, shown) = (before.etag(), admin.get("/api/people/a").reply().await.expect(200));
    assert_eq!(shown.etag(), format!("{old}-2"));
    let known = |etag: &str| admin.get("/api/people/a").header("if-none-match", &format!("\"{etag}\""));
    assert_eq!(known(&old).reply().await.status, 200);
    assert_eq!(known(&shown.etag()).reply().await.status, 304);
    assert_eq!(admin.patch("/api/people/a", &old, &json!({"name": "Anna"})).reply().await.status, 412);
    assert_eq!(admin.delete("/api/people/a", &old).reply().await.status, 412);
    let anna =
        admin.patch("/api/people/a", &shown.etag(), &json!({"name": "Anna"})).reply().await.expect(200);
    assert_eq!(shape(&anna.json()), json!(["Anna", null, {"town": "Oslo", "land": "NO"}, 1990]));
    assert!(!anna.etag().contains('-') && anna.etag() == admin.get("/api/people/a").reply().await.etag());
    let mut whole = cy.clone();
    whole["born"] = json!(1970);
    admin.put("/api/people/c", cy["_etag"].as_str().expect("_etag"), &whole).reply().await.expect(200);
    let bo = admin.get("/api/people/b").reply().await.expect(200);
    let line = json!({"op": "patch", "resource": "people", "_id": "b", "if_match": bo.etag(), "doc": {"name": "Bob"}});
    let bulk = admin.call("POST", "/api/bulk").raw("application/x-ndjson", format!("{line}\n")).reply().await;
    assert!(bulk.text().contains("\"status\":200"), "{}", bulk.text());
    assert_eq!(admin.read("/api/people/b?version=all").await["_items"][0]["at"]["town"], "Bergen");

    server.stop();
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    server.launch();
    assert_eq!(ids(&admin.read(&where_(r#"{"at.town": "Oslo"}"#, "")).await), ["a", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_upgrade_may_be() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    people(&admin).await;
    let etag = admin.get(PATH).reply().await.expect(200).etag();
    for (wrong, place) in [
        (json!("all"), json!(["upgrades"])),
        (json!([{"to": 3, "remove": ["a"]}]), json!(["upgrades", "0", "to"])),
        (json!([{"to": 2, "move": {}}]), json!(["upgrades", "0", "move"])),
        (json!([{"to": 2, "remove": ["_version"]}]), json!(["upgrades", "0", "remove"])),
        (json!([{"to": 2, "convert": {"born": "date"}}]), json!(["upgrades", "0", "convert", "born"])),
    ] {
        let refused = admin.patch(PATH, &etag, &json!({"upgrades": wrong})).reply().await;
        let issues = problem("an upgrade", &refused, 400)["_issues"].clone();
        let place = place.as_array().expect("a path").iter().filter_map(Value::as_str);
        let at = place.fold(&issues, |issues, name| &issues[name]);
        assert!(at.is_string() || at.is_array(), "{wrong}: {issues}");
    }
    upgrade(&admin, &json!({"upgrades": steps()})).await;
    // What was declared stays; more may follow.
    let etag = admin.get(PATH).reply().await.expect(200).etag();
    for wrong in [json!([]), json!(null), json!([{"to": 2, "remove": ["town"]}])] {
        let refused = admin.patch(PATH, &etag, &json!({"upgrades": wrong})).reply().await;
        let issues = problem("an upgrade", &refused, 400)["_issues"].clone();
        assert!(issues["upgrades"]["0"].as_str().is_some_and(|why| why.contains("add another")), "{issues}");
    }
    let mut whole = admin.read(PATH).await;
    whole["upgrades"].as_array_mut().expect("upgrades").push(json!({"to": 3, "remove": ["born"]}));
    admin.put(PATH, &etag, &whole).reply().await.expect(200);
    assert_eq!(admin.read(PATH).await["_schema_version"], 3);
    assert_eq!(shape(&admin.read("/api/people/c").await)[3], Value::Null);
}

/// Pages are of one shape, and `verify` tells what upgrades have left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_begins_anew_and_what_was_left_is_told() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    people(&admin).await;
    let page = admin.read("/api/people?max_results=1&sort=born").await;
    let cursor = next_cursor(&page).expect("another page");
    let next = format!("/api/people?max_results=1&sort=born&{}", query(&[("cursor", &cursor)]));
    assert_eq!(ids(&admin.read(&next).await), ["a"]);
    upgrade(&admin, &json!({"upgrades": steps()})).await;
    problem("an old cursor", &admin.get(&next).reply().await, 410);
    let told = admin.read("/api/verify").await;
    assert_eq!((&told["ok"], &told["parts"]["schema"]["checked"]), (&json!(true), &json!(3)), "{told}");
    let notes = json!(["people/c: born: the value cannot be converted, left by the upgrade to 2"]);
    assert_eq!(told["parts"]["schema"]["notes"], notes);
}
