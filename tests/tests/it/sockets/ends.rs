//! Who may open a socket, and how it ends.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{ground, person, with_flags};
use crate::client::Client;
use crate::errors::problem;
use crate::program::PASSWORD;
use crate::sse::Stream;
use crate::ws::{SOON, Socket};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_ends_with_what_it_was_opened_by() {
    let (mut server, admin) = ground().await;
    let ends = async |socket: &mut Socket, code: u16, reason: &str| {
        assert_eq!(socket.end().await, (code, reason.to_owned()));
    };
    // With a subscription and without: the silent one is told too.
    for topics in [&["changes:ads"][..], &[]] {
        let name = if topics.is_empty() { "ann" } else { "bob" };
        let user = person(&admin, name, "user").await;
        let open = async |client: &Client| {
            let mut socket = Socket::open(client).await;
            if !topics.is_empty() {
                socket.subscribe(1, topics, json!({})).await;
            }
            socket
        };
        let mut one = open(&user).await;
        let sessions = user.read("/api/sessions").await;
        let session = sessions["_items"][0]["_id"].as_str().expect("_id").to_owned();
        user.call("DELETE", &format!("/api/auth/{session}")).reply().await.expect(204);
        ends(&mut one, 4401, "signed_out").await;

        let user = admin.signed_in(name, PASSWORD).await;
        let key = json!({"name": "k", "scopes": ["read"]});
        let key = user.post("/api/tokens", &key).reply().await.expect(201).json();
        let by_key = admin.with_token(key["token"].as_str().expect("token"));
        let (mut one, mut other) = (open(&by_key).await, open(&user).await);
        let path = format!("/api/tokens/{}", key["_id"].as_str().expect("_id"));
        user.call("DELETE", &path).reply().await.expect(204);
        ends(&mut one, 4401, "signed_out").await;
        assert_eq!(other.ask(&json!({"op": "ping"})).await["op"], "ok", "the session goes on");

        let patch = admin.call("PATCH", &format!("/api/users/{name}")).header("if-match", "*");
        patch.json(&json!({"privileges": {"ads": 1}})).reply().await.expect(200);
        ends(&mut other, 4403, "rights_changed").await;
        let mut one = open(&user).await;
        let patch = admin.call("PATCH", &format!("/api/users/{name}")).header("if-match", "*");
        patch.json(&json!({"is_enabled": false})).reply().await.expect(200);
        ends(&mut one, 4401, "signed_out").await;
    }
    // An operator sees who is there, and sends away: sockets and streams.
    let mut socket = Socket::open(&admin).await;
    socket.subscribe(3, &["changes:ads", "queue"], json!({"credit": 9})).await;
    let mut stream = Stream::open(&admin, "changes:ads", None).await.expect("a stream");
    stream.expect("hello", SOON).await;
    let listed = admin.read("/api/admin/connections").await;
    let items = listed["_items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{listed}");
    let shown = &items[0];
    assert_eq!((&shown["kind"], &shown["username"]), (&json!("socket"), &json!("admin")), "{shown}");
    assert!(
        shown["since"].is_string() && shown["address"] == "127.0.0.1" && shown["messages"] == 1,
        "{shown}"
    );
    let subscription = &shown["subscriptions"][0];
    assert_eq!((&subscription["id"], &subscription["topics"]), (&json!(3), &json!("changes:ads,queue")));
    assert_eq!((&subscription["credit"], &subscription["unacknowledged"]), (&json!(9), &json!(0)));
    assert_eq!((&items[1]["kind"], &items[1]["about"]), (&json!("events"), &json!("changes:ads")));
    let present = admin.read("/api/presence").await;
    assert_eq!(
        (&present["_items"][0]["username"], &present["_items"][0]["connections"]),
        (&json!("admin"), &json!(2))
    );
    for item in items {
        let path = format!("/api/admin/connections/{}", item["_id"].as_str().expect("_id"));
        admin.call("DELETE", &path).reply().await.expect(204);
    }
    ends(&mut socket, 4409, "disconnected").await;
    assert_eq!(stream.expect("bye", SOON).await.data["reason"], "disconnected");
    problem("unknown", &admin.call("DELETE", "/api/admin/connections/999").reply().await, 404);
    let user = person(&admin, "eve", "user").await;
    problem("not hers", &user.get("/api/admin/connections").reply().await, 403);

    // The server waits for its sockets when it stops.
    let mut socket = Socket::open(&admin).await;
    socket.subscribe(1, &["changes"], json!({})).await;
    let waiting = tokio::spawn(async move { socket.end().await });
    tokio::task::block_in_place(|| server.stop());
    assert_eq!(waiting.await.expect("the socket"), (1001, "shutdown".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_open_a_socket() {
    let (server, admin) = with_flags(&["limits.streams_per_user_max=2", "limits.streams_max=3"]).await;
    let token = admin.token().to_owned();
    let bearer = format!("Bearer {token}");
    let open =
        async |path: &str, headers: &[(&'static str, &str)]| Socket::try_open(&admin, path, headers).await;
    let refused = async |path: &str, headers: &[(&'static str, &str)]| open(path, headers).await.err();
    assert_eq!(refused("/api/ws", &[]).await, Some(401));
    assert_eq!(refused("/api/ws", &[("authorization", "Bearer nonsense")]).await, Some(401));
    assert_eq!(refused("/api/ws?ticket=nonsense", &[]).await, Some(401));
    assert_eq!(refused("/api/ws?ticket=nonsense", &[("authorization", &bearer)]).await, Some(401));
    // A cookie counts only from our own pages.
    let cookie = format!("sid={token}");
    let here = server.address().get();
    assert_eq!(refused("/api/ws", &[("cookie", &cookie)]).await, Some(403));
    assert_eq!(
        refused("/api/ws", &[("cookie", &cookie), ("origin", "http://evil.example")]).await,
        Some(403)
    );
    let ours = open("/api/ws", &[("cookie", &cookie), ("origin", &here)]).await;
    assert!(ours.is_ok());
    drop(ours);
    // A ticket is good once, wherever the page comes from.
    let made = admin.post("/api/ws/tickets", &json!({})).reply().await.expect(201).json();
    assert_eq!(made["expires_in_s"], 30);
    let path = format!("/api/ws?ticket={}", made["ticket"].as_str().expect("a ticket"));
    let mut by_ticket =
        open(&path, &[("origin", "http://evil.example")]).await.unwrap_or_else(|status| panic!("{status}"));
    by_ticket.subscribe(1, &["changes:ads"], json!({})).await;
    assert_eq!(refused(&path, &[("cookie", &cookie), ("origin", &here)]).await, Some(401), "used");
    problem("a stranger", &Client::stranger(&server).post("/api/ws/tickets", &json!({})).reply().await, 401);
    // Not a socket, and not our language.
    let plain = problem("no upgrade", &admin.get("/api/ws").reply().await, 426);
    assert_eq!(plain["type"], "upgrade-required");
    let other = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "soap")];
    assert_eq!(refused("/api/ws", &other).await, Some(400));

    // So many of a user, so many of all.
    let by_header = [("authorization", bearer.as_str())];
    let deadline = tokio::time::Instant::now() + SOON;
    let second = loop {
        // The first one's end is noticed in its own time.
        match open("/api/ws", &by_header).await {
            Ok(socket) => break socket,
            Err(status) => assert_eq!(status, 429),
        }
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(refused("/api/ws", &by_header).await, Some(429));
    problem("a stream", &admin.get("/api/stream").reply().await, 429);
    let ann = person(&admin, "ann", "user").await;
    let of_ann = Socket::open(&ann).await;
    let bearer_of_ann = format!("Bearer {}", ann.token());
    assert_eq!(refused("/api/ws", &[("authorization", &bearer_of_ann)]).await, Some(503));
    drop((second, of_ann));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_keep_to_the_rules_is_sent_away() {
    let (_server, admin) =
        with_flags(&["limits.socket_silence_s=2", "limits.streams_per_address_max=4"]).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(Socket::open(&admin).await);
    }
    let bearer = format!("Bearer {}", admin.token());
    let refused = Socket::try_open(&admin, "/api/ws", &[("authorization", &bearer)]).await;
    assert_eq!(refused.err(), Some(429), "of one address");
    let [mut binary, mut large, mut many, quiet] = <[Socket; 4]>::try_from(held).ok().expect("four");
    // One that is read answers pings by itself.
    let mut listening = quiet;
    let listened = tokio::spawn(async move {
        let silent = tokio::time::timeout(Duration::from_secs(4), listening.event()).await;
        assert!(silent.is_err(), "{silent:?}");
        listening.ask(&json!({"op": "ping"})).await
    });
    binary.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(binary.end().await, (1003, "binary_message".to_owned()));
    large.send(Message::text("x".repeat(300 << 10))).await;
    assert_eq!(large.end().await, (1009, "message_too_large".to_owned()));
    for _ in 0..1_000 {
        many.say(&json!({"op": "ping"})).await;
    }
    let (mut done, mut too_many) = (0, 0);
    for _ in 0..1_000 {
        let answer = many.answer().await;
        match answer["status"].as_u64() {
            None => done += 1,
            Some(status) => {
                assert_eq!((status, &answer["type"]), (429, &json!("rate-limited")), "{answer}");
                too_many += 1;
            }
        }
    }
    assert!(done >= 500 && too_many >= 100, "{done} done, {too_many} too many");
    let mut sent = 0;
    while sent < 4_000 && many.send(Message::text("{\"op\":\"ping\"}")).await {
        sent += 1;
    }
    assert_eq!(many.end().await, (4429, "too_many_messages".to_owned()));
    assert_eq!(listened.await.expect("the quiet one")["op"], "ok");

    // One that is not read for so long answers no ping.
    let mut absent = Socket::open(&admin).await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(absent.end().await, (4410, "silent".to_owned()));
}
