//! OGC API - Features: what a map program sees, and GDAL as one.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::parts;
use crate::program::{Server, outcome};

async fn stock(admin: &Client) {
    let trees = json!({"name": "trees", "geo": ["place"], "schema": {
        "place": {"type": "dict"}, "kind": {"type": "string"}, "height": {"type": "number"},
    }});
    admin.post("/api/collections", &trees).reply().await.expect(201);
    let tree = |n: u32| {
        json!({
            "_id": format!("tree-{n:03}"), "kind": if n.is_multiple_of(2) { "oak" } else { "elm" }, "height": n,
            "place": {"type": "Point", "coordinates": [10.0 + f64::from(n) * 0.01, 60.0]},
        })
    };
    let trees: Vec<Value> = (0..250).map(tree).collect();
    admin.post("/api/trees", &json!(trees)).reply().await.expect(201);
    let ad =
        json!({"_id": "bike", "title": "A bike", "category": "bikes", "price": 90, "coords": [60.0, 10.5]});
    admin.post("/api/ads", &ad).reply().await.expect(201);
    let fence = json!({"name": "Centre", "circle": {"center": [10.5, 60.0], "radius_m": 800}});
    admin.put_new("/api/fences/centre", &fence).reply().await.expect(201);
    let fixes: Vec<Value> = (0..120)
        .map(|n| json!({"device": format!("bus-{n:03}"), "lon": 10.0, "lat": 60.0, "speed": n % 3}))
        .collect();
    admin.post("/api/positions", &json!(fixes)).reply().await.expect(202);
}

fn features(page: &Value) -> Vec<&str> {
    let features = page["features"].as_array().unwrap_or_else(|| panic!("no features in {page}"));
    features.iter().filter_map(|feature| feature["id"].as_str()).collect()
}

fn next(page: &Value, base: &str) -> Option<String> {
    let link = page["links"].as_array()?.iter().find(|link| link["rel"] == "next")?;
    Some(link["href"].as_str()?.strip_prefix(base).expect("a link of this server").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_and_their_features() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    stock(&admin).await;
    let stranger = Client::stranger(&server);
    let landing = stranger.get("/ogc").reply().await.expect(200).json();
    for rel in ["self", "service-desc", "conformance", "data"] {
        let link = landing["links"].as_array().and_then(|links| links.iter().find(|link| link["rel"] == rel));
        let href =
            link.and_then(|link| link["href"].as_str()).unwrap_or_else(|| panic!("no {rel} in {landing}"));
        let path = href.strip_prefix(&admin.url()).expect("a link of this server");
        admin.get(path).reply().await.expect(200);
    }
    let conforms = stranger.get("/ogc/conformance").reply().await.expect(200).json();
    assert!(conforms["conformsTo"].to_string().contains("ogcapi-features-1/1.0/conf/core"), "{conforms}");
    problem("without credentials", &stranger.get("/ogc/collections").reply().await, 401);
    let collections = admin.read("/ogc/collections").await;
    let names: Vec<&str> = collections["collections"]
        .as_array()
        .expect("collections")
        .iter()
        .filter_map(|c| c["id"].as_str())
        .collect();
    assert_eq!(names, ["ads", "devices", "fences", "trees"]);
    admin.get("/ogc/collections/trees").reply().await.expect(200);
    problem("no places", &admin.get("/ogc/collections/users").reply().await, 404);
    problem("no such thing", &admin.get("/ogc/collections/clouds/items").reply().await, 404);

    for (collection, count) in [("trees", 250), ("devices", 120), ("ads", 1), ("fences", 1)] {
        let (mut found, mut path) =
            (Vec::new(), Some(format!("/ogc/collections/{collection}/items?limit=40")));
        while let Some(asked) = path.take() {
            let reply = admin.get(&asked).reply().await.expect(200);
            assert_eq!(reply.header("content-type"), Some("application/geo+json"));
            let page = reply.json();
            assert_eq!(page["numberReturned"], features(&page).len());
            found.extend(features(&page).into_iter().map(str::to_owned));
            path = next(&page, &admin.url());
        }
        assert_eq!(found.len(), count, "{collection}");
        let one = admin.read(&format!("/ogc/collections/{collection}/items/{}", found[0])).await;
        assert_eq!((&one["id"], &one["type"]), (&json!(found[0]), &json!("Feature")));
        assert!(one["geometry"]["coordinates"].is_array() && one["properties"].is_object(), "{one}");
    }
    let found = |query: &'static str| {
        let admin = admin.clone();
        async move {
            let page = admin.read(&format!("/ogc/collections/{query}")).await;
            features(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("trees/items?bbox=10.095,59,10.125,61").await, ["tree-010", "tree-011", "tree-012"]);
    assert_eq!(found("trees/items?bbox=10.095,59,0,10.125,61,100&kind=oak").await, ["tree-010", "tree-012"]);
    assert_eq!(found("trees/items?height=7").await, ["tree-007"]);
    assert_eq!(found("devices/items?speed=2&limit=2").await, ["bus-002", "bus-005"]);
    assert_eq!(found("trees/items?datetime=2000-01-01T00:00:00Z/2001-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(found("trees/items?datetime=2000-01-01T00:00:00Z/..&height=3").await, ["tree-003"]);
    assert_eq!(found("fences/items?bbox=10.45,59.9,10.55,60.1").await, ["centre"]);
    assert_eq!(found("ads/items?category=boats").await, [""; 0]);
    for bad in ["bbox=1,2,3", "datetime=noon", "limit=0", "colour=red", "f=html", "bbox-crs=x"] {
        problem(bad, &admin.get(&format!("/ogc/collections/trees/items?{bad}")).reply().await, 400);
    }
    problem("no such tree", &admin.get("/ogc/collections/trees/items/tree-999").reply().await, 404);
    // The same eyes as under /api.
    let user = json!({"username": "ann", "password": "a long enough phrase 9"});
    admin.post("/api/users", &user).reply().await.expect(201);
    let ann = admin.signed_in("ann", "a long enough phrase 9").await;
    assert!(features(&ann.read("/ogc/collections/devices/items").await).is_empty());
    problem("another's device", &ann.get("/ogc/collections/devices/items/bus-001").reply().await, 404);
    assert_eq!(features(&ann.read("/ogc/collections/trees/items?limit=5").await).len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gdal_opens_every_collection() {
    let version = Command::new("ogrinfo").arg("--version").output();
    let Ok(version) = version else {
        return parts::skip("ogc: ogrinfo is not installed (Debian package gdal-bin)");
    };
    eprintln!("ogc: {}", String::from_utf8_lossy(&version.stdout).trim());
    let server = Server::start();
    let admin = Client::admin(&server).await;
    stock(&admin).await;
    let ogrinfo = |arguments: &[&str]| {
        let mut command = Command::new("ogrinfo");
        command.env("GDAL_HTTP_HEADERS", format!("Authorization: Bearer {}", admin.token()));
        command.args(["-ro", &format!("OAPIF:{}/ogc", admin.url())]).args(arguments);
        async move {
            let done = tokio::task::spawn_blocking(move || outcome(command, Duration::from_secs(60)));
            let done = done.await.expect("ogrinfo is waited for");
            assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
            assert!(!done.stderr.contains("ERROR"), "{}", done.stderr);
            done.stdout
        }
    };
    let layers = ogrinfo(&[]).await;
    for name in ["ads", "devices", "fences", "trees"] {
        assert!(layers.contains(name), "{layers}");
    }
    for (layer, count) in [("trees", 250), ("devices", 120), ("ads", 1), ("fences", 1)] {
        let told = ogrinfo(&["-al", "-q", layer]).await;
        assert_eq!(told.matches("OGRFeature(").count(), count, "{layer}: {told}");
    }
    let told = ogrinfo(&["-q", "-spat", "10.095", "59", "10.125", "61", "trees"]).await;
    assert_eq!(told.matches("OGRFeature(").count(), 3, "{told}");
    let told = ogrinfo(&["-q", "-where", "kind = 'oak'", "trees"]).await;
    assert_eq!(told.matches("OGRFeature(").count(), 125, "{told}");
}
