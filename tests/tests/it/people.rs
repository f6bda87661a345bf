//! Who may do what: credentials of every kind, sessions, keys, and what each user sees.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::client::Client;
use crate::errors::{problem, problem_of};
use crate::lists::ids;
use crate::program::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_of_every_kind() {
    let mut server = Server::start();
    let stranger = Client::stranger(&server);
    let credentials = json!({"username": "admin", "password": crate::program::PASSWORD});
    let signed = stranger.post("/api/auth", &credentials).reply().await.expect(201);
    let session = signed.json();
    let (token, id) = (
        session["token"].as_str().expect("token").to_owned(),
        session["_id"].as_str().expect("_id").to_owned(),
    );
    assert!(session["user"].is_string() && session.get("password").is_none(), "{session}");
    let cookie = signed.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    stranger.post("/api/auth_db", &credentials).reply().await.expect(201);

    let by = |header: &'static str, value: String| stranger.get("/api/ads").header(header, &value);
    by("authorization", format!("Bearer {token}")).reply().await.expect(200);
    by("authorization", format!("Basic {}", STANDARD.encode(format!("{token}:")))).reply().await.expect(200);
    by("cookie", cookie.clone()).reply().await.expect(200);
    problem("a cut token", &by("authorization", format!("Bearer {}", &token[1..])).reply().await, 401);

    // A cookie alone changes nothing from elsewhere.
    let ad = json!({"title": "x", "coords": [1, 2]});
    let host = stranger.url();
    let write = || stranger.post("/api/ads", &ad).header("cookie", &cookie);
    problem("from elsewhere", &write().header("origin", "https://evil.example").reply().await, 403);
    problem("from elsewhere", &write().header("sec-fetch-site", "cross-site").reply().await, 403);
    problem("without proof", &write().reply().await, 403);
    write().header("origin", &host).reply().await.expect(201);
    write().header("sec-fetch-site", "same-origin").reply().await.expect(201);

    let admin = stranger.with_token(&token);
    let sessions = admin.read("/api/sessions").await;
    assert!(sessions["_items"].as_array().is_some_and(|items| items.len() >= 2), "{sessions}");
    assert!(!sessions.to_string().contains(&token), "tokens are never shown again");

    let key = admin
        .post("/api/tokens", &json!({"name": "for a test", "scopes": ["read"]}))
        .reply()
        .await
        .expect(201)
        .json();
    let secret = key["token"].as_str().unwrap_or_else(|| panic!("no token in {key}")).to_owned();
    assert!(secret.starts_with("dl_"), "{secret}");
    let reader = stranger.with_token(&secret);
    reader.read("/api/ads").await;
    problem("a key that may only read", &reader.post("/api/ads", &ad).reply().await, 403);
    let mut changed = secret.clone().into_bytes();
    let last = changed.len() - 1;
    changed[last] = if changed[last] == b'a' { b'b' } else { b'a' };
    let forged = String::from_utf8(changed).expect("ASCII");
    problem("a forged key", &stranger.with_token(&forged).get("/api/ads").reply().await, 401);
    let tokens = admin.read("/api/tokens").await;
    assert!(!tokens.to_string().contains(&secret), "secrets are never shown again");

    // Sessions and keys outlive the program, however it ends.
    server.stop();
    server.launch();
    admin.read("/api/ads").await;
    server.kill();
    server.launch();
    admin.read("/api/ads").await;
    reader.read("/api/ads").await;

    let etag = admin.get(&format!("/api/auth/{id}")).reply().await.expect(200).etag();
    let out = admin.delete(&format!("/api/auth/{id}"), &etag).reply().await;
    assert!(matches!(out.status, 200 | 204), "signing out: {}", out.text());
    problem("after signing out", &admin.get("/api/ads").reply().await, 401);
    problem("the cookie after signing out", &by("cookie", cookie).reply().await, 401);
    let log = stranger
        .signed_in("admin", crate::program::PASSWORD)
        .await
        .read("/api/changes?since=0&limit=10000&include=doc")
        .await;
    assert!(!log.to_string().contains("argon2"), "no hash of a password is readable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_see_what_is_theirs() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let phrase = "a long enough phrase 9";
    let mut people = Vec::new();
    for name in ["ann", "bob"] {
        let user = admin
            .post("/api/users", &json!({"username": name, "password": phrase}))
            .reply()
            .await
            .expect(201)
            .json();
        assert!(user.get("password").is_none() && user["user_type"] == "user", "{user}");
        people.push((admin.signed_in(name, phrase).await, user["_id"].as_str().expect("_id").to_owned()));
    }
    let twice = admin.post("/api/users", &json!({"username": "ann", "password": phrase})).reply().await;
    problem_of("a name twice", &twice, 400, "username");
    assert_eq!(admin.read("/api/users/ann").await["_id"], json!(people[0].1), "users are found by name");
    for (index, (person, id)) in people.iter().enumerate() {
        let device = format!("phone-{index}");
        person.put_new(&format!("/api/devices/{device}"), &json!({"name": "mine"})).reply().await.expect(201);
        let list = json!({"name": "mine", "device": device, "area": {"around": {"radius_m": 1000}}});
        let list =
            person.put_new(&format!("/api/adlists/list-{index}"), &list).reply().await.expect(201).json();
        assert_eq!(list["user"], json!(id), "a list belongs to who made it");
        let taken = person
            .post("/api/positions", &json!({"device": device, "lon": 13.4, "lat": 52.5}))
            .reply()
            .await
            .expect(202)
            .json();
        assert_eq!(taken["accepted"], 1, "{taken}");
    }
    admin.put_new("/api/ads/one", &json!({"title": "one", "coords": [52.5, 13.4]})).reply().await.expect(201);
    let (ann, bob) = (&people[0].0, &people[1].0);
    let deadline = Instant::now() + Duration::from_secs(20);
    while admin.read("/api/matches").await["_meta"]["total"] != 2 {
        assert!(Instant::now() < deadline, "the matches do not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (index, (person, _)) in people.iter().enumerate() {
        let own = person.read("/api/matches").await;
        assert_eq!(
            (own["_meta"]["total"].as_u64(), &own["_items"][0]["adlist"]),
            (Some(1), &json!(format!("list-{index}")))
        );
        let log = person.read("/api/changes?since=0&limit=10000&include=doc").await;
        let foreign = format!("list-{}", 1 - index);
        assert!(
            log.to_string().contains(&format!("list-{index}")) && !log.to_string().contains(&foreign),
            "{log}"
        );
        assert_eq!(ids(&person.read("/api/adlists").await), [format!("list-{index}")]);
    }
    for (path, what) in [
        ("/api/adlists/list-1", "a list"),
        ("/api/adlists/list-1/matches", "matches"),
        ("/api/positions/phone-1", "a place"),
    ] {
        let reply = ann.get(path).reply().await;
        assert!(matches!(reply.status, 403 | 404), "{what} of another: {}", reply.text());
    }
    let etag = admin.get("/api/adlists/list-1").reply().await.expect(200).etag();
    let reply = ann.patch("/api/adlists/list-1", &etag, &json!({"active": false})).reply().await;
    assert!(matches!(reply.status, 403 | 404), "changing a list of another: {}", reply.text());
    let foreign = bob.post("/api/positions", &json!({"device": "phone-0", "lon": 1, "lat": 2})).reply().await;
    assert!(
        foreign.status == 403 || foreign.json()["accepted"] == 0,
        "moving a device of another: {}",
        foreign.text()
    );
    let reply = ann
        .patch(
            "/api/users/ann",
            &admin.get("/api/users/ann").reply().await.etag(),
            &json!({"user_type": "administrator"}),
        )
        .reply()
        .await;
    problem("making oneself administrator", &reply, 403);
}
