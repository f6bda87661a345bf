//! Ingest from outside: feeds, folders and servers to desks and subscribers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{Client, query};
use crate::program::Server;
use crate::publishing::{encoded, make};
use crate::receiver::Receiver;

/// Somebody else's server: what it has at a path, and what it was asked.
#[derive(Clone)]
struct Source {
    address: String,
    documents: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<Question>>>,
}

/// What the source was asked, and how it answered.
#[derive(Clone)]
struct Question {
    path: String,
    headers: BTreeMap<String, String>,
    status: u16,
}

impl Source {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let source = Self { address, documents: Arc::default(), asked: Arc::default() };
        let serving = source.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = serving.clone();
                let service = service_fn(move |request| {
                    let answer = served.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await)
                });
            }
        });
        source
    }

    /// A document is known by a tag of its text.
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let found = self.documents.lock().expect("no panic").get(&path).cloned();
        let (status, text) = found.unwrap_or((404, String::new()));
        let headers = request.headers().iter();
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let tag = format!("\"{:08x}\"", crc32c::crc32c(text.as_bytes()));
        let is_known = status == 200 && headers.get("if-none-match") == Some(&tag);
        let status = if is_known { 304 } else { status };
        self.asked.lock().expect("no panic").push(Question { path, headers, status });
        let body = if is_known { Bytes::new() } else { Bytes::from(text) };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status.try_into().expect("a status");
        response.headers_mut().insert("etag", tag.parse().expect("a header"));
        response
    }

    fn has(&self, path: &str, status: u16, text: impl Into<String>) {
        self.documents.lock().expect("no panic").insert(path.to_owned(), (status, text.into()));
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The last question for a path.
    fn last(&self, path: &str) -> Question {
        let asked = self.asked.lock().expect("no panic");
        let found = asked.iter().rev().find(|own| own.path == path);
        found.unwrap_or_else(|| panic!("nobody asked for {path}")).clone()
    }
}

/// A program that may reach this machine and work below a folder, with a desk and a subscriber who gets everything.
struct House {
    _server: Server,
    admin: Client,
    receiver: Receiver,
    desk: Value,
}

async fn house(files: &Path, complaints: &[&str]) -> House {
    house_of(Receiver::start().await, files, complaints, &[]).await
}

async fn house_of(receiver: Receiver, files: &Path, complaints: &[&str], more: &[&str]) -> House {
    let mut server = Server::idle();
    let roots = format!("egress.file_roots={}", files.display());
    let usual = ["--set", "egress.allow=127.0.0.1", "--set", &roots, "--set", "publishing.retry_ms=200"];
    server.flags(&[&usual, more].concat());
    server.expect_complaints(complaints);
    server.launch();
    let admin = Client::admin(&server).await;
    let desk = make(&admin, "desks", json!({"name": "Wire", "source": "wire"})).await;
    let product = make(&admin, "products", json!({"name": "all"})).await;
    make(
        &admin,
        "subscribers",
        json!({
            "name": "Daily", "is_active": true, "products": [product["_id"]],
            "destinations": [{"name": "web", "format": "ninjs", "delivery_type": "http_push",
                "config": {"resource_url": receiver.url("/web")}}],
        }),
    )
    .await;
    House { _server: server, admin, receiver, desk }
}

impl House {
    /// A scheme of one rule without conditions.
    async fn scheme(&self, name: &str, action: &str) -> Value {
        let rule = json!({"name": name, "filter": null, "actions": {action: [{"desk": self.desk["_id"]}]}});
        make(&self.admin, "routing_schemes", json!({"name": name, "rules": [rule]})).await
    }

    /// A provider that nobody but the test asks after the first time.
    async fn provider(&self, name: &str, service: &str, config: Value, more: Value) -> Value {
        let mut body = json!({
            "name": name, "source": name, "feeding_service": service, "config": config, "update_schedule": {"hours": 99},
        });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        make(&self.admin, "ingest_providers", body).await
    }

    /// Asks a provider and waits; gives what came of it.
    async fn run(&self, provider: &Value) -> Value {
        let path = format!("/api/ingest_providers/{}/ingest", text(provider, "_id"));
        self.admin.post(&path, &json!({})).reply().await.expect(200).json()
    }

    /// Asks until a run of the test's own has begun after everything that was there before.
    async fn run_again(&self, provider: &Value) -> Value {
        self.run(provider).await;
        self.run(provider).await
    }

    async fn ingested(&self, provider: &Value) -> Vec<Value> {
        let wanted = json!({"ingest_provider": provider["_id"]}).to_string();
        let list = self
            .admin
            .read(&format!("/api/ingest?max_results=100&sort=guid&{}", query(&[("where", &wanted)])))
            .await;
        list["_items"].as_array().cloned().unwrap_or_default()
    }

    async fn of_archive(&self, wanted: Value, count: usize) -> Vec<Value> {
        let path = format!("/api/archive?max_results=100&{}", query(&[("where", &wanted.to_string())]));
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let list = self.admin.read(&path).await;
            let found = list["_items"].as_array().cloned().unwrap_or_default();
            if found.len() >= count {
                return found;
            }
            assert!(Instant::now() < deadline, "{} of {count} items: {list:#}", found.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap_or_else(|| panic!("no {key} in {document}"))
}

fn rss(entries: &[(&str, &str, &str)]) -> String {
    let entries = entries.iter().map(|(guid, title, date)| {
        format!(
            "<item><guid isPermaLink='false'>{guid}</guid><title>{title}</title><pubDate>{date}</pubDate>\
            <description>&lt;p onclick='x'&gt;Text.&lt;/p&gt;</description></item>"
        )
    });
    format!("<rss version='2.0'><channel><title>C</title>{}</channel></rss>", entries.collect::<String>())
}

/// A time so many minutes ago, as feeds write it.
fn ago(minutes: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S +0000", &at.to_zoned(jiff::tz::TimeZone::UTC))
        .expect("a time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_is_routed_and_published_once() {
    let files = tempfile::tempdir().expect("a folder");
    let house = house(files.path(), &[]).await;
    let source = Source::start().await;
    let scheme = house.scheme("out", "publish").await;
    let (first, second) = (ago(30), ago(20));
    source.has("/rss", 200, rss(&[("a", "One", &first), ("b", "Two", &second)]));
    let feed = house
        .provider("Feed", "rss", json!({"url": source.url("/rss")}), json!({"routing_scheme": scheme["_id"]}))
        .await;
    let run = house.run_again(&feed).await;
    assert_eq!(run["last_error"], Value::Null, "{run:#}");
    let items = house.ingested(&feed).await;
    assert_eq!(items.len(), 2, "{items:#?}");
    assert_eq!((text(&items[0], "headline"), text(&items[0], "state")), ("One", "ingested"));
    assert_eq!(text(&items[0], "body_html"), "<p>Text.</p>");
    assert_eq!((text(&items[0], "source"), text(&items[0], "ingest_provider_sequence")), ("Feed", "1"));
    let published = house.of_archive(json!({"state": "published"}), 2).await;
    assert!(published.iter().all(|item| item["task"]["desk"] == house.desk["_id"]), "{published:#?}");
    assert!(published.iter().any(|item| item["ingest_id"] == "a" && item["family_id"] == items[0]["_id"]));
    let pushed = house.receiver.wait("/web", 2).await;
    let mut headlines: Vec<String> =
        pushed.iter().map(|own| text(&own.json(), "headline").to_owned()).collect();
    headlines.sort();
    assert_eq!(headlines, ["One", "Two"]);

    // Nothing is new, and the feed is not even sent again.
    let run = house.run(&feed).await;
    assert_eq!((&run["last_run"]["new"], source.last("/rss").status), (&json!(0), 304), "{run:#}");
    // A new version of one, in a feed that is sent again.
    source.has("/rss", 200, rss(&[("a", "One, corrected", &ago(1)), ("b", "Two", &second)]));
    let run = house.run(&feed).await;
    assert_eq!(
        run["last_run"],
        json!({"new": 0, "updated": 1, "known": 1, "left": 0, "failed": 0}),
        "{run:#}"
    );
    let items = house.ingested(&feed).await;
    assert_eq!((items.len(), text(&items[0], "headline")), (2, "One, corrected"));
    let pushed = house.receiver.wait("/web", 3).await;
    assert_eq!(pushed[2].json()["headline"], "One, corrected");
    assert_eq!(house.of_archive(json!({}), 3).await.len(), 3);
    // Health stands in the document.
    let shown = house.admin.read(&format!("/api/ingest_providers/{}", text(&feed, "_id"))).await;
    assert!(shown["last_updated"].is_string() && shown["last_item_update"].is_string(), "{shown:#}");
    let metrics = house.admin.get("/metrics").reply().await.expect(200).text();
    assert!(metrics.contains("dateline_ingest_items_total{outcome=\"new\"} 2"), "{metrics}");
    // A provider that has brought items stays, and so does its scheme.
    let path = format!("/api/ingest_providers/{}", text(&feed, "_id"));
    let refused = house.admin.delete(&path, text(&feed, "_etag")).reply().await.expect(403);
    assert!(refused.text().contains("after receiving items is prohibited"), "{}", refused.text());
    let path = format!("/api/routing_schemes/{}", text(&scheme, "_id"));
    let refused = house.admin.delete(&path, text(&scheme, "_etag")).reply().await.expect(403);
    assert!(refused.text().contains("Routing scheme is applied to channel(s)"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_send_items_where_they_belong() {
    let files = tempfile::tempdir().expect("a folder");
    let house = house(files.path(), &[]).await;
    let source = Source::start().await;
    let condition = json!({"name": "sport", "field": "anpa_category", "operator": "in", "value": "s"});
    let condition = make(&house.admin, "filter_conditions", condition).await;
    let filter = json!({"name": "sport", "content_filter": [{"expression": {"fc": [condition["_id"]]}}]});
    let filter = make(&house.admin, "content_filters", filter).await;
    let desk = make(&house.admin, "desks", json!({"name": "Sport"})).await;
    let rules = json!([
        {"name": "sport", "filter": filter["_id"], "actions": {"fetch": [{"desk": desk["_id"]}], "exit": true}},
        {"name": "rest", "actions": {"fetch": [{"desk": house.desk["_id"]}]}},
    ]);
    let scheme = make(&house.admin, "routing_schemes", json!({"name": "desks", "rules": rules})).await;
    let item = |guid: &str, category: &str, version: u64| {
        json!({
            "guid": guid, "type": "text", "version": version, "headline": guid, "body_html": "<p>B</p>", "source": "Agency",
            "service": [{"code": category, "name": category}], "versioncreated": jiff::Timestamp::now().to_string(),
        })
    };
    source.has("/items", 200, json!([item("match", "s", 1), item("vote", "p", 1)]).to_string());
    let config = json!({"url": source.url("/items"), "token": "very-hidden"});
    let more = json!({"routing_scheme": scheme["_id"], "feed_parser": "ninjs", "content_expiry": 60});
    let agency = house.provider("Agency", "http", config, more).await;
    assert!(!agency.to_string().contains("very-hidden"), "{agency}");
    let run = house.run(&agency).await;
    assert_eq!(run["last_error"], Value::Null, "{run:#}");
    assert_eq!(source.last("/items").headers["authorization"], "Bearer very-hidden");
    let sport = house.of_archive(json!({"task.desk": desk["_id"]}), 1).await;
    assert_eq!((sport.len(), text(&sport[0], "headline"), text(&sport[0], "state")), (1, "match", "routed"));
    assert_eq!(
        sport[0]["task"]["stage"],
        house.admin.read(&format!("/api/desks/{}", text(&desk, "_id"))).await["incoming_stage"]
    );
    assert_eq!(house.of_archive(json!({"task.desk": house.desk["_id"]}), 1).await.len(), 1);
    // An earlier version changes nothing; a cancelled item is killed and goes nowhere.
    source.has("/items", 200, json!([item("match", "s", 0)]).to_string());
    assert_eq!(house.run(&agency).await["last_run"]["known"], 1);
    let mut cancelled = item("vote", "p", 2);
    cancelled["pubstatus"] = "canceled".into();
    source.has("/items", 200, cancelled.to_string());
    assert_eq!(house.run(&agency).await["last_run"]["updated"], 1);
    let items = house.ingested(&agency).await;
    assert_eq!((text(&items[1], "guid"), text(&items[1], "state")), ("vote", "killed"));
    assert_eq!(house.of_archive(json!({}), 2).await.len(), 2);
    // By hand.
    let path = format!("/api/ingest/{}/fetch", encoded(text(&items[0], "_id")));
    let fetched =
        house.admin.post(&path, &json!({"desk": house.desk["_id"]})).reply().await.expect(201).json();
    assert_eq!((text(&fetched, "state"), text(&fetched, "ingest_id")), ("fetched", "match"));
    assert_eq!((&fetched["ingest_version"], &fetched["_current_version"]), (&json!("1"), &json!(1)));
    assert!(house.ingested(&agency).await[0]["archived"].is_string());
    for (path, body, status) in [
        (path.as_str(), json!({}), 400),
        (path.as_str(), json!({"desk": "nowhere"}), 400),
        ("/api/ingest/nothing/fetch", json!({"desk": house.desk["_id"]}), 404),
        (
            &format!("/api/ingest/{}/fetch", encoded(text(&items[1], "_id"))),
            json!({"desk": house.desk["_id"]}),
            412,
        ),
    ] {
        let reply = house.admin.post(path, &body).reply().await;
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.text());
    }
    // Nowhere is the token read out.
    for path in [
        format!("/api/ingest_providers/{}?version=all", text(&agency, "_id")),
        "/api/ingest_providers".to_owned(),
        "/api/ingest_states".to_owned(),
        "/api/changes?since=0&limit=500&include=doc".to_owned(),
    ] {
        assert!(!house.admin.get(&path).reply().await.expect(200).text().contains("very-hidden"), "{path}");
    }
    assert_eq!(house.admin.get("/api/ingest_secrets").reply().await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_go_through_macros() {
    let files = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start().await;
    let config = files.path().join("dateline.toml");
    let macros = ["rename", "stop", "later"].map(|name| {
        format!(
            "[[macros]]\nname = \"{name}\"\nurl = \"{}\"\ntimeout_s = 5\n",
            receiver.url(&format!("/{name}"))
        )
    });
    std::fs::write(&config, macros.concat()).expect("a file");
    let more = ["--config", config.to_str().expect("a UTF-8 path")];
    let house = house_of(receiver, files.path(), &[], &more).await;
    let now = Duration::ZERO;
    house.receiver.say("/rename", 200, r#"{"headline": "Renamed", "state": "published"}"#, now);
    house.receiver.say("/stop", 200, r#"{"_stop": "not here"}"#, now);
    house.receiver.answer("/later", 503);
    let admin = &house.admin;
    let desk =
        |name: &'static str| async move { make(admin, "desks", json!({"name": name, "source": name})).await };
    let (one, two, three, four) =
        (desk("one").await, desk("two").await, desk("three").await, desk("four").await);
    let rules = json!([{"name": "all", "actions": {
        "fetch": [
            {"desk": one["_id"], "macro": "Desk_Defaults"}, {"desk": two["_id"], "macro": "rename"},
            {"desk": three["_id"], "macro": "stop"},
        ],
        "publish": [{"desk": four["_id"], "macro": "later"}],
    }}]);
    let scheme = make(&house.admin, "routing_schemes", json!({"name": "macros", "rules": rules})).await;
    let source = Source::start().await;
    source.has("/rss", 200, rss(&[("a", "One", &ago(5))]));
    let more = json!({"routing_scheme": scheme["_id"]});
    let feed = house.provider("Feed", "rss", json!({"url": source.url("/rss")}), more).await;
    assert_eq!(house.run_again(&feed).await["last_error"], Value::Null);
    let on = |desk: &Value| json!({"task.desk": desk["_id"]});
    let first = house.of_archive(on(&one), 1).await;
    assert_eq!((text(&first[0], "source"), text(&first[0], "headline")), ("one", "One"));
    let second = house.of_archive(on(&two), 1).await;
    assert_eq!((text(&second[0], "headline"), text(&second[0], "state")), ("Renamed", "routed"));
    // Nobody waited for the one that does not answer; when it does, its item goes out.
    assert!(house.of_archive(on(&four), 0).await.is_empty());
    house.receiver.say("/later", 204, "", now);
    let fourth = house.of_archive(json!({"task.desk": four["_id"], "state": "published"}), 1).await;
    assert_eq!((fourth.len(), text(&fourth[0], "headline")), (1, "One"));
    assert!(house.of_archive(on(&three), 0).await.is_empty(), "it was stopped");
    // By hand.
    let items = house.ingested(&feed).await;
    let path = format!("/api/ingest/{}/fetch", encoded(text(&items[0], "_id")));
    let fetch = |name: &str| house.admin.post(&path, &json!({"desk": house.desk["_id"], "macro": name}));
    let fetched = fetch("rename").reply().await.expect(201).json();
    assert_eq!((text(&fetched, "headline"), text(&fetched, "state")), ("Renamed", "fetched"));
    house.receiver.answer("/later", 503);
    for (name, status, words) in [
        ("nothing", 400, "there is no macro 'nothing'"),
        ("Internal_Destination_Auto_Publish", 400, "for internal destinations only"),
        ("stop", 409, "not here"),
        ("later", 502, "it answers 503"),
    ] {
        let reply = fetch(name).reply().await.expect(status);
        assert!(reply.text().contains(words), "{}", reply.text());
    }
    let rules = json!([{"name": "r", "actions": {"fetch": [{"desk": one["_id"], "macro": "nothing"}]}}]);
    let refused =
        house.admin.post("/api/routing_schemes", &json!({"name": "wrong", "rules": rules})).reply().await;
    let issues = refused.expect(400).json()["_issues"].to_string();
    assert!(issues.contains("\"macro\"") && issues.contains("there is no macro 'nothing'"), "{issues}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_stays_with_its_provider() {
    let files = tempfile::tempdir().expect("a folder");
    let house = house(files.path(), &["a provider is closed"]).await;
    let source = Source::start().await;
    source.has("/garbage", 200, "\u{1}\u{2} this is no feed <<<");
    source.has("/html", 200, "<html><body>Moved.</body></html>");
    source.has("/closed", 401, "");
    source.has("/moved", 301, "");
    source.has("/good", 200, rss(&[("g", "Good", &ago(5)), ("old", "Old", &ago(60 * 24 * 30))]));
    for (name, config, code) in [
        ("garbage", json!({"url": source.url("/garbage")}), 1000),
        ("html", json!({"url": source.url("/html")}), 1000),
        ("gone", json!({"url": source.url("/nothing")}), 4006),
        ("moved", json!({"url": source.url("/moved")}), 4002),
        ("private", json!({"url": "http://169.254.169.254/latest"}), 4008),
        ("scheme", json!({"url": "file:///etc/passwd"}), 4008),
        ("silent", json!({"url": "http://127.0.0.1:9/"}), 4003),
    ] {
        let provider = house.provider(name, "rss", config, json!({})).await;
        let run = house.run(&provider).await;
        assert_eq!(run["last_error"]["code"], code, "{name}: {run:#}");
        let message = text(&run["last_error"], "message");
        assert!(!message.contains("169.254") && !message.contains("metadata"), "{message}");
    }
    let outside = house.provider("outside", "file", json!({"path": "/etc"}), json!({})).await;
    assert_eq!(house.run(&outside).await["last_error"]["code"], 3004);
    // One that fails badly is closed; it is not asked any more.
    let config = json!({"url": source.url("/closed"), "username": "u", "password": "p"});
    let critical = house.provider("closed", "http", config, json!({"critical_errors": {"4007": true}})).await;
    let path = format!("/api/ingest_providers/{}", text(&critical, "_id"));
    // The clock may have been first.
    drop(house.admin.post(&format!("{path}/ingest"), &json!({})).reply().await);
    let deadline = Instant::now() + Duration::from_secs(30);
    let shown = loop {
        let shown = house.admin.read(&path).await;
        if shown["is_closed"] == true {
            break shown;
        }
        assert!(Instant::now() < deadline, "it is not closed: {shown:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(shown["last_error"]["code"], 4007, "{shown:#}");
    assert_eq!(source.last("/closed").headers["authorization"], "Basic dTpw");
    assert!(
        text(&shown["last_closed"], "message")
            .starts_with("Channel closed due to critical error: IngestApiError Error 4007")
    );
    assert_eq!(house.admin.post(&format!("{path}/ingest"), &json!({})).reply().await.status, 412);
    // The others go on, by the clock.
    let good = json!({"name": "good", "source": "good", "feeding_service": "rss", "config": {"url": source.url("/good")},
        "update_schedule": {"seconds": 1}});
    let good = make(&house.admin, "ingest_providers", good).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while house.ingested(&good).await.len() != 1 {
        assert!(Instant::now() < deadline, "the clock asks nobody");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_is_checked() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    for (resource, body, words) in [
        (
            "ingest_providers",
            json!({"name": "a", "source": "s", "feeding_service": "pigeon"}),
            "unallowed value pigeon",
        ),
        (
            "ingest_providers",
            json!({"name": "a", "source": "s", "feeding_service": "rss"}),
            "Address of the feed is required",
        ),
        (
            "ingest_providers",
            json!({"name": "a", "feeding_service": "rss", "config": {"url": "http://x"}}),
            "required",
        ),
        (
            "ingest_providers",
            json!({"name": "a", "source": "s", "feeding_service": "file", "config": {"path": "/x"}, "feed_parser": "poems"}),
            "unallowed value poems",
        ),
        (
            "routing_schemes",
            json!({"name": "s", "rules": []}),
            "A Routing Scheme must have at least one Rule",
        ),
        (
            "routing_schemes",
            json!({"name": "s", "rules": [{"name": "r", "actions": {"exit": true}, "schedule": {"day_of_week": ["DAY"]}}]}),
            "Invalid values for day of week.",
        ),
        ("rule_sets", json!({"name": "r", "rules": [{"new": "b"}]}), "must have an old text"),
    ] {
        let reply = admin.post(&format!("/api/{resource}"), &body).reply().await.expect(400);
        assert!(reply.text().contains(words), "expected {words} in {}", reply.text());
    }
    let rule =
        |name: &str, schedule: Value| json!({"name": name, "actions": {"exit": true}, "schedule": schedule});
    let scheme = json!({"name": "times", "rules": [
        rule("oslo", json!({"hour_of_day_from": "08:00:00", "hour_of_day_to": "09:00:00", "time_zone": "Europe/Oslo"})),
        rule("always", Value::Null),
    ]});
    let stored = make(&admin, "routing_schemes", scheme).await;
    for (now, is_in) in [("2026-01-05T07:30:00Z", true), ("2026-07-05T07:30:00Z", false)] {
        let asked = json!({"scheme": stored["_id"], "now": now});
        let told = admin.post("/api/routing_schemes/test", &asked).reply().await.expect(200).json();
        assert_eq!(
            (&told["rules"][0]["scheduled"], &told["rules"][1]["scheduled"]),
            (&json!(is_in), &json!(true))
        );
    }
    for (path, words) in [
        ("/api/feeding_services_allowed", "ftp"),
        ("/api/feed_parsers_allowed", "newsml12"),
        ("/api/ingest_rule_handlers", "desk_fetch_publish"),
        ("/api/ingest_errors", "4007"),
    ] {
        assert!(admin.read(path).await.to_string().contains(words), "{path}");
    }
}

const NITF: &str = "<nitf><head><docdata><doc-id id-string='story-1'/><urgency ed-urg='2'/></docdata></head>\
    <body><body.head><hedline><hl1>From a file</hl1></hedline></body.head><body.content><p>Text.</p></body.content></body></nitf>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_emptied() {
    let files = tempfile::tempdir().expect("a folder");
    let house = house(files.path(), &[]).await;
    let folder = files.path().join("in");
    std::fs::create_dir(&folder).expect("a folder");
    for (name, content) in [
        ("a.xml", NITF),
        ("b.xml", "<nitf><broken>"),
        (
            "c.eml",
            "From: Ada <ada@example.com>\r\nSubject: By mail\r\nMessage-ID: <m@example.com>\r\n\r\nText.\r\n",
        ),
        (".hidden", "x"),
    ] {
        std::fs::write(folder.join(name), content).expect("a file");
    }
    std::os::unix::fs::symlink("/etc/hostname", folder.join("d.xml")).expect("a link");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let scheme = house.scheme("desk", "fetch").await;
    let config = json!({"path": folder.display().to_string()});
    let provider = house.provider("Folder", "file", config, json!({"routing_scheme": scheme["_id"]})).await;
    let run = house.run(&provider).await;
    let items = house.ingested(&provider).await;
    let headlines: Vec<&str> = items.iter().map(|item| text(item, "headline")).collect();
    assert_eq!(headlines, ["By mail", "From a file"], "{run:#}");
    assert_eq!(house.of_archive(json!({"state": "routed"}), 2).await.len(), 2);
    for (name, place) in [("a.xml", "_PROCESSED"), ("c.eml", "_PROCESSED"), ("b.xml", "_ERROR")] {
        assert!(folder.join(place).join(name).exists() && !folder.join(name).exists(), "{name}");
    }
    assert!(folder.join("d.xml").is_symlink() && folder.join(".hidden").exists());
    let shown = house.admin.read(&format!("/api/ingest_providers/{}", text(&provider, "_id"))).await;
    assert!(shown["last_item_update"].is_string(), "{shown:#}");
}

/// An FTP server in Python.
struct FtpServer {
    child: Child,
    port: u16,
}

impl Drop for FtpServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// None where no Python has what it needs.
fn ftp_server(folder: &Path) -> Option<FtpServer> {
    let named = ["PARTS_PYTHON", "PYTHON"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let python = named.chain([PathBuf::from("python3")]).find(|python| {
        let probe = Command::new(python).args(["-c", "import pyftpdlib"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    });
    let Some(python) = python else {
        crate::parts::skip("no Python with pyftpdlib");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/transmit/tests/parts/ftp.py");
    let mut command = Command::new(python);
    command.arg(script).arg(folder).args(["", ""]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a server");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its words")).read_line(&mut line).expect("a port");
    Some(FtpServer { child, port: line.trim().parse().expect("a port") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_an_ftp_server_are_taken_and_moved() {
    let remote = tempfile::tempdir().expect("a folder");
    let Some(ftp) = ftp_server(remote.path()) else { return };
    let files = tempfile::tempdir().expect("a folder");
    let house = house(files.path(), &[]).await;
    let folder = remote.path().join("out");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a.xml"), NITF).expect("a file");
    std::fs::write(folder.join("b.txt"), "not wanted").expect("a file");
    let config = json!({
        "host": "127.0.0.1", "port": ftp.port, "username": "desk", "password": "p w;d", "path": "out", "move": true,
    });
    let provider = house.provider("Server", "ftp", config, json!({})).await;
    let run = house.run(&provider).await;
    assert_eq!(run["last_error"], Value::Null, "{run:#}");
    let items = house.ingested(&provider).await;
    assert_eq!((items.len(), text(&items[0], "headline")), (1, "From a file"));
    assert!(folder.join("_PROCESSED/a.xml").exists() && folder.join("b.txt").exists());
    let wrong = json!({"host": "127.0.0.1", "port": ftp.port, "username": "desk", "password": "wrong"});
    let wrong = house.provider("Wrong", "ftp", wrong, json!({})).await;
    let run = house.run(&wrong).await;
    assert_eq!(run["last_error"]["code"], 5000, "{run:#}");
    let denied = house.provider("Denied", "ftp", json!({"host": "10.0.0.1"}), json!({})).await;
    assert_eq!(house.run(&denied).await["last_error"]["code"], 5002);
}
