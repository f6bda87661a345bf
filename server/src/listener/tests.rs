//! Connections: who may bind, how long they may wait, how they end, and in which protocols.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::http::{Access, Doc, Routes};
use crate::testing::{Running, test_config};

#[test]
fn open_addresses_need_an_administrator_and_encryption() {
    let check = |address: &str, administrator: bool, proxy: bool, tls: bool, refusal: Option<&str>| {
        let mut config = Config::new();
        config.behind_proxy = proxy;
        config.tls.cert = tls.then(|| "cert.pem".into());
        let outcome = check_exposure(&config, &[address.parse().unwrap()], administrator);
        match (outcome, refusal) {
            (Ok(()), None) => {}
            (Err(ListenError::Refused(text)), Some(part)) => assert!(text.contains(part), "{text}"),
            (outcome, _) => panic!("{address} {administrator} {proxy} {tls}: {outcome:?}"),
        }
    };
    check("127.0.0.1:1", false, false, false, None);
    check("[::1]:1", false, false, false, None);
    check("0.0.0.0:1", false, true, true, Some("no administrator"));
    check("0.0.0.0:1", true, false, false, Some("without encryption"));
    check("[::]:1", true, false, false, Some("without encryption"));
    check("10.0.0.1:1", true, true, false, None);
    check("10.0.0.1:1", true, false, true, None);
}

fn routes() -> Routes {
    let doc = || Doc::new("A test", "test", Access::Public).empty(200);
    crate::routes()
        .get(
            "/t/slow",
            || async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                "done"
            },
            doc(),
        )
        .get("/t/never", || async { std::future::pending::<&'static str>().await }, doc())
}

async fn impatient() -> Running {
    let mut config = test_config();
    config.limits.header_read_s = 1;
    config.limits.body_read_s = 1;
    config.limits.drain_s = 2;
    Running::start_with(config, routes()).await
}

/// What comes back until the server closes.
async fn told(server: &Running, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await;
    // A reset is as much an end as a close.
    let _ = read.expect("the server never closed");
    text
}

#[tokio::test]
async fn those_who_say_nothing_are_not_kept() {
    let server = impatient().await;
    assert_eq!(told(&server, &[]).await, "");
    assert_eq!(told(&server, &["P"]).await, "");
    let half = told(&server, &["GET /livez HTTP/1.1\r\nHost: x\r\nX-A: "]).await;
    assert!(half.is_empty() || half.starts_with("HTTP/1.1 408"), "{half}");
    let body = told(
        &server,
        &["POST /api/auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n{"],
    )
    .await;
    assert!(body.starts_with("HTTP/1.1 408") && body.contains("request-timeout"), "{body}");
    assert!(told(&server, &["nonsense\r\n\r\n"]).await.starts_with("HTTP/1.1 400"));
    let split = told(
        &server,
        &["P", "OS", "T /api/auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"],
    )
    .await;
    assert!(split.starts_with("HTTP/1.1 400") && split.contains("validation-failed"), "{split}");
}

#[tokio::test]
async fn open_requests_end_in_peace_and_endless_ones_do_not_hold_us() {
    let server = impatient().await;
    let (address, mut draining) = (server.address.clone(), server.app.draining());
    let slow = tokio::spawn({
        let address = address.clone();
        async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(b"GET /t/slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        }
    });
    let mut endless = TcpStream::connect(&address).await.unwrap();
    endless.write_all(b"GET /t/never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = std::time::Instant::now();
    let app = server.stop().await;
    assert!(*draining.borrow_and_update());
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_secs(4), "{took:?}");
    assert!(slow.await.unwrap().ends_with("done"));
    assert!(TcpStream::connect(&address).await.is_err());
    assert_eq!(app.metrics().connections.get(), 0);
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let server = impatient().await;
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    for _ in 0..3 {
        let uri = format!("http://{}/livez", server.address);
        let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, hyper::Version::HTTP_2));
        response.into_body().collect().await.unwrap();
    }
    driver.abort();
}

#[tokio::test]
async fn encrypted_connections_get_encrypted_cookies() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/listener/testdata");
    let mut config = test_config();
    config.tls.cert = Some(format!("{here}/localhost-cert.pem").into());
    config.tls.key = Some(format!("{here}/localhost-key.pem").into());
    let server = Running::start_with(config, routes()).await;
    server.add_user("ann", "correct horse", "user").await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(format!("{here}/localhost-cert.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = |protocols: Vec<Vec<u8>>| {
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols;
        tokio_rustls::TlsConnector::from(Arc::new(config))
    };
    let name = || ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let mut stream = client(vec![]).connect(name(), stream).await.unwrap();
    let body = r#"{"username": "ann", "password": "correct horse"}"#;
    let request = format!(
        "POST /api/auth HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    // Some peers close without saying so; the answer is whole by its length.
    let _ = stream.read_to_string(&mut text).await;
    assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    let cookie = text.lines().find(|line| line.to_lowercase().starts_with("set-cookie:")).unwrap();
    assert!(
        cookie.contains("__Host-sid=") && cookie.contains("; Secure") && cookie.contains("Path=/;"),
        "{cookie}"
    );

    let stream = TcpStream::connect(&server.address).await.unwrap();
    let stream = client(vec![b"h2".to_vec()]).connect(name(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    // And plain text at the encrypted port is nobody's.
    assert!(!told(&server, &["GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"]).await.contains("200 OK"));
}
