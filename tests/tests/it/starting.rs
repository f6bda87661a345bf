//! What the program refuses to start with, and the exit codes that say so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::program::{Outcome, Server, dateline, outcome, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_refuses_what_is_unsafe() {
    let mut server = Server::start();
    let data = server.data();
    let data = data.to_str().expect("a UTF-8 path");
    let said = |outcome: &Outcome| format!("{}{}", outcome.stdout, outcome.stderr);
    let second = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(5), "a second serve: {second:?}");
    let holder = server.process().to_string();
    assert!(said(&second).contains(&holder), "the holder {holder} is not named: {second:?}");
    assert_eq!(run(&["verify", "--data", data]).code, Some(5), "verify beside a server");
    let admin = Client::admin(&server).await;
    admin.read("/api/ads").await;
    server.stop();

    let open = run(&["serve", "--data", data, "--listen", "0.0.0.0:0"]);
    assert_eq!(open.code, Some(2), "to everybody without TLS: {open:?}");
    assert!(said(&open).to_lowercase().contains("tls"), "{open:?}");
    let fresh = tempfile::tempdir().expect("a temporary directory");
    let mut command = dateline();
    command.env_remove("DATELINE_ADMIN_PASSWORD");
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--behind-proxy", "--data"])
        .arg(fresh.path().join("data"));
    let open = outcome(command, Duration::from_secs(30));
    assert_eq!(open.code, Some(2), "to everybody without an administrator: {open:?}");
    assert!(said(&open).to_lowercase().contains("administrator"), "{open:?}");

    for arguments in [
        &["serve"][..],
        &["serve", "--data", data, "--listen", "nonsense"],
        &["fly"],
        &["import", "--collection", "ads"],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
    let marker = server.data().join("dateline.json");
    let text = std::fs::read_to_string(&marker).expect("the directory says its format");
    let mut newer: Value = serde_json::from_str(&text).expect("JSON");
    let format = newer["format"].as_u64().unwrap_or_else(|| panic!("no format in {newer}"));
    newer["format"] = json!(format + 1);
    std::fs::write(&marker, newer.to_string()).expect("the marker is written");
    for arguments in [&["serve", "--data", data, "--listen", "127.0.0.1:0"][..], &["verify", "--data", data]]
    {
        let refused = run(arguments);
        assert!(refused.code.is_some_and(|code| code != 0), "a newer format: {refused:?}");
        assert!(said(&refused).contains("format"), "{refused:?}");
    }
    std::fs::write(&marker, text).expect("the marker is written");
    server.launch();
    admin.read("/api/ads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_does_not_hold_the_end() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    admin.read("/api/ads").await;
    let address = server.address().get();
    let host = address.strip_prefix("http://").expect("http");
    // Browsers open connections ahead of need; pools keep used ones.
    let silent = TcpStream::connect(host).expect("a connection");
    let mut used = TcpStream::connect(host).expect("a connection");
    used.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("a request");
    let read = used.read(&mut [0; 1024]).expect("an answer");
    assert!(read > 0, "an answer");
    let began = Instant::now();
    tokio::task::block_in_place(|| server.stop());
    assert!(began.elapsed() < Duration::from_secs(5), "the program ended after {:?}", began.elapsed());
    drop((silent, used));
}
