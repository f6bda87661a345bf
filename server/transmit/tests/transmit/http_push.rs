//! HTTP push against receivers that accept, refuse, stall, reset and redirect.

use crate::certificates::certificates;
use crate::parts;
use crate::receiver::{Receiver, Seen, blunt};
use crate::shelf::Shelf;
use crate::world::{NOW, check, check_denied, send, send_with, site, transmission};
use dateline_transmit::egress::{Egress, Policy};
use dateline_transmit::{Body, Code, MediumKind, NoMedia, Remedy, Transmission, Transmitters};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ITEM: &str = r#"{"headline": "Zürich", "version": 2.0}"#;

fn push(resource_url: &str) -> Transmission {
    transmission("http_push", json!({"resource_url": resource_url}), ITEM)
}

fn push_with(mut config: Value, receiver: &Receiver) -> Transmission {
    config["resource_url"] = receiver.url("/items?key=k").into();
    transmission("http_push", config, ITEM)
}

#[tokio::test]
async fn an_item_arrives_byte_for_byte_with_its_signatures() {
    let receiver = Receiver::start().await;
    let row = push_with(json!({"secret_token": "s3cret"}), &receiver);
    let receipt = send(&site(&[receiver.address]), &row).await.unwrap();
    let [seen] = receiver.seen().try_into().unwrap();
    let Seen { path, body, .. } = &seen;
    assert_eq!((path.as_str(), &body[..]), ("/items?key=k", ITEM.as_bytes()));
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("accept"), "application/json");
    assert_eq!(seen.header("content-length"), ITEM.len().to_string());
    // Both from Python's hmac and hashlib.
    assert_eq!(seen.header("x-superdesk-signature"), "sha1=702b83cc51223f981dbc947cb99ea0ff771da58a");
    assert_eq!(seen.header("content-digest"), "sha-256=:o9nw3v/hmpErfR9BFzdLh094TPiEtIpRQM8iJvYnIFs=:");
    assert_eq!(seen.header("webhook-timestamp"), NOW.to_string());
    assert_eq!(seen.header("webhook-id"), row.id());
    assert!(seen.header("webhook-signature").starts_with("v1,"));
    assert_eq!((receipt.bytes, &receipt.id), (ITEM.len() as u64, &row.id()));
    assert_eq!(receipt.target, receiver.address.to_string());
    let answer = receipt.answer.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (200, "ok"));
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let receiver = Receiver::start().await;
    send(&site(&[receiver.address]), &push(&receiver.url("/"))).await.unwrap();
    let [seen] = receiver.seen().try_into().unwrap();
    assert!(seen.headers.get("x-superdesk-signature").is_none());
    assert!(seen.headers.get("webhook-signature").is_none());
    assert!(seen.headers.get("webhook-id").is_some());
}

#[tokio::test]
async fn the_reference_library_accepts_the_webhook_signature() {
    let Some(python) = parts::python("standardwebhooks") else { return };
    let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let new = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let receiver = Receiver::start().await;
    let row =
        push_with(json!({"secret_token": "other", "webhook_secret": format!("{old} {new}")}), &receiver);
    send(&site(&[receiver.address]), &row).await.unwrap();
    let [seen] = receiver.seen().try_into().unwrap();
    let verdict = |secret: &str, body: &str| {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: Value = names.iter().map(|name| (*name, seen.header(name))).collect();
        let mut check = Command::new(&python)
            .arg(parts::folder().join("webhook.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let case = json!({"secret": secret, "headers": headers, "body": body}).to_string();
        check.stdin.take().unwrap().write_all(case.as_bytes()).unwrap();
        String::from_utf8(check.wait_with_output().unwrap().stdout).unwrap()
    };
    assert_eq!(verdict(old, ITEM).trim(), "right");
    assert_eq!(verdict(new, ITEM).trim(), "right");
    assert!(verdict(new, "{}").starts_with("wrong"));
    assert!(verdict("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ITEM).starts_with("wrong"));
}

#[tokio::test]
async fn media_go_first_and_only_if_the_receiver_lacks_them() {
    let receiver = Receiver::start().await;
    let config = json!({"assets_url": receiver.url("/assets/"), "secret_token": "s3cret"});
    // The last slash is no part of the name of the form's target.
    let config_of_posts = json!({"assets_url": receiver.url("/assets"), "secret_token": "s3cret"});
    let large = vec![7; 300_000];
    let shelf = Shelf::default().with("one", "one.jpg", MediumKind::Original, b"first\r\n--x").with(
        "two",
        "two.jpg",
        MediumKind::Rendition("viewImage".to_owned()),
        &large,
    );
    let site = site(&[receiver.address]);
    let row = push_with(config_of_posts, &receiver);
    let receipt = send_with(&site, &row, &shelf).await.unwrap();
    assert_eq!(receipt.media_sent, 2);
    let seen = receiver.seen();
    let steps: Vec<_> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(
        steps,
        ["GET /assets/one", "POST /assets", "GET /assets/two", "POST /assets", "POST /items?key=k"]
    );
    let form = &seen[1];
    assert!(form.header("content-type").starts_with("multipart/form-data; boundary="));
    let text = String::from_utf8_lossy(&form.body);
    assert!(
        text.contains(
            "name=\"media\"; filename=\"one\"\r\nContent-Type: image/jpeg\r\n\r\nfirst\r\n--x\r\n--"
        )
    );
    assert_eq!(form.header("x-superdesk-signature"), superdesk_signature("s3cret", &form.body));
    assert_eq!(seen[3].header("x-superdesk-signature"), superdesk_signature("s3cret", &seen[3].body));
    assert_ne!(form.header("webhook-id"), seen[3].header("webhook-id"));
    // Now it has them; a slash at the end of the setting makes no difference to the question.
    let receipt = send_with(&site, &push_with(config, &receiver), &shelf).await.unwrap();
    assert_eq!((receipt.media_sent, receiver.seen().len()), (0, 8));
}

fn superdesk_signature(token: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    format!("sha1={}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[tokio::test]
async fn a_medium_that_changes_under_its_signature_is_not_delivered() {
    let changes: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(99_990),
        |bytes| bytes.push(1),
        |bytes| bytes.extend([1; 200_000]),
        |bytes| bytes[99_999] = 2,
    ];
    for change in changes {
        let receiver = Receiver::start().await;
        let config = json!({"assets_url": receiver.url("/assets")});
        let mut shelf = Shelf::default().with("one", "one.jpg", MediumKind::Original, &[1; 100_000]);
        shelf.change = Some(change);
        let row = push_with(config, &receiver);
        let failure = send_with(&site(&[receiver.address]), &row, &shelf).await;
        let failure = check(failure, Code::HttpPush, true);
        assert!(failure.message.contains("the medium changed"), "{}", failure.message);
        assert!(receiver.seen().iter().all(|seen| seen.method == "GET"));
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_meanwhile_is_opened_again() {
    let address = blunt(Some(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let transmitters = Transmitters::standard(&site(&[address])).unwrap();
    for _ in 0..5 {
        transmitters.send(&push(&format!("http://{address}/")), &NoMedia).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_id_of_a_medium_is_one_segment() {
    let receiver = Receiver::start().await;
    let config = json!({"assets_url": receiver.url("/assets")});
    let id = "../items?x=#y/é";
    let shelf = Shelf::default().with(id, "one.jpg", MediumKind::Original, b"1");
    let _ = send_with(&site(&[receiver.address]), &push_with(config, &receiver), &shelf).await;
    assert_eq!(receiver.seen()[0].path, "/assets/..%2Fitems%3Fx=%23y%2F%C3%A9");
}

#[tokio::test]
async fn a_part_of_a_package_stays_inside_of_it() {
    let receiver = Receiver::start().await;
    let site = site(&[receiver.address]);
    let mut row = push_with(json!({"packaged": true}), &receiver);
    send(&site, &row).await.unwrap();
    row.is_in_package = true;
    let receipt = send(&site, &row).await.unwrap();
    assert_eq!((receipt.bytes, receipt.answer, receiver.seen().len()), (0, None, 1));
}

#[tokio::test]
async fn every_answer_has_its_remedy() {
    let receiver = Receiver::start().await;
    let site = site(&[receiver.address]);
    let row = push(&receiver.url("/"));
    let again = |seconds: Option<u64>| Remedy::Retry { after: seconds.map(Duration::from_secs) };
    for (status, wait, code, remedy) in [
        (400, None, Code::HttpPushClient, Remedy::GiveUp),
        (401, None, Code::HttpPushClient, Remedy::GiveUp),
        (404, None, Code::HttpPushClient, Remedy::GiveUp),
        (408, None, Code::HttpPushClient, again(None)),
        (410, None, Code::HttpPushClient, Remedy::Close),
        (422, Some("9"), Code::HttpPushClient, Remedy::GiveUp),
        (425, None, Code::HttpPushClient, again(None)),
        (429, Some("120"), Code::HttpPushClient, again(Some(120))),
        (429, Some("Fri, 30 Jan 2026 02:42:56 GMT"), Code::HttpPushClient, again(Some(120))),
        (429, None, Code::HttpPushClient, again(None)),
        (500, None, Code::HttpPushServer, again(None)),
        (503, Some("30"), Code::HttpPushServer, again(Some(30))),
        (503, Some("99999999"), Code::HttpPushServer, again(Some(86400))),
    ] {
        let headers: Vec<_> = wait.map(|wait| ("retry-after", wait)).into_iter().collect();
        receiver.answer(status, &headers, "why\r\nX: \u{1b}[31m");
        let failure = send(&site, &row).await.unwrap_err();
        assert_eq!((failure.code, failure.remedy), (code, remedy), "{status}");
        let answer = failure.answer.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (status, "why\\r\\nX: \\u{1b}[31m"));
    }
    for status in [200, 201, 202, 204] {
        receiver.answer(status, &[], "");
        send(&site, &row).await.unwrap();
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let secret = Receiver::start().await;
    let receiver = Receiver::start().await;
    for status in [301, 302, 307, 308] {
        receiver.answer(status, &[("location", &secret.url("/"))], "");
        check(
            send(&site(&[receiver.address, secret.address]), &push(&receiver.url("/"))).await,
            Code::HttpPush,
            false,
        );
    }
    assert_eq!(secret.connections(), 0);
}

#[tokio::test]
async fn receivers_that_do_not_answer_cost_their_time_and_no_more() {
    for (what, answer) in [
        ("silence", None),
        ("end", Some(&b""[..])),
        ("half a head", Some(b"HTTP/1.1 200 OK\r\nContent-Le")),
        ("no HTTP", Some(b"220 ftp ready\r\n")),
    ] {
        let address = blunt(answer).await;
        let start = Instant::now();
        let failure =
            check(send(&site(&[address]), &push(&format!("http://{address}/"))).await, Code::HttpPush, true);
        assert!(start.elapsed() < Duration::from_secs(3), "{what}");
        assert!(failure.message.starts_with("no answer"), "{what}: {}", failure.message);
        assert!(failure.duration > Duration::ZERO);
    }
    let nobody = parts::free_address();
    let failure =
        check(send(&site(&[nobody]), &push(&format!("http://{nobody}/"))).await, Code::HttpPush, true);
    assert!(failure.message.starts_with("not reached"), "{}", failure.message);
}

#[tokio::test]
async fn an_answer_is_read_in_part_only() {
    let receiver = Receiver::start().await;
    receiver.answer(200, &[], &"x".repeat(3 << 20));
    let receipt = send(&site(&[receiver.address]), &push(&receiver.url("/"))).await.unwrap();
    assert_eq!(receipt.answer.unwrap().text.len(), 1024);
    let head =
        Box::leak(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(200_000)).into_bytes().into());
    let address = blunt(Some(head)).await;
    check(send(&site(&[address]), &push(&format!("http://{address}/"))).await, Code::HttpPush, true);
}

#[tokio::test]
async fn a_body_that_drips_does_not_undo_the_status() {
    let address = blunt(Some(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart")).await;
    let receipt = send(&site(&[address]), &push(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(receipt.answer.unwrap().text, "start");
}

#[tokio::test]
async fn connections_are_kept_for_the_next_row() {
    let receiver = Receiver::start().await;
    let transmitters = Transmitters::standard(&site(&[receiver.address])).unwrap();
    for _ in 0..5 {
        transmitters.send(&push(&receiver.url("/")), &NoMedia).await.unwrap();
    }
    assert_eq!((receiver.seen().len(), receiver.connections()), (5, 1));
}

#[tokio::test]
async fn a_repeat_has_the_same_id_and_a_resend_another() {
    let receiver = Receiver::start().await;
    let site = site(&[receiver.address]);
    let mut row = push(&receiver.url("/"));
    send(&site, &row).await.unwrap();
    send(&site, &row).await.unwrap();
    row.published_seq_num += 1;
    send(&site, &row).await.unwrap();
    let ids: Vec<String> = receiver.seen().iter().map(|seen| seen.header("webhook-id").to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test]
async fn forbidden_targets_are_refused_without_a_word() {
    let receiver = Receiver::start().await;
    let closed = site(&[]);
    let port = receiver.address.port();
    for (url, reason) in [
        (receiver.url("/"), "127.0.0.1 is a loopback address"),
        (format!("http://localhost:{port}/"), "loopback"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "127.0.0.1 is a loopback address"),
        (format!("http://0x7f.1:{port}/"), "loopback"),
        (format!("http://2130706433:{port}/"), "loopback"),
        (format!("http://0177.0.0.1:{port}/"), "loopback"),
        (format!("http://127.1:{port}/"), "loopback"),
        (format!("http://①②⑦.0.0.1:{port}/"), "loopback"),
        (format!("http://[64:ff9b::7f00:1]:{port}/"), "loopback"),
        (format!("http://[::]:{port}/"), "unspecified"),
        (format!("http://0.0.0.0:{port}/"), "unspecified"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "a metadata service"),
        ("http://metadata.google.internal/".to_owned(), "the name of a metadata service"),
        ("http://METADATA.google.internal./".to_owned(), "the name of a metadata service"),
        ("https://user:password@example.com/".to_owned(), "user or password"),
        ("https://user@example.com/".to_owned(), "user or password"),
        ("ftp://example.com/".to_owned(), "scheme ftp"),
        ("file:///etc/passwd".to_owned(), "scheme file"),
        ("https://8.8.8.8:22/".to_owned(), "port 22"),
    ] {
        check_denied(send(&closed, &push(&url)).await, Code::HttpPush, reason);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn settings_that_cannot_work_are_told() {
    let site = site(&[]);
    for (config, body) in [
        (json!({}), ITEM),
        (json!({"resource_url": " "}), ITEM),
        (json!({"resource_url": "no url"}), ITEM),
        (json!({"resource_url": "https://example.com", "webhook_secret": "whsec_!"}), ITEM),
        (json!({"resource_url": "https://example.com"}), "<nitf/>"),
    ] {
        check(send(&site, &transmission("http_push", config, body)).await, Code::HttpPush, false);
    }
    let mut row = push("https://example.com");
    row.body = Body::Binary(vec![0xff].into());
    check(send(&site, &row).await, Code::HttpPush, false);
}

#[tokio::test]
async fn an_unknown_delivery_type_is_named() {
    for key in ["HTTP_PUSH", "file", "carrier\npigeon"] {
        let failure = send(&site(&[]), &transmission(key, json!({}), ITEM)).await.unwrap_err();
        assert_eq!((failure.code, failure.is_retryable()), (Code::UnknownDeliveryType, false));
        assert_eq!(failure.to_string(), "PublishDeliveryTypeError Error 9010 - Unknown delivery type");
        assert!(!failure.error_message().contains('\n'));
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let nobody: SocketAddr = parts::free_address();
    let config = json!({
        "resource_url": format!("http://{nobody}/canary-1?key=canary-2"),
        "secret_token": "canary-3",
        "webhook_secret": "canary-4",
    });
    let row = transmission("http_push", config, "{\"x\": \"canary-5\"}");
    let failure = send(&site(&[nobody]), &row).await.unwrap_err();
    let shown = format!("{row:?} {failure:?} {failure} {}", failure.error_message());
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn tls_is_checked_against_the_trusted_authorities() {
    let certificates = certificates();
    let chain =
        CertificateDer::pem_slice_iter(certificates.receiver.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(certificates.receiver.as_bytes()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
    let receiver = Receiver::start_with(Some(Arc::new(config).into())).await;
    let port = receiver.address.port();
    let mut site = site(&[receiver.address]);
    site.egress = Egress::new(Policy {
        allow: vec![format!("127.0.0.1:{port}").parse().unwrap(), format!("[::1]:{port}").parse().unwrap()],
        own: Vec::new(),
        file_roots: Vec::new(),
    });
    let row = push(&format!("https://localhost:{port}/"));
    let failure = check(send(&site, &row).await, Code::HttpPush, true);
    assert!(failure.message.contains("UnknownIssuer"), "{}", failure.message);
    site.authorities_pem = Some(certificates.authority);
    send(&site, &row).await.unwrap();
    // The certificate is of the name, not of the address.
    check(send(&site, &push(&format!("https://127.0.0.1:{port}/"))).await, Code::HttpPush, true);
    assert_eq!(receiver.seen().len(), 1);
}
