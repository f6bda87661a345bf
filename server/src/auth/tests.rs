//! Signing in and what comes after, over a real connection.

use axum::http::Method;
use serde_json::{Value, json};

use crate::app::App;
use crate::testing::{Running, bearer, manual_clock, test_config};

const PASSWORD: &str = "correct horse";

async fn start() -> Running {
    let server = Running::start().await;
    server.add_user("admin", PASSWORD, "administrator").await;
    server.add_user("Ann", PASSWORD, "user").await;
    server
}

async fn try_sign_in(server: &Running, name: &str, password: &str) -> crate::testing::Seen {
    server.post("/api/auth", &[], &json!({"username": name, "password": password}).to_string()).await
}

#[tokio::test]
async fn a_session_from_sign_in_to_sign_out() {
    let server = start().await;
    let seen = try_sign_in(&server, "ann", PASSWORD).await;
    assert_eq!(seen.status, 201);
    let session = seen.json();
    assert_eq!((session["username"].as_str(), session["_status"].as_str()), (Some("Ann"), Some("OK")));
    let cookie = seen.header("set-cookie");
    assert!(
        cookie.starts_with("sid=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(cookie.contains("Path=/") && !cookie.contains("Secure"), "{cookie}");

    let token = session["token"].as_str().unwrap();
    let basic = {
        use base64::Engine;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{token}:")))
    };
    let id = session["_id"].as_str().unwrap();
    let path = format!("/api/auth/{id}");
    for header in [format!("Bearer {token}"), format!("Token {token}"), basic] {
        let seen = server.get(&path, &[("authorization", &header)]).await;
        assert_eq!(seen.status, 200, "{header}");
        let text = seen.json().to_string();
        assert!(!text.contains("sha256") && !text.contains(token), "{text}");
    }
    let listed = server.get("/api/sessions", &[("authorization", &bearer(&session["token"]))]).await.json();
    assert_eq!(listed["_items"][0]["_id"], id);
    assert_eq!(listed["_items"][0]["current"], true);
    assert_eq!(listed["_meta"]["total"], 1);

    let authorization = bearer(&session["token"]);
    let seen = server.send(Method::DELETE, &path, &[("authorization", &authorization)], "").await;
    assert_eq!(seen.status, 204);
    assert!(seen.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(server.get(&path, &[("authorization", &authorization)]).await.status, 401);
}

#[tokio::test]
async fn wrong_names_and_passwords_look_alike() {
    let server = start().await;
    let (unknown, wrong) =
        (try_sign_in(&server, "nobody", "x").await, try_sign_in(&server, "ann", "x").await);
    for seen in [&unknown, &wrong] {
        assert_eq!(seen.status, 401);
        assert_eq!(seen.json()["_issues"], json!({"credentials": 1}));
        assert!(seen.headers.get("set-cookie").is_none());
    }
    let body = |seen: &crate::testing::Seen| {
        let mut body = seen.json();
        body["instance"].take();
        body
    };
    assert_eq!(body(&unknown), body(&wrong));
    assert_eq!(server.post("/api/auth", &[], r#"{"username": "ann"}"#).await.status, 400);
    assert_eq!(server.post("/api/auth", &[], r#"{"username": "ann", "password": 1}"#).await.status, 400);
    assert_eq!(try_sign_in(&server, "ann", "").await.status, 401);
    assert_eq!(
        server
            .post("/api/auth_db", &[], &json!({"username": "ANN", "password": PASSWORD}).to_string())
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let server = start().await;
    for _ in 0..5 {
        assert_eq!(try_sign_in(&server, "ann", "wrong").await.status, 401);
    }
    let seen = try_sign_in(&server, "ann", PASSWORD).await;
    assert_eq!(seen.status, 429);
    assert!(seen.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(try_sign_in(&server, "admin", PASSWORD).await.status, 201, "others are not held up");
}

#[tokio::test]
async fn disabled_and_external_users_stay_out() {
    let server = start().await;
    let (store, auth) = (server.app.store(), server.app.auth());
    let session = server.sign_in("ann", PASSWORD).await;
    let change = |field: &str, value: Value| {
        let user = auth.users().find(store, "ann").unwrap().unwrap();
        let mut fields = user.fields.clone();
        fields.insert(field.to_owned(), value);
        let tx = dateline_engine::Transaction::new(dateline_engine::Durability::Buffered);
        let users = store.catalog().by_name("users").unwrap().id;
        let body = serde_json::to_vec(&fields).unwrap();
        store.commit(tx.put(users, user.id().clone(), dateline_engine::Condition::Present, body)).unwrap();
    };
    change("is_enabled", json!(false));
    let seen = try_sign_in(&server, "ann", PASSWORD).await;
    assert_eq!((seen.status.as_u16(), seen.json()["_issues"].clone()), (403, json!({"is_enabled": false})));
    let authorization = bearer(&session["token"]);
    assert_eq!(server.get("/api/sessions", &[("authorization", &authorization)]).await.status, 401);
    change("is_enabled", json!(true));
    change("is_active", json!(false));
    assert_eq!(try_sign_in(&server, "ann", PASSWORD).await.json()["_issues"], json!({"is_active": false}));
    change("is_active", json!(true));
    change("user_type", json!("external"));
    assert_eq!(
        try_sign_in(&server, "ann", PASSWORD).await.json()["_issues"],
        json!({"user_type": "external"})
    );
    assert_eq!(
        try_sign_in(&server, "ann", "wrong").await.status,
        401,
        "told only to those who know the password"
    );
}

#[tokio::test]
async fn a_cookie_needs_the_right_host_and_origin() {
    let server = start().await;
    let session = server.sign_in("ann", PASSWORD).await;
    let cookie = format!("sid={}", session["token"].as_str().unwrap());
    let path = format!("/api/auth/{}", session["_id"].as_str().unwrap());
    let here = format!("http://{}", server.address);
    let check = |method: Method, headers: Vec<(&'static str, String)>, status: u16| {
        let (server, path, cookie) = (&server, &path, &cookie);
        async move {
            let mut all = vec![("cookie", cookie.as_str())];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
            let seen = server.send(method.clone(), path, &all, "").await;
            assert_eq!(seen.status, status, "{method} {headers:?}");
        }
    };
    check(Method::GET, vec![], 200).await;
    check(Method::GET, vec![("host", "rebound.example".into())], 421).await;
    check(Method::GET, vec![("host", "localhost:1".into())], 200).await;
    check(Method::DELETE, vec![], 403).await;
    check(Method::DELETE, vec![("origin", "http://evil.example".into())], 403).await;
    check(Method::DELETE, vec![("sec-fetch-site", "cross-site".into())], 403).await;
    check(Method::DELETE, vec![("sec-fetch-site", "same-site".into()), ("origin", here.clone())], 403).await;
    check(Method::GET, vec![("upgrade", "websocket".into()), ("origin", "http://evil.example".into())], 403)
        .await;
    check(Method::DELETE, vec![("origin", here)], 204).await;
    // A header needs no such proof: no page can make a browser add it.
    let other = server.sign_in("ann", PASSWORD).await;
    let path = format!("/api/auth/{}", other["_id"].as_str().unwrap());
    let authorization = bearer(&other["token"]);
    let headers = [
        ("authorization", authorization.as_str()),
        ("host", "rebound.example"),
        ("origin", "http://evil.example"),
    ];
    assert_eq!(server.send(Method::DELETE, &path, &headers, "").await.status, 204);
    let headers = [("sec-fetch-site", "cross-site")];
    let body = json!({"username": "ann", "password": PASSWORD}).to_string();
    assert_eq!(server.post("/api/auth", &headers, &body).await.status, 403, "no sign-in from another site");
}

#[tokio::test]
async fn sessions_of_others() {
    let server = start().await;
    let ann = server.sign_in("ann", PASSWORD).await;
    let admin = server.sign_in("admin", PASSWORD).await;
    let (as_ann, as_admin) = (bearer(&ann["token"]), bearer(&admin["token"]));
    let of_admin = format!("/api/auth/{}", admin["_id"].as_str().unwrap());
    assert_eq!(server.get(&of_admin, &[("authorization", &as_ann)]).await.status, 404);
    assert_eq!(server.send(Method::DELETE, &of_admin, &[("authorization", &as_ann)], "").await.status, 404);
    let of_ann = format!("/api/users/{}/sessions", ann["user"].as_str().unwrap());
    let admins = format!("/api/users/{}/sessions", admin["user"].as_str().unwrap());
    assert_eq!(server.send(Method::DELETE, &admins, &[("authorization", &as_ann)], "").await.status, 403);
    assert_eq!(server.get(&of_ann, &[("authorization", &as_admin)]).await.json()["_meta"]["total"], 1);
    assert_eq!(server.send(Method::DELETE, &of_ann, &[("authorization", &as_admin)], "").await.status, 204);
    assert_eq!(server.get("/api/sessions", &[("authorization", &as_ann)]).await.status, 401);
    assert_eq!(server.get("/api/sessions", &[("authorization", &as_admin)]).await.status, 200);
}

#[tokio::test]
async fn sessions_survive_a_restart_and_end_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let clock = manual_clock();
    let open = || {
        let clock = std::sync::Arc::clone(&clock);
        App::builder().data(dir.path()).config(test_config()).clock(clock).open().unwrap()
    };
    let server = Running::serve(open(), crate::routes()).await;
    server.add_user("ann", PASSWORD, "user").await;
    let authorization = bearer(&server.sign_in("ann", PASSWORD).await["token"]);
    let app = server.stop().await;
    drop(app);
    let server = Running::serve(open(), crate::routes()).await;
    assert_eq!(server.get("/api/sessions", &[("authorization", &authorization)]).await.status, 200);
    clock.advance_ms(4 * 3600 * 1000 + 1);
    assert_eq!(server.get("/api/sessions", &[("authorization", &authorization)]).await.status, 401);
}

#[tokio::test]
async fn api_keys() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let ann = bearer(&server.sign_in("ann", PASSWORD).await["token"]);
    let make = |who: &str, body: Value| {
        let (server, who) = (&server, who.to_owned());
        async move { server.post("/api/tokens", &[("authorization", &who)], &body.to_string()).await }
    };
    let made = make(&ann, json!({"name": "phone", "scopes": ["read"]})).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert!(made["token"].as_str().unwrap().starts_with("dl_"));
    assert!(made.get("key_sha256").is_none());
    let key = bearer(&made["token"]);
    assert_eq!(server.get("/api/tokens", &[("authorization", &key)]).await.json()["_meta"]["total"], 1);
    assert_eq!(
        make(&key, json!({"name": "x", "scopes": ["*"]})).await.status,
        403,
        "a key cannot widen itself"
    );
    let path = format!("/api/tokens/{}", made["_id"].as_str().unwrap());
    assert_eq!(server.send(Method::DELETE, &path, &[("authorization", &key)], "").await.status, 403);

    assert_eq!(make(&ann, json!({"name": "x", "scopes": []})).await.status, 400);
    assert_eq!(make(&ann, json!({"name": "x", "scopes": ["everything"]})).await.status, 400);
    assert_eq!(make(&ann, json!({"name": "x", "scopes": ["*"], "expires_in_s": 0})).await.status, 400);
    assert_eq!(make(&ann, json!({"name": "x", "scopes": ["*"], "user": "admin"})).await.status, 403);
    assert_eq!(make(&ann, json!({"name": "x", "scopes": ["*"], "user": "nobody"})).await.status, 403);
    assert_eq!(make(&admin, json!({"name": "x", "scopes": ["*"], "user": "nobody"})).await.status, 400);
    assert_eq!(make(&admin, json!({"name": "x", "scopes": ["ads:write"], "user": "ANN"})).await.status, 201);

    let listed = server.get("/api/tokens", &[("authorization", &admin)]).await.json();
    assert_eq!(listed["_meta"]["total"], 2);
    assert!(!listed.to_string().contains("sha256"));
    assert_eq!(server.send(Method::DELETE, &path, &[("authorization", &ann)], "").await.status, 204);
    assert_eq!(server.get("/api/tokens", &[("authorization", &key)]).await.status, 401);
}

#[tokio::test]
async fn changing_a_password_ends_the_other_sessions() {
    let server = start().await;
    let here = bearer(&server.sign_in("ann", PASSWORD).await["token"]);
    let there = bearer(&server.sign_in("ann", PASSWORD).await["token"]);
    let change = |body: Value| {
        let (server, here) = (&server, &here);
        async move {
            server
                .post("/api/change_user_password", &[("authorization", here)], &body.to_string())
                .await
                .status
        }
    };
    assert_eq!(change(json!({"old_password": "wrong", "new_password": "new password"})).await, 401);
    assert_eq!(change(json!({"old_password": PASSWORD, "new_password": "short"})).await, 400);
    let other = json!({"username": "admin", "old_password": PASSWORD, "new_password": "new password"});
    assert_eq!(change(other).await, 403);
    assert_eq!(change(json!({"old_password": PASSWORD, "new_password": "new password"})).await, 201);
    assert_eq!(server.get("/api/sessions", &[("authorization", &here)]).await.status, 200);
    assert_eq!(server.get("/api/sessions", &[("authorization", &there)]).await.status, 401);
    assert_eq!(try_sign_in(&server, "ann", PASSWORD).await.status, 401);
    assert_eq!(try_sign_in(&server, "ann", "new password").await.status, 201);
}

#[tokio::test]
async fn set_up_makes_one_administrator() {
    let server = Running::start().await;
    let token = server.app.auth().setup().open(server.app.store().now()).unwrap();
    let set_up = |token: &str, password: &str| {
        let (server, body) = (&server, json!({"token": token, "password": password}).to_string());
        async move { server.post("/api/setup", &[], &body).await.status }
    };
    assert_eq!(set_up("wrong", "long enough").await, 401);
    assert_eq!(set_up(&token, "short").await, 400);
    assert_eq!(set_up(&token, "long enough").await, 201);
    assert_eq!(set_up(&token, "long enough").await, 401);
    let session = server.sign_in("admin", "long enough").await;
    assert_eq!(session["user_type"], "administrator");
    let again = server.app.auth().setup().open(server.app.store().now()).unwrap();
    assert_eq!(set_up(&again, "long enough").await, 409);
}

#[tokio::test]
async fn no_document_of_a_user_holds_a_secret() {
    let server = start().await;
    let session = server.sign_in("ann", PASSWORD).await;
    let store = server.app.store();
    let catalog = store.catalog();
    let users = catalog.by_name("users").unwrap().id;
    let user = store.get(users, session["user"].as_str().unwrap()).unwrap().unwrap();
    let text = String::from_utf8(user.body.to_vec()).unwrap();
    assert!(!text.contains("argon2") && !text.contains("password"), "{text}");
    // And the token itself is nowhere at all.
    for collection in catalog.iter() {
        store
            .snapshot()
            .unwrap()
            .scan(collection.id, None, false, |document| {
                let body = String::from_utf8_lossy(&document.body);
                assert!(!body.contains(session["token"].as_str().unwrap()), "{}", collection.name);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
    }
}
