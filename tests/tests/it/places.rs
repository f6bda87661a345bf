//! Questions by place over HTTP: nearest first in pages, areas of every kind, conditions, what holds a place, why, and
//! counts by cell; against looking at everything.

use serde_json::{Value, json};

use crate::client::{Client, next_cursor, query};
use crate::errors::{problem, problem_of};
use crate::lists::ids;
use crate::plan::seed;
use crate::program::Server;
use crate::sphere::{Place, distance_m};

const COUNT: usize = 1_500;
const CATEGORIES: [&str; 3] = ["bikes", "lamps", "boats"];

/// Around the antimeridian, some far away.
fn place(rng: &mut fastrand::Rng) -> Place {
    let exact = |degrees: f64| (degrees * 1e7).round() / 1e7;
    let lon = 180.0 + (rng.f64() - 0.5) * if rng.u8(0..10) == 0 { 60.0 } else { 0.5 };
    (exact(if lon >= 180.0 { lon - 360.0 } else { lon }), exact((rng.f64() - 0.5) * 0.5))
}

struct Thing {
    id: String,
    place: Place,
    category: &'static str,
    price: u32,
}

/// The same things as ads, as devices, and as documents of a collection with a place.
async fn things(admin: &Client, rng: &mut fastrand::Rng) -> Vec<Thing> {
    let shops = json!({"name": "shops", "geo": ["at"], "schema": {
        "at": {"type": "dict"}, "category": {"type": "string"}, "price": {"type": "number"},
    }});
    admin.post("/api/collections", &shops).reply().await.expect(201);
    let things: Vec<Thing> = (0..COUNT)
        .map(|n| Thing {
            id: format!("t{n:04}"),
            place: place(rng),
            category: CATEGORIES[rng.usize(0..3)],
            price: rng.u32(0..1000),
        })
        .collect();
    for part in things.chunks(500) {
        let point = |thing: &Thing| json!({"type": "Point", "coordinates": [thing.place.0, thing.place.1]});
        let ads: Vec<Value> = part
            .iter()
            .map(|thing| {
                json!({
                    "_id": thing.id, "title": format!("a {}", thing.category), "category": thing.category,
                    "price": thing.price, "location": point(thing),
                })
            })
            .collect();
        admin.post("/api/ads", &json!(ads)).reply().await.expect(201);
        let shops: Vec<Value> = part
            .iter()
            .map(|thing| {
                json!({
                    "_id": thing.id, "category": thing.category, "price": thing.price, "at": point(thing),
                })
            })
            .collect();
        admin.post("/api/shops", &json!(shops)).reply().await.expect(201);
        let lines: String = part
            .iter()
            .map(|thing| {
                let fix = json!({
                    "device": thing.id, "lon": thing.place.0, "lat": thing.place.1, "speed": thing.price,
                    "fields": {"category": thing.category},
                });
                format!("{fix}\n")
            })
            .collect();
        let taken = admin.call("POST", "/api/positions").raw("application/x-ndjson", lines).reply().await;
        assert_eq!(taken.expect(202).json()["accepted"], part.len());
    }
    things
}

/// All pages of a list, each named item once.
async fn all(
    admin: &Client,
    path: &str,
    name: &str,
    parameters: &[(&str, &str)],
) -> Vec<(String, Option<f64>)> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut asked = parameters.to_vec();
        asked.push(("cursor", &cursor));
        let page = admin.read(&format!("{path}?{}", query(&asked))).await;
        for item in page["_items"].as_array().expect("_items") {
            found.push((item[name].as_str().expect("a name").to_owned(), item["distance_m"].as_f64()));
        }
        match next_cursor(&page) {
            Some(next) => cursor = next,
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nearest_first_with_conditions_in_pages() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let mut rng = fastrand::Rng::with_seed(seed("places"));
    let things = things(&admin, &mut rng).await;
    for (resource, name, field, price) in [
        ("/api/ads", "_id", "category", "price"),
        ("/api/shops", "_id", "category", "price"),
        ("/api/positions", "device", "fields.category", "speed"),
    ] {
        for _ in 0..4 {
            let middle = place(&mut rng);
            let category = CATEGORIES[rng.usize(0..3)];
            let (radius_m, limit) = ([2_000.0, 20_000.0, 1e7][rng.usize(0..3)], rng.usize(20..200));
            let condition = json!({field: category, price: {"$lt": 500}}).to_string();
            let near = format!("{},{},{radius_m}", middle.0, middle.1);
            let limit = limit.to_string();
            let parameters = [("near", near.as_str()), ("where", &condition), ("max_results", &limit)];
            let found = all(&admin, resource, name, &parameters).await;
            let mut expected: Vec<(f64, &str)> = things
                .iter()
                .filter(|thing| thing.category == category && thing.price < 500)
                .map(|thing| (distance_m(middle, thing.place), thing.id.as_str()))
                .filter(|(metres, _)| *metres <= radius_m)
                .collect();
            expected.sort_by(|a, b| a.0.total_cmp(&b.0));
            let got: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
            let want: Vec<&str> = expected.iter().map(|(_, id)| *id).collect();
            assert_eq!(got, want, "{resource} {parameters:?}");
            for ((_, metres), (expected, _)) in found.iter().zip(&expected) {
                assert!((metres.expect("distance_m") - expected).abs() < 0.01);
            }
        }
        // Without a radius everything is near something.
        let found = all(&admin, resource, name, &[("near", "10,50"), ("max_results", "500")]).await;
        assert_eq!(found.len(), COUNT, "{resource}");
        assert!(found.is_sorted_by(|a, b| a.1 <= b.1));
    }
    // Another order is one of all that are near, and pages by it too.
    let parameters = [("near", "180,0,30000"), ("sort", "-price"), ("max_results", "100")];
    let found = all(&admin, "/api/ads", "_id", &parameters).await;
    let mut expected: Vec<&Thing> =
        things.iter().filter(|thing| distance_m((180.0, 0.0), thing.place) <= 30_000.0).collect();
    expected.sort_by(|a, b| b.price.cmp(&a.price).then_with(|| a.id.cmp(&b.id)));
    assert!(found.iter().map(|(id, _)| id).eq(expected.iter().map(|thing| &thing.id)));
    // With words: by relevance, and only those that are near.
    let seq = admin.read("/api/ads?max_results=1").await["_seq"].clone();
    let list = admin.read(&format!("/api/ads?q=lamps&near=180,0,5000&max_results=500&min_seq={seq}")).await;
    let mut got = ids(&list);
    got.sort_unstable();
    let lamps = things.iter().filter(|thing| thing.category == "lamps");
    let want: Vec<&str> = lamps
        .filter(|thing| distance_m((180.0, 0.0), thing.place) <= 5_000.0)
        .map(|thing| thing.id.as_str())
        .collect();
    assert_eq!(got, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn areas_of_every_kind() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let mut rng = fastrand::Rng::with_seed(seed("areas"));
    let things = things(&admin, &mut rng).await;
    let line = json!({"type": "LineString", "coordinates": [[179.9, 0.0], [-179.9, 0.0]]}).to_string();
    let ring = json!({"type": "Polygon", "coordinates": [[[179.95, -0.1], [-179.95, -0.1], [-179.95, 0.1], [179.95, 0.1], [179.95, -0.1]]]});
    let polygon = ring.to_string();
    let turned = |lon: f64| if lon < 0.0 { lon + 360.0 } else { lon };
    type Holds<'a> = Box<dyn Fn(Place) -> bool + 'a>;
    let areas: [(Vec<(&str, &str)>, Holds<'_>); 5] = [
        (
            vec![("bbox", "179.9,-0.05,-179.95,0.1")],
            Box::new(|(lon, lat)| (179.9..=180.05).contains(&turned(lon)) && (-0.05..=0.1).contains(&lat)),
        ),
        (
            vec![("polygon", &polygon)],
            Box::new(|(lon, lat)| (179.95..=180.05).contains(&turned(lon)) && (-0.1..=0.1).contains(&lat)),
        ),
        (
            vec![("tile", "8/255/127")],
            Box::new(|(lon, lat)| lon >= 178.593_75 && (0.0..=1.4058).contains(&lat)),
        ),
        (
            vec![("along", &line), ("width_m", "3000")],
            Box::new(|(lon, lat)| {
                let nearest = turned(lon).clamp(179.9, 180.1);
                distance_m((lon, lat), (if nearest >= 180.0 { nearest - 360.0 } else { nearest }, 0.0))
                    <= 3_000.0
            }),
        ),
        (
            vec![("along", "179.9,0;-179.9,0"), ("width_m", "50")],
            Box::new(|(lon, lat)| {
                (179.9..=180.1).contains(&turned(lon)) && distance_m((lon, lat), (lon, 0.0)) <= 50.0
            }),
        ),
    ];
    for (parameters, holds) in &areas {
        let mut want: Vec<&str> =
            things.iter().filter(|thing| holds(thing.place)).map(|thing| thing.id.as_str()).collect();
        want.sort_unstable();
        for (resource, name) in [("/api/ads", "_id"), ("/api/shops", "_id"), ("/api/positions", "device")] {
            let mut asked = parameters.clone();
            asked.push(("max_results", "77"));
            let mut found = all(&admin, resource, name, &asked).await;
            let ordered = parameters[0].0 == "along";
            assert_eq!(found.iter().all(|(_, metres)| metres.is_some()), ordered || found.is_empty());
            assert!(!ordered || found.is_sorted_by(|a, b| a.1 <= b.1));
            found.sort_by(|a, b| a.0.cmp(&b.0));
            let got: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(got, want, "{resource} {parameters:?}");
        }
    }
    // Counts by cell are counts of the same things.
    for (grid, precision) in [("h3", "5"), ("geohash", "4")] {
        for of in ["devices", "ads", "fixes"] {
            let asked =
                query(&[("of", of), ("grid", grid), ("precision", precision), ("bbox", "179,-1,-179,1")]);
            let heat = admin.read(&format!("/api/heat?{asked}")).await;
            let within = things.iter().filter(|thing| (179.0..=181.0).contains(&turned(thing.place.0)));
            let counts =
                heat["cells"].as_array().expect("cells").iter().filter_map(|cell| cell["count"].as_u64());
            let counts: Vec<u64> = counts.collect();
            assert_eq!(counts.iter().sum::<u64>(), within.count() as u64, "{of} by {grid}");
            assert!(
                counts.is_sorted_by(|a, b| a >= b) && heat["total"].as_u64() == Some(counts.iter().sum())
            );
        }
    }
    let drawn =
        admin.get("/api/heat?of=ads&precision=3").header("accept", "application/geo+json").reply().await;
    let drawn = drawn.expect(200).json();
    assert_eq!(drawn["features"][0]["geometry"]["type"], "Polygon", "{drawn}");
    problem("too fine", &admin.get("/api/heat?of=ads&grid=geohash&precision=13").reply().await, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_a_place_and_why() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let user = json!({"username": "ann", "password": "a long enough phrase 9"});
    admin.post("/api/users", &user).reply().await.expect(201);
    let ann = admin.signed_in("ann", "a long enough phrase 9").await;
    ann.put_new("/api/devices/phone", &json!({"name": "mine"})).reply().await.expect(201);
    let fix = |device: &str, lon: f64| json!({"device": device, "lon": lon, "lat": 60.0});
    admin.post("/api/positions", &json!([fix("phone", 10.0), fix("bus", 10.001)])).reply().await.expect(202);
    let around = json!({"device": "phone", "area": {"around": {"radius_m": 500}}});
    ann.put_new("/api/adlists/mine", &around).reply().await.expect(201);
    let circle = json!({"user": "x", "area": {"circle": {"center": [10, 60], "radius_m": 200}}});
    admin.put_new("/api/adlists/fixed", &circle).reply().await.expect(201);
    let fence = |id: &'static str, body: Value| {
        let admin = admin.clone();
        async move { admin.put_new(&format!("/api/fences/{id}"), &body).reply().await.expect(201) }
    };
    fence("small", json!({"circle": {"center": [10, 60], "radius_m": 20}})).await;
    let square = json!([[9.9, 59.9], [10.1, 59.9], [10.1, 60.1], [9.9, 60.1], [9.9, 59.9]]);
    fence("square", json!({"geometry": {"type": "Polygon", "coordinates": [square]}})).await;
    let found = |list: Value| ids(&list).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found(admin.read("/api/adlists?contains=10,60").await), ["fixed", "mine"]);
    assert_eq!(found(ann.read("/api/adlists?contains=10,60").await), ["mine"]);
    assert_eq!(found(admin.read("/api/devices/bus/adlists").await), ["fixed", "mine"]);
    assert_eq!(found(ann.read("/api/devices/phone/adlists").await), ["mine"]);
    assert_eq!(found(admin.read("/api/devices/bus/fences").await), ["square"]);
    problem("another's device", &ann.get("/api/devices/bus/adlists").reply().await, 404);
    // Fences are found by place as any document.
    assert_eq!(found(admin.read("/api/fences?near=10.01,60,600").await), ["square", "small"]);
    assert_eq!(found(admin.read("/api/fences?near=10.01,60,500").await), ["square"]);
    assert_eq!(found(admin.read("/api/fences?bbox=10.05,60,11,61").await), ["square"]);
    assert_eq!(found(admin.read("/api/devices?near=10,60,10").await), ["phone"]);
    let told = admin.read("/api/explain/fence?fence=small&device=bus").await;
    assert_eq!((&told["inside"], &told["member"]), (&json!(false), &json!(false)), "{told}");
    let test = told["tests"].as_array().and_then(|tests| tests.iter().find(|test| test["test"] == "area"));
    let metres = test.and_then(|test| test["distance_m"].as_f64()).expect("distance_m");
    assert!((55.0..56.5).contains(&metres), "{told}");
    assert_eq!(ann.read("/api/explain/fence?fence=small&device=phone").await["inside"], json!(true));
    problem("another's device", &ann.get("/api/explain/fence?fence=small&device=bus").reply().await, 404);
    problem_of("no device", &admin.get("/api/explain/fence?fence=small").reply().await, 400, "device");
    for bad in ["near=1", "tile=3/8/0", "along=0,0;1,1", "near=1,1,-2", "near=1,1&bbox=1,1,2,2", "polygon=5"]
    {
        problem(bad, &admin.get(&format!("/api/ads?{bad}")).reply().await, 400);
        problem(bad, &admin.get(&format!("/api/positions?{bad}")).reply().await, 400);
    }
    let page = admin.read("/api/positions?near=10,60&max_results=1").await;
    let cursor = next_cursor(&page).expect("a second page");
    let other = query(&[("near", "11,60"), ("max_results", "1"), ("cursor", &cursor)]);
    problem(
        "a cursor of another question",
        &admin.get(&format!("/api/positions?{other}")).reply().await,
        400,
    );
}
