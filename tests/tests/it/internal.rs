//! Internal destinations and macros from outside: copies on other desks, those that follow their source, and macros of
//! another server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, query};
use crate::program::Server;
use crate::publishing::{act, encoded, make, settled};
use crate::receiver::Receiver;

const AUTO: &str = "Internal_Destination_Auto_Publish";

/// Two desks of a newsroom with macros of another server.
struct House {
    server: Server,
    admin: Client,
    receiver: Receiver,
    news: Value,
    web: Value,
    _files: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let receiver = Receiver::start().await;
        let config = files.path().join("dateline.toml");
        let macros = ["change", "stop", "same", "late"].map(|name| {
            let url = receiver.url(&format!("/{name}"));
            format!(
                "[[macros]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = \"whsec_c2VjcmV0\"\ntimeout_s = 2\n"
            )
        });
        std::fs::write(&config, macros.concat()).expect("a file");
        let mut server = Server::idle();
        let allow = format!("egress.allow={}", receiver.address());
        let config = config.to_str().expect("a UTF-8 path").to_owned();
        server.flags(&["--config", &config, "--set", &allow, "--set", "publishing.retry_ms=200"]);
        server.launch();
        let admin = Client::admin(&server).await;
        let news = make(&admin, "desks", json!({"name": "News", "source": "news"})).await;
        let web = make(&admin, "desks", json!({"name": "Web", "source": "web", "desk_language": "no"})).await;
        Self { server, admin, receiver, news, web, _files: files }
    }

    async fn destination(&self, name: &str, more: Value) -> Value {
        let mut body = json!({"name": name, "is_active": true, "desk": self.web["_id"]});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        make(&self.admin, "internal_destinations", body).await
    }

    /// A story on the news desk.
    async fn story(&self, headline: &str) -> Value {
        make(&self.admin, "archive", json!({
            "type": "text", "headline": headline, "slugline": "bridge", "state": "in_progress",
            "body_html": "<p>The bridge is open.</p>", "anpa_category": [{"qcode": "a", "name": "National"}],
            "task": {"desk": self.news["_id"], "stage": self.news["incoming_stage"]},
        }))
        .await
    }

    async fn act(&self, action: &str, item: &Value, updates: Value) -> Value {
        act(&self.admin, action, item, updates).await.expect(200).json()
    }

    async fn found(&self, wanted: Value) -> Vec<Value> {
        let sorted = "/api/archive?max_results=100&sort=unique_id&";
        let list = self.admin.read(&format!("{sorted}{}", query(&[("where", &wanted.to_string())]))).await;
        list["_items"].as_array().cloned().unwrap_or_default()
    }

    /// Items of a desk, once nothing is on its way.
    async fn on(&self, desk: &Value) -> Vec<Value> {
        self.quiet().await;
        self.found(json!({"task.desk": desk["_id"]})).await
    }

    /// Waits until a condition holds of the items found.
    async fn until(&self, wanted: Value, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.found(wanted.clone()).await;
            if holds(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{wanted}: {found:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the lane has nothing to do.
    async fn quiet(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let lane = self.lane().await;
            let left: u64 = ["ready", "leased", "delayed", "retrying"]
                .iter()
                .filter_map(|name| lane[name].as_u64())
                .sum();
            if left == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{lane:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn lane(&self) -> Value {
        let queues = self.admin.read("/api/queues").await;
        let lanes = queues["_items"].as_array().cloned().unwrap_or_default();
        lanes.into_iter().find(|lane| lane["lane"] == "send:internal").unwrap_or_default()
    }

    async fn set_paused(&self, is_paused: bool) {
        let verb = if is_paused { "pause" } else { "resume" };
        let reply = self.admin.post(&format!("/api/queues/send:internal/{verb}"), &json!({})).reply().await;
        assert!(reply.status < 300, "{}", reply.text());
    }
}

fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap_or_else(|| panic!("no {key} in {document}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_copied_to_other_desks() {
    let house = House::open().await;
    let filter = |name: &'static str, value: &'static str| {
        let admin = &house.admin;
        async move {
            let condition = json!({"name": name, "field": "anpa_category", "operator": "in", "value": value});
            let condition = make(admin, "filter_conditions", condition).await;
            let filter =
                json!({"name": name, "content_filter": [{"expression": {"fc": [condition["_id"]]}}]});
            make(admin, "content_filters", filter).await
        }
    };
    let (national, sport) = (filter("national", "a").await, filter("sport", "s").await);
    let sports = make(&house.admin, "desks", json!({"name": "Sports"})).await;
    let web = house.destination("web", json!({"filter": national["_id"]})).await;
    house.destination("sports", json!({"filter": sport["_id"], "desk": sports["_id"]})).await;
    house.destination("own", json!({"desk": house.news["_id"]})).await;
    house.destination("off", json!({"is_active": false, "desk": sports["_id"]})).await;

    let item = house.story("A bridge opens").await;
    let item = house.act("publish", &item, json!({})).await;
    let copies = house.on(&house.web).await;
    assert_eq!(copies.len(), 1, "{copies:#?}");
    let copy = &copies[0];
    assert_eq!((text(copy, "state"), text(copy, "headline")), ("routed", "A bridge opens"));
    assert_eq!((&copy["original_id"], &copy["family_id"]), (&item["_id"], &item["family_id"]));
    assert_eq!(
        (&copy["task"]["stage"], &copy["_current_version"]),
        (&house.web["incoming_stage"], &json!(1))
    );
    assert!(
        copy["_id"] != item["_id"]
            && copy["firstpublished"].is_null()
            && copy["unique_id"] != item["unique_id"]
    );
    assert!(house.on(&sports).await.is_empty());
    assert_eq!(house.on(&house.news).await.len(), 1);
    let history = house
        .admin
        .read(&format!(
            "/api/archive_history?{}",
            query(&[("where", &json!({"item_id": copy["_id"]}).to_string())])
        ))
        .await;
    assert_eq!(history["_items"][0]["operation"], "routed", "{history:#}");

    let item = house.act("correct", &item, json!({"headline": "A bridge opened"})).await;
    let copies = house.on(&house.web).await;
    assert_eq!(copies.len(), 2, "{copies:#?}");
    assert_eq!((text(&copies[1], "headline"), text(&copies[1], "pubstatus")), ("A bridge opened", "usable"));
    house.act("kill", &item, json!({"headline": "KILL"})).await;
    let copies = house.on(&house.web).await;
    assert_eq!(copies.len(), 3, "{copies:#?}");
    assert_eq!((text(&copies[2], "state"), text(&copies[2], "pubstatus")), ("routed", "canceled"));
    // A copy that somebody publishes goes back to nobody's desk but its own, and to those that take it.
    assert_eq!(house.on(&house.news).await.len(), 1);

    // What is in use stays.
    for (resource, document, status, words) in [
        ("content_filters", &national, 400, "referenced by internal destination(s) web"),
        ("desks", &sports, 412, "used by internal destination(s)"),
    ] {
        let path = format!("/api/{resource}/{}", text(document, "_id"));
        let shown = house.admin.read(&path).await;
        let refused = house.admin.delete(&path, text(&shown, "_etag")).reply().await.expect(status);
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    for (body, field, words) in [
        (json!({"name": "x"}), "desk", "required"),
        (json!({"name": "web", "desk": house.web["_id"]}), "name", "unique"),
        (json!({"name": "x", "desk": "nowhere"}), "desk", "exist"),
        (json!({"name": "x", "desk": house.web["_id"], "filter": "none"}), "filter", "exist"),
        (
            json!({"name": "x", "desk": house.web["_id"], "stage": house.news["incoming_stage"]}),
            "stage",
            "no stage of desk",
        ),
        (
            json!({"name": "x", "desk": house.web["_id"], "macro": "none"}),
            "macro",
            "there is no macro 'none'",
        ),
    ] {
        let refused = house.admin.post("/api/internal_destinations", &body).reply().await.expect(400).json();
        let issue = refused["_issues"][field].to_string();
        assert!(issue.contains(words), "{field}: {refused}");
    }
    let path = format!("/api/internal_destinations/{}", text(&web, "_id"));
    house.admin.delete(&path, text(&web, "_etag")).reply().await.expect(204);
    let item = house.story("Another bridge").await;
    house.act("publish", &item, json!({})).await;
    assert_eq!(house.on(&house.web).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_have_two_moments() {
    let house = House::open().await;
    let later = make(&house.admin, "desks", json!({"name": "Later"})).await;
    house.destination("at once", json!({})).await;
    house.destination("in time", json!({"desk": later["_id"], "send_after_schedule": true})).await;
    let item = house.story("Tomorrow").await;
    let due = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(6);
    let due = due.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let item = house.act("publish", &item, json!({"publish_schedule": due})).await;
    assert_eq!(text(&item, "state"), "scheduled");
    let early = house.on(&house.web).await;
    assert_eq!(early.len(), 1, "{early:#?}");
    assert!(early[0]["publish_schedule"].is_null() && text(&early[0], "state") == "routed", "{early:#?}");
    assert!(house.on(&later).await.is_empty());
    house.until(json!({"guid": item["_id"], "state": "published"}), |found| found.len() == 1).await;
    let found = house.until(json!({"task.desk": later["_id"]}), |found| !found.is_empty()).await;
    assert_eq!((found.len(), text(&found[0], "headline")), (1, "Tomorrow"));
    assert_eq!(house.on(&house.web).await.len(), 1);
    // Without a schedule there is one moment for both.
    let item = house.story("Now").await;
    house.act("publish", &item, json!({})).await;
    assert_eq!((house.on(&house.web).await.len(), house.on(&later).await.len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_follows_its_source() {
    let house = House::open().await;
    let product = make(&house.admin, "products", json!({"name": "all"})).await;
    make(
        &house.admin,
        "subscribers",
        json!({
            "name": "Daily", "is_active": true, "products": [product["_id"]],
            "destinations": [{"name": "web", "format": "ninjs", "delivery_type": "http_push",
                "config": {"resource_url": house.receiver.url("/daily")}}],
        }),
    )
    .await;
    house.destination("web", json!({"macro": AUTO})).await;
    // Desks that publish to each other do not do so for ever.
    house.destination("back", json!({"macro": AUTO, "desk": house.news["_id"]})).await;
    let item = house.story("A bridge opens").await;
    let item = house.act("publish", &item, json!({})).await;
    let copies = house.on(&house.web).await;
    assert_eq!(copies.len(), 1, "{copies:#?}");
    let copy = copies[0].clone();
    assert_eq!((text(&copy, "state"), &copy["processed_from"]), ("published", &item["_id"]));
    assert_eq!((text(&copy, "source"), &copy["_current_version"]), ("web", &json!(2)));
    let sent = settled(&house.admin, text(&copy, "_id"), 1, &["success"]).await;
    assert_eq!(sent[0]["publishing_action"], "published", "{sent:#?}");

    let item = house.act("correct", &item, json!({"headline": "A bridge opened"})).await;
    let corrected = house.on(&house.web).await;
    assert_eq!(corrected.len(), 1, "{corrected:#?}");
    assert_eq!(
        (text(&corrected[0], "state"), text(&corrected[0], "headline")),
        ("corrected", "A bridge opened")
    );
    assert_eq!(corrected[0]["_id"], copy["_id"]);
    // Somebody who works on the copy is waited for.
    let path = format!("/api/archive/{}", encoded(text(&copy, "_id")));
    house.admin.post(&format!("{path}/lock"), &json!({"lock_action": "edit"})).reply().await.expect(201);
    let item = house.act("correct", &item, json!({"headline": "It opened"})).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.admin.read(&path).await["headline"], "A bridge opened");
    house.admin.post(&format!("{path}/unlock"), &json!({})).reply().await.expect(201);
    assert_eq!(text(&house.on(&house.web).await[0], "headline"), "It opened");

    let body = json!({"headline": "KILL", "body_html": "<p>It was a tunnel.</p>"});
    house.act("kill", &item, body).await;
    let killed = house.on(&house.web).await;
    assert_eq!(
        (killed.len(), text(&killed[0], "state"), text(&killed[0], "headline")),
        (1, "killed", "KILL")
    );
    let body = text(&killed[0], "body_html");
    assert_eq!((body.matches("Please kill").count(), body.matches("a tunnel").count()), (1, 1), "{body}");
    assert_eq!(house.on(&house.news).await.len(), 1);
    settled(&house.admin, text(&copy, "_id"), 4, &["success"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_copy_is_given_up_with_its_source() {
    let house = House::open().await;
    house.destination("web", json!({"macro": AUTO})).await;
    let item = house.story("Next year").await;
    let item = house.act("publish", &item, json!({"publish_schedule": "2030-01-01T00:00:00+0000"})).await;
    let copies = house.on(&house.web).await;
    assert_eq!((copies.len(), text(&copies[0], "state")), (1, "scheduled"), "{copies:#?}");
    assert_eq!(copies[0]["publish_schedule"], item["publish_schedule"]);
    let path = format!("/api/archive/{}", encoded(text(&item, "_id")));
    let freed =
        house.admin.patch(&path, text(&item, "_etag"), &json!({"publish_schedule": null})).reply().await;
    let freed = freed.expect(200).json();
    assert_eq!(text(&freed, "state"), "in_progress");
    assert_eq!(text(&house.on(&house.web).await[0], "state"), "in_progress");
    // Out in the end, and taken back.
    let cleared =
        house.admin.patch(&path, text(&freed, "_etag"), &json!({"publish_schedule": null})).reply().await;
    let item = house.act("publish", &cleared.expect(200).json(), json!({})).await;
    assert_eq!(text(&house.on(&house.web).await[0], "state"), "published");
    house.act("unpublish", &item, json!({})).await;
    let copies = house.on(&house.web).await;
    assert_eq!((copies.len(), text(&copies[0], "state")), (1, "unpublished"), "{copies:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn macros_of_another_server() {
    let house = House::open().await;
    let now = Duration::ZERO;
    house.receiver.say(
        "/change",
        200,
        r#"{"headline": "Changed", "state": "published", "_id": "x", "guid": "x"}"#,
        now,
    );
    house.receiver.say("/stop", 200, r#"{"_stop": "not on the web"}"#, now);
    house.receiver.say("/same", 204, "", now);
    house.receiver.say("/late", 200, "{}", Duration::from_secs(20));
    let listed = |list: &Value| -> Vec<String> {
        let items = list["_items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|own| text(own, "name").to_owned()).collect()
    };
    let all = listed(&house.admin.read("/api/macros?backend=true").await);
    assert!(all.iter().any(|name| name == AUTO) && all.iter().any(|name| name == "change"), "{all:?}");
    let offered = house.admin.read("/api/macros?desk=any").await;
    assert!(!listed(&offered).iter().any(|name| name == AUTO), "{offered}");
    assert!(!offered.to_string().contains("whsec") && !offered.to_string().contains("http"), "{offered}");

    // On an item that is not stored, and on one that is.
    let run = |name: &str, item: Value, commit: bool| {
        house.admin.post("/api/macros", &json!({"macro": name, "item": item, "commit": commit}))
    };
    let found = run("change", json!({"headline": "H", "guid": "g"}), false).reply().await.expect(201).json();
    assert_eq!(found["item"], json!({"headline": "Changed", "guid": "g"}));
    let asked = house.receiver.wait("/change", 1).await;
    let body = asked[0].json();
    assert_eq!(
        (&body["macro"], &body["cause"], &body["item"]["headline"]),
        (&json!("change"), &json!("editor"), &json!("H"))
    );
    assert!(asked[0].headers["webhook-signature"].starts_with("v1,"), "{:?}", asked[0].headers);
    let found = run("stop", json!({"headline": "H"}), false).reply().await.expect(201).json();
    assert_eq!((&found["stopped"], &found["item"]["headline"]), (&json!("not on the web"), &json!("H")));
    let found = run("Populate_Abstract", json!({"body_html": "<p>One.</p><p>Two.</p>"}), false)
        .reply()
        .await
        .expect(201)
        .json();
    assert_eq!(found["item"]["abstract"], "<p>One.</p>");
    let item = house.story("Own").await;
    let saved = run("change", item.clone(), true).reply().await.expect(201).json();
    let path = format!("/api/archive/{}", encoded(text(&item, "_id")));
    let stored = house.admin.read(&path).await;
    assert_eq!((text(&stored, "headline"), text(&stored, "state")), ("Changed", "in_progress"));
    assert_eq!((&saved["item"]["_etag"], &saved["item"]["_id"]), (&stored["_etag"], &item["_id"]));
    for (name, body, status, words) in [
        ("change", item.clone(), 412, "etag"),
        ("nothing", json!({}), 400, "there is no macro 'nothing'"),
        (AUTO, json!({}), 422, "for internal destinations only"),
    ] {
        let reply = run(name, body, true).reply().await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert!(reply.text().contains(words), "{}", reply.text());
    }
    let began = Instant::now();
    let late = run("late", json!({}), false).reply().await.expect(502);
    assert!(late.text().contains("upstream-failed") && late.text().contains("within 2 s"), "{}", late.text());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    // On the way to desks.
    for (name, desk) in [("change", "a"), ("stop", "b"), ("same", "c")] {
        let desk = make(&house.admin, "desks", json!({"name": desk})).await;
        house.destination(name, json!({"macro": name, "desk": desk["_id"]})).await;
    }
    let item = house.story("A bridge opens").await;
    house.act("publish", &item, json!({})).await;
    house.quiet().await;
    let copies = house.found(json!({"original_id": item["_id"]})).await;
    let mut headlines: Vec<&str> = copies.iter().map(|copy| text(copy, "headline")).collect();
    headlines.sort_unstable();
    assert_eq!(headlines, ["A bridge opens", "Changed"], "{copies:#?}");
    assert!(
        copies.iter().all(|copy| copy["state"] == "routed" && copy["guid"] == copy["_id"]),
        "{copies:#?}"
    );

    // One that fails is asked again; the others do not wait for it.
    house.receiver.answer("/change", 500);
    let item = house.story("Later").await;
    house.act("publish", &item, json!({})).await;
    house.until(json!({"original_id": item["_id"]}), |found| found.len() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(house.found(json!({"original_id": item["_id"]})).await.len(), 1);
    house.receiver.say("/change", 200, r#"{"headline": "Changed"}"#, now);
    house.quiet().await;
    assert_eq!(house.found(json!({"original_id": item["_id"]})).await.len(), 2);
}

#[test]
fn macros_that_cannot_be_are_refused_at_start() {
    let files = tempfile::tempdir().expect("a folder");
    let config = files.path().join("dateline.toml");
    for (text, words) in [
        ("name = \"Clean_Markup\"\nurl = \"https://example.com\"", "the name is taken"),
        ("name = \"m\"\nurl = \"ftp://example.com\"", "url must begin with"),
        ("name = \"m\"\nurl = \"https://example.com\"\ntimeout_s = 61", "timeout_s must be 1 to 60"),
    ] {
        std::fs::write(&config, format!("[[macros]]\n{text}\n")).expect("a file");
        let mut server = Server::idle();
        server.flags(&["--config", config.to_str().expect("a UTF-8 path")]);
        let talk = server.try_launch().expect_err("it does not start").join("\n");
        assert!(talk.contains(words), "{talk}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_makes_no_copy_twice_and_loses_none() {
    let mut house = House::open().await;
    house.receiver.say("/same", 204, "", Duration::from_millis(1_500));
    let slow = make(&house.admin, "desks", json!({"name": "Slow"})).await;
    let third = make(&house.admin, "desks", json!({"name": "Third"})).await;
    house.destination("plain", json!({})).await;
    house.destination("auto", json!({"macro": AUTO, "desk": third["_id"]})).await;
    house.destination("slow", json!({"macro": "same", "desk": slow["_id"]})).await;
    // Killed with the version committed and nothing copied.
    house.set_paused(true).await;
    let item = house.story("A bridge opens").await;
    let item = house.act("publish", &item, json!({})).await;
    house.server.kill();
    house.server.launch();
    assert!(house.found(json!({"task.desk": house.web["_id"]})).await.is_empty());
    house.set_paused(false).await;
    // Killed while a macro is asked.
    let deadline = Instant::now() + Duration::from_secs(30);
    while house.receiver.pushed().iter().all(|pushed| pushed.path != "/same") {
        assert!(Instant::now() < deadline, "nobody asks the macro");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.server.kill();
    house.server.launch();
    // The lease of the dead worker ends first.
    for desk in [&house.web, &third, &slow] {
        let found = house.until_long(json!({"task.desk": desk["_id"]})).await;
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    house.quiet().await;
    assert_eq!(house.receiver.at("/same").len(), 1, "every attempt asks under the same name");
    let copies = house.found(json!({"original_id": item["_id"]})).await;
    assert_eq!(copies.len(), 3, "{copies:#?}");
    // And in the middle of many.
    let mut items = Vec::new();
    for place in 0..12 {
        let item = house.story(&format!("Story {place}")).await;
        items.push(house.act("publish", &item, json!({})).await);
        if place % 4 == 3 {
            house.server.kill();
            house.server.launch();
        }
    }
    for item in &items {
        for desk in [&house.web, &third] {
            let wanted = json!({"original_id": item["_id"], "task.desk": desk["_id"]});
            let found = house.until_long(wanted).await;
            assert_eq!(found.len(), 1, "{found:#?}");
        }
    }
}

impl House {
    /// Waits for an item, longer than a lease lasts.
    async fn until_long(&self, wanted: Value) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.found(wanted.clone()).await;
            if !found.is_empty() {
                return found;
            }
            assert!(Instant::now() < deadline, "{wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
