//! E-mail against aiosmtpd.

use crate::certificates::{Certificates, certificates};
use crate::parts::{self, Part};
use crate::shelf::Shelf;
use crate::world::{check, check_denied, guarded, send, send_with, site, transmission};
use dateline_transmit::egress::Policy;
use dateline_transmit::{Code, MailRelay, MailSecurity, MediumKind, Secret, Site, Transmission};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;

const LETTER: &str = r#"{"message_subject": "Zürich: Hören\r\nBcc: evil@x.example", "message_text": "Grüße\n.\nend",
    "message_html": "<p>Grüße</p>", "renditions": null}"#;

struct Relay {
    part: Part,
    folder: tempfile::TempDir,
    certificates: Certificates,
}

impl Relay {
    fn start(behaviour: &str, has_tls: bool) -> Option<Relay> {
        let folder = tempfile::tempdir().unwrap();
        let certificates = certificates();
        let pem = folder.path().join("receiver.pem");
        fs::write(&pem, &certificates.receiver).unwrap();
        let pem = if has_tls { pem.to_str().unwrap() } else { "" };
        let part = Part::python("smtp.py", "aiosmtpd", &[folder.path().to_str().unwrap(), behaviour, pem])?;
        Some(Relay { part, folder, certificates })
    }

    fn site(&self, security: MailSecurity) -> Site {
        let mut site = relayed(self.part.address, security);
        site.authorities_pem = Some(self.certificates.authority.clone());
        site
    }

    /// The envelope and the message that were taken, if it was the only one.
    fn taken(&self) -> (Value, String) {
        assert!(!self.folder.path().join("2.eml").exists());
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap();
        (serde_json::from_str(&read("1.json")).unwrap(), read("1.eml"))
    }
}

fn relayed(address: SocketAddr, security: MailSecurity) -> Site {
    let port = address.port();
    let allow = [format!("mail 127.0.0.1:{port}"), format!("mail [::1]:{port}")];
    let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
    let mut site = guarded(Policy { allow, own: Vec::new(), file_roots: Vec::new() });
    site.mail = Some(MailRelay {
        host: "localhost".to_owned(),
        port,
        security,
        credentials: None,
        sender: "News Desk <desk@example.com>".to_owned(),
    });
    site
}

fn row(config: Value, body: &str) -> Transmission {
    transmission("email", config, body)
}

fn to(recipients: &str) -> Transmission {
    row(json!({"recipients": recipients}), LETTER)
}

#[tokio::test]
async fn a_letter_arrives_and_hides_its_blind_recipients() {
    let Some(relay) = Relay::start("plain", false) else { return };
    let config =
        json!({"recipients": "a@example.com; Ü <b@example.com>", "recipients_bcc": "secret@example.com"});
    let row = row(config, LETTER);
    let receipt = send(&relay.site(MailSecurity::Plain), &row).await.unwrap();
    let (envelope, message) = relay.taken();
    assert_eq!(envelope["from"], "desk@example.com");
    assert_eq!(envelope["to"], json!(["a@example.com", "b@example.com", "secret@example.com"]));
    assert!(!message.contains("secret@") && !message.contains("\nBcc:"), "{message}");
    assert!(message.contains(&format!("Message-ID: <{}@example.com>", row.id())), "{message}");
    assert!(message.contains("Date: Fri, 30 Jan 2026 02:40:56 +0000"), "{message}");
    assert!(message.contains("From: \"News Desk\" <desk@example.com>"), "{message}");
    assert!(message.contains("multipart/alternative") && message.contains("text/html"), "{message}");
    let answer = receipt.answer.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (250, "taken"));
    assert_eq!(receipt.target, format!("3 recipients through localhost:{}", relay.part.address.port()));
}

#[tokio::test]
async fn what_is_no_letter_stands_as_it_is() {
    let Some(relay) = Relay::start("plain", false) else { return };
    let row = row(json!({"recipients": "a@example.com"}), "<nitf>text</nitf>");
    send(&relay.site(MailSecurity::Plain), &row).await.unwrap();
    let (_, message) = relay.taken();
    assert!(message.contains("Subject: Story: urn:newsml:example:2026:item"), "{message}");
    assert_eq!(message.matches("<nitf>text</nitf>").count(), 2, "as text and as HTML");
}

#[tokio::test]
async fn starttls_and_tls_protect_message_and_password() {
    for (behaviour, security) in [("plain", MailSecurity::StartTls), ("implicit", MailSecurity::Tls)] {
        let Some(relay) = Relay::start(behaviour, true) else { return };
        let mut site = relay.site(security);
        let right = Some(("desk".to_owned(), Secret::new("p w;d")));
        let wrong = Some(("desk".to_owned(), Secret::new("canary")));
        site.mail.as_mut().unwrap().credentials = wrong;
        let failure = check(send(&site, &to("a@example.com")).await, Code::Email, true);
        assert_eq!(failure.answer.as_ref().unwrap().status, 535);
        assert!(!format!("{failure:?} {site:?}").contains("canary"));
        site.mail.as_mut().unwrap().credentials = right;
        send(&site, &to("a@example.com")).await.unwrap();
        let (envelope, _) = relay.taken();
        assert_eq!((&envelope["tls"], &envelope["user"]), (&true.into(), &"desk".into()));
        site.authorities_pem = None;
        let failure = check(send(&site, &to("a@example.com")).await, Code::Email, true);
        assert!(failure.message.contains("UnknownIssuer"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_relay_without_tls_gets_neither_message_nor_password() {
    let Some(relay) = Relay::start("plain", false) else { return };
    let failure = send(&relay.site(MailSecurity::StartTls), &to("a@example.com")).await;
    assert_eq!(check(failure, Code::Email, true).message, "the relay does not offer STARTTLS");
    let mut site = relay.site(MailSecurity::Plain);
    site.mail.as_mut().unwrap().credentials = Some(("desk".to_owned(), Secret::new("p w;d")));
    check(send(&site, &to("a@example.com")).await, Code::Email, true);
    assert!(!relay.folder.path().join("1.eml").exists());
}

#[tokio::test]
async fn words_before_the_handshake_end_the_conversation() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = [0; 512];
        stream.write_all(b"220 relay\r\n").await.unwrap();
        let _ = stream.read(&mut line).await;
        stream.write_all(b"250-relay\r\n250 STARTTLS\r\n").await.unwrap();
        let _ = stream.read(&mut line).await;
        stream.write_all(b"220 go\r\n250-relay\r\n250 AUTH PLAIN\r\n").await.unwrap();
        let _ = stream.read(&mut line).await;
    });
    let failure = send(&relayed(address, MailSecurity::StartTls), &to("a@example.com")).await;
    assert_eq!(check(failure, Code::Email, true).message, "the relay says more than it was asked");
}

#[tokio::test]
async fn refusals_last_where_the_relay_says_so() {
    let Some(relay) = Relay::start("plain", false) else { return };
    let site = relay.site(MailSecurity::Plain);
    check(send(&site, &to("unknown@example.com")).await, Code::Email, false);
    check(send(&site, &to("grey@example.com")).await, Code::Email, true);
    check(send(&site, &to("unknown@example.com; grey@example.com")).await, Code::Email, true);
    // One that is unknown does not keep it from the others.
    let receipt = send(&site, &to("unknown@example.com; a@example.com")).await.unwrap();
    assert_eq!(receipt.answer.unwrap().text, "taken; 1 of 2 recipients refused with 550");
    assert_eq!(relay.taken().0["to"], json!(["a@example.com"]));
    for (behaviour, is_retryable, status) in [("refusing", false, 554), ("busy", true, 451)] {
        let Some(relay) = Relay::start(behaviour, false) else { return };
        let failure = send(&relay.site(MailSecurity::Plain), &to("a@example.com")).await;
        assert_eq!(check(failure, Code::Email, is_retryable).answer.unwrap().status, status);
    }
}

#[tokio::test]
async fn the_chosen_rendition_is_attached() {
    for (cid, expected) in [
        ("", "Content-Disposition: attachment"),
        ("picture@example.com", "Content-ID: <picture@example.com>"),
    ] {
        let Some(relay) = Relay::start("plain", false) else { return };
        let shelf = Shelf::default().with("1", "original.jpg", MediumKind::Original, b"original").with(
            "2",
            "a\"\r\nX-Evil: 1.jpg",
            MediumKind::Rendition("viewImage".to_owned()),
            b"view",
        );
        let mut config = json!({
            "recipients": "a@example.com", "attach_media": true, "media_rendition": "viewImage", "media_cid": cid,
        });
        let site = relay.site(MailSecurity::Plain);
        let receipt = send_with(&site, &row(config.clone(), LETTER), &shelf).await.unwrap();
        assert_eq!(receipt.media_sent, 1);
        let (_, message) = relay.taken();
        assert!(message.contains(expected) && message.contains("Content-Type: image/jpeg"), "{message}");
        assert!(!message.contains("\nX-Evil"), "{message}");
        config["watermark"] = true.into();
        check(send_with(&site, &row(config.clone(), LETTER), &shelf).await, Code::Email, true);
        config["media_cid"] = "x>\r\nX-Evil: 1".into();
        check(send_with(&site, &row(config, LETTER), &shelf).await, Code::Email, false);
    }
}

#[tokio::test]
async fn recipients_and_relay_must_be_there() {
    let nobody = parts::free_address();
    let with = relayed(nobody, MailSecurity::Plain);
    let failure = send(&with, &row(json!({}), LETTER)).await;
    let failure = check(failure, Code::NoRecipients, false);
    assert_eq!(failure.message, "recipient and bcc fields are empty!");
    check(send(&with, &to("a@example.com\nBcc: b@example.com")).await, Code::Email, false);
    check(send(&with, &to("a@example.com")).await, Code::Email, true);
    check(send(&site(&[]), &to("a@example.com")).await, Code::Email, true);
    let mut closed = site(&[]);
    closed.mail = with.mail;
    check_denied(send(&closed, &to("a@example.com")).await, Code::Email, "loopback");
}

#[tokio::test]
async fn a_relay_that_talks_without_end_is_left() {
    let endless: &'static [u8] =
        Box::leak([b"220-".as_slice(), &vec![b'x'; 1 << 20]].concat().into_boxed_slice());
    for security in [MailSecurity::Plain, MailSecurity::StartTls] {
        for answer in [endless, b"HTTP/1.1 400\r\n\r\n", b""] {
            // Nothing waits for the end of a line for ever.
            let address = talker(answer).await;
            check(send(&relayed(address, security), &to("a@example.com")).await, Code::Email, true);
        }
    }
}

/// Speaks at once.
async fn talker(words: &'static [u8]) -> SocketAddr {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(words).await;
    });
    address
}
