//! The log over a WebSocket: subscriptions, credits, names, positions, and every way to be sent away.

mod ends;
mod memory;
mod notifications;
mod places;
mod slow;

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Lost};
use crate::errors::problem;
use crate::program::{PASSWORD, Server};
use crate::sse::Stream;
use crate::ws::{SOON, Socket};

async fn ground() -> (Server, Client) {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    (server, admin)
}

async fn with_flags(settings: &[&str]) -> (Server, Client) {
    let mut server = Server::idle();
    let flags: Vec<&str> = settings.iter().flat_map(|&setting| ["--set", setting]).collect();
    server.flags(&flags);
    server.launch();
    let admin = Client::admin(&server).await;
    (server, admin)
}

async fn ad(client: &Client, id: &str) -> Value {
    let body = json!({"title": id, "coords": [52.5, 13.4]});
    client.put_new(&format!("/api/ads/{id}"), &body).reply().await.expect(201).json()
}

/// A user who can sign in, as somebody signed in.
async fn person(admin: &Client, name: &str, kind: &str) -> Client {
    let user = json!({"_id": name, "username": name, "password": PASSWORD, "user_type": kind});
    admin.post("/api/users", &user).reply().await.expect(201);
    admin.signed_in(name, PASSWORD).await
}

fn id_of(event: &Value) -> String {
    event["id"].as_str().unwrap_or_else(|| panic!("no id in {event}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_tells_what_a_stream_tells() {
    let (_server, admin) = ground().await;
    let mut socket = Socket::open(&admin).await;
    assert_eq!(socket.ask(&json!({"op": "ping"})).await, json!({"op": "ok", "re": "ping"}));
    let mut stream = Stream::open(&admin, "changes:ads,matches", None).await.expect("a stream");
    let begun = socket.subscribe(7, &["changes:ads", "matches"], json!({})).await;
    let hello = socket.expect("hello").await;
    for name in ["epoch", "from", "head", "floor"] {
        assert!(begun[name].is_u64() && begun[name] == hello["data"][name], "{begun} {hello}");
    }
    stream.expect("hello", SOON).await;
    for n in 0..3 {
        ad(&admin, &format!("ad-{n}")).await;
    }
    admin.call("DELETE", "/api/ads/ad-1").header("if-match", "*").reply().await.expect(204);
    let mut last = String::new();
    for _ in 0..4 {
        let (told, same) = (socket.expect("change").await, stream.expect("change", SOON).await);
        assert_eq!((&told["sub"], &told["data"]), (&json!(7), &same.data));
        last = id_of(&told);
        assert_eq!(last, same.id.expect("an id").to_string());
    }
    // Two on one socket, each with its own filter and place.
    let also = json!({"where": {"title": "ad-2"}, "include": "meta", "last_event_id": "earliest"});
    socket.subscribe(8, &["changes:ads"], also).await;
    let one = socket.expect("change").await;
    assert_eq!((&one["sub"], &one["data"]["_id"]), (&json!(8), &json!("ad-2")));
    assert!(one["data"].get("doc").is_none(), "{one}");
    let part = json!({"circle": {"center": [13.4, 52.5], "radius_m": 10}, "last_event_id": begun_id(&begun)});
    socket.subscribe(9, &["changes:ads"], part).await;
    for n in 0..3 {
        assert_eq!(socket.expect("change").await["data"]["_id"], json!(format!("ad-{n}")));
    }
    // Gone means that nothing more comes of it.
    for id in [7, 8, 9] {
        let done = socket.ask(&json!({"op": "unsub", "id": id})).await;
        assert_eq!(done, json!({"op": "ok", "re": "unsub", "id": id}));
    }
    ad(&admin, "unheard").await;
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(300), socket.event()).await {
        assert_ne!(event["data"]["_id"], "unheard", "{event}");
    }
    // The id may be used again, and goes on where the last one was.
    socket.subscribe(7, &["changes:ads"], json!({"last_event_id": last})).await;
    assert_eq!(socket.expect("change").await["data"]["_id"], "unheard");
    for (place, reason) in [("99-5", "epoch"), ("99999999", "future"), ("nonsense", "unknown")] {
        socket.subscribe(11, &["changes:ads"], json!({"last_event_id": place})).await;
        assert_eq!(socket.expect("reset").await["data"]["reason"], reason);
        socket.ask(&json!({"op": "unsub", "id": 11})).await;
    }
}

fn begun_id(begun: &Value) -> String {
    format!("{}-{}", begun["epoch"], begun["from"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_answered_and_the_socket_stays() {
    let (_server, admin) = ground().await;
    let user = person(&admin, "ann", "user").await;
    let mut socket = Socket::open(&user).await;
    let check = async |socket: &mut Socket, message: Value, status: u64, member: Option<&str>| {
        let answer = socket.ask(&message).await;
        assert_eq!((&answer["op"], &answer["status"]), (&json!("error"), &json!(status)), "{answer}");
        assert!(answer["type"].is_string() && answer["detail"].is_string(), "{answer}");
        if let Some(member) = member {
            assert!(answer["_issues"].get(member).is_some(), "{message}: {answer}");
        }
    };
    check(&mut socket, json!({"op": "sub", "id": 1, "topics": ["changes:none"]}), 404, None).await;
    check(&mut socket, json!({"op": "sub", "id": 1, "topics": ["changes:auth"]}), 403, None).await;
    check(&mut socket, json!({"op": "sub", "id": 1, "topics": ["queue"]}), 403, None).await;
    check(&mut socket, json!({"op": "sub", "id": 1, "topics": ["match"]}), 400, Some("topics")).await;
    check(&mut socket, json!({"op": "sub", "id": 1, "where": {"a": {"$near": 1}}}), 400, Some("where")).await;
    let flat = json!({"op": "sub", "id": 1, "topics": ["changes:users"], "bbox": [0, 0, 1, 1]});
    check(&mut socket, flat, 400, Some("bbox")).await;
    check(&mut socket, json!({"op": "ack", "id": 1, "seq": 1}), 404, Some("id")).await;
    check(&mut socket, json!({"op": "unsub", "id": 1}), 404, Some("id")).await;
    check(&mut socket, json!({"op": "sub", "id": 1, "credits": 1}), 400, Some("credits")).await;
    socket.subscribe(1, &["changes:ads"], json!({})).await;
    check(&mut socket, json!({"op": "sub", "id": 1}), 409, Some("id")).await;
    let unsent = json!({"op": "ack", "id": 1, "seq": 99_999_999});
    check(&mut socket, unsent, 422, Some("seq")).await;
    for id in 2..=64 {
        socket.subscribe(id, &["changes:ads"], json!({})).await;
    }
    check(&mut socket, json!({"op": "sub", "id": 65}), 429, None).await;
    assert!(socket.send(Message::text("not json")).await);
    let answer = socket.answer().await;
    assert_eq!((&answer["re"], &answer["type"]), (&Value::Null, &json!("malformed-json")), "{answer}");
    assert_eq!(socket.ask(&json!({"op": "ping"})).await["op"], "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_under_way_than_the_credit() {
    let (_server, admin) = ground().await;
    let mut socket = Socket::open(&admin).await;
    socket.subscribe(1, &["changes:ads"], json!({"credit": 3})).await;
    socket.subscribe(2, &["changes:ads"], json!({})).await;
    for _ in 0..2 {
        socket.expect("hello").await;
    }
    // One transaction: also a group is cut where the credit ends.
    let ads: Vec<Value> =
        (0..10).map(|n| json!({"_id": format!("ad-{n}"), "title": "x", "coords": [1, 2]})).collect();
    admin.post("/api/ads", &json!(ads)).reply().await.expect(201);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut under_way = 0;
    while first.len() < 10 || second.len() < 10 {
        let event = match tokio::time::timeout(Duration::from_secs(1), socket.event()).await {
            Ok(event) => event.expect("the socket goes on"),
            Err(_) => {
                // All that may be sent has come: one of two, or all, is taken off.
                assert_eq!((under_way, second.len()), (3, 10), "{first:?}");
                let upto = if first.len() == 3 { first.len() - 2 } else { first.len() - 1 };
                let seq = &first[upto];
                let done = socket.ask(&json!({"op": "ack", "id": 1, "seq": seq})).await;
                assert_eq!(done, json!({"op": "ok", "re": "ack", "id": 1, "seq": seq}));
                under_way = first.len() - 1 - upto;
                continue;
            }
        };
        if event["type"] != "change" {
            continue;
        }
        let seq = event["data"]["seq"].clone();
        if event["sub"] == 1 {
            under_way += 1;
            assert!(under_way <= 3, "{under_way} under way: {first:?}");
            first.push(seq);
        } else {
            second.push(seq);
        }
    }
    assert_eq!(first, second, "the same, in the same order");
}

/// Follows cars by socket over any number of restarts, from the last id.
async fn follow(client: Client, count: usize) -> (Vec<u64>, usize) {
    let (mut seqs, mut last, mut connections) = (Vec::new(), None::<String>, 0);
    let token = format!("Bearer {}", client.token());
    while seqs.len() < count {
        let opened = Socket::try_open(&client, "/api/ws", &[("authorization", &token)]).await;
        let Ok(mut socket) = opened else {
            tokio::time::sleep(Duration::from_millis(25)).await;
            continue;
        };
        connections += 1;
        // The first one may be killed before it has told anything.
        let from = last.as_deref().unwrap_or("earliest");
        let sub =
            json!({"op": "sub", "id": 1, "topics": ["changes:cars"], "last_event_id": from, "credit": 50});
        if !socket.send(Message::text(sub.to_string())).await {
            continue;
        }
        let mut taken = 0;
        while let Some(event) = socket.event().await {
            if let Some(id) = event["id"].as_str() {
                last = Some(id.to_owned());
            }
            assert_ne!(event["type"], "reset", "{event}");
            if event["type"] != "change" {
                continue;
            }
            seqs.push(event["data"]["seq"].as_u64().expect("seq"));
            taken += 1;
            if taken % 20 == 0 {
                let ack = json!({"op": "ack", "id": 1, "seq": event["data"]["seq"]});
                socket.send(Message::text(ack.to_string())).await;
            }
            if seqs.len() >= count {
                break;
            }
        }
    }
    (seqs, connections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_repeated_over_kills() {
    const KILLS: usize = 4;
    const CARS: usize = 400;
    let (mut server, admin) = ground().await;
    admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let start = admin.read("/readyz?verbose").await["seq"].as_u64().expect("seq");
    let following = tokio::spawn(follow(admin.clone(), CARS));
    // The first one is here before the first car, so that it starts at the head before them.
    let deadline = tokio::time::Instant::now() + SOON;
    while admin.read("/api/admin/connections").await["_items"][0]["subscriptions"] == json!([])
        || admin.read("/api/admin/connections").await["_items"] == json!([])
    {
        assert!(tokio::time::Instant::now() < deadline, "no subscription");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let writing = {
        let client = admin.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while number < CARS {
                let id = format!("car-{number}");
                let put = client.put_new(&format!("/api/cars/{id}"), &json!({"n": number}));
                match put.attempt().await {
                    // 412: it was written, and the answer was lost.
                    Ok(reply) if matches!(reply.status, 201 | 412) => number += 1,
                    Ok(reply) => panic!("{}", reply.text()),
                    Err(Lost(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        })
    };
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(150)).await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.launch();
        });
    }
    tokio::time::timeout(SOON * 3, writing).await.expect("all is written").expect("the writer");
    let (heard, connections) =
        tokio::time::timeout(SOON * 2, following).await.expect("all is heard").expect("the follower");
    let mut written = Vec::new();
    let mut since = start;
    while written.len() < CARS {
        let page = admin.read(&format!("/api/changes?since={since}&collections=cars")).await;
        written.extend(
            page["changes"].as_array().expect("changes").iter().filter_map(|change| change["seq"].as_u64()),
        );
        since = page["last_seq"].as_u64().expect("last_seq");
    }
    eprintln!("{} events over {connections} connections", heard.len());
    assert_eq!(heard, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_keeps_its_place() {
    let (mut server, admin) = ground().await;
    let mut socket = Socket::open(&admin).await;
    let begun = socket.subscribe(1, &["changes:ads"], json!({"name": "phone-1"})).await;
    assert_eq!((&begun["name"], &begun["credit"]), (&json!("phone-1"), &json!(100)));
    let made: Vec<Value> = [ad(&admin, "a").await, ad(&admin, "b").await, ad(&admin, "c").await].into();
    for one in &made {
        assert_eq!(socket.expect("change").await["data"]["_id"], one["_id"]);
    }
    let done = socket.ask(&json!({"op": "ack", "id": 1, "seq": made[1]["_seq"]})).await;
    assert_eq!((&done["op"], &done["seq"]), (&json!("ok"), &made[1]["_seq"]));
    server.kill();
    server.launch();
    // What was acknowledged is not told again, what was not is.
    let mut socket = Socket::open(&admin).await;
    let begun = socket.subscribe(5, &["changes:ads"], json!({"name": "phone-1"})).await;
    assert_eq!(begun["from"], made[1]["_seq"]);
    assert_eq!(socket.expect("change").await["data"]["_id"], "c");
    let shown = admin.read("/api/subscriptions").await;
    let shown = &shown["_items"][0];
    assert_eq!((&shown["_id"], &shown["connected"]), (&json!("phone-1"), &json!(true)), "{shown}");
    assert!(shown["lag"].as_u64() >= Some(1), "{shown}");

    // Who comes later has the name; the other subscriptions of the earlier one go on.
    socket.subscribe(6, &["changes:ads"], json!({})).await;
    let mut other = Socket::open(&admin).await;
    other.subscribe(1, &["changes:ads"], json!({"name": "phone-1"})).await;
    assert_eq!(other.expect("change").await["data"]["_id"], "c");
    let bye = socket.expect("bye").await;
    assert_eq!((&bye["sub"], &bye["data"]["reason"]), (&json!(5), &json!("taken_over")));
    ad(&admin, "d").await;
    let told = socket.expect("change").await;
    assert_eq!((&told["sub"], &told["data"]["_id"]), (&json!(6), &json!("d")));
    assert_eq!(socket.ask(&json!({"op": "ack", "id": 5, "seq": 1})).await["status"], 404);

    // An id of one's own is stored as the place, and a name can be forgotten in two ways.
    socket.subscribe(7, &["changes:ads"], json!({"name": "phone-2", "last_event_id": "earliest"})).await;
    assert_eq!(socket.ask(&json!({"op": "unsub", "id": 7, "forget": true})).await["op"], "ok");
    let names = async || admin.read("/api/subscriptions").await["_meta"]["total"].clone();
    assert_eq!(names().await, 1);
    admin.call("DELETE", "/api/subscriptions/phone-1").reply().await.expect(204);
    assert_eq!(other.expect("bye").await["data"]["reason"], "forgotten");
    problem("gone", &admin.call("DELETE", "/api/subscriptions/phone-1").reply().await, 404);

    // Names are each user's own, and go with the user.
    let ann = person(&admin, "ann", "user").await;
    let mut hers = Socket::open(&ann).await;
    hers.subscribe(1, &["changes:ads"], json!({"name": "phone-1"})).await;
    assert_eq!(names().await, 0);
    admin.call("DELETE", "/api/users/ann").header("if-match", "*").reply().await.expect(204);
    assert_eq!(hers.end().await, (4401, "signed_out".to_owned()));
    let again = person(&admin, "ann", "user").await;
    assert_eq!(again.read("/api/subscriptions").await["_items"], json!([]));
}
