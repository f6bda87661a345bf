//! A process that may open few files, or write only small ones: it says so or works, and loses nothing.

use serde_json::json;

use crate::client::Client;
use crate::program::{PASSWORD, Server, run};

/// Writes until something fails, or enough is written; the numbers that were acknowledged.
async fn write(client: &Client, first: u64, kib: usize) -> Vec<u64> {
    let mut stored = Vec::new();
    for n in first..first + 400 {
        let body = json!({"n": n, "text": "x".repeat(kib << 10)});
        match client.put_new(&format!("/api/notes/n{n}"), &body).attempt().await {
            Ok(reply) if reply.status == 201 => stored.push(n),
            _ => break,
        }
    }
    stored
}

/// `admin`, unless the store has stopped.
async fn sign_in(server: &Server) -> Option<Client> {
    let stranger = Client::stranger(server);
    let words = json!({"username": "admin", "password": PASSWORD});
    let reply = stranger.post("/api/auth", &words).unsigned().attempt().await.ok()?;
    match reply.status {
        503 => None,
        _ => Some(stranger.with_token(&reply.expect(201).field("token"))),
    }
}

async fn check(server: &mut Server, stored: &[u64]) {
    server.before("");
    server.launch();
    let admin = Client::admin(server).await;
    for n in stored {
        assert_eq!(admin.read(&format!("/api/notes/n{n}")).await["n"], *n, "n{n} was acknowledged");
    }
    server.stop();
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_eq!(verified.code, Some(0), "verify: {}\n{}", verified.stdout, verified.stderr);
}

async fn ground() -> Server {
    let mut server = Server::idle();
    // Everything below may complain; only a panic is wrong.
    server.expect_complaints(&[""]);
    server.launch();
    let admin = Client::admin(&server).await;
    let notes = json!({"name": "notes", "schema": {"text": {"type": "string"}, "n": {"type": "integer"}}});
    admin.post("/api/collections", &notes).reply().await.expect(201);
    server.kill();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_open_files() {
    let mut server = ground().await;
    let mut stored = Vec::new();
    let mut started = Vec::new();
    for files in [12, 16, 20, 24, 64, 256] {
        server.before(&format!("ulimit -n {files}"));
        match server.try_launch() {
            Ok(()) => {
                started.push(files);
                // The first write may already find no file left; then nothing more is to be had.
                if let Some(admin) = sign_in(&server).await {
                    stored.append(&mut write(&admin, files * 1_000, 1).await);
                }
                server.kill();
            }
            Err(talk) => {
                let talk = talk.join("\n");
                assert!(!talk.contains("panicked at"), "with {files} files: {talk}");
                assert!(
                    talk.contains("open files") || talk.contains("os error 24"),
                    "with {files} files: {talk}"
                );
            }
        }
    }
    eprintln!("few open files: served with {started:?}, {} documents", stored.len());
    assert!(!started.contains(&12), "12 files cannot be enough: is the limit there?");
    assert!(started.contains(&256), "256 files are enough: {started:?}");
    check(&mut server, &stored).await;
}

/// A creation that is cut short is finished by the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_with_few_open_files() {
    for files in [14, 20, 24, 30] {
        let mut server = Server::idle();
        server.expect_complaints(&[""]);
        server.before(&format!("ulimit -n {files}"));
        if let Err(talk) = server.try_launch() {
            let talk = talk.join("\n");
            assert!(
                !talk.contains("panicked at") && talk.contains("open files"),
                "with {files} files: {talk}"
            );
        } else {
            server.kill();
        }
        server.before("");
        server.launch();
        Client::admin(&server).await.read("/api/ads").await;
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_only() {
    let mut server = ground().await;
    // In blocks of 512 bytes: no file beyond 6 MiB. The signal that comes with it ends the process.
    server.before("ulimit -f 12288");
    server.launch();
    let admin = Client::admin(&server).await;
    let stored = write(&admin, 0, 64).await;
    eprintln!("small files: {} documents of 64 KiB", stored.len());
    assert!((20..400).contains(&stored.len()), "{} documents", stored.len());
    server.kill();
    check(&mut server, &stored).await;
}
