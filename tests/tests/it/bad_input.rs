//! Bodies a client can get wrong: the status, the one error body, the field named, and nothing stored.

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::{problem, problem_of};
use crate::program::Server;

/// The longest id in bytes.
pub(crate) const ID_BYTES_MAX: usize = 200;
const BODY_BYTES_MAX: usize = 1 << 20;

/// A server with a strict collection and one document of each kind.
pub(crate) struct Ground {
    pub(crate) server: Server,
    pub(crate) admin: Client,
    pub(crate) car_etag: String,
    head: u64,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let server = Server::start();
        let admin = Client::admin(&server).await;
        let cars = json!({
            "name": "cars", "strict": true, "unique": [["plate"]], "indexes": [["brand"]],
            "schema": {
                "plate": {"type": "string", "required": true, "maxlength": 12},
                "brand": {"type": "string", "allowed": ["fiat", "skoda"]},
                "doors": {"type": "integer", "min": 1, "max": 9},
            },
        });
        admin.post("/api/collections", &cars).reply().await.expect(201);
        let car_etag =
            admin.put_new("/api/cars/one", &json!({"plate": "A 1"})).reply().await.expect(201).etag();
        admin
            .put_new("/api/ads/one", &json!({"title": "one", "coords": [52.5, 13.4]}))
            .reply()
            .await
            .expect(201);
        // The ad's line in the activity log follows a moment after the ad.
        let logged = admin.read("/api/changes?since=0&collections=activity&wait=20").await;
        assert_eq!(logged["changes"].as_array().map(Vec::len), Some(1), "{logged}");
        let head = head(&admin).await;
        Self { server, admin, car_etag, head }
    }

    /// Ends the test: nothing may have been written since the ground was laid.
    pub(crate) async fn untouched(mut self) {
        let page = self.admin.read(&format!("/api/changes?since={}", self.head)).await;
        assert_eq!(page["changes"], json!([]), "a refused request left something behind");
        let car = self.admin.read("/api/cars/one").await;
        assert_eq!(car["_etag"], json!(self.car_etag));
        self.server.stop();
    }
}

/// The end of the log.
pub(crate) async fn head(client: &Client) -> u64 {
    client.read("/readyz?verbose").await["seq"].as_u64().expect("seq")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_json() {
    let ground = Ground::new().await;
    let deep = format!("{{\"title\":\"x\",\"a\":{}1{}}}", "[".repeat(70), "]".repeat(70));
    let large = json!({"title": "x", "coords": [1, 2], "text": "y".repeat(BODY_BYTES_MAX)}).to_string();
    let cases: [(&str, &[u8], u16); 10] = [
        ("empty", b"", 400),
        ("cut off", b"{\"title\": \"x\"", 400),
        ("no JSON", b"title=x", 400),
        ("two values", b"{} {}", 400),
        ("NaN", b"{\"title\":\"x\",\"coords\":[NaN,1]}", 400),
        ("a number too large", b"{\"title\":\"x\",\"coords\":[1e999,1]}", 400),
        ("not UTF-8", b"{\"title\":\"\xff\xfe\",\"coords\":[1,2]}", 400),
        ("a bare number", b"5", 400),
        ("too deep", deep.as_bytes(), 400),
        ("too large", large.as_bytes(), 413),
    ];
    for (what, body, status) in cases {
        for (method, path) in
            [("POST", "/api/ads"), ("PUT", "/api/ads/new"), ("PATCH", "/api/cars/one"), ("POST", "/api/auth")]
        {
            let mut call = ground.admin.call(method, path).raw("application/json", body.to_vec());
            call = if method == "PUT" {
                call.header("if-none-match", "*")
            } else {
                call.if_match(&ground.car_etag)
            };
            let reply = if status == 413 { call.over_a_socket() } else { call.reply().await };
            problem(&format!("{what}: {method} {path}"), &reply, status);
        }
    }
    let reply = ground.admin.call("POST", "/api/ads").raw("image/png", "{}").reply().await;
    assert!(matches!(reply.status, 400 | 415), "a picture as a document: {}", reply.text());
    ground.untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_break_rules() {
    let ground = Ground::new().await;
    let place = json!({"type": "Point", "coordinates": [13.4, 52.5]});
    let circle = |more: Value| {
        let mut body = json!({"circle": {"center": [0, 0], "radius_m": 5}});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let area = |area: Value| json!({"name": "x", "device": "d", "area": area});
    let polygon = |ring: Value| json!({"type": "Polygon", "coordinates": [ring]});
    let crossed = polygon(json!([[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]));
    let open = polygon(json!([[0, 0], [2, 0], [2, 2], [0, 2]]));
    let short = polygon(json!([[0, 0], [2, 0], [0, 0]]));
    let away = polygon(json!([[0, 0], [2, 0], [2, 91], [0, 0]]));
    let cases = [
        ("ads", json!({"coords": [1, 2]}), "title"),
        ("ads", json!({"title": 5, "coords": [1, 2]}), "title"),
        ("ads", json!({"title": "x"}), "location"),
        ("ads", json!({"title": "x", "coords": [91, 2]}), "coords"),
        ("ads", json!({"title": "x", "coords": [1, 181]}), "coords"),
        ("ads", json!({"title": "x", "coords": ["1", "2"]}), "coords"),
        ("ads", json!({"title": "x", "coords": [1]}), "coords"),
        ("ads", json!({"title": "x", "location": {"type": "Point", "coordinates": [-180.5, 0]}}), "location"),
        (
            "ads",
            json!({"title": "x", "location": {"type": "Point", "coordinates": [0, "north"]}}),
            "location",
        ),
        ("ads", json!({"title": "x", "location": {"type": "Blob", "coordinates": [0, 0]}}), "location"),
        ("ads", json!({"title": "x", "location": "Berlin"}), "location"),
        ("ads", json!({"title": "x", "location": place, "price": "5"}), "price"),
        ("ads", json!({"title": "x", "location": place, "tags": "red"}), "tags"),
        ("ads", json!({"title": "x", "location": place, "tags": ["red", 5]}), "tags"),
        ("ads", json!({"title": "x", "location": place, "active": "yes"}), "active"),
        ("ads", json!({"title": "x", "location": place, "expires": "tomorrow"}), "expires"),
        ("ads", json!({"title": "x", "location": crossed}), "location"),
        ("cars", json!({"brand": "fiat"}), "plate"),
        ("cars", json!({"plate": 5}), "plate"),
        ("cars", json!({"plate": "much too long a plate"}), "plate"),
        ("cars", json!({"plate": "B", "brand": "tank"}), "brand"),
        ("cars", json!({"plate": "B", "doors": 10}), "doors"),
        ("cars", json!({"plate": "B", "doors": 2.5}), "doors"),
        ("cars", json!({"plate": "B", "colour": "red"}), "colour"),
        ("cars", json!({"plate": "B", "_id": "x".repeat(ID_BYTES_MAX + 1)}), "_id"),
        ("cars", json!({"plate": "B", "_id": 5}), "_id"),
        ("cars", json!({"plate": "B", "_id": ""}), "_id"),
        ("adlists", json!({"name": "x", "device": "d"}), "area"),
        ("adlists", area(json!({})), "area"),
        (
            "adlists",
            area(json!({"around": {"radius_m": 1}, "circle": {"center": [0, 0], "radius_m": 1}})),
            "area",
        ),
        ("adlists", area(json!({"around": {"radius_m": -1}})), "area"),
        ("adlists", area(json!({"around": {}})), "area"),
        ("adlists", area(json!({"circle": {"center": [0, 91], "radius_m": 1}})), "area"),
        ("adlists", area(json!({"geometry": crossed})), "area"),
        ("adlists", area(json!({"geometry": open})), "area"),
        ("adlists", area(json!({"geometry": short})), "area"),
        ("adlists", area(json!({"geometry": away})), "area"),
        ("adlists", json!({"name": "x", "area": {"around": {"radius_m": 5}}}), "device"),
        (
            "adlists",
            json!({"device": "d", "area": {"around": {"radius_m": 5}}, "price_min": "1"}),
            "price_min",
        ),
        (
            "adlists",
            json!({"device": "d", "area": {"around": {"radius_m": 5}}, "price_min": 2, "price_max": 1}),
            "price_min",
        ),
        ("adlists", json!({"device": "d", "area": {"around": {"radius_m": 5}}, "category": 5}), "category"),
        ("adlists", json!({"device": "d", "area": {"around": {"radius_m": 5}}, "q": "\"open"}), "q"),
        ("adlists", json!({"device": "d", "area": {"around": {"radius_m": 5}}, "colour": "red"}), "colour"),
        ("fences", json!({"name": "x"}), "geometry"),
        ("fences", json!({"geometry": crossed}), "geometry"),
        ("fences", json!({"geometry": open}), "geometry"),
        ("fences", json!({"circle": {"center": [0, 0], "radius_m": -5}}), "circle"),
        ("fences", json!({"circle": {"center": [0, 0], "radius_m": "5"}}), "circle"),
        ("fences", json!({"circle": {"center": [0, 0], "radius_m": 5}, "geometry": crossed}), "circle"),
        ("fences", json!({"circle": {"center": [0, 0], "radius_m": 5}, "detect": ["fly"]}), "detect"),
        ("fences", json!({"circle": {"center": [0, 0], "radius_m": 5}, "colour": "red"}), "colour"),
        ("fences", circle(json!({"detect": ["near"]})), "detect"),
        ("fences", circle(json!({"dwell_s": -1})), "dwell_s"),
        ("fences", circle(json!({"hysteresis_m": "5"})), "hysteresis_m"),
        ("fences", circle(json!({"max_accuracy_m": -1})), "max_accuracy_m"),
        ("fences", circle(json!({"where": {"a": {"$near": 1}}})), "where"),
        ("fences", circle(json!({"group": ""})), "group"),
        ("fences", circle(json!({"altitude_min_m": 2, "altitude_max_m": 1})), "altitude_min_m"),
        ("fences", circle(json!({"schedule": {"time_zone": "Mars/Base", "hours": []}})), "schedule"),
        ("fences", circle(json!({"roam": {"radius_m": 5}})), "circle"),
        ("fences", json!({"roam": {"radius_m": 1e7}}), "roam"),
        ("fences", json!({"sector": {"center": [0, 0], "radius_m": 5, "bearing": [7, 7]}}), "sector"),
        ("adlists", area(json!({"around": {"radius_m": 1}, "buffer_m": 1})), "area"),
        ("users", json!({"password": "long enough 1"}), "username"),
        ("users", json!({"username": "eve", "password": "long enough 1", "colour": "red"}), "colour"),
        ("users", json!({"username": "eve", "password": "long enough 1", "user_type": "god"}), "user_type"),
        ("collections", json!({}), "name"),
        ("collections", json!({"name": "a/b"}), "name"),
        ("collections", json!({"name": "x", "schema": {"a": {"type": "sausage"}}}), "schema"),
        ("collections", json!({"name": "x", "unique": "plate"}), "unique"),
        ("collections", json!({"name": "x", "colour": "red"}), "colour"),
    ];
    for (resource, body, field) in cases {
        let what = format!("POST {resource} {body}");
        let reply = ground.admin.post(&format!("/api/{resource}"), &body).reply().await;
        let status = if reply.status == 422 { 422 } else { 400 };
        problem_of(&what, &reply, status, field);
    }
    // The same rules hold for a change and a replacement.
    for (method, changes) in [("PATCH", json!({"doors": 99})), ("PUT", json!({"plate": "B", "doors": 99}))] {
        let call = ground.admin.call(method, "/api/cars/one").json(&changes).if_match(&ground.car_etag);
        problem_of(method, &call.reply().await, 400, "doors");
    }
    ground.untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrays_are_stored_whole_or_not_at_all() {
    let ground = Ground::new().await;
    let good = |plate: &str| json!({"plate": plate});
    let cases = [
        ("one breaks a rule", json!([good("B 1"), {"plate": 5}, good("B 2")]), 400),
        ("one is no object", json!([good("B 1"), 7]), 400),
        ("one plate is taken", json!([good("B 1"), good("A 1")]), 409),
        ("two have one plate", json!([good("B 1"), good("B 1")]), 409),
        ("two have one id", json!([{"_id": "x", "plate": "B 1"}, {"_id": "x", "plate": "B 2"}]), 409),
        ("one id is taken", json!([good("B 1"), {"_id": "one", "plate": "B 2"}]), 409),
        ("nothing at all", json!([]), 400),
    ];
    for (what, body, status) in cases {
        let reply = ground.admin.post("/api/cars", &body).reply().await;
        if status == 400 && reply.status == 422 {
            problem(what, &reply, 422);
        } else {
            problem(what, &reply, status);
        }
    }
    let taken = ground.admin.post("/api/cars", &good("A 1")).reply().await;
    let body = problem("a plate that is taken", &taken, 409);
    assert!(body.to_string().contains("plate"), "the key is named: {body}");
    let rule = ground.admin.post("/api/cars", &json!([good("B 1"), {"plate": 5}])).reply().await;
    assert!(rule.text().contains("plate"), "the field is named: {}", rule.text());
    ground.untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_keep_the_good_ones() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let future = jiff::Timestamp::now().as_millisecond() + 3_600_000;
    let items = json!([
        {"device": "a", "lon": 13.4, "lat": 52.5},
        {"device": "a", "lon": 181, "lat": 52.5},
        {"lon": 13.4, "lat": 52.5},
        {"device": "a", "lon": "13.4", "lat": 52.5},
        {"device": "b", "lon": -180, "lat": 90, "at": "2020-01-01T00:00:00Z"},
        {"device": "b", "lon": 13.4, "lat": -90.1},
        {"device": "b", "lon": 13.4, "lat": 52.5, "at": "noon"},
        {"device": "b", "lon": 13.4, "lat": 52.5, "at": crate::tracks::time_text(future)},
        {"device": "x".repeat(ID_BYTES_MAX + 1), "lon": 13.4, "lat": 52.5},
        {"device": "", "lon": 13.4, "lat": 52.5},
        {"device": "c", "lon": 13.4, "lat": 52.5, "speed": -1},
        {"device": "c", "lon": 13.4, "lat": 52.5, "accuracy": "high"},
        {"device": "c", "lon": 13.4, "lat": 52.5, "fields": 5},
        5,
        {"device": "c", "lon": 13.4, "lat": 52.5, "speed": 1.5, "heading": 359, "accuracy": 3, "fields": {"line": "U7"}},
    ]);
    let taken = admin.post("/api/positions", &items).reply().await.expect(202).json();
    assert_eq!(taken["accepted"], 3, "{taken}");
    let rejected = taken["rejected"].as_array().expect("rejected");
    let indexes: Vec<u64> = rejected.iter().filter_map(|item| item["index"].as_u64()).collect();
    assert_eq!(indexes, [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13], "{taken}");
    let said: Vec<&str> = rejected.iter().filter_map(|item| item["error"].as_str()).collect();
    for (error, word) in said.iter().zip([
        "lon", "device", "lon", "lat", "at", "at", "device", "device", "speed", "accuracy", "fields", "",
    ]) {
        assert!(error.contains(word), "'{error}' does not name {word}");
    }
    assert!(taken["log_seq"].as_u64().is_some_and(|seq| seq > 0), "{taken}");
    let now = admin.read("/api/positions/b").await;
    assert_eq!((now["lon"].as_f64(), now["lat"].as_f64()), (Some(-180.0), Some(90.0)), "{now}");

    let lines =
        "{\"device\":\"d\",\"lon\":1,\"lat\":2}\n{\"device\":\n\n{\"device\":\"e\",\"lon\":1,\"lat\":2}\n";
    let taken = admin
        .call("POST", "/api/positions")
        .raw("application/x-ndjson", lines)
        .reply()
        .await
        .expect(202)
        .json();
    assert_eq!(
        (&taken["accepted"], taken["rejected"].as_array().map(Vec::len)),
        (&json!(2), Some(1)),
        "{taken}"
    );
    assert_eq!(taken["rejected"][0]["index"], 1, "{taken}");

    let bad = admin.post("/api/positions", &json!([5])).reply().await.expect(202).json();
    assert_eq!(bad["accepted"], 0, "{bad}");
    problem(
        "no JSON",
        &admin.call("POST", "/api/positions").raw("application/json", "[{").reply().await,
        400,
    );
    let packed = admin
        .call("POST", "/api/positions")
        .raw("application/vnd.dateline.positions", vec![7_u8; 90])
        .reply()
        .await;
    problem("broken records", &packed, 400);
    let all = admin.read("/api/positions?bbox=-180,-90,180,90").await;
    assert_eq!(all["_items"].as_array().map(Vec::len), Some(5), "{all}");
}
