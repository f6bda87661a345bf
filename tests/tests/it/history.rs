//! Where devices have been: pages of a track, its forms, its owner, its end, over restarts and kills.

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::program::Server;
use crate::tracks::time_text;

const BEGAN_MS: i64 = 1_767_225_600_000;

fn fix(device: &str, n: i64) -> Value {
    json!({
        "device": device, "lon": 10.0 + n as f64 * 0.001, "lat": 60.0, "at": time_text(BEGAN_MS + n * 1_000),
        "speed": n as f64, "fields": {"n": n},
    })
}

async fn send(admin: &Client, fixes: &[Value]) {
    let taken = admin.post("/api/positions", &json!(fixes)).reply().await.expect(202).json();
    assert_eq!(taken["accepted"], fixes.len(), "{taken}");
}

/// Longitudes of all pages, in their order.
async fn whole(client: &Client, path: &str) -> Vec<i64> {
    let (mut found, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next.take() {
        let page = client.read(&path).await;
        let geometry = &page["geometry"];
        let places: Vec<Value> = match geometry["type"].as_str() {
            None => Vec::new(),
            Some("Point") => vec![geometry["coordinates"].clone()],
            Some(_) => geometry["coordinates"].as_array().expect("coordinates").clone(),
        };
        let times = page["properties"]["times"].as_array().expect("times");
        assert_eq!(times.len(), places.len(), "{page}");
        let step =
            |place: &Value| ((place[0].as_f64().expect("a longitude") - 10.0) * 1_000.0).round() as i64;
        found.extend(places.iter().map(step));
        let links = page["links"].as_array().expect("links");
        next = links
            .iter()
            .find(|link| link["rel"] == "next")
            .and_then(|link| link["href"].as_str())
            .map(str::to_owned);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tracks_in_pages_and_forms() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    // Batches of two devices, as they come.
    for start in (0..300).step_by(10) {
        let both: Vec<Value> = (start..start + 10).flat_map(|n| [fix("bus", n), fix("tram", n)]).collect();
        send(&admin, &both).await;
    }
    let steps: Vec<i64> = (0..300).collect();
    assert_eq!(whole(&admin, "/api/devices/bus/track").await, steps);
    assert_eq!(whole(&admin, "/api/devices/bus/track?limit=7").await, steps);
    let (from, to) = (time_text(BEGAN_MS + 50_000), time_text(BEGAN_MS + 99_500));
    let part = format!("/api/devices/tram/track?from={from}&to={to}&limit=20");
    assert_eq!(whole(&admin, &part).await, steps[50..100]);
    server.kill();
    server.launch();
    assert_eq!(whole(&admin, "/api/devices/bus/track?limit=100").await, steps);

    let line = admin.get("/api/devices/bus/track?limit=3").reply().await.expect(200);
    assert_eq!(line.header("content-type"), Some("application/geo+json"));
    let line = line.json();
    assert_eq!(line["properties"]["speed"], json!([0.0, 1.0, 2.0]), "{line}");
    assert_eq!(line["properties"]["times"][2], "2026-01-01T00:00:02Z");
    let points = admin.read("/api/devices/bus/track?limit=3&form=points").await;
    assert_eq!(points["features"][2]["properties"]["fields"]["n"], 2, "{points}");
    let moving =
        admin.get("/api/devices/bus/track?limit=3").header("accept", "application/vnd.dateline.mf+json");
    let moving = moving.reply().await.expect(200);
    assert_eq!(moving.header("content-type"), Some("application/vnd.dateline.mf+json"));
    let moving = moving.json();
    let geometry = &moving["temporalGeometry"];
    assert_eq!(geometry["type"], "MovingPoint", "{moving}");
    assert_eq!(geometry["coordinates"][1], json!([10.001, 60.0]));
    assert_eq!(geometry["datetimes"].as_array().map(Vec::len), Some(3));
    assert_eq!(moving["temporalProperties"][0]["speed"]["values"], json!([0.0, 1.0, 2.0]));

    // What comes late stands in its place of time.
    send(&admin, &[fix("late", 5), fix("late", 2)]).await;
    assert_eq!(whole(&admin, "/api/devices/late/track").await, [2, 5]);
    problem("nobody", &admin.get("/api/devices/nobody/track").reply().await, 404);
    for bad in ["from=noon", "limit=0", "cursor=x", "form=svg"] {
        problem(bad, &admin.get(&format!("/api/devices/bus/track?{bad}")).reply().await, 400);
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_track_belongs_to_its_device() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let mut people = Vec::new();
    for name in ["ann", "bob"] {
        let user = json!({"username": name, "password": "a long enough phrase 9"});
        admin.post("/api/users", &user).reply().await.expect(201);
        people.push(admin.signed_in(name, "a long enough phrase 9").await);
    }
    let (ann, bob) = (&people[0], &people[1]);
    let made = ann.put_new("/api/devices/phone", &json!({"name": "mine"})).reply().await.expect(201);
    send(ann, &[fix("phone", 0), fix("phone", 1)]).await;
    assert_eq!(whole(ann, "/api/devices/phone/track").await, [0, 1]);
    problem("another's track", &bob.get("/api/devices/phone/track").reply().await, 404);
    // Who gets the name later does not get the history.
    ann.delete("/api/devices/phone", &made.etag()).reply().await.expect(204);
    problem("a deleted device", &admin.get("/api/devices/phone/track").reply().await, 404);
    let id_of = |name: &'static str| {
        let admin = admin.clone();
        async move { admin.read(&format!("/api/users/{name}")).await["_id"].clone() }
    };
    admin.put_new("/api/devices/phone", &json!({"user": id_of("bob").await})).reply().await.expect(201);
    send(bob, &[fix("phone", 7)]).await;
    assert_eq!(whole(bob, "/api/devices/phone/track").await, [7]);
    assert_eq!(whole(&admin, "/api/devices/phone/track").await, [7]);
    problem("the earlier owner", &ann.get("/api/devices/phone/track").reply().await, 404);
    // An owner sees what was stored since the device was theirs; an administrator all of it.
    send(&admin, &[fix("van", 1)]).await;
    admin.put_new("/api/devices/van", &json!({"user": id_of("ann").await})).reply().await.expect(201);
    send(&admin, &[fix("van", 2)]).await;
    assert_eq!(whole(ann, "/api/devices/van/track").await, [2]);
    assert_eq!(whole(&admin, "/api/devices/van/track").await, [1, 2]);
    problem("everybody's fixes", &ann.get("/api/heat?of=fixes").reply().await, 403);
    let own = ann.read("/api/heat?of=devices").await;
    assert_eq!(own["total"], 1, "{own}");
}
