//! The routes a server has and how it describes them, and what operators see of it.

use crate::client::Client;
use crate::program::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_described() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let description = Client::stranger(&server).get("/openapi.json").reply().await.expect(200).json();
    assert!(
        description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        description["openapi"]
    );
    let paths = description["paths"].as_object().expect("paths");
    let shape = |path: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let described = |method: &str, path: &str| {
        paths.iter().any(|(known, operations)| shape(known) == path && operations.get(method).is_some())
    };
    let routes = [
        "get /livez",
        "get /readyz",
        "get /metrics",
        "get /openapi.json",
        "post /api/auth",
        "post /api/auth_db",
        "get /api/auth/{}",
        "delete /api/auth/{}",
        "get /api/sessions",
        "get /api/changes",
        "get /api/stream",
        "get /api/ws",
        "post /api/ws/tickets",
        "get /api/subscriptions",
        "delete /api/subscriptions/{}",
        "get /api/presence",
        "get /api/admin/connections",
        "delete /api/admin/connections/{}",
        "get /api/feeds",
        "post /api/feeds",
        "get /api/feeds/{}",
        "delete /api/feeds/{}",
        "post /api/feeds/{}/read",
        "post /api/feeds/{}/ack",
        "post /api/feeds/{}/reset",
        "post /api/positions",
        "get /api/positions",
        "get /api/positions/{}",
        "get /api/adlists/{}/matches",
        "get /api/fences",
        "get /api/devices/{}/fences",
        "get /api/explain/match",
        "get /api",
    ];
    for route in routes {
        let (method, path) = route.split_once(' ').expect("method and path");
        assert!(
            described(method, path) || described(method, &format!("{path}/")),
            "{route} is not in /openapi.json"
        );
    }
    for resource in ["users", "ads", "adlists", "fences", "devices", "collections"] {
        for (method, rest) in
            [("get", ""), ("post", ""), ("get", "/{}"), ("patch", "/{}"), ("put", "/{}"), ("delete", "/{}")]
        {
            let own = described(method, &format!("/api/{resource}{rest}"));
            assert!(
                own || described(method, &format!("/api/{{}}{rest}")),
                "{method} /api/{resource}{rest} is not in /openapi.json"
            );
        }
    }
    for resource in [
        "matches",
        "fence_events",
        "positions",
        "users",
        "ads",
        "adlists",
        "fences",
        "devices",
        "collections",
    ] {
        admin.get(&format!("/api/{resource}")).reply().await.expect(200);
    }
    // What is described exists, and every reference leads somewhere.
    for (path, operations) in paths {
        if operations.get("get").is_some() && !path.contains('{') && path != "/api/stream" {
            let reply = admin.get(path).reply().await;
            assert!(!matches!(reply.status, 404 | 405 | 500..), "{path} is described: {}", reply.text());
        }
    }
    let text = description.to_string();
    for (_, name) in text
        .match_indices("\"$ref\":\"#/components/schemas/")
        .map(|(at, found)| (at, &text[at + found.len()..]))
    {
        let name = name.split('"').next().expect("a name");
        assert!(!description["components"]["schemas"][name].is_null(), "no schema {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_can_look_inside() {
    let server = Server::start();
    let stranger = Client::stranger(&server);
    stranger.get("/livez").reply().await.expect(200);
    stranger.get("/readyz").reply().await.expect(200);
    let ready = stranger.get("/readyz?verbose").reply().await.expect(200).json();
    assert!(ready["seq"].is_u64() && ready["checks"].is_object(), "{ready}");
    let followers = ready["followers"].as_object().expect("followers");
    assert!(
        !followers.is_empty()
            && followers.values().all(|follower| follower["seq"].is_u64() && follower["lag"].is_u64()),
        "{ready}"
    );
    let metrics = stranger.get("/metrics").reply().await.expect(200);
    assert!(
        metrics.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")),
        "{:?}",
        metrics.headers
    );
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE"), "{text}");
    let page = stranger.get("/").header("accept", "text/html").reply().await.expect(200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'"), "{policy}");
    stranger.get("/docs").reply().await.expect(200);
    let kind = stranger.get("/api/ads").reply().await.json()["type"].as_str().expect("type").to_owned();
    let slug = kind.rsplit('/').next().expect("a slug");
    stranger.get(&format!("/docs/problems/{slug}")).reply().await.expect(200);
    let reply = stranger.get("/api/ads").reply().await;
    assert!(
        reply.header("x-request-id").is_some() && reply.header("x-content-type-options") == Some("nosniff"),
        "{:?}",
        reply.headers
    );
}
