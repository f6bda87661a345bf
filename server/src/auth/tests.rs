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

/// Adds a user with members beyond the usual ones, as an administrator would; returns the id and a bearer header.
async fn person(server: &Running, admin: &str, name: &str, more: &Value) -> (String, String) {
    let mut body = json!({"username": name, "password": PASSWORD});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let seen = server.post("/api/users", &[("authorization", admin)], &body.to_string()).await;
    assert_eq!(seen.status, 201, "{:?}", seen.body);
    let id = seen.json()["_id"].as_str().unwrap().to_owned();
    (id, bearer(&server.sign_in(name, PASSWORD).await["token"]))
}

async fn write(server: &Running, who: &str, method: Method, path: &str, body: Value) -> crate::testing::Seen {
    let mut headers = vec![("authorization", who), ("if-match", "*")];
    if method == Method::POST {
        headers.pop();
    }
    server.send(method, path, &headers, &body.to_string()).await
}

#[tokio::test]
async fn only_administrators_give_rights() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let rights = json!({"privileges": {"users": 1, "roles": 1}});
    let (keeper_id, keeper) = person(&server, &admin, "keeper", &rights).await;
    let (off, _) = person(&server, &admin, "off", &json!({})).await;
    let patch = |who: &str, id: &str, body: Value| {
        let (server, who, path) = (&server, who.to_owned(), format!("/api/users/{id}"));
        async move { write(server, &who, Method::PATCH, &path, body).await.status.as_u16() }
    };
    assert_eq!(
        patch(&admin, &off, json!({"is_enabled": false, "role": "r", "privileges": {"ads": 0}})).await,
        200
    );

    let powers = [
        ("user_type", json!("administrator")),
        ("role", json!("chief")),
        ("privileges", json!({"users": 1, "roles": 1, "fences": 1})),
        ("is_active", json!(false)),
        ("is_enabled", json!(false)),
    ];
    for (name, value) in powers {
        for id in [keeper_id.as_str(), "Ann"] {
            assert_eq!(patch(&keeper, id, json!({name: value})).await, 403, "{name} of {id}");
        }
        let made = json!({"username": "made", "password": PASSWORD, name: value});
        let seen = write(&server, &keeper, Method::POST, "/api/users", made.clone()).await;
        assert_eq!(seen.status, 403, "{name}: {:?}", seen.body);
        let seen =
            write(&server, &keeper, Method::POST, "/api/users", json!([{"username": "x"}, made])).await;
        assert_eq!(seen.status, 403, "{name} in an array");
        let headers = [("authorization", keeper.as_str()), ("if-none-match", "*")];
        let seen = server.send(Method::PUT, "/api/users/made", &headers, &made.to_string()).await;
        assert_eq!(seen.status, 403, "{name} by PUT");
    }
    // Neither does a PUT that leaves them out, and so would put the defaults in.
    let seen = write(&server, &keeper, Method::PUT, "/api/users/off", json!({"username": "off"})).await;
    assert_eq!(seen.status, 403, "{:?}", seen.body);
    assert_eq!(patch(&keeper, "Ann", json!({"display_name": "Ann B."})).await, 200);
    assert_eq!(patch(&keeper, "Ann", json!({"is_enabled": true, "display_name": "Ann"})).await, 200);
    let plain = json!({"username": "plain", "password": PASSWORD, "user_type": "user"});
    assert_eq!(write(&server, &keeper, Method::POST, "/api/users", plain).await.status, 201);

    // Administrators are not anybody's to take over.
    for body in [json!({"password": "a new password"}), json!({"username": "boss"}), json!({"email": "me@x"})]
    {
        assert_eq!(patch(&keeper, "admin", body).await, 403);
    }
    assert_eq!(write(&server, &keeper, Method::DELETE, "/api/users/admin", json!({})).await.status, 403);
    let role = json!({"name": "chief", "privileges": {"users": 1}});
    assert_eq!(write(&server, &keeper, Method::POST, "/api/roles", role.clone()).await.status, 403);
    assert_eq!(write(&server, &admin, Method::POST, "/api/roles", role).await.status, 201);
    assert_eq!(try_sign_in(&server, "admin", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn one_administrator_is_left() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let ways = [
        (Method::PATCH, json!({"user_type": "user"})),
        (Method::PATCH, json!({"is_enabled": false})),
        (Method::PATCH, json!({"is_active": false})),
        (Method::PUT, json!({"username": "admin"})),
        (Method::DELETE, json!({})),
    ];
    for (method, body) in ways.clone() {
        let seen = write(&server, &admin, method.clone(), "/api/users/admin", body.clone()).await;
        assert_eq!(seen.status, 409, "{method} {body}: {:?}", seen.body);
    }
    let disabled =
        json!({"user_type": "administrator", "is_enabled": false, "username": "b", "password": PASSWORD});
    assert_eq!(write(&server, &admin, Method::POST, "/api/users", disabled).await.status, 201);
    assert_eq!(write(&server, &admin, Method::DELETE, "/api/users/admin", json!({})).await.status, 409);

    let (_, second) = person(&server, &admin, "second", &json!({"user_type": "administrator"})).await;
    // Of two who demote each other at the same time one succeeds.
    let demote = |who: &str, name: &str| {
        let (server, who, path) = (&server, who.to_owned(), format!("/api/users/{name}"));
        async move {
            write(server, &who, Method::PATCH, &path, json!({"user_type": "user"})).await.status.as_u16()
        }
    };
    let (one, two) = tokio::join!(demote(&admin, "second"), demote(&second, "admin"));
    assert_eq!([one, two].iter().filter(|status| **status == 200).count(), 1, "{one} {two}");
    assert!(server.app.auth().users().has_administrator(server.app.store()).unwrap());
}

#[tokio::test]
async fn a_password_that_is_set_and_a_user_who_is_removed_end_sessions() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let ann = bearer(&server.sign_in("ann", PASSWORD).await["token"]);
    let seen =
        write(&server, &ann, Method::PATCH, "/api/users/Ann", json!({"password": "a new password"})).await;
    assert_eq!(seen.status, 403);
    assert!(seen.json()["detail"].as_str().unwrap().contains("/api/change_user_password"), "{:?}", seen.body);
    let seen =
        write(&server, &admin, Method::PATCH, "/api/users/Ann", json!({"password": "a new password"})).await;
    assert_eq!(seen.status, 200, "{:?}", seen.body);
    assert_eq!(server.get("/api/sessions", &[("authorization", &ann)]).await.status, 401);
    assert_eq!(try_sign_in(&server, "ann", PASSWORD).await.status, 401);
    let session = server.sign_in("ann", "a new password").await;
    let ann = bearer(&session["token"]);

    let key =
        write(&server, &ann, Method::POST, "/api/tokens", json!({"name": "k", "scopes": ["*"]})).await.json();
    let id = session["user"].as_str().unwrap();
    assert_eq!(write(&server, &admin, Method::DELETE, "/api/users/Ann", json!({})).await.status, 204);
    let (store, auth) = (server.app.store(), server.app.auth());
    assert!(store.get(auth.sessions().collection, session["_id"].as_str().unwrap()).unwrap().is_none());
    assert!(store.get(auth.keys().collection, key["_id"].as_str().unwrap()).unwrap().is_none());
    // A new user under the old id inherits nothing.
    let headers = [("authorization", admin.as_str()), ("if-none-match", "*")];
    let body = json!({"username": "zoe", "password": PASSWORD}).to_string();
    let seen = server.send(Method::PUT, &format!("/api/users/{id}"), &headers, &body).await;
    assert_eq!(seen.status, 201, "{:?}", seen.body);
    for old in [ann, bearer(&key["token"])] {
        assert_eq!(server.get("/api/sessions", &[("authorization", &old)]).await.status, 401);
    }
}

#[tokio::test]
async fn credentials_are_written_only_when_they_change() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let (store, auth) = (server.app.store(), server.app.auth());
    let id = auth.users().find(store, "ann").unwrap().unwrap().id().clone();
    let revision = || store.get(auth.users().credentials, id.as_str()).unwrap().unwrap().revision();
    let before = revision();
    let change = |method: Method, body: Value| {
        let (server, admin) = (&server, &admin);
        let path = format!("/api/users/{}", id.as_str());
        async move {
            let seen = write(server, admin, method, &path, body).await;
            assert_eq!(seen.status, 200, "{:?}", seen.body);
        }
    };
    change(Method::PATCH, json!({"display_name": "A."})).await;
    change(Method::PATCH, json!({"username": "ANN"})).await;
    // What was read can be written back.
    let read = server.get("/api/users/ANN", &[("authorization", &admin)]).await.json();
    assert_eq!(read["needs_activation"], false);
    change(Method::PUT, read).await;
    assert_eq!(revision(), before);
    change(Method::PATCH, json!({"username": "anna"})).await;
    assert_ne!(revision(), before);
    assert_eq!(try_sign_in(&server, "anna", PASSWORD).await.status, 201, "the password stays");

    // A secret that was read before another was set does not come back.
    let old = auth.users().secret_of(store, &id).unwrap();
    change(Method::PATCH, json!({"password": "a new password"})).await;
    let tx = dateline_engine::Transaction::new(dateline_engine::Durability::Buffered);
    let error = store.commit(auth.users().replace_secret(tx, &id, "anna", old)).unwrap_err();
    assert!(matches!(error.conflict(), Some(dateline_engine::Conflict::Stale { .. })), "{error}");
    assert_eq!(try_sign_in(&server, "anna", "a new password").await.status, 201);
}

#[tokio::test]
async fn guesses_at_once_are_slowed_down() {
    let server = start().await;
    let tries: Vec<_> = (0..12).map(|_| try_sign_in(&server, "ann", "wrong")).collect();
    let seen = futures_util::future::join_all(tries).await;
    let with = |status: u16| seen.iter().filter(|seen| seen.status == status).count();
    assert_eq!((with(401), with(429)), (5, 7));

    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let body = json!({"old_password": "wrong", "new_password": "a new password"}).to_string();
    let headers = [("authorization", admin.as_str())];
    let tries: Vec<_> = (0..8).map(|_| server.post("/api/change_user_password", &headers, &body)).collect();
    let seen = futures_util::future::join_all(tries).await;
    let with = |status: u16| seen.iter().filter(|seen| seen.status == status).count();
    assert_eq!((with(401), with(429)), (5, 3));
}

#[tokio::test]
async fn a_key_that_only_writes_writes() {
    let server = start().await;
    let ann = bearer(&server.sign_in("ann", PASSWORD).await["token"]);
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let body = json!({"name": "k", "scopes": ["ads:write"]});
    let key = bearer(&write(&server, &ann, Method::POST, "/api/tokens", body).await.json()["token"]);
    let ad = json!({"title": "A secret title", "coords": [1, 2]});
    let own = write(&server, &key, Method::POST, "/api/ads", ad.clone()).await;
    assert_eq!(own.status, 201, "{:?}", own.body);
    let foreign = write(&server, &admin, Method::POST, "/api/ads", ad).await.json();
    let path = |ad: &Value| format!("/api/ads/{}", ad["_id"].as_str().unwrap());
    let (own, foreign) = (path(&own.json()), path(&foreign));
    assert_eq!(server.get(&own, &[("authorization", &key)]).await.status, 403);
    let seen = write(&server, &key, Method::PATCH, &own, json!({"price": 5})).await;
    assert_eq!(seen.status, 200, "{:?}", seen.body);
    assert!(
        !seen.json().to_string().contains("secret"),
        "what it cannot read it is not shown: {:?}",
        seen.body
    );
    let seen = write(&server, &key, Method::PATCH, &foreign, json!({"price": 5})).await;
    assert!(matches!(seen.status.as_u16(), 403 | 404), "{:?}", seen.body);
    assert_eq!(write(&server, &key, Method::DELETE, &own, json!({})).await.status, 204);
}

#[tokio::test]
async fn collections_are_named_as_addressed_and_leave_room() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let headers = [("authorization", admin.as_str()), ("if-none-match", "*")];
    let put = |name: &str| {
        let (server, headers, body) = (&server, &headers, json!({"name": name}).to_string());
        async move { server.send(Method::PUT, "/api/collections/foo", headers, &body).await }
    };
    let seen = put("bar").await;
    assert_eq!(
        (seen.status.as_u16(), seen.json()["_issues"]["name"].is_null()),
        (400, false),
        "{:?}",
        seen.body
    );
    assert_eq!(server.get("/api/bar", &[("authorization", &admin)]).await.status, 404);
    let seen = put("foo").await;
    assert_eq!(seen.status, 201, "{:?}", seen.body);
    for name in ["tokens", "verify", "credentials", "api_keys", "auth", "fence_events", "items"] {
        let seen = write(&server, &admin, Method::POST, "/api/collections", json!({"name": name})).await;
        assert_eq!(seen.status, 400, "{name}: {:?}", seen.body);
    }
}

#[tokio::test]
async fn a_repeated_user_is_recalled_without_the_password() {
    let server = start().await;
    let admin = bearer(&server.sign_in("admin", PASSWORD).await["token"]);
    let headers = [("authorization", admin.as_str()), ("idempotency-key", "k")];
    let post = |body: Value| {
        let (server, headers, body) = (&server, &headers, body.to_string());
        async move { server.post("/api/users", headers, &body).await }
    };
    assert_eq!(post(json!({"username": "x", "password": PASSWORD})).await.status, 201);
    let again = post(json!({"username": "x", "password": "another password"})).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(post(json!({"username": "y", "password": PASSWORD})).await.status, 422);
    assert_eq!(try_sign_in(&server, "x", PASSWORD).await.status, 201, "the first counts");
}
