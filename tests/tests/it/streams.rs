//! The log as clients follow it: pages, long polls, endless lines, server-sent events.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::client::{Client, query};
use crate::errors::{problem, problem_of};
use crate::program::Server;
use crate::sse::Stream;
use crate::tracks::time_text;

const SOON: Duration = Duration::from_secs(10);

async fn ground() -> (Server, Client) {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    (server, admin)
}

async fn ad(client: &Client, id: &str) -> Value {
    let body = json!({"title": id, "coords": [52.5, 13.4]});
    client.put_new(&format!("/api/ads/{id}"), &body).reply().await.expect(201).json()
}

async fn head(client: &Client) -> u64 {
    client.read("/readyz?verbose").await["seq"].as_u64().expect("seq")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_come_in_pages_and_when_they_happen() {
    let (_server, admin) = ground().await;
    let start = head(&admin).await;
    let made = [ad(&admin, "a").await, ad(&admin, "b").await];
    let page = admin.read(&format!("/api/changes?since={start}&collections=ads&include=doc")).await;
    let changes = page["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 2, "{page}");
    for (change, document) in changes.iter().zip(&made) {
        assert_eq!(
            (&change["op"], &change["collection"], &change["_version"]),
            (&json!("put"), &json!("ads"), &json!(1))
        );
        assert_eq!((&change["seq"], &change["_id"]), (&document["_seq"], &document["_id"]));
        assert!(
            change["group_last"].as_u64() >= change["seq"].as_u64() && change["at"].is_string(),
            "{change}"
        );
        assert_eq!(
            (&change["doc"]["title"], &change["doc"]["_etag"]),
            (&document["title"], &document["_etag"])
        );
    }
    assert!(page["last_seq"].as_u64() >= changes[1]["seq"].as_u64() && page["floor"].is_u64(), "{page}");
    let meta = admin.read(&format!("/api/changes?since={start}&collections=ads")).await;
    assert!(meta["changes"][0].get("doc").is_none(), "{meta}");
    let condition = query(&[("where", &json!({"title": "b"}).to_string())]);
    let filtered = admin.read(&format!("/api/changes?since={start}&collections=ads&{condition}")).await;
    assert_eq!(filtered["changes"].as_array().map(Vec::len), Some(1), "{filtered}");
    let first = admin.read(&format!("/api/changes?since={start}&collections=ads&limit=1")).await;
    assert_eq!(first["changes"].as_array().map(Vec::len), Some(1), "{first}");

    // A wait ends with the change, not with its time.
    let last = head(&admin).await;
    let waiting = admin.clone();
    let poll = tokio::spawn(async move {
        let began = Instant::now();
        let path = format!("/api/changes?since={last}&collections=ads&wait=20");
        (waiting.read(&path).await, began.elapsed())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let made = ad(&admin, "c").await;
    let (page, took) = poll.await.expect("the poll does not panic");
    assert_eq!(page["changes"][0]["seq"], made["_seq"], "{page}");
    assert!(took > Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
    let last = page["last_seq"].as_u64().expect("last_seq");
    let began = Instant::now();
    let none = admin.read(&format!("/api/changes?since={last}&collections=fences&wait=1")).await;
    assert!(none["changes"] == json!([]) && none["last_seq"].as_u64() >= Some(last), "{none}");
    assert!(began.elapsed() >= Duration::from_millis(900) && began.elapsed() < SOON, "{:?}", began.elapsed());

    // A whole transaction is one group.
    let pair = json!([{"title": "x", "coords": [1, 2]}, {"title": "y", "coords": [1, 2]}]);
    let last = head(&admin).await;
    admin.post("/api/ads", &pair).reply().await.expect(201);
    let group = admin.read(&format!("/api/changes?since={last}&collections=ads&limit=1")).await;
    let group = group["changes"].as_array().expect("changes");
    assert!(group[0]["group_last"].as_u64() > group[0]["seq"].as_u64(), "{group:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_filtered_by_condition_and_place() {
    let (_server, admin) = ground().await;
    admin.post("/api/collections", &json!({"name": "notes"})).reply().await.expect(201);
    let start = head(&admin).await;
    // In degrees east of Berlin; the last one lies behind the antimeridian.
    for (id, lat, lon, price) in [("a", 52.5, 13.4, 5), ("b", 52.5, 13.41, 50), ("far", -17.0, 179.9, 5)] {
        let ad = json!({"title": id, "coords": [lat, lon], "price": price});
        admin.put_new(&format!("/api/ads/{id}"), &ad).reply().await.expect(201);
    }
    admin.post("/api/notes", &json!({"_id": "n", "price": 5})).reply().await.expect(201);
    // What ceases to pass is not told, what begins to pass is.
    let any = |id: &str| admin.call("PATCH", &format!("/api/ads/{id}")).header("if-match", "*");
    any("a").json(&json!({"price": 60})).reply().await.expect(200);
    any("far").json(&json!({"coords": [52.5, 13.4]})).reply().await.expect(200);
    let cheap = json!({"price": {"$lt": 10}}).to_string();
    let check = async |filters: &[(&str, &str)], expected: &[&str]| {
        let path = format!("/api/changes?since={start}&{}", query(filters));
        let page = admin.read(&path).await;
        let changes = page["changes"].as_array().expect("changes");
        let told: Vec<String> = changes
            .iter()
            .map(|change| format!("{}{}", change["_id"].as_str().expect("_id"), change["_version"]))
            .collect();
        assert_eq!(told, expected, "{path}: {page}");
        assert_eq!(page["last_seq"], head(&admin).await, "the place moves on, whatever passes");
    };
    let ads = ("collections", "ads");
    check(&[ads, ("where", &cheap)], &["a1", "far1", "far2"]).await;
    check(&[("where", &cheap)], &["a1", "far1", "n1", "far2"]).await;
    check(&[ads, ("near", "13.4,52.5,100")], &["a1", "a2", "far2"]).await;
    check(&[("near", "13.4,52.5,100"), ("where", &cheap)], &["a1", "far2"]).await;
    check(&[ads, ("bbox", "179,-18,-179,-16")], &["far1"]).await;
    check(&[ads, ("bbox", "13,52,14,53")], &["a1", "b1", "a2", "far2"]).await;
    check(&[("collections", "notes")], &["n1"]).await;

    for (field, value) in [
        ("where", "{"),
        ("where", "{\"price\": {\"$near\": 1}}"),
        ("near", "13.4,52.5"),
        ("near", "13.4,95,10"),
        ("near", "13.4,52.5,-1"),
        ("bbox", "1,2,3"),
        ("bbox", "1,50,2,40"),
        ("include", "all"),
        ("limit", "0"),
        ("limit", "many"),
        ("wait", "-1"),
        ("since", "yesterday"),
    ] {
        let refused = admin.get(&format!("/api/changes?{}", query(&[(field, value), ads]))).reply().await;
        let refused = problem_of(&format!("{field}={value}"), &refused, 400, field);
        assert_eq!(refused["type"], "invalid-query", "{refused}");
    }
    let both = query(&[("near", "13.4,52.5,100"), ("bbox", "13,52,14,53")]);
    problem_of("both", &admin.get(&format!("/api/changes?{both}")).reply().await, 400, "bbox");
    let flat = "/api/changes?collections=notes&near=13.4,52.5,100";
    problem_of("no place", &admin.get(flat).reply().await, 400, "near");
    problem("unknown", &admin.get("/api/changes?collections=none").reply().await, 404);
    for (since, reason) in [("99999999", "future"), ("77-1", "epoch")] {
        let gone = admin.get(&format!("/api/changes?since={since}")).reply().await;
        let gone = problem_of("a foreign place", &gone, 410, "since");
        assert_eq!((&gone["_issues"]["since"], gone["floor"].is_u64()), (&json!(reason), true), "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_as_lines_without_end() {
    let (mut server, admin) = ground().await;
    let start = head(&admin).await;
    ad(&admin, "a").await;
    let call = admin
        .get(&format!("/api/changes?since={start}&collections=ads&include=doc"))
        .header("accept", "application/x-ndjson");
    let response = call.open().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    assert_eq!(kind, Some("application/x-ndjson"));
    let mut body = response.into_body();
    let mut text = String::new();
    for round in 1..=5 {
        while text.lines().count() < round {
            let frame = tokio::time::timeout(SOON, body.frame()).await.expect("a line comes soon");
            let data = frame.expect("the lines go on").expect("no error").into_data().unwrap_or_default();
            text.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
        ad(&admin, &format!("more-{round}")).await;
    }
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON in every line")).collect();
    let ids: Vec<&str> = lines.iter().take(3).filter_map(|line| line["_id"].as_str()).collect();
    assert_eq!(ids, ["a", "more-1", "more-2"]);
    assert_eq!(lines[0]["doc"]["title"], "a");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_and_resumes() {
    let (mut server, admin) = ground().await;
    let before = ad(&admin, "before").await;
    let mut stream = Stream::open(&admin, "changes:ads", None).await.expect("a stream");
    assert!(stream.media_type.starts_with("text/event-stream"), "{}", stream.media_type);
    let hello = stream.expect("hello", SOON).await;
    for name in ["epoch", "from", "head", "floor"] {
        assert!(hello.data[name].is_u64(), "{hello:?}");
    }
    assert_eq!(hello.data["from"], hello.data["head"], "without an id a stream starts at the head");
    assert!(hello.data["from"].as_u64() >= before["_seq"].as_u64());
    let made = ad(&admin, "one").await;
    let told = stream.expect("change", SOON).await;
    assert_eq!((&told.data["_id"], &told.data["seq"]), (&json!("one"), &made["_seq"]));
    assert_eq!(
        told.id.map(|id| (Some(id.epoch), Some(id.seq))),
        Some((hello.data["epoch"].as_u64(), made["_seq"].as_u64()))
    );
    let id = told.id.expect("an id").to_string();
    drop(stream);
    for name in ["two", "three"] {
        ad(&admin, name).await;
    }
    // By the header, by the parameter, and after a crash.
    for round in 0..3 {
        let topics =
            if round == 1 { format!("changes:ads&last_event_id={id}") } else { "changes:ads".to_owned() };
        let mut stream = if round == 1 {
            open_raw(&admin, &topics).await
        } else {
            Stream::open(&admin, &topics, Some(&id)).await.expect("a stream")
        };
        assert_eq!(stream.expect("hello", SOON).await.data["from"], made["_seq"]);
        for name in ["two", "three"] {
            assert_eq!(stream.expect("change", SOON).await.data["_id"], name, "round {round}");
        }
        if round == 1 {
            drop(stream);
            server.kill();
            server.launch();
        }
    }
    // Ids that nobody gave out.
    for (last, what) in [("99-5", "another epoch"), ("1-99999999", "the future"), ("nonsense", "no id")] {
        let mut stream = Stream::open(&admin, "changes:ads", Some(last)).await.expect("a stream");
        let reset = stream.expect("reset", SOON).await;
        assert!(
            reset.data["reason"].is_string() && reset.data["head"].as_u64() == Some(head(&admin).await),
            "{what}: {reset:?}"
        );
        let after = format!("after-{what}").replace(' ', "-");
        ad(&admin, &after).await;
        assert_eq!(stream.expect("change", SOON).await.data["_id"], json!(after), "it goes on from the head");
    }
    let mut stream = Stream::open(&admin, "changes:ads", None).await.expect("a stream");
    stream.expect("hello", SOON).await;
    let waiting = tokio::spawn(async move {
        let bye = stream.expect("bye", SOON).await;
        let end = tokio::time::timeout(SOON, stream.next()).await.expect("the stream ends");
        assert!(matches!(end, Ok(None)), "{end:?}");
        bye
    });
    tokio::task::block_in_place(|| server.stop());
    let bye = waiting.await.expect("bye comes");
    assert!(bye.data["reason"].is_string() && bye.data["retry_ms"].is_u64(), "{bye:?}");
}

/// A stream whose position is in the query.
async fn open_raw(client: &Client, topics: &str) -> Stream {
    Stream::open_at(client, &format!("/api/stream?topics={topics}"), None).await.expect("a stream")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_stream_shows_that_it_lives() {
    let (_server, admin) = ground().await;
    let mut stream = Stream::open(&admin, "fences", None).await.expect("a stream");
    let hello = stream.expect("hello", SOON).await;
    // Nothing of this passes the topics, but the position moves.
    let made = ad(&admin, "unseen").await;
    let pos = stream.expect("pos", Duration::from_secs(25)).await;
    assert!(pos.data["seq"].as_u64() >= made["_seq"].as_u64() && pos.data["head"].is_u64(), "{pos:?}");
    assert!(pos.id > hello.id, "{pos:?}");
    assert!(stream.comments > 0, "a heartbeat is a comment");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ad_that_expires_leaves_its_lists() {
    let (_server, admin) = ground().await;
    let mut stream = Stream::open(&admin, "matches,fences", None).await.expect("a stream");
    stream.expect("hello", SOON).await;
    let list = json!({"name": "here", "user": "desk", "area": {"circle": {"center": [13.4, 52.5], "radius_m": 500}}});
    admin.put_new("/api/adlists/here", &list).reply().await.expect(201);
    let expires = time_text(jiff::Timestamp::now().as_millisecond() + 2_000);
    let body = json!({"title": "short", "coords": [52.5, 13.4], "expires": expires});
    admin.put_new("/api/ads/short", &body).reply().await.expect(201);
    let enter = stream.expect("match", SOON).await.data;
    assert_eq!(
        (&enter["event"], &enter["reason"], &enter["user"]),
        (&json!("enter"), &json!("new:ad"), &json!("desk"))
    );
    let exit = stream.expect("match", Duration::from_secs(30)).await.data;
    assert_eq!(
        (&exit["event"], &exit["reason"], &exit["ad"]),
        (&json!("exit"), &json!("expired"), &json!("short"))
    );
    let ended = admin.read("/api/ads/short").await;
    assert_eq!((&ended["active"], &ended["ended_reason"]), (&json!(false), &json!("expired")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_told_of_their_own_matches_only() {
    let (server, admin) = ground().await;
    let phrase = "a long enough phrase 9";
    let mut streams = Vec::new();
    for name in ["ann", "bob"] {
        admin.post("/api/users", &json!({"username": name, "password": phrase})).reply().await.expect(201);
        let person = admin.signed_in(name, phrase).await;
        let area = json!({"circle": {"center": [13.4, 52.5], "radius_m": 500}});
        person
            .put_new(&format!("/api/adlists/of-{name}"), &json!({"name": name, "area": area}))
            .reply()
            .await
            .expect(201);
        let mut stream = Stream::open(&person, "matches", None).await.expect("a stream");
        stream.expect("hello", SOON).await;
        streams.push((name, stream));
    }
    for id in ["one", "two"] {
        ad(&admin, id).await;
    }
    for (name, stream) in &mut streams {
        for id in ["one", "two"] {
            let told = stream.expect("match", SOON).await.data;
            assert_eq!((&told["adlist"], &told["ad"]), (&json!(format!("of-{name}")), &json!(id)));
        }
    }
    let nobody = Client::stranger(&server);
    problem("a stranger", &nobody.get("/api/stream?topics=matches").reply().await, 401);
}
