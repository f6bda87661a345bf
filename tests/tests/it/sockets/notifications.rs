//! Notifications, and places between the events of one record.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ad, begun_id, ground, id_of, person};
use crate::errors::problem;
use crate::sse::{Id, Stream};
use crate::ws::{SOON, Socket};

/// Notifications that are of this document.
fn of(told: &Value, id: &str) -> bool {
    told["extra"]["_id"] == id || told["extra"]["user_id"] == id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_come_by_both_ways_and_resume_within_a_record() {
    let (mut server, admin) = ground().await;
    let mut socket = Socket::open(&admin).await;
    let begun = socket.subscribe(1, &["changes:users", "notifications"], json!({})).await;
    let beginning = begun_id(&begun);
    let mut stream = Stream::open(&admin, "notifications", Some(&beginning)).await.expect("a stream");
    person(&admin, "ann", "user").await;
    let any = |path: &str, method: &str| admin.call(method, path).header("if-match", "*");
    any("/api/users/ann", "PATCH")
        .json(&json!({"is_enabled": false, "email": "a@x.org"}))
        .reply()
        .await
        .expect(200);
    ad(&admin, "lamp").await;
    any("/api/ads/lamp", "PATCH").json(&json!({"price": 4})).reply().await.expect(200);
    any("/api/ads/lamp", "DELETE").reply().await;
    any("/api/users/ann", "DELETE").reply().await.expect(204);
    let names = [
        "resource:created",
        "users",
        "user_disabled",
        "user",
        "resource:updated",
        "resource:deleted",
        "users",
    ];
    let mut of_ann = Vec::new();
    let mut created = false;
    while of_ann.len() < names.len() {
        let told = stream.expect("notification", SOON).await;
        assert!(told.data["_created"].is_string() && told.data["seq"].is_u64(), "{told:?}");
        if of(&told.data, "ann") {
            of_ann.push(told.data["event"].as_str().expect("event").to_owned());
        }
        if told.data["extra"] == json!({"resource": "ads", "_id": "lamp"}) {
            created |= told.data["event"] == "resource:created";
        }
        if told.data["event"] == "resource:updated" && of(&told.data, "ann") {
            assert_eq!(told.data["extra"]["fields"], json!({"is_enabled": 1, "email": 1}));
        }
        assert!(
            !told.data["extra"]["resource"]
                .as_str()
                .is_some_and(|name| name == "auth" || name == "credentials")
        );
    }
    assert_eq!(of_ann, names);
    assert!(created);

    // The socket also has the changes: several events of one record, each with an id of its own.
    let mut all = Vec::new();
    while all
        .iter()
        .filter(|event: &&Value| event["type"] == "notification" && of(&event["data"], "ann"))
        .count()
        < names.len()
    {
        all.push(socket.event().await.expect("the socket goes on"));
    }
    all.retain(|event| event["type"] != "hello" && event["type"] != "pos");
    let ids: Vec<String> = all.iter().map(id_of).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    assert!(ids.iter().any(|id| id.contains('.')), "{ids:?}");
    server.kill();
    server.launch();
    let mut socket = Socket::open(&admin).await;
    for (index, id) in ids.iter().enumerate() {
        let sub = index as u64;
        let also = json!({"last_event_id": id, "credit": 2});
        socket.subscribe(sub, &["changes:users", "notifications"], also).await;
        for expected in all.iter().skip(index + 1).take(2) {
            let told = loop {
                let event = socket.event().await.expect("the socket goes on");
                if event["sub"] == sub && event["type"] != "hello" {
                    break event;
                }
            };
            // The epoch is another since the restart.
            let place = |event: &Value| id_of(event).split_once('-').map(|(_, place)| place.to_owned());
            assert_eq!((place(&told), &told["data"]), (place(expected), &expected["data"]), "after {id}");
        }
        socket.ask(&json!({"op": "unsub", "id": sub})).await;
    }
    // A stream resumes there as well.
    let within = ids.iter().position(|id| id.contains('.')).expect("an id within a record");
    let mut stream =
        Stream::open(&admin, "changes:users,notifications", Some(&ids[within])).await.expect("a stream");
    let next = loop {
        let told = stream.next().await.expect("the stream goes on").expect("an event");
        if told.kind != "hello" {
            break told;
        }
    };
    assert_eq!(next.data, all[within + 1]["data"]);
    problem("pages", &admin.get(&format!("/api/changes?since={}", ids[within])).reply().await, 400);
    let whole: Id = ids.last().expect("an id").parse().expect("the last of a record is whole");
    assert!(whole.seq > 0);
}
