//! Publishing from outside: configuration with its refusals, a story to its subscribers, and the queue in between.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Reply, query};
use crate::plan::seed;
use crate::program::Server;
use crate::receiver::Receiver;

/// A program that may reach a receiver and write below a folder.
pub(crate) async fn newsroom(receiver: &Receiver, files: &Path) -> (Server, Client) {
    let mut server = Server::idle();
    let allow = format!("egress.allow={}", receiver.address());
    let roots = format!("egress.file_roots={}", files.display());
    server.flags(&["--set", &allow, "--set", &roots, "--set", "publishing.retry_ms=200"]);
    server.launch();
    let admin = Client::admin(&server).await;
    (server, admin)
}

pub(crate) async fn make(client: &Client, resource: &str, body: Value) -> Value {
    client.post(&format!("/api/{resource}"), &body).reply().await.expect(201).json()
}

pub(crate) fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap_or_else(|| panic!("no {key} in {document}"))
}

/// A story on a desk, ready to be published.
pub(crate) async fn story(client: &Client, headline: &str) -> Value {
    make(client, "archive", json!({
        "type": "text", "headline": headline, "slugline": "bridge", "abstract": "It opens.", "state": "in_progress",
        "body_html": "<p>The bridge is open.</p>", "anpa_category": [{"qcode": "a", "name": "National"}],
        "subject": [{"qcode": "04000000", "name": "economy"}], "urgency": 2, "priority": 3,
    }))
    .await
}

/// Does an action on an item; gives the answer.
pub(crate) async fn act(client: &Client, action: &str, item: &Value, updates: Value) -> Reply {
    let path = format!("/api/archive/{action}/{}", encoded(text(item, "_id")));
    client.patch(&path, text(item, "_etag"), &updates).reply().await
}

/// An id inside a path.
pub(crate) fn encoded(id: &str) -> String {
    query(&[("", id)]).trim_start_matches('=').to_owned()
}

/// Every row of the queue of an item, in the order of their numbers.
async fn rows(client: &Client, item: &str) -> Vec<Value> {
    let wanted = json!({"item_id": item}).to_string();
    let path = format!("/api/publish_queue?max_results=500&{}", query(&[("where", &wanted)]));
    let list = client.read(&path).await;
    list["_items"].as_array().cloned().unwrap_or_default()
}

/// Waits until every row of an item is in one of these states.
pub(crate) async fn settled(client: &Client, item: &str, count: usize, states: &[&str]) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let rows = rows(client, item).await;
        if rows.len() >= count && rows.iter().all(|row| states.contains(&text(row, "state"))) {
            return rows;
        }
        assert!(Instant::now() < deadline, "the rows do not settle: {rows:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_reaches_three_destinations_and_is_killed_there() {
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (_server, admin) = newsroom(&receiver, files.path()).await;
    let condition = json!({"name": "national", "field": "anpa_category", "operator": "in", "value": "a"});
    let condition = make(&admin, "filter_conditions", condition).await;
    let filter =
        json!({"name": "national news", "content_filter": [{"expression": {"fc": [condition["_id"]]}}]});
    let filter = make(&admin, "content_filters", filter).await;
    let product = make(&admin, "products", json!({
        "name": "national", "codes": "nat, all", "content_filter": {"filter_id": filter["_id"], "filter_type": "permitting"},
    }))
    .await;
    let place = files.path().display();
    let subscriber = make(&admin, "subscribers", json!({
        "name": "Daily", "subscriber_type": "digital", "email": "desk@example.com", "is_active": true,
        "products": [product["_id"]], "sequence_num_settings": {"min": 10, "max": 20},
        "destinations": [
            {"name": "web", "format": "ninjs", "delivery_type": "http_push",
             "config": {"resource_url": receiver.url("/web"), "secret_token": "hidden-token"}},
            {"name": "nitf", "format": "nitf", "delivery_type": "File", "config": {"file_path": format!("{place}/nitf")}},
            {"name": "g2", "format": "newsmlg2", "delivery_type": "File", "config": {"file_path": format!("{place}/g2")}},
        ],
    }))
    .await;
    for folder in ["nitf", "g2"] {
        std::fs::create_dir(files.path().join(folder)).expect("a folder");
    }
    let shown = admin.read(&format!("/api/subscribers/{}", text(&subscriber, "_id"))).await;
    assert!(!shown.to_string().contains("hidden-token") && !subscriber.to_string().contains("hidden-token"));

    let item = story(&admin, "A bridge opens").await;
    let dry =
        admin.post("/api/publish/dry_run", &json!({"item": item["_id"]})).reply().await.expect(200).json();
    assert_eq!(dry["queue"].as_array().map(Vec::len), Some(3), "{dry}");
    assert!(dry["subscribers"][0]["accepted"] == true && dry["subscribers"][0]["steps"].is_array(), "{dry}");
    assert!(rows(&admin, text(&item, "_id")).await.is_empty(), "a dry run stores nothing");

    let published = act(&admin, "publish", &item, json!({})).await.expect(200).json();
    assert_eq!((text(&published, "state"), &published["_current_version"]), ("published", &json!(2)));
    let sent = settled(&admin, text(&item, "_id"), 3, &["success"]).await;
    assert!(
        sent.iter().all(|row| row["codes"] == json!(["nat", "all"]) && row["receipt"]["bytes"].is_u64()),
        "{sent:#?}"
    );
    let mut numbers: Vec<u64> = sent.iter().filter_map(|row| row["published_seq_num"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [10, 11, 12]);
    let pushed = receiver.wait("/web", 1).await;
    assert_eq!(pushed[0].json()["headline"], "A bridge opens");
    assert!(pushed[0].headers.contains_key("x-superdesk-signature"), "{:?}", pushed[0].headers);
    for (folder, words) in [("nitf", "<nitf"), ("g2", "newsMessage")] {
        let mut found = std::fs::read_dir(files.path().join(folder)).expect("a folder");
        let file = found.next().expect("a file").expect("an entry").path();
        let content = std::fs::read_to_string(file).expect("a text");
        assert!(content.contains(words) && content.contains("A bridge opens"), "{content}");
    }

    let corrected =
        act(&admin, "correct", &published, json!({"headline": "A bridge opened"})).await.expect(200).json();
    let pushed = receiver.wait("/web", 2).await;
    assert_eq!(pushed[1].json()["headline"], "A bridge opened");
    let stale = act(&admin, "kill", &published, json!({})).await;
    assert_eq!(stale.status, 412, "{}", stale.text());
    let killed = act(&admin, "kill", &corrected, json!({"headline": "KILL"})).await.expect(200).json();
    assert_eq!(text(&killed, "state"), "killed");
    let pushed = receiver.wait("/web", 3).await;
    assert_eq!(pushed[2].json()["pubstatus"], "canceled");
    let again = act(&admin, "publish", &killed, json!({})).await.expect(400).json();
    let why = again["_issues"]["validator exception"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("Can't publish as item state is killed"), "{again}");
    settled(&admin, text(&item, "_id"), 9, &["success"]).await;
    let last = admin.read(&format!("/api/published/{}", encoded(text(&item, "_id")))).await;
    assert_eq!((text(&last, "state"), text(&last, "queue_state")), ("killed", "queued"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_used_or_wrong_is_refused() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let condition = json!({"name": "sport", "field": "anpa_category", "operator": "in", "value": "s,t"});
    let sport = make(&admin, "filter_conditions", condition).await;
    let refused = |reply: Reply, words: &str| {
        let body = reply.clone().expect(400).json();
        assert!(body.to_string().contains(words), "expected {words} in {body}");
    };
    for (body, words) in [
        (json!({"name": "Sport", "field": "urgency", "operator": "eq", "value": "1"}), "unique"),
        (
            json!({"name": "b", "field": "anpa_category", "operator": "in", "value": "t,s"}),
            "Filter condition:sport has identical settings",
        ),
        (
            json!({"name": "c", "field": "nothing", "operator": "in", "value": "a"}),
            "unidentified field: nothing",
        ),
        (
            json!({"name": "d", "field": "slugline", "operator": "is", "value": "a"}),
            "unidentified operator: is",
        ),
        (json!({"name": "e", "field": "urgency", "operator": "eq", "value": "high"}), "not a whole number"),
        (json!({"name": "f", "field": "location", "operator": "near", "value": "1"}), "longitude,latitude"),
    ] {
        refused(admin.post("/api/filter_conditions", &body).reply().await, words);
    }
    let statement =
        |conditions: Value, filters: Value| json!([{"expression": {"fc": conditions, "pf": filters}}]);
    let empty = json!({"name": "x", "content_filter": [{"expression": {}}]});
    refused(
        admin.post("/api/content_filters", &empty).reply().await,
        "Filter statement 1 does not have a filter condition",
    );
    let inner = json!({"name": "inner", "content_filter": statement(json!([sport["_id"]]), json!([]))});
    let inner = make(&admin, "content_filters", inner).await;
    let outer = json!({"name": "outer", "content_filter": statement(json!([]), json!([inner["_id"]]))});
    let outer = make(&admin, "content_filters", outer).await;
    let circle = json!({"content_filter": statement(json!([]), json!([outer["_id"]]))});
    let path = format!("/api/content_filters/{}", text(&inner, "_id"));
    refused(
        admin.patch(&path, text(&inner, "_etag"), &circle).reply().await,
        "Circular dependency error in content filters:inner",
    );
    refused(
        admin.delete(&path, text(&inner, "_etag")).reply().await,
        "Content filter has been referenced in outer",
    );
    let condition_path = format!("/api/filter_conditions/{}", text(&sport, "_id"));
    refused(
        admin.delete(&condition_path, text(&sport, "_etag")).reply().await,
        "Filter condition has been referenced in content filter: inner",
    );
    let product =
        json!({"name": "p", "content_filter": {"filter_id": outer["_id"], "filter_type": "permitting"}});
    let product = make(&admin, "products", product).await;
    refused(
        admin.post("/api/products", &json!({"name": "q", "product_type": null})).reply().await,
        "null value not allowed",
    );
    let bare = json!({"name": "S", "is_active": true});
    refused(
        admin.post("/api/subscribers", &bare).reply().await,
        "At least one destination or one API Product",
    );
    let destination = json!({"name": "d", "format": "ninjs", "delivery_type": "http_push",
        "config": {"resource_url": "https://example.com", "password": "very-secret"}});
    let wrong = json!({"name": "S", "is_active": true, "destinations": [destination], "sequence_num_settings": {"min": 9, "max": 3}});
    refused(admin.post("/api/subscribers", &wrong).reply().await, "less than the value of Maximum");
    let missing = json!({"name": "S", "is_active": true, "destinations": [{"name": ""}]});
    let issues = admin.post("/api/subscribers", &missing).reply().await.expect(400).json();
    assert_eq!(issues["_issues"]["destinations"]["0"]["format"], json!({"required": 1}), "{issues}");
    let subscriber =
        json!({"name": "S", "is_active": true, "destinations": [destination], "products": [product["_id"]]});
    let subscriber = make(&admin, "subscribers", subscriber).await;
    let product_path = format!("/api/products/{}", text(&product, "_id"));
    refused(
        admin.delete(&product_path, text(&product, "_etag")).reply().await,
        "Product is used by the subscriber(s): S",
    );
    let path = format!("/api/subscribers/{}", text(&subscriber, "_id"));
    assert_eq!(admin.delete(&path, text(&subscriber, "_etag")).reply().await.status, 405);
    // No way of reading shows a secret, and a client that sends back what it read keeps it.
    let shown = admin.read(&path).await;
    let sent = json!({"destinations": shown["destinations"]});
    let changed = admin.patch(&path, text(&shown, "_etag"), &sent).reply().await.expect(200).json();
    assert_eq!(changed["destinations"], shown["destinations"]);
    for path in [
        path.as_str(),
        "/api/subscribers",
        &format!("{path}?version=all"),
        "/api/changes?since=0&limit=500&include=doc",
    ] {
        assert!(!admin.get(path).reply().await.expect(200).text().contains("very-secret"), "{path}");
    }
    for hidden in ["subscriber_secrets", "subscriber_tokens"] {
        assert_eq!(admin.get(&format!("/api/{hidden}")).reply().await.status, 403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_about_publishing_are_answered() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    make(&admin, "vocabularies", json!({
        "_id": "region", "display_name": "Region", "type": "manageable", "items": [{"qcode": "n", "name": "North", "is_active": true}],
    }))
    .await;
    let offered = admin.read("/api/filter_conditions/parameters").await;
    let fields = offered["_items"].as_array().expect("a list");
    let region = fields.iter().find(|field| field["field"] == "region").expect("the vocabulary is a field");
    assert_eq!((&region["operators"], &region["values"][0]["qcode"]), (&json!(["in", "nin"]), &json!("n")));
    let condition = json!({"name": "north", "field": "region", "operator": "in", "value": "n"});
    let condition = make(&admin, "filter_conditions", condition).await;
    let expression = json!([{"expression": {"fc": [condition["_id"]]}}]);
    let filter =
        make(&admin, "content_filters", json!({"name": "north", "content_filter": expression})).await;
    let article = json!({"type": "text", "headline": "h", "subject": [{"qcode": "n", "scheme": "region"}]});
    let test = |body: Value| {
        let admin = admin.clone();
        async move {
            admin.post("/api/content_filters/test", &body).reply().await.expect(200).json()["match_results"]
                .clone()
        }
    };
    assert_eq!(test(json!({"filter_id": filter["_id"], "article": article})).await, true);
    assert_eq!(
        test(json!({"filter": {"content_filter": expression}, "article": {"type": "text"}})).await,
        false
    );
    let unknown = admin
        .post("/api/content_filters/test", &json!({"filter_id": "nothing", "article": {}}))
        .reply()
        .await;
    assert!(unknown.expect(400).text().contains("Content filter not found"));
    let product =
        json!({"name": "North", "content_filter": {"filter_id": filter["_id"], "filter_type": "permitting"}});
    make(&admin, "products", product).await;
    let tested = admin
        .post("/api/products/test", &json!({"article": {"type": "text"}}))
        .reply()
        .await
        .expect(200)
        .json();
    let first = &tested["_items"][0];
    assert_eq!(
        (&first["matched"], text(first, "reason")),
        (&json!(false), "Story does not match the filter: north")
    );
    let formats = admin.read("/api/formatters").await;
    assert!(
        formats["_items"].as_array().is_some_and(|all| all.iter().any(|own| own["name"] == "nitf")),
        "{formats}"
    );
    let body = json!({"format": "ninjs", "article": {"type": "text", "guid": "g", "headline": "h"}});
    let formatted = admin.post("/api/formatters", &body).reply().await.expect(201).json();
    let document: Value = serde_json::from_str(text(&formatted, "formatted_doc")).expect("JSON");
    assert_eq!(document["headline"], "h");
    let valid = json!({"act": "publish", "type": "text", "validate": {"type": "text", "slugline": "s"}});
    let verdict = admin.post("/api/validate", &valid).reply().await.expect(201).json();
    assert!(verdict["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_destination_delays_itself_alone_and_rows_are_in_hand() {
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (mut server, admin) = newsroom(&receiver, files.path()).await;
    server.expect_complaints(&["a subscriber is closed by a critical error"]);
    let product = make(&admin, "products", json!({"name": "all"})).await;
    let subscriber = |name: &str, critical: Value| {
        json!({
            "name": name, "is_active": true, "products": [product["_id"]], "critical_errors": critical,
            "destinations": [{"name": name, "format": "ninjs", "delivery_type": "http_push",
                "config": {"resource_url": receiver.url(&format!("/{name}"))}}],
        })
    };
    for (name, critical) in [("good", json!({})), ("slow", json!({})), ("gone", json!({"14001": true}))] {
        make(&admin, "subscribers", subscriber(name, critical)).await;
    }
    receiver.answer("/slow", 503);
    receiver.answer("/gone", 404);
    let mut stories = Vec::new();
    for headline in ["one", "two"] {
        let item = story(&admin, headline).await;
        act(&admin, "publish", &item, json!({})).await.expect(200);
        stories.push(text(&item, "_id").to_owned());
    }
    receiver.wait("/good", 2).await;
    let state = |rows: &[Value], name: &str| {
        let row = rows.iter().find(|row| row["destination"]["name"] == name).expect("a row").clone();
        (text(&row, "state").to_owned(), row)
    };
    let first = settled(&admin, &stories[0], 3, &["success", "retrying", "in-progress", "failed"]).await;
    let (failed, row) = state(&first, "gone");
    assert_eq!(failed, "failed", "{row}");
    assert!(text(&row, "error_message").contains("14001"), "{row}");
    let closed =
        admin.read(&format!("/api/subscribers?{}", query(&[("where", r#"{"name": "gone"}"#)]))).await;
    assert_eq!(closed["_items"][0]["is_active"], false, "{closed}");
    assert!(text(&closed["_items"][0]["last_closed"], "message").contains("critical error"));
    assert!(receiver.at("/slow").is_empty());
    receiver.answer("/slow", 200);
    let arrived = receiver.wait("/slow", 2).await;
    let headlines: Vec<Value> = arrived.iter().map(|pushed| pushed.json()["headline"].clone()).collect();
    assert_eq!(headlines, ["one", "two"], "in the order of publishing, over failures");
    // Rows in the hands of people.
    let rows = settled(&admin, &stories[0], 3, &["success", "failed"]).await;
    let (_, good) = state(&rows, "good");
    let path = format!("/api/publish_queue/{}", text(&good, "_id"));
    assert!(text(&admin.read(&path).await, "formatted_item").contains("\"headline\":\"one\""));
    let replayed = admin.post(&format!("{path}/replay"), &json!({})).reply().await.expect(201).json();
    assert_eq!(replayed["replay_of"], good["_id"]);
    receiver.wait("/good", 3).await;
    assert_eq!(admin.post(&format!("{path}/cancel"), &json!({})).reply().await.status, 409);
    admin.post("/api/queues/transmit/pause", &json!({})).reply().await.expect(200);
    let item = story(&admin, "three").await;
    act(&admin, "publish", &item, json!({})).await.expect(200);
    let waiting = settled(&admin, text(&item, "_id"), 2, &["pending"]).await;
    let (_, canceled) = state(&waiting, "good");
    let path = format!("/api/publish_queue/{}", text(&canceled, "_id"));
    admin.post(&format!("{path}/cancel"), &json!({})).reply().await.expect(200);
    admin.post("/api/queues/transmit/resume", &json!({})).reply().await.expect(200);
    receiver.wait("/slow", 3).await;
    assert_eq!(text(&admin.read(&path).await, "state"), "canceled");
    admin.post(&format!("{path}/retry"), &json!({})).reply().await.expect(200);
    receiver.wait("/good", 4).await;
    let told = admin.read("/api/publish_queue/statistics").await;
    assert!(told["states"]["success"].as_u64().is_some_and(|rows| rows >= 6), "{told}");
}

const SUBSCRIBERS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_doubles_loses_or_reorders_a_version() {
    let _turn = crate::parts::heavy().await;
    let mut rng = fastrand::Rng::with_seed(seed("publishing"));
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (mut server, admin) = newsroom(&receiver, files.path()).await;
    let product = make(&admin, "products", json!({"name": "all"})).await;
    let subscribers: Vec<Value> = (0..SUBSCRIBERS)
        .map(|number| {
            json!({
                "name": format!("s{number}"), "is_active": true, "products": [product["_id"]],
                "destinations": [{"name": "web", "format": "ninjs", "delivery_type": "http_push",
                    "config": {"resource_url": receiver.url(&format!("/{number}"))}}],
            })
        })
        .collect();
    admin.post("/api/subscribers", &Value::Array(subscribers)).reply().await.expect(201);
    let item = story(&admin, "version 1").await;
    let path = format!("/api/archive/{}", encoded(text(&item, "_id")));
    for version in 1..=3 {
        let action = if version == 1 { "publish" } else { "correct" };
        // A request whose answer is lost was done or not: the state tells.
        loop {
            let Ok(now) = admin.get(&path).attempt().await else { continue };
            let now = now.expect(200).json();
            if now["_current_version"].as_u64() > Some(version) {
                break;
            }
            let address = format!("/api/archive/{action}/{}", encoded(text(&item, "_id")));
            let updates = json!({"headline": format!("version {version}")});
            if let Ok(reply) = admin.patch(&address, text(&now, "_etag"), &updates).attempt().await {
                reply.expect(200);
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..=400))).await;
        server.kill();
        server.launch();
    }
    for number in 0..SUBSCRIBERS {
        let arrived = receiver.wait(&format!("/{number}"), 3).await;
        let headlines: Vec<String> =
            arrived.iter().map(|own| text(&own.json(), "headline").to_owned()).collect();
        assert_eq!(headlines, ["version 1", "version 2", "version 3"], "subscriber {number}");
    }
    let item = text(&item, "_id");
    let states = |list: &Value| list["_meta"]["total"].as_u64();
    let all = json!({"item_id": item}).to_string();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let open = json!({"item_id": item, "state": {"$ne": "success"}}).to_string();
        let open =
            admin.read(&format!("/api/publish_queue?max_results=0&{}", query(&[("where", &open)]))).await;
        if states(&open) == Some(0) {
            break;
        }
        assert!(Instant::now() < deadline, "rows are left: {open}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let list = admin.read(&format!("/api/publish_queue?max_results=0&{}", query(&[("where", &all)]))).await;
    assert_eq!(states(&list), Some(3 * SUBSCRIBERS as u64), "a row for each version and destination");
    eprintln!("publishing: {} requests for {} deliveries", receiver.pushed().len(), 3 * SUBSCRIBERS);
}
