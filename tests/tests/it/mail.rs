//! Letters of the site, taken by a real relay: a kill, and a password that somebody has forgotten.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::parts;
use crate::program::Server;
use crate::publishing::{act, make, story};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/transmit/tests/parts/smtp.py");

/// aiosmtpd, which writes what it takes into a folder.
struct Relay {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Relay {
    fn start() -> Option<Self> {
        let python = std::env::var("PARTS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let has_part = Command::new(&python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !has_part.is_ok_and(|status| status.success()) {
            parts::skip("aiosmtpd is not installed for PARTS_PYTHON");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(python)
            .arg(SCRIPT)
            .arg(folder.path())
            .args(["plain", ""])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a relay");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("an output")).read_line(&mut line).expect("a port");
        Some(Self { process, port: line.trim().parse().expect("a port"), folder })
    }

    /// The envelope and the message that were taken as the `count`th.
    async fn taken(&self, count: usize) -> (Value, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let path = |end: &str| self.folder.path().join(format!("{count}.{end}"));
        loop {
            if let Ok(envelope) = std::fs::read(path("json"))
                && let Ok(envelope) = serde_json::from_slice(&envelope)
            {
                let message = std::fs::read_to_string(path("eml")).expect("a message");
                // Long lines are broken on the way (RFC 2045 6.7).
                return (envelope, message.replace("=\r\n", ""));
            }
            assert!(Instant::now() < deadline, "no letter {count}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn site(relay: &Relay, files: &Path) -> (Server, Client) {
    let mut server = Server::idle();
    let allow = format!("egress.allow=mail 127.0.0.1:{}", relay.port);
    let port = format!("superdesk.MAIL_PORT={}", relay.port);
    let roots = format!("egress.file_roots={}", files.display());
    let own =
        ["superdesk.MAIL_SERVER=127.0.0.1", "superdesk.MAIL_FROM=desk@example.com", &port, &allow, &roots];
    let flags: Vec<&str> = own.into_iter().flat_map(|setting| ["--set", setting]).collect();
    server.flags(&flags);
    server.launch();
    let admin = Client::admin(&server).await;
    (server, admin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_have_a_killed_story_is_written_to() {
    let Some(relay) = Relay::start() else { return };
    let files = tempfile::tempdir().expect("a folder");
    let (_server, admin) = site(&relay, files.path()).await;
    let place = files.path().to_str().expect("a text");
    for (name, email, is_active) in
        [("Daily", "one@example.com, two@example.com", true), ("Gone", "two@example.com", false)]
    {
        make(
            &admin,
            "subscribers",
            json!({
                "name": name, "email": email, "is_active": is_active, "products": [],
            "destinations": [{"name": "f", "format": "ninjs", "delivery_type": "File", "config": {"file_path": place}}],
            }),
        )
        .await;
    }
    let item = story(&admin, "A bridge opens").await;
    let published = act(&admin, "publish", &item, json!({})).await.expect(200).json();
    act(
        &admin,
        "kill",
        &published,
        json!({"headline": "KILL the bridge", "body_html": "<p>It is shut.</p>"}),
    )
    .await
    .expect(200);
    let (envelope, message) = relay.taken(1).await;
    assert_eq!(envelope["to"], json!(["one@example.com", "two@example.com"]), "once each, active or not");
    assert!(message.contains("Subject: Kill: KILL the bridge"), "{message}");
    assert!(message.contains("It is shut.") && !message.contains("one@example.com"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_password_is_set_anew() {
    let Some(relay) = Relay::start() else { return };
    let files = tempfile::tempdir().expect("a folder");
    let (server, admin) = site(&relay, files.path()).await;
    let user = json!({"username": "ann", "password": "correct horse", "email": "Ann@Example.com"});
    make(&admin, "users", user).await;
    let ann = admin.signed_in("ann", "correct horse").await;
    let stranger = Client::stranger(&server);
    let ask = async |body: Value| stranger.post("/api/reset_user_password", &body).reply().await;
    ask(json!({"email": "nobody@example.com"})).await.expect(201);
    ask(json!({"email": "ann@example.com"})).await.expect(201);
    let (envelope, message) = relay.taken(1).await;
    assert_eq!(envelope["to"], json!(["ann@example.com"]));
    let token = message.lines().find(|line| line.len() > 64 && line.contains('.') && !line.contains(' '));
    let token = token.unwrap_or_else(|| panic!("no token in {message}")).trim();

    problem("a wrong token", &ask(json!({"token": format!("{}0", &token[..token.len() - 1])})).await, 401);
    assert_eq!(ask(json!({"token": token})).await.expect(201).json()["username"], "ann");
    problem("a short one", &ask(json!({"token": token, "password": "x"})).await, 400);
    ask(json!({"token": token, "password": "another horse"})).await.expect(201);
    problem("used up", &ask(json!({"token": token, "password": "a third horse"})).await, 401);
    problem("an old session", &ann.get("/api/ads").reply().await, 401);
    admin.signed_in("ann", "another horse").await;
    let credentials = json!({"username": "ann", "password": "correct horse"});
    problem("the old password", &stranger.post("/api/auth", &credentials).reply().await, 401);
}
