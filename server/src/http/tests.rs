//! The frame and the gate, over a real connection.

use axum::extract::State;
use axum::http::Method;
use serde_json::{Value, json};

use super::{Access, Answer, Doc, JsonBody, ObjectBody, Param, RawBody, Routes};
use crate::app::App;
use crate::testing::{Running, Seen, test_config};

async fn panics() -> &'static str {
    panic!("a planted panic")
}

async fn echo(JsonBody(value): JsonBody) -> axum::Json<Value> {
    axum::Json(value)
}

async fn object(ObjectBody(map): ObjectBody) -> axum::Json<Value> {
    axum::Json(map.into())
}

async fn length(RawBody(bytes): RawBody) -> String {
    bytes.len().to_string()
}

async fn damaged(State(_): State<App>) -> Answer {
    Err(dateline_engine::Error::corrupt("heads/1/secret: bad crc").into())
}

async fn busy() -> Answer {
    Err(dateline_engine::Error::busy("the intake is full").into())
}

async fn number(axum::extract::Path(number): axum::extract::Path<u8>) -> String {
    number.to_string()
}

fn doc(access: Access) -> Doc {
    Doc::new("A test", "test", access).answer_as(200, "application/json", None)
}

fn routes() -> Routes {
    use Access::Public;
    const QUERY: &[Param] = &[Param::new("q", "string", "words")];
    crate::routes()
        .get("/t/panic", panics, doc(Public))
        .get("/t/damaged", damaged, doc(Public))
        .get("/t/busy", busy, doc(Public))
        .get("/t/number/{number}", number, doc(Public).query(QUERY))
        .post("/t/echo", echo, doc(Public))
        .post("/t/object", object, doc(Public))
        .post("/t/length", length, doc(Public))
        .post("/t/large", length, doc(Public).body_max(3 << 20))
        .put("/t/echo", echo, doc(Public))
        .get("/t/private", || async { "in" }, doc(Access::SignedIn))
        .post("/t/private", || async { "in" }, doc(Access::SignedIn))
        .get("/t/admin", || async { "in" }, doc(Access::Administrator))
        .get("/t/subscribers", || async { "in" }, doc(Access::Privilege("subscribers")))
}

async fn start() -> Running {
    Running::start_with(test_config(), routes()).await
}

/// Every error has the one body.
fn check_problem(seen: &Seen, status: u16, slug: &str) -> Value {
    let body = seen.json();
    assert_eq!(seen.status, status, "{body}");
    assert_eq!(body["type"], slug, "{body}");
    assert_eq!(body["status"], status);
    assert_eq!(body["_status"], "ERR");
    assert_eq!(body["_error"]["code"], status);
    assert!(body["_issues"].is_object() && body["_message"].is_string() && body["title"].is_string());
    assert_eq!(body["instance"], format!("urn:request:{}", seen.header("x-request-id")));
    body
}

#[tokio::test]
async fn unknown_addresses_and_methods() {
    let server = start().await;
    check_problem(&server.get("/nowhere", &[]).await, 404, "unknown-resource");
    let seen = server.send(Method::DELETE, "/t/echo", &[], "").await;
    check_problem(&seen, 405, "method-not-allowed");
    let mut allow: Vec<&str> = seen.header("allow").split(',').map(str::trim).collect();
    allow.sort_unstable();
    assert_eq!(allow, ["OPTIONS", "POST", "PUT"]);
    let seen = server.send(Method::OPTIONS, "/t/number/1", &[], "").await;
    assert_eq!((seen.status.as_u16(), seen.header("allow")), (204, "GET,HEAD,OPTIONS"));
    let seen = server.send(Method::HEAD, "/livez", &[], "").await;
    assert_eq!((seen.status.as_u16(), seen.body.len()), (200, 0));
    assert_eq!(server.get("/livez/", &[]).await.status, 200);
    // The router's own refusal of a path parameter becomes the one body, too.
    check_problem(&server.get("/t/number/many", &[]).await, 400, "bad-request");
    check_problem(&server.get("/t/number/%ff", &[]).await, 400, "bad-request");
}

#[tokio::test]
async fn errors_are_negotiated_and_named() {
    let server = start().await;
    let seen =
        server.get("/nowhere", &[("accept", "application/problem+json"), ("x-request-id", "my-1")]).await;
    assert_eq!(seen.header("content-type"), "application/problem+json");
    assert_eq!(seen.header("x-request-id"), "my-1");
    assert_eq!(check_problem(&seen, 404, "unknown-resource")["instance"], "urn:request:my-1");
    let seen = server.get("/nowhere", &[("accept", "application/json")]).await;
    assert_eq!(seen.header("content-type"), "application/json");
    let seen = server.get("/t/busy", &[]).await;
    check_problem(&seen, 429, "rate-limited");
    assert_eq!(seen.header("retry-after"), "1");
}

#[tokio::test]
async fn defects_answer_and_tell_nothing() {
    let server = start().await;
    for (path, slug) in [("/t/panic", "internal"), ("/t/damaged", "corrupt")] {
        let seen = server.get(path, &[]).await;
        let body = check_problem(&seen, 500, slug).to_string();
        assert!(!body.contains("planted") && !body.contains("secret"), "{body}");
    }
    assert_eq!(server.get("/livez", &[]).await.status, 200, "others go on");
}

#[tokio::test]
async fn bodies_are_bounded() {
    let server = start().await;
    let (small, large) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
    assert_eq!(server.post("/t/length", &[], &small).await.body, "1048576");
    check_problem(&server.post("/t/length", &[], &large).await, 413, "body-too-large");
    // Without an announced length the bound holds while reading.
    let chunked = server.post_chunked("/t/length", &large).await;
    check_problem(&chunked, 413, "body-too-large");
    assert_eq!(server.post("/t/large", &[], &large).await.body, "1048577");
    check_problem(&server.post("/t/large", &[], &"x".repeat((3 << 20) + 1)).await, 413, "body-too-large");

    assert_eq!(server.post("/t/echo", &[], &nested(64)).await.status, 200);
    check_problem(&server.post("/t/echo", &[], &nested(65)).await, 400, "json-too-complex");
    check_problem(&server.post("/t/echo", &[], "{\"a\":").await, 400, "malformed-json");
    check_problem(&server.post("/t/object", &[], "[]").await, 400, "bad-request");
    let check = |headers: &'static [(&'static str, &'static str)], status: u16| {
        let server = &server;
        async move { assert_eq!(server.post("/t/echo", headers, "{}").await.status, status, "{headers:?}") }
    };
    check(&[("content-type", "application/json; charset=utf-8")], 200).await;
    check(&[("content-type", "application/geo+json")], 200).await;
    check(&[("content-type", "text/plain")], 415).await;
    check(&[("content-encoding", "gzip")], 415).await;
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn headers_are_bounded() {
    let server = start().await;
    let long = format!("/livez?{}", "x".repeat(9000));
    check_problem(&server.get(&long, &[]).await, 414, "uri-too-long");
    check_problem(&server.get("/livez", &[("x-a", &"y".repeat(17_000))]).await, 431, "headers-too-large");
    assert_eq!(server.get("/livez", &[("x-a", &"y".repeat(15_000))]).await.status, 200);
}

#[tokio::test]
async fn every_answer_is_dressed() {
    let server = start().await;
    for path in ["/livez", "/nowhere", "/", "/docs", "/t/private"] {
        let seen = server.get(path, &[]).await;
        assert_eq!(seen.header("x-content-type-options"), "nosniff", "{path}");
        assert!(seen.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(
            !seen.header("cache-control").is_empty() && !seen.header("x-request-id").is_empty(),
            "{path}"
        );
        assert!(seen.headers.get("server").is_none());
    }
    assert_eq!(server.get("/livez", &[]).await.header("cache-control"), "private, no-store");
    assert!(server.get("/", &[]).await.header("content-security-policy").contains("default-src 'self'"));
}

#[tokio::test]
async fn access_is_checked_before_the_handler() {
    let server = start().await;
    server.add_user("admin", "correct horse", "administrator").await;
    server.add_user("ann", "correct horse", "user").await;
    let admin = crate::testing::bearer(&server.sign_in("admin", "correct horse").await["token"]);
    let ann = crate::testing::bearer(&server.sign_in("ann", "correct horse").await["token"]);
    let check = |path: &'static str, token: Option<String>, status: u16| {
        let server = &server;
        async move {
            let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
            let seen = server.get(path, &headers).await;
            assert_eq!(seen.status, status, "{path}");
            seen
        }
    };
    let seen = check("/t/private", None, 401).await;
    assert_eq!(check_problem(&seen, 401, "unauthorized")["_issues"], json!({"auth": 1}));
    assert_eq!(seen.header("www-authenticate"), "Bearer");
    check("/t/private", Some("Bearer nonsense".into()), 401).await;
    check("/t/private", Some(ann.clone()), 200).await;
    check_problem(&check("/t/admin", Some(ann.clone()), 403).await, 403, "forbidden");
    check("/t/subscribers", Some(ann.clone()), 403).await;
    check("/t/admin", Some(admin.clone()), 200).await;
    check("/t/subscribers", Some(admin), 200).await;
    check("/livez", Some("Bearer nonsense".into()), 200).await;
}

#[tokio::test]
async fn the_document_describes_what_is_served() {
    let server = start().await;
    let seen = server.get("/openapi.json", &[]).await;
    let document = seen.json();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = Vec::new();
    find_references(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    assert!(schemas.contains_key("Problem"));
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            assert!(operation["x-privilege"].is_string(), "{method} {path}");
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let name = name.trim_end_matches('}');
                let told = operation["parameters"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|p| p["name"] == name && p["in"] == "path");
                assert!(told, "{method} {path}: {name}");
            }
            // The address exists: whatever the answer, it is not the router's 404 or 405.
            let address = path
                .replace("{slug}", "gone")
                .replace("{number}", "1")
                .replace("{id}", "x")
                .replace("{path}", "x");
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let seen = server.send(method, &address, &[], "").await;
            let slug = serde_json::from_slice::<Value>(&seen.body).unwrap_or_default()["type"].clone();
            assert!(slug != "unknown-resource" && slug != "method-not-allowed", "{path}: {slug}");
        }
    }
    assert!(ids.contains("get_t_number_number") && ids.contains("post_api_auth"));
}

fn find_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| find_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find_references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn pages_about_problems_health_and_figures() {
    let server = start().await;
    let gone = server.get("/docs/problems/gone", &[]).await;
    assert!(gone.status == 200 && String::from_utf8_lossy(&gone.body).contains("410"));
    check_problem(&server.get("/docs/problems/nothing", &[]).await, 404, "not-found");
    assert!(String::from_utf8_lossy(&server.get("/docs", &[]).await.body).contains("/api/auth"));

    let ready = server.get("/readyz?verbose", &[]).await;
    assert_eq!(ready.status, 200);
    let ready = ready.json();
    assert_eq!(ready["checks"]["engine"]["ok"], true);
    assert!(ready["seq"].is_u64() && ready["followers"].is_object());
    assert_eq!(server.get("/readyz", &[]).await.json(), json!({"status": "ok"}));

    let at = server.app.store().watermark().durable();
    let state = move |failed: Option<&str>| crate::health::FollowerState {
        at,
        failed: failed.map(str::to_owned),
        positions: false,
    };
    server.app.watch_follower("good", move || state(None));
    assert_eq!(server.get("/readyz?verbose=1", &[]).await.json()["followers"]["good"]["lag"], 0);
    server.app.watch_follower("bad", move || state(Some("disk full")));
    let ready = server.get("/readyz?verbose=1", &[]).await;
    assert_eq!(ready.status, 503);
    assert!(ready.json()["checks"]["follower bad"]["detail"].as_str().unwrap().contains("disk full"));

    let figures = server.get("/metrics", &[]).await;
    assert!(figures.header("content-type").starts_with("application/openmetrics-text"));
    let figures = String::from_utf8(figures.body.to_vec()).unwrap();
    for line in [
        "dateline_http_requests_total{method=\"GET\",route=\"/readyz\",status=\"503\"} 1",
        "dateline_follower_failed{follower=\"bad\"} 1",
        "dateline_http_request_duration_seconds_count{method=\"GET\",route=\"/docs\"} 1",
        "dateline_connections 1",
        "dateline_log_seq ",
        "dateline_commit_syncs_total ",
    ] {
        assert!(figures.contains(line), "{line} is missing in\n{figures}");
    }
    assert!(figures.ends_with("# EOF\n"));
    let mut described: Vec<&str> = figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let all = described.len();
    described.sort_unstable();
    described.dedup();
    assert_eq!(described.len(), all, "a family is described twice");
}
