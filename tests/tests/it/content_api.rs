//! The content API from outside: what a publish brings its subscribers, what they were shown, and how it goes again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, query};
use crate::program::Server;
use crate::publishing::{act, encoded, make, settled, story, text};
use crate::small_disk::SmallDisk;

/// A newsroom with a subscriber that has everything by its API product, and the client of that.
struct Ground {
    server: Server,
    admin: Client,
    product: Value,
    subscriber: Value,
    portal: Client,
}

async fn ground(flags: &[&str]) -> Ground {
    ground_on(Server::idle(), flags).await
}

async fn ground_on(mut server: Server, flags: &[&str]) -> Ground {
    server.flags(flags);
    server.launch();
    let admin = Client::admin(&server).await;
    let product = make(&admin, "products", json!({"name": "portal", "product_type": "api"})).await;
    let subscriber = json!({"name": "Portal", "is_active": true, "api_products": [product["_id"]]});
    let subscriber = make(&admin, "subscribers", subscriber).await;
    let portal = client_of(&admin, &subscriber).await;
    Ground { server, admin, product, subscriber, portal }
}

/// Whoever has a token of a subscriber.
async fn client_of(admin: &Client, subscriber: &Value) -> Client {
    let token = json!({"subscriber": subscriber["_id"]});
    let token = admin.post("/api/subscriber_token", &token).reply().await.expect(201).json();
    admin.with_token(text(&token, "_id"))
}

/// Publishes a new story; waits until a subscriber has it.
async fn publish(admin: &Client, headline: &str) -> Value {
    let item = story(admin, headline).await;
    let published = act(admin, "publish", &item, json!({})).await.expect(200).json();
    settled(admin, text(&item, "_id"), 1, &["success"]).await;
    published
}

/// Does an action; waits until there are so many rows.
async fn next(admin: &Client, action: &str, item: &Value, updates: Value, rows: usize) -> Value {
    let done = act(admin, action, item, updates).await.expect(200).json();
    settled(admin, text(item, "_id"), rows, &["success"]).await;
    done
}

fn address(item: &Value) -> String {
    format!("/contentapi/items/{}", encoded(text(item, "_id")))
}

fn all<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    let items = list["_items"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| text(item, member)).collect()
}

/// The entries of the log of accesses, once there are so many.
pub(crate) async fn accesses(admin: &Client, wanted: &Value, count: usize) -> Vec<Value> {
    let path = format!("/api/api_audit?{}", query(&[("where", &wanted.to_string())]));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = admin.read(&path).await;
        let found = list["_items"].as_array().cloned().unwrap_or_default();
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < deadline, "{} of {count} accesses: {list}", found.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_reads_what_it_is_entitled_to() {
    let Ground { admin, product, subscriber, portal, server: _server } = ground(&[]).await;
    let other = json!({"name": "Other", "is_active": true, "api_products": [product["_id"]], "subscriber_type": "digital"});
    let other = make(&admin, "subscribers", other).await;
    let item = story(&admin, "A bridge opens").await;
    let targeted = json!({"target_subscribers": [{"_id": subscriber["_id"]}]});
    act(&admin, "publish", &item, targeted).await.expect(200);
    settled(&admin, text(&item, "_id"), 1, &["success"]).await;
    let list = portal.read("/contentapi/items").await;
    assert_eq!(list["_items"][0]["headline"], "A bridge opens", "{list}");
    assert!(list["_items"][0].get("subscribers").is_none() && list["_items"][0]["uri"].is_string(), "{list}");
    let one = portal.read(&format!("{}?include_fields=headline", address(&item))).await;
    assert_eq!(
        one.as_object().map(|one| one.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["headline".to_owned(), "uri".to_owned()])
    );
    let token = admin
        .post("/api/subscriber_token", &json!({"subscriber": other["_id"]}))
        .reply()
        .await
        .expect(201)
        .json();
    let stranger = admin.with_token(text(&token, "_id"));
    for path in
        [address(&item), format!("{}/versions", address(&item)), format!("{}?version=2", address(&item))]
    {
        assert_eq!(stranger.get(&path).reply().await.status, 404, "{path}");
    }
    assert_eq!(stranger.read("/contentapi/items").await["_items"], json!([]));
    let bad = portal.get("/contentapi/items?foo=1").reply().await.expect(400).json();
    assert_eq!(bad["internal_error"], 10_001);
    assert_eq!(admin.get("/contentapi/items").reply().await.status, 401, "a user is no subscriber");
    admin.delete(&format!("/api/subscriber_token/{}", text(&token, "_id")), "x").reply().await.expect(204);
    assert_eq!(stranger.get("/contentapi/items").reply().await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_asked_by_words_and_terms() {
    let Ground { admin, portal, server: _server, .. } = ground(&[]).await;
    publish(&admin, "A bridge opens").await;
    let tram = publish(&admin, "A tram stops").await;
    let found = async |parameters: &[(&str, &str)]| {
        let path = format!("/contentapi/items?sort=headline&{}", query(parameters));
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let list = portal.read(&path).await;
            let found = all(&list, "headline").iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            // Words are found a moment after they are stored.
            if !found.is_empty() || !path.contains("q=") || Instant::now() > deadline {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(found(&[("q", "tram stops")]).await, ["A tram stops"]);
    let both = [("q", "headline:tram headline:bridge"), ("default_operator", "OR")];
    assert_eq!(found(&both).await, ["A bridge opens", "A tram stops"]);
    let one = [("q", "headline:tram headline:bridge -headline:stops"), ("default_operator", "or")];
    assert_eq!(found(&one).await, ["A bridge opens"]);
    assert_eq!(found(&[("type", "text")]).await.len(), 2);
    assert!(found(&[("type", "picture")]).await.is_empty());
    next(&admin, "correct", &tram, json!({"headline": "A tram goes on"}), 2).await;
    assert_eq!(found(&[("version", "3")]).await, ["A tram goes on"]);
    assert_eq!(found(&[("version", "[2, 3]")]).await.len(), 2);
    for (name, value, words) in [
        ("q", "(a", "invalid search text"),
        ("default_operator", "XOR", "(default_operator)"),
        ("version", "", "(version)"),
    ] {
        let path = format!("/contentapi/items?{}", query(&[(name, value)]));
        let refused = portal.get(&path).reply().await.expect(400).json();
        assert_eq!(refused["internal_error"], 10_002, "{refused}");
        assert!(refused["_issues"][name].as_str().is_some_and(|told| told.contains(words)), "{refused}");
    }
    // The newsroom's own lists know it too.
    let path = format!(
        "/api/archive?{}",
        query(&[("q", "headline:goes headline:bridge"), ("default_operator", "OR")])
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    while admin.read(&path).await["_meta"]["total"] != 2 {
        assert!(Instant::now() < deadline, "both are found by one word of two");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    admin.get("/api/archive?q=a&default_operator=x").reply().await.expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_read_until_they_are_canceled() {
    let Ground { admin, product, portal, server: _server, .. } = ground(&[]).await;
    let item = publish(&admin, "one").await;
    let late = json!({"name": "Late", "is_active": true, "api_products": [product["_id"]]});
    let late = make(&admin, "subscribers", late).await;
    let late = client_of(&admin, &late).await;
    let item = next(&admin, "correct", &item, json!({"headline": "two"}), 2).await;
    let versions = format!("{}/versions", address(&item));
    let list = portal.read(&versions).await;
    assert_eq!(
        (all(&list, "headline"), all(&list, "version")),
        (vec!["one", "two"], vec!["2", "3"]),
        "{list}"
    );
    assert!(list["_meta"]["total"] == 2 && list["_items"][0].get("subscribers").is_none(), "{list}");
    let short = portal.read(&format!("{versions}?include_fields=version")).await;
    assert_eq!(short["_items"][0].as_object().map(serde_json::Map::len), Some(2), "{short}");
    assert_eq!(portal.read(&format!("{}?version=2", address(&item))).await["headline"], "one");
    assert_eq!(portal.read(&address(&item)).await["headline"], "two");
    portal.get(&format!("{}?version=9", address(&item))).reply().await.expect(404);
    portal.get(&format!("{versions}?version=2")).reply().await.expect(400);
    portal
        .get(&format!("{}?version=2", address(&item)).replace("items", "packages"))
        .reply()
        .await
        .expect(404);
    // Who was no subscriber then does not get what was there then.
    assert_eq!(late.read(&address(&item)).await["headline"], "two");
    assert_eq!(all(&late.read(&versions).await, "headline"), ["two"]);
    late.get(&format!("{}?version=2", address(&item))).reply().await.expect(404);
    act(&admin, "kill", &item, json!({"headline": "gone"})).await.expect(200);
    let deadline = Instant::now() + Duration::from_secs(30);
    while portal.read(&address(&item)).await["pubstatus"] != "canceled" {
        assert!(Instant::now() < deadline, "the item is canceled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(portal.read(&versions).await["_items"], json!([]));
    for version in ["2", "3", "4"] {
        portal.get(&format!("{}?version={version}", address(&item))).reply().await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_leads_to_its_members() {
    let Ground { admin, portal, server: _server, .. } = ground(&[]).await;
    let member = publish(&admin, "A bridge opens").await;
    let desk = make(&admin, "desks", json!({"name": "National"})).await;
    let stage = make(&admin, "stages", json!({"name": "Incoming", "desk": desk["_id"]})).await;
    let package = make(&admin, "archive", json!({
        "type": "composite", "task": {"desk": desk["_id"], "stage": stage["_id"]}, "headline": "Bridges", "slugline": "bridges", "state": "in_progress",
        "anpa_category": [{"qcode": "a", "name": "National"}], "subject": [{"qcode": "04000000", "name": "economy"}],
        "groups": [
            {"id": "root", "role": "grpRole:NEP", "refs": [{"idRef": "main"}]},
            {"id": "main", "role": "grpRole:main", "refs": [
                {"residRef": member["_id"], "type": "text", "location": "archive", "itemClass": "icls:text"},
            ]},
        ],
    }))
    .await;
    act(&admin, "publish", &package, json!({})).await.expect(200);
    settled(&admin, text(&package, "_id"), 1, &["success"]).await;
    let list = portal.read("/contentapi/packages").await;
    assert_eq!(all(&list, "headline"), ["Bridges"]);
    let main = &list["_items"][0]["associations"]["main"];
    assert_eq!((&main["guid"], text(main, "uri")), (&member["_id"], address(&member).as_str()), "{list}");
    portal.read(text(main, "uri")).await;
    let own = address(&package).replace("/items/", "/packages/");
    assert_eq!(list["_items"][0]["uri"], json!(own));
    assert_eq!(all(&portal.read(&format!("{own}/versions")).await, "headline"), ["Bridges"]);
    portal.get(&format!("{}/versions", address(&package))).reply().await.expect(404);
    let found = portal.read("/contentapi/search?sort=headline").await;
    assert_eq!(all(&found, "headline"), ["A bridge opens", "Bridges"]);
    assert_eq!(all(&portal.read("/contentapi/items").await, "headline"), ["A bridge opens"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_access_is_written_down() {
    let Ground { admin, subscriber, portal, mut server, .. } = ground(&[]).await;
    let (one, two) = (publish(&admin, "one").await, publish(&admin, "two").await);
    let (one_id, two_id) = (text(&one, "_id"), text(&two, "_id"));
    portal.read("/contentapi/items?sort=headline").await;
    portal.read("/contentapi/search?service=nothing").await;
    portal.read(&address(&one)).await;
    portal.read(&format!("{}/versions", address(&one))).await;
    portal.get("/contentapi/items/unknown").reply().await.expect(404);
    let entries = accesses(&admin, &json!({"subscriber": subscriber["_id"]}), 4).await;
    let of = |kind: &str, uri: &str| {
        let found = entries.iter().find(|entry| entry["type"] == kind && text(entry, "uri").starts_with(uri));
        found.unwrap_or_else(|| panic!("no {kind} {uri} in {entries:#?}"))
    };
    let list = of("items", "/contentapi/items?sort=headline");
    assert_eq!((&list["items_id"], &list["version"]), (&json!([one_id, two_id]), &Value::Null), "{list}");
    assert_eq!(list["remote_addr"], "127.0.0.1");
    assert!(list["_created"].is_string(), "{list}");
    assert_eq!(of("search", "/contentapi/search")["items_id"], json!([]));
    let single = entries.iter().find(|entry| entry["version"] == "2").expect("a single item");
    assert_eq!((&single["items_id"], text(single, "uri")), (&json!([one_id]), address(&one).as_str()));
    assert_eq!(entries.len(), 4, "what is refused is no access: {entries:#?}");
    assert_eq!(accesses(&admin, &json!({"items_id": one_id}), 3).await.len(), 3);
    assert_eq!(accesses(&admin, &json!({"items_id": two_id}), 1).await.len(), 1);
    // It is for those who may read it, and nobody writes it.
    let phrase = "a long enough phrase 9";
    for (name, privileges, status) in [("ann", json!({}), 403), ("bob", json!({"api_audit": 1}), 200)] {
        let user = json!({"username": name, "password": phrase, "privileges": privileges});
        make(&admin, "users", user).await;
        let user = admin.signed_in(name, phrase).await;
        assert_eq!(user.get("/api/api_audit").reply().await.status, status, "{name}");
    }
    let refused = admin.post("/api/api_audit", &json!({"type": "items"})).reply().await;
    assert!(matches!(refused.status, 403 | 405), "{}", refused.text());
    // A kill of the program takes nothing of it, and it ends by itself.
    server.kill();
    server.flags(&["--set", "superdesk.AUDIT_EXPIRY_MINUTES=0.02"]);
    server.launch();
    assert_eq!(accesses(&admin, &json!({}), 4).await.len(), 4);
    portal.read("/contentapi/packages").await;
    accesses(&admin, &json!({"type": "packages"}), 1).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while admin.read("/api/api_audit").await["_meta"]["total"] != 4 {
        assert!(Instant::now() < deadline, "the newest entry ends after a second");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_costs_the_log_and_not_the_answer() {
    let Some(disk) = SmallDisk::mount(256) else { return };
    let mut server = Server::idle_in(disk.path());
    server.expect_complaints(&["the disk is nearly full", "an access to the content API is not in its log"]);
    let Ground { admin, portal, mut server, .. } = ground_on(server, &[]).await;
    let item = publish(&admin, "one").await;
    portal.read(&address(&item)).await;
    accesses(&admin, &json!({}), 1).await;
    disk.fill_to(6 << 10);
    // Room is looked at four times a second.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(portal.read(&address(&item)).await["headline"], "one");
    portal.read("/contentapi/items").await;
    let figures = admin.get("/metrics").reply().await.text();
    assert!(figures.contains("dateline_content_api_unlogged_total 2"), "what is missing is counted");
    assert_eq!(accesses(&admin, &json!({}), 1).await.len(), 1);
    disk.empty();
    tokio::time::sleep(Duration::from_millis(400)).await;
    portal.read(&address(&item)).await;
    accesses(&admin, &json!({}), 2).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newsroom_searches_what_subscribers_have() {
    let Ground { admin, subscriber, server: _server, .. } = ground(&[]).await;
    let item = story(&admin, "A bridge opens").await;
    let updates = json!({"flags": {"marked_for_legal": true}, "versioncreated": "2020-01-01T00:00:00+0000"});
    act(&admin, "publish", &item, updates).await.expect(200);
    settled(&admin, text(&item, "_id"), 1, &["success"]).await;
    let list = admin.read("/api/search_capi").await;
    let found = &list["_items"][0];
    assert_eq!((&found["_id"], text(found, "headline")), (&item["_id"], "A bridge opens"), "{list}");
    assert_eq!((&found["anpa_category"][0]["qcode"], found.get("service")), (&json!("a"), None), "{list}");
    assert_eq!(found["subject"][0]["qcode"], "04000000");
    assert_eq!(found["flags"], json!({"marked_for_legal": true}));
    let count = async |parameters: &str| {
        admin.read(&format!("/api/search_capi?{parameters}")).await["_meta"]["total"].clone()
    };
    assert_eq!(count(&format!("subscribers={}", text(&subscriber, "_id"))).await, 1);
    assert_eq!(count("subscribers=nobody").await, 0);
    assert_eq!(count("aggregations=0&service=a&end_date=2020-01-01").await, 0);
    let refused = admin.get("/api/search_capi?foo=1").reply().await.expect(400).json();
    assert_eq!(refused["internal_error"], 10_001);
    let one = format!("/api/search_capi/{}", encoded(text(&item, "_id")));
    assert_eq!(admin.read(&one).await["_id"], item["_id"]);
    assert_eq!(admin.read(&format!("{one}?version=2&include_fields=version")).await["version"], "2");
    admin.get(&format!("{one}?version=7")).reply().await.expect(404);
    admin.get("/api/search_capi/unknown").reply().await.expect(404);
    let phrase = "a long enough phrase 9";
    for (name, privileges, status) in [("ann", json!({}), 403), ("bob", json!({"search_capi": 1}), 200)] {
        let user = json!({"username": name, "password": phrase, "privileges": privileges});
        make(&admin, "users", user).await;
        let user = admin.signed_in(name, phrase).await;
        for path in ["/api/search_capi", one.as_str()] {
            assert_eq!(user.get(path).reply().await.status, status, "{name} {path}");
        }
    }
    admin.get("/api/search_capi").unsigned().reply().await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_form_a_chain_that_expires_as_a_whole() {
    // Six seconds.
    let flags = ["--set", "superdesk.CONTENT_API_EXPIRY_DAYS=0.00007"];
    let Ground { admin, portal, mut server, .. } = ground(&flags).await;
    let first = publish(&admin, "first").await;
    let path = format!("/api/archive/{}/rewrite", encoded(text(&first, "_id")));
    let update = admin.post(&path, &json!({})).reply().await.expect(201).json();
    let filled = json!({"headline": "update", "body_html": "<p>It is wide.</p>", "abstract": "More."});
    let update = act(&admin, "publish", &update, filled).await.expect(200).json();
    settled(&admin, text(&update, "_id"), 1, &["success"]).await;
    let (parent, child) = (portal.read(&address(&first)).await, portal.read(&address(&update)).await);
    assert_eq!((&parent["original_id"], &parent["nextversion"]), (&first["_id"], &update["_id"]), "{parent}");
    assert_eq!((&child["original_id"], &child["evolvedfrom"]), (&first["_id"], &first["_id"]), "{child}");
    assert!(child.get("ancestors").is_none() && child.get("nextversion").is_none(), "{child}");
    let stored = admin.read(&format!("/api/items/{}", encoded(text(&update, "_id")))).await;
    assert_eq!(stored["ancestors"], json!([first["_id"]]), "{stored}");
    let versions = portal.read(&format!("{}/versions", address(&first))).await;
    assert_eq!(all(&versions, "version"), ["2"], "a place in the chain is no version of its own");
    // The chain is as young as its youngest.
    let run = async || {
        let run = admin.post("/api/schedules/content_api:gc/run", &json!({})).reply().await.expect(200);
        run.json()["result"]["removed"].as_u64()
    };
    assert_eq!(run().await, Some(0));
    let alone = publish(&admin, "alone").await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    next(&admin, "correct", &update, json!({"headline": "update again"}), 2).await;
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    assert_eq!(run().await, Some(1), "the first is old, its update is not");
    portal.get(&address(&alone)).reply().await.expect(404);
    portal.read(&address(&first)).await;
    server.kill();
    server.launch();
    let schedule = admin.read("/api/schedules/content_api:gc").await;
    assert!(schedule["cron"] == "0 2 * * *" && schedule["next_at"].is_string(), "{schedule}");
    tokio::time::sleep(Duration::from_millis(4_000)).await;
    assert_eq!(run().await, Some(2));
    for item in [&first, &update] {
        portal.get(&address(item)).reply().await.expect(404);
        portal.get(&format!("{}/versions", address(item))).reply().await.expect(404);
    }
    assert_eq!(run().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_asks_too_often_waits() {
    let flags = [
        "--set",
        "superdesk.CONTENTAPI_RATE_LIMIT_REQUESTS=3",
        "--set",
        "superdesk.CONTENTAPI_RATE_LIMIT_PERIOD=3",
    ];
    let Ground { admin, subscriber, portal, server: _server, .. } = ground(&flags).await;
    let number = |reply: &crate::client::Reply, name: &str| {
        reply.header(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {name}"))
    };
    for (path, status, left) in [
        ("/contentapi/items", 200, 2),
        ("/contentapi/items/unknown", 404, 1),
        ("/contentapi/items?x=1", 400, 0),
    ] {
        let reply = portal.get(path).reply().await.expect(status);
        assert_eq!((number(&reply, "x-ratelimit-limit"), number(&reply, "x-ratelimit-remaining")), (3, left));
    }
    let refused = portal.get("/contentapi/items").reply().await.expect(429);
    assert_eq!(refused.json()["type"], "rate-limited");
    assert!((1..=3).contains(&number(&refused, "retry-after")), "{:?}", refused.headers);
    let reset =
        number(&refused, "x-ratelimit-reset").abs_diff(jiff::Timestamp::now().as_second().unsigned_abs());
    assert!(reset <= 4, "{:?}", refused.headers);
    let other = client_of(&admin, &subscriber).await;
    other.read("/contentapi/items").await;
    tokio::time::sleep(Duration::from_secs(number(&refused, "retry-after"))).await;
    portal.read("/contentapi/items").await;
}
