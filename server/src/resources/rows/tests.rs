//! Lists that indexes serve against lists that look through everything: the same documents in two collections, of which
//! one has indexes. Every page must be the same, also while documents change between pages.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::testing::{Running, bearer};

const PASSWORD: &str = "correct horse";

fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    seed
}

struct Twins {
    server: Running,
    admin: String,
}

impl Twins {
    async fn start(indexes: Value) -> Self {
        let server = Running::start().await;
        server.add_user("admin", PASSWORD, "administrator").await;
        let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
        let twins = Self { server, admin };
        twins.send(Method::POST, "/api/collections", &json!({"name": "slow"})).await;
        twins.send(Method::POST, "/api/collections", &json!({"name": "fast", "indexes": indexes})).await;
        twins
    }

    async fn send(&self, method: Method, path: &str, body: &Value) {
        let headers = [("authorization", &self.admin[..]), ("if-match", "*")];
        let headers = if method == Method::POST { &headers[..1] } else { &headers[..] };
        let seen = self.server.send(method, path, headers, &body.to_string()).await;
        assert!(seen.status.is_success(), "{path} {body}: {:?}", seen.body);
    }

    async fn both(&self, method: Method, path: &str, body: &Value) {
        for name in ["slow", "fast"] {
            self.send(method.clone(), &format!("/api/{name}{path}"), body).await;
        }
    }

    async fn list(&self, name: &str, query: &[(&str, &str)]) -> (u16, Value) {
        let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let path = format!("/api/{name}?{query}&explain=true");
        let seen = self.server.get(&path, &[("authorization", &self.admin)]).await;
        (seen.status.as_u16(), seen.json())
    }
}

fn scalar(dice: &mut fastrand::Rng) -> Value {
    let long = "l".repeat(1_024);
    match dice.u8(..14) {
        0 => Value::Null,
        1 => json!(dice.bool()),
        2..=5 => json!(dice.u8(..6)),
        6 => json!(f64::from(dice.u8(..12)) / 2.0),
        7..=9 => json!(["", "a", "ab", "b", "A", "z"][dice.usize(..6)]),
        10 => json!(format!("{long}{}", dice.u8(..4))),
        11 => json!(format!("2026-01-{:02}", dice.u8(1..4))),
        12 => json!(format!("2026-01-{:02}T0{}:00:00Z", dice.u8(1..4), dice.u8(..2) * 5)),
        _ => json!(format!("2026-01-{:02}T01:00:00+0{}00", dice.u8(1..4), dice.u8(..3))),
    }
}

fn value(dice: &mut fastrand::Rng) -> Value {
    match dice.u8(..8) {
        0 => (0..dice.u8(..4)).map(|_| scalar(dice)).collect(),
        1 if dice.bool() => json!({"k": scalar(dice)}),
        1 => json!([[scalar(dice)], scalar(dice)]),
        _ => scalar(dice),
    }
}

fn body(dice: &mut fastrand::Rng) -> Map<String, Value> {
    let mut body = Map::new();
    for (name, chance) in [("a", 9), ("b", 8), ("c", 10)] {
        if dice.u8(..10) < chance {
            body.insert(name.to_owned(), if name == "c" { json!(dice.u8(..40)) } else { value(dice) });
        }
    }
    let items = |dice: &mut fastrand::Rng| (0..dice.u8(..3)).map(|_| json!({"y": scalar(dice)})).collect();
    let inner: Value = if dice.bool() { items(dice) } else { json!({"y": scalar(dice)}) };
    body.insert("x".to_owned(), inner);
    // One field of short texts without lists.
    body.insert("s".to_owned(), json!(["p", "q", "r"][dice.usize(..3)]));
    body
}

fn path(dice: &mut fastrand::Rng) -> &'static str {
    ["a", "a", "b", "c", "c", "x.y", "s", "s"][dice.usize(..8)]
}

fn condition(dice: &mut fastrand::Rng) -> Value {
    let operand = |dice: &mut fastrand::Rng, name: &str| match name {
        "c" => json!(dice.u8(..40)),
        "s" => json!(["p", "q", "r"][dice.usize(..3)]),
        _ => scalar(dice),
    };
    let name = path(dice);
    let test = match dice.u8(..9) {
        0..=2 => operand(dice, name),
        3 => json!({"$in": (0..dice.u8(..4)).map(|_| operand(dice, name)).collect::<Vec<_>>()}),
        4 => json!({"$gte": operand(dice, name), "$lt": operand(dice, name)}),
        5 => json!({"$gt": operand(dice, name)}),
        6 => json!({"$lte": operand(dice, name)}),
        7 => json!({"$ne": operand(dice, name)}),
        _ => json!({"$all": [operand(dice, name)]}),
    };
    json!({name: test})
}

fn filter(dice: &mut fastrand::Rng) -> Value {
    match dice.u8(..8) {
        0 => json!({}),
        1 => json!({"$or": [condition(dice), condition(dice)]}),
        2 => json!({"$and": [condition(dice), condition(dice), condition(dice)]}),
        3..=4 => json!({"$and": [condition(dice), condition(dice)]}),
        _ => condition(dice),
    }
}

fn sort(dice: &mut fastrand::Rng) -> String {
    let all_down = dice.bool();
    let mut fields: Vec<String> = Vec::new();
    for _ in 0..dice.u8(..4) {
        let path = path(dice);
        let down = if dice.u8(..5) == 0 { !all_down } else { all_down };
        fields.push(format!("{}{path}", if down { "-" } else { "" }));
    }
    if dice.u8(..6) == 0 {
        fields.push(["_id", "-_id"][dice.usize(..2)].to_owned());
    }
    fields.join(",")
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["_items"].as_array().unwrap_or_else(|| panic!("{list}"));
    items.iter().map(|item| item["_id"].as_str().unwrap().to_owned()).collect()
}

fn indexes() -> Value {
    json!([["a"], ["c"], ["b", "c"], ["s", "a"], ["s", "c", "a"], ["x.y"], ["x.y", "c"], ["c", "s"]])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_find_what_a_look_at_everything_finds() {
    let seed = seed();
    let mut dice = fastrand::Rng::with_seed(seed);
    let twins = Twins::start(indexes()).await;
    let documents: Vec<Value> = (0..250)
        .map(|n| {
            let mut body = body(&mut dice);
            body.insert("_id".to_owned(), format!("d{n:03}").into());
            body.into()
        })
        .collect();
    twins.both(Method::POST, "/", &documents.into()).await;
    let (mut walked, mut gathered, mut resumed) = (0, 0, 0);
    for round in 0..300 {
        let (filter, sort) = (filter(&mut dice).to_string(), sort(&mut dice));
        let per_page = dice.u8(1..40).to_string();
        let changes = dice.bool();
        let query = [("where", &filter[..]), ("sort", &sort), ("max_results", &per_page)];
        let case = format!("SEED={seed} round {round} {query:?}");
        if dice.u8(..4) == 0 {
            let number = dice.u8(1..5).to_string();
            let query = [&query[..], &[("page", &number)]].concat();
            let (slow, fast) = (twins.list("slow", &query).await.1, twins.list("fast", &query).await.1);
            assert_eq!(ids(&fast), ids(&slow), "{case} page {number} {}", fast["_explain"]);
            assert_eq!(slow["_links"]["next"].is_null(), fast["_links"]["next"].is_null(), "{case}");
            continue;
        }
        let (mut cursors, mut pages) = ([String::new(), String::new()], 0);
        loop {
            let page = |name: &'static str, cursor: String| {
                let query: Vec<_> = query.iter().copied().chain([("cursor", &cursor[..])]).collect();
                let query: Vec<(String, String)> =
                    query.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                let twins = &twins;
                async move {
                    let query: Vec<(&str, &str)> =
                        query.iter().map(|(name, value)| (&name[..], &value[..])).collect();
                    twins.list(name, &query).await.1
                }
            };
            let [slow, fast] = cursors;
            let (slow, fast) = (page("slow", slow).await, page("fast", fast).await);
            let plan = &fast["_explain"];
            assert_eq!(ids(&fast), ids(&slow), "{case} page {pages} {plan}");
            if let (Some(fast), Some(slow)) = (fast["_meta"].get("total"), slow["_meta"].get("total")) {
                assert_eq!(fast, slow, "{case} page {pages} {plan}");
            }
            if plan["way"] == "index" {
                let counted = if plan["in_order"] == true { &mut walked } else { &mut gathered };
                *counted += 1;
                resumed += u32::from(pages > 0 && plan["in_order"] == true);
            }
            let next = |list: &Value| list["_meta"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            cursors = [next(&slow), next(&fast)];
            assert_eq!(cursors[0].is_empty(), cursors[1].is_empty(), "{case} page {pages} {plan}");
            if cursors[0].is_empty() || pages == 6 {
                break;
            }
            pages += 1;
            if changes {
                for _ in 0..dice.u8(..4) {
                    let at = format!("/d{:03}", dice.u16(..260));
                    match twins.list("slow", &[("where", &json!({"_id": at[1..]}).to_string())]).await.1 {
                        found if ids(&found).is_empty() => {
                            let mut body = body(&mut dice);
                            body.insert("_id".to_owned(), at[1..].into());
                            twins.both(Method::POST, "/", &body.into()).await;
                        }
                        _ if dice.u8(..3) == 0 => twins.both(Method::DELETE, &at, &json!({})).await,
                        _ => twins.both(Method::PUT, &at, &body(&mut dice).into()).await,
                    }
                }
            }
        }
    }
    println!("pages walked {walked}, gathered {gathered}, resumed {resumed}");
    assert!(walked > 100 && gathered > 20 && resumed > 40, "{walked} {gathered} {resumed}");
    let store = twins.server.app.store();
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
}
