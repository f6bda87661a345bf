//! Streams over a real connection: who may go on reading, and how much comes at a time.

use std::time::Duration;

use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use dateline_engine::{Condition, DocId, Durability, Seq, Transaction};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::caller::Caller;
use super::changes;
use super::connections::Kind;
use super::position::Place;
use super::reader::{BYTES_MAX, Bounds, Reader};
use super::tailing::Tailing;
use super::topics::Topics;
use super::view::View;
use crate::auth::credentials::Credentials;
use crate::eve::Filter;
use crate::http::Peer;
use crate::testing::{Running, bearer};

const PASSWORD: &str = "correct horse";
const SOON: Duration = Duration::from_secs(10);
const LINES: &str = "application/x-ndjson";

/// An answer that goes on.
struct Open {
    status: StatusCode,
    body: Incoming,
    text: String,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Open {
    async fn get(server: &Running, path: &str, authorization: &str, accept: &str) -> Self {
        let [path, authorization, accept] = [path, authorization, accept].map(str::to_owned);
        Self::get_at(server.address.clone(), path, authorization, accept).await
    }

    async fn get_at(address: String, path: String, authorization: String, accept: String) -> Self {
        let stream = TcpStream::connect(&address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(async move { drop(connection.await) });
        let request = Request::get(path)
            .header("host", &address)
            .header("authorization", authorization)
            .header("accept", accept)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        Self { status: parts.status, body, text: String::new(), driver }
    }

    /// Reads until a text has come.
    async fn until(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            assert!(self.more().await, "ended before '{wanted}': {}", self.text);
        }
    }

    /// Reads to the end.
    async fn end(&mut self) -> &str {
        while self.more().await {}
        &self.text
    }

    async fn more(&mut self) -> bool {
        let frame = tokio::time::timeout(SOON, self.body.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("nothing more came after: {}", self.text));
        let Some(frame) = frame else { return false };
        let data = frame.unwrap().into_data().unwrap_or_default();
        self.text.push_str(std::str::from_utf8(&data).unwrap());
        true
    }
}

async fn start() -> (Running, String) {
    let server = Running::start().await;
    server.add_user("admin", PASSWORD, "administrator").await;
    let session = server.sign_in("admin", PASSWORD).await;
    (server, bearer(&session["token"]))
}

/// Commits documents of `ads` as one group.
async fn write_group(server: &Running, group: usize, documents: usize, text: &str) {
    let ads = server.app.store().catalog().by_name("ads").unwrap().id;
    let body = Bytes::from(json!({"title": "x", "text": text, "_version": 1}).to_string());
    let mut transaction = Transaction::new(Durability::Buffered);
    for number in 0..documents {
        let id = DocId::new(format!("{group}-{number}")).unwrap();
        transaction = transaction.put(ads, id, Condition::Always, body.clone());
    }
    server.app.commit(transaction).await.unwrap();
}

async fn write_ad(server: &Running, authorization: &str, id: &str) -> Value {
    let body = json!({"_id": id, "title": id, "coords": [1, 2]}).to_string();
    let headers = [("authorization", authorization), ("prefer", "durability=buffered")];
    let seen = server.post("/api/ads", &headers, &body).await;
    assert_eq!(seen.status, 201, "{:?}", seen.body);
    seen.json()
}

/// Waits until the log is durable as far as it is written.
async fn settle(server: &Running) -> Seq {
    let applied = server.app.store().watermark().applied().seq;
    let mut tail = server.app.tail();
    tokio::time::timeout(SOON, tail.wait_for(|tail| tail.seq >= applied)).await.unwrap().unwrap();
    applied
}

/// Changes one field of a user.
fn change_user(server: &Running, name: &str, field: &str, value: Value) {
    let (store, auth) = (server.app.store(), server.app.auth());
    let user = auth.users().find(store, name).unwrap().unwrap();
    let mut fields = user.fields.clone();
    fields.insert(field.to_owned(), value);
    let users = store.catalog().by_name("users").unwrap().id;
    let body = serde_json::to_vec(&fields).unwrap();
    let transaction = Transaction::new(Durability::Buffered);
    store.commit(transaction.put(users, user.id().clone(), Condition::Present, body)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_session_or_key_or_user_ends_its_streams() {
    let (server, admin) = start().await;
    let ann = server.add_user("Ann", PASSWORD, "user").await;
    for way in ["sign out", "revoke", "disable", "delete"] {
        let session = server.sign_in("ann", PASSWORD).await;
        let own = bearer(&session["token"]);
        let key = if way == "revoke" {
            let body = json!({"name": "k", "scopes": ["read"]}).to_string();
            server.post("/api/tokens", &[("authorization", &own)], &body).await.json()
        } else {
            Value::Null
        };
        let authorization = if way == "revoke" { bearer(&key["token"]) } else { own.clone() };
        let mut events =
            Open::get(&server, "/api/stream?topics=changes:ads", &authorization, "text/event-stream").await;
        let head = settle(&server).await;
        let path = format!("/api/changes?since={head}&collections=ads");
        let mut lines = Open::get(&server, &path, &authorization, LINES).await;
        assert_eq!((events.status.as_u16(), lines.status.as_u16()), (200, 200), "{way}");
        let path = format!("/api/changes?since={head}&collections=fences&wait=60");
        let poll = tokio::spawn(Open::get_at(server.address.clone(), path, authorization, String::new()));
        let before = format!("{}-before", way.replace(' ', "-"));
        write_ad(&server, &admin, &before).await;
        events.until(&before).await;
        lines.until(&before).await;
        match way {
            "sign out" => {
                let path = format!("/api/auth/{}", session["_id"].as_str().unwrap());
                let seen = server.send(Method::DELETE, &path, &[("authorization", &own)], "").await;
                assert_eq!(seen.status, 204);
            }
            "revoke" => {
                let path = format!("/api/tokens/{}", key["_id"].as_str().unwrap());
                let seen = server.send(Method::DELETE, &path, &[("authorization", &own)], "").await;
                assert_eq!(seen.status, 204);
            }
            "disable" => change_user(&server, "ann", "is_enabled", json!(false)),
            _ => {
                let store = server.app.store();
                let users = store.catalog().by_name("users").unwrap().id;
                let transaction = Transaction::new(Durability::Buffered);
                let id = DocId::new(&ann).unwrap();
                store.commit(transaction.delete(users, id, Condition::Present)).unwrap();
            }
        }
        write_ad(&server, &admin, &format!("secret-{}", way.replace(' ', "-"))).await;
        let text = events.end().await;
        assert!(text.contains("event: bye\ndata: {\"reason\":\"signed_out\""), "{way}: {text}");
        assert!(!text.contains("secret-"), "{way}: {text}");
        assert!(!lines.end().await.contains("secret-"), "{way}");
        let poll = tokio::time::timeout(SOON, poll).await.unwrap().unwrap();
        assert_eq!(poll.status, 401, "{way}");
        if way == "disable" {
            change_user(&server, "ann", "is_enabled", json!(true));
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_rights_show_less_or_end_the_stream() {
    let (server, admin) = start().await;
    server.add_user("bob", PASSWORD, "administrator").await;
    let bob = bearer(&server.sign_in("bob", PASSWORD).await["token"]);
    let sse = "text/event-stream";
    let mut queue = Open::get(&server, "/api/stream?topics=queue,changes:ads", &bob, sse).await;
    let mut all = Open::get(&server, "/api/stream?topics=changes", &bob, sse).await;
    let somebodys_device = |id: &str| {
        let store = server.app.store();
        let devices = store.catalog().by_name("devices").unwrap().id;
        let body = json!({"user": "somebody", "_version": 1}).to_string();
        let transaction = Transaction::new(Durability::Buffered);
        let id = DocId::new(id).unwrap();
        store.commit(transaction.put(devices, id, Condition::Always, body)).unwrap();
    };
    somebodys_device("shown-device");
    all.until("shown-device").await;
    write_ad(&server, &admin, "first").await;
    queue.until("\"first\"").await;
    change_user(&server, "bob", "user_type", json!("user"));
    somebodys_device("hidden-device");
    write_ad(&server, &admin, "second").await;
    let text = queue.end().await;
    assert!(text.contains("event: bye\ndata: {\"reason\":\"forbidden\""), "{text}");
    assert!(!text.contains("\"second\""), "{text}");
    all.until("\"second\"").await;
    assert!(!all.text.contains("hidden-device"), "somebody else's device: {}", all.text);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buffered_write_is_a_place_to_read_on_from() {
    let (server, admin) = start().await;
    for round in 0..20 {
        let made = write_ad(&server, &admin, &format!("ad-{round}")).await;
        let path = format!("/api/changes?since={}", made["_seq"]);
        let seen = server.get(&path, &[("authorization", &admin)]).await;
        assert_eq!(seen.status, 200, "{round}: {:?}", seen.body);
        assert!(seen.json()["last_seq"].as_u64() >= made["_seq"].as_u64());
    }
    let beyond = server.app.store().watermark().applied().seq.get() + 1_000;
    let seen = server.get(&format!("/api/changes?since={beyond}"), &[("authorization", &admin)]).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["_issues"]["since"]), (410, &json!("future")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_documents_come_in_bounded_pages_of_whole_groups() {
    const GROUPS: usize = 5;
    const DOCUMENTS: usize = 3;
    let (server, admin) = start().await;
    let before = settle(&server).await;
    let text = "x".repeat(BYTES_MAX / 8);
    for group in 0..GROUPS {
        write_group(&server, group, DOCUMENTS, &text).await;
    }
    let head = settle(&server).await;
    let mut ids = Vec::new();
    let (mut at, mut pages) = (before.get(), 0);
    while at < head.get() {
        let path = format!("/api/changes?since={at}&include=doc&collections=ads");
        let seen = server.get(&path, &[("authorization", &admin)]).await;
        // The bound, and the group it was reached in.
        assert!(seen.body.len() < BYTES_MAX + (DOCUMENTS + 1) * text.len(), "{}", seen.body.len());
        let page = seen.json();
        let changes = page["changes"].as_array().unwrap();
        let last = changes.last().unwrap();
        assert_eq!(last["seq"], last["group_last"], "a group is cut");
        ids.extend(changes.iter().map(|change| change["_id"].as_str().unwrap().to_owned()));
        at = page["last_seq"].as_u64().unwrap();
        pages += 1;
    }
    let expected: Vec<String> =
        (0..GROUPS).flat_map(|group| (0..DOCUMENTS).map(move |number| format!("{group}-{number}"))).collect();
    assert_eq!((ids, pages), (expected, 2));

    // The same in the pieces of a stream.
    let mut reader = reader(&server, &admin, before);
    let taken = reader.take(Bounds::groups(512)).await.unwrap_or_else(|_| panic!("taken"));
    assert_eq!((taken.records, taken.events.len()), (9, 9), "three groups reach the bound");
    assert_eq!(reader.at().seq.get(), before.get() + 9);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_without_end_take_a_seat() {
    let (server, admin) = start().await;
    let caller = caller(&server, &admin);
    let take = || server.app.connections().take(Kind::Lines, &caller, "", server.app.store().now());
    let per_user = server.app.config().limits.streams_per_user_max;
    let mut held: Vec<_> = (0..per_user).map(|_| take().unwrap()).collect();
    let headers = [("authorization", admin.as_str()), ("accept", LINES)];
    let seen = server.get("/api/changes", &headers).await;
    assert_eq!((seen.status.as_u16(), seen.header("retry-after")), (429, "5"));
    assert_eq!(server.get("/api/changes", &headers[..1]).await.status, 200, "a page takes none");
    held.pop();
    let lines = Open::get(&server, "/api/changes", &admin, LINES).await;
    assert_eq!(lines.status, 200);
    assert!(take().is_err());
    drop(lines);
    let given_back = async {
        while take().is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, given_back).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catching_up_with_nothing_to_tell_moves_the_position() {
    let (server, admin) = start().await;
    let before = settle(&server).await;
    for group in 0..22 {
        write_group(&server, group, 600, "").await;
    }
    let head = settle(&server).await;
    let path = format!("/api/stream?topics=fences&last_event_id={before}");
    let mut events = Open::get(&server, &path, &admin, "text/event-stream").await;
    events.until("event: pos\n").await;
    let pos = events.text.split("event: pos\ndata: ").nth(1).unwrap();
    let pos: Value = serde_json::from_str(pos.lines().next().unwrap()).unwrap();
    let seq = pos["seq"].as_u64().unwrap();
    assert!(seq > before.get() && seq < head.get() && pos["head"].as_u64() >= Some(head.get()), "{pos}");
    let path = format!("/api/changes?since={before}&collections=fences");
    let mut lines = Open::get(&server, &path, &admin, LINES).await;
    lines.until("\n").await;
    let pos: Value = serde_json::from_str(lines.text.lines().next().unwrap()).unwrap();
    let seq = pos["pos"]["seq"].as_u64().unwrap();
    assert!(seq > before.get() && seq < head.get(), "{pos}");
    // Both still hear of the stop.
    let stopping = tokio::spawn(server.stop());
    assert!(events.end().await.contains("\"reason\":\"shutdown\""));
    lines.end().await;
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_say_when_the_log_is_gone_under_them() {
    let (server, admin) = start().await;
    let head = settle(&server).await;
    // A place that this log does not have answers like one that has been trimmed.
    let reader = reader(&server, &admin, Seq::new(head.get() + 1_000));
    let mut tailing = Tailing::new(server.app.clone(), reader, None);
    let (line, goes_on) = changes::next(&mut tailing).await.unwrap();
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["reset"]["reason"], "trimmed");
    assert!(line["reset"]["head"].as_u64() >= Some(head.get()) && !goes_on, "{line}");
    drop(tailing);
    server.stop().await;
}

fn caller(server: &Running, authorization: &str) -> Caller {
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("authorization", authorization.parse().unwrap());
    let app = &server.app;
    let credentials = Credentials::of(&headers, false).unwrap();
    let principal = app.auth().identify(app.store(), &credentials).unwrap().unwrap().principal;
    let peer = Peer { ip: [127, 0, 0, 1].into(), tls: false };
    Caller { principal, credentials, peer, agent: "test".into() }
}

fn reader(server: &Running, authorization: &str, at: Seq) -> Reader {
    let caller = caller(server, authorization);
    let topics = Topics::parse("changes:ads").unwrap();
    let view = View::new(&server.app, caller.principal, topics, Filter::everything(), true).unwrap();
    Reader::new(&server.app, caller.credentials, view, Place::after(at))
}
