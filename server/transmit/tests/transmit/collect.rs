//! Collectors: what is fetched, and what is not.

use crate::certificates::certificates;
use crate::parts::{self, Part};
use crate::receiver::{Receiver, blunt, blunt_at_once};
use crate::world::{site, site_with_root};
use dateline_transmit::{Access, Asked, Call, Called, CollectError, Collectors, Config, Fetched, Secret};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

#[tokio::test]
async fn a_document_comes_whole_or_not_at_all() {
    let receiver = Receiver::start().await;
    let collectors = Collectors::new(&site(&[receiver.address])).unwrap();
    receiver.answer(200, &[("etag", "\"1\""), ("last-modified", "Fri, 30 Jan 2026 01:00:00 GMT")], "feed");
    let mut question = Asked::new(&receiver.url("/feed?a=1"));
    question.access = Access::Basic("u".to_owned(), Secret::new("p"));
    let fetched = collectors.get(&question, 100).await.unwrap();
    let expected = Fetched::Document {
        bytes: b"feed".to_vec(),
        etag: Some("\"1\"".to_owned()),
        last_modified: Some("Fri, 30 Jan 2026 01:00:00 GMT".to_owned()),
    };
    assert_eq!(fetched, expected);
    let seen = receiver.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/feed?a=1"));
    assert_eq!(seen.header("authorization"), "Basic dTpw");
    receiver.answer(304, &[], "");
    question.etag = Some("\"1\"".to_owned());
    question.access = Access::Bearer(Secret::new("t"));
    assert_eq!(collectors.get(&question, 100).await.unwrap(), Fetched::Unchanged);
    let seen = receiver.seen().pop().unwrap();
    assert_eq!((seen.header("if-none-match"), seen.header("authorization")), ("\"1\"", "Bearer t"));
    receiver.answer(200, &[], &"x".repeat(101));
    assert_eq!(collectors.get(&question, 100).await.unwrap_err(), CollectError::TooLarge(100));
    for status in [204, 301, 401, 404, 500] {
        receiver.answer(status, &[], "");
        assert_eq!(
            collectors.get(&question, 100).await.unwrap_err(),
            CollectError::Status(status),
            "{status}"
        );
    }
    question.access = Access::Bearer(Secret::new("two\r\nlines"));
    assert!(matches!(collectors.get(&question, 100).await.unwrap_err(), CollectError::Settings(_)));
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_the_guard_allows() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let collectors = Collectors::new(&site(&[first.address, second.address])).unwrap();
    let mut question = Asked::new(&first.url("/old"));
    question.access = Access::Bearer(Secret::new("t"));
    first.answer(301, &[("location", &second.url("/new"))], "");
    second.answer(200, &[], "feed");
    let expected = Fetched::Document { bytes: b"feed".to_vec(), etag: None, last_modified: None };
    assert_eq!(collectors.get(&question, 100).await.unwrap(), expected);
    assert_eq!(first.seen().pop().unwrap().header("authorization"), "Bearer t");
    let seen = second.seen().pop().unwrap();
    assert!(seen.path == "/new" && !seen.headers.contains_key("authorization"), "{seen:?}");
    second.answer(302, &[("location", "http://169.254.169.254/")], "");
    assert!(matches!(collectors.get(&question, 100).await.unwrap_err(), CollectError::Denied(_)));
    second.answer(302, &[("location", "again")], "");
    assert_eq!(collectors.get(&question, 100).await.unwrap_err(), CollectError::Redirects);
    let mut file = collectors.open(&first.url("/assets-of/a%20b.jpg")).await.err().unwrap();
    assert_eq!(file, CollectError::Redirects);
    first.answer(200, &[], "bytes");
    let mut arriving = collectors.open(&first.url("/assets-of/a%20b.jpg")).await.unwrap();
    assert_eq!(arriving.name, "a%20b.jpg");
    assert_eq!(arriving.next().await.unwrap().unwrap(), "bytes");
    assert!(arriving.next().await.unwrap().is_none());
    first.answer(404, &[], "");
    file = collectors.open(&first.url("/")).await.err().unwrap();
    assert_eq!(file, CollectError::Status(404));
}

#[tokio::test]
async fn nobody_is_reached_past_the_guard() {
    let receiver = Receiver::start().await;
    let mut site = site(&[]);
    site.http_answer_max = Duration::from_millis(200);
    let collectors = Collectors::new(&site).unwrap();
    for url in [
        receiver.url("/"),
        "http://169.254.169.254/".to_owned(),
        "ftp://example.com/".to_owned(),
        "http://u:p@example.com/".to_owned(),
    ] {
        let error = collectors.get(&Asked::new(&url), 100).await.unwrap_err();
        assert!(matches!(error, CollectError::Denied(_)), "{url}: {error:?}");
        assert_eq!(error.to_string(), "source not allowed");
    }
    assert!(receiver.seen().is_empty());
    let error = collectors.ftp(&Config::from(json!({"host": "10.0.0.1"}))).await.err().unwrap();
    assert!(matches!(error, CollectError::Denied(_)), "{error:?}");
    assert!(matches!(
        collectors.get(&Asked::new("nonsense"), 100).await.unwrap_err(),
        CollectError::Settings(_)
    ));
}

#[tokio::test]
async fn a_silent_server_is_left() {
    let silent = blunt(None).await;
    let mut site = site(&[silent]);
    site.http_answer_max = Duration::from_millis(200);
    let error = Collectors::new(&site)
        .unwrap()
        .get(&Asked::new(&format!("http://{silent}/")), 100)
        .await
        .unwrap_err();
    assert!(matches!(error, CollectError::Late(_)), "{error:?}");
}

#[test]
fn files_of_a_folder_below_a_root() {
    let keep = tempfile::tempdir().unwrap();
    let root = keep.path().canonicalize().unwrap().join("root");
    let folder = root.join("in");
    fs::create_dir_all(folder.join("inner")).unwrap();
    for (name, text) in [("b", "two"), ("a", "one"), (".hidden", "x")] {
        fs::write(folder.join(name), text).unwrap();
    }
    symlink("/etc/hostname", folder.join("link")).unwrap();
    symlink("/etc", root.join("out")).unwrap();
    let collectors = Collectors::new(&site_with_root(root.clone())).unwrap();
    let opened = collectors.folder(folder.to_str().unwrap()).unwrap();
    let names = |most| opened.list(most).unwrap().into_iter().map(|file| file.name).collect::<Vec<_>>();
    assert_eq!((names(9), names(1)), (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()]));
    assert_eq!(opened.read("a", 3).unwrap(), b"one");
    assert_eq!(opened.read("a", 2).unwrap_err(), CollectError::TooLarge(2));
    assert!(matches!(opened.read("link", 9).unwrap_err(), CollectError::Failed(_)));
    opened.relocate("a", "_DONE").unwrap();
    assert_eq!(fs::read(folder.join("_DONE/a")).unwrap(), b"one");
    symlink("/tmp", folder.join("_ELSEWHERE")).unwrap();
    assert!(opened.relocate("b", "_ELSEWHERE").is_err() && folder.join("b").exists());
    for path in [root.join("out"), root.join("../x"), "/etc".into()] {
        let error = collectors.folder(path.to_str().unwrap()).unwrap_err();
        assert!(matches!(error, CollectError::Denied(_)), "{path:?}: {error:?}");
    }
}

#[tokio::test]
async fn files_of_a_server() {
    let keep = tempfile::tempdir().unwrap();
    fs::create_dir(keep.path().join("wire")).unwrap();
    fs::write(keep.path().join("wire/a.xml"), "one").unwrap();
    fs::create_dir(keep.path().join("wire/inner")).unwrap();
    let arguments = [keep.path().to_str().unwrap(), "", ""];
    let Some(part) = Part::python("ftp.py", "pyftpdlib", &arguments) else { return };
    let collectors = Collectors::new(&site(&[part.address])).unwrap();
    let config = |password: &str| {
        Config::from(json!({
            "host": part.address.ip().to_string(), "port": part.address.port(), "username": "desk",
            "password": password, "path": "wire",
        }))
    };
    let mut folder = collectors.ftp(&config("p w;d")).await.unwrap();
    let files = folder.list().await.unwrap();
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a.xml"]);
    assert!(files[0].modified.is_some());
    assert_eq!(folder.read("a.xml", 3).await.unwrap(), b"one");
    folder.relocate("a.xml", "_DONE").await.unwrap();
    assert!(keep.path().join("wire/_DONE/a.xml").exists());
    assert!(folder.read("a.xml", 3).await.is_err());
    folder.close().await;
    let refused = collectors.ftp(&config("wrong")).await.err().unwrap();
    assert!(
        matches!(&refused, CollectError::Refused(_)) && !refused.to_string().contains("wrong"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn letters_of_a_mailbox() {
    if Command::new("dovecot").arg("--version").output().is_err() {
        return parts::skip("no dovecot");
    }
    if fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).ok() != Some(0) {
        return parts::skip("dovecot wants to be started by root");
    }
    let keep = tempfile::tempdir().unwrap();
    let home = keep.path().display().to_string();
    let certificates = certificates();
    let pem = keep.path().join("receiver.pem");
    fs::write(&pem, &certificates.receiver).unwrap();
    let (open, secured) = (parts::free_address(), parts::free_address());
    let config = format!(
        "protocols = imap\nlisten = 127.0.0.1\nbase_dir = {home}/run\nstate_dir = {home}/state\nlog_path = {home}/log\n\
         ssl = yes\nssl_cert = <{pem}\nssl_key = <{pem}\ndisable_plaintext_auth = no\n\
         mail_location = maildir:{home}/mail\nfirst_valid_uid = 1\n\
         passdb {{\n driver = static\n args = user=desk password=pass\n}}\n\
         userdb {{\n driver = static\n args = uid=daemon gid=daemon home={home}\n}}\n\
         service imap-login {{\n chroot =\n inet_listener imap {{\n  port = {}\n }}\n \
         inet_listener imaps {{\n  port = {}\n  ssl = yes\n }}\n}}\n",
        open.port(),
        secured.port(),
        pem = pem.display(),
    );
    let file = keep.path().join("dovecot.conf");
    fs::write(&file, config).unwrap();
    for folder in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
        fs::create_dir(keep.path().join(folder)).unwrap();
    }
    for (name, bytes) in [("1.a", 40), ("2.b", 4_000), ("3.c", 40)] {
        let letter = format!("Subject: {name}\r\n\r\n{}", "x".repeat(bytes));
        fs::write(keep.path().join("mail/new").join(name), letter).unwrap();
    }
    let owned = format!("chmod 755 {home}; chown -R daemon:daemon {home}/mail");
    assert!(Command::new("sh").args(["-c", &owned]).status().unwrap().success());
    let _server = Part::program(Command::new("dovecot").args(["-F", "-c"]).arg(&file), open);
    let mut site = site(&[open, secured]);
    site.authorities_pem = Some(certificates.authority.clone());
    let collectors = Collectors::new(&site).unwrap();
    let config = |password: &str, is_secure: bool| {
        let (host, port) = if is_secure { ("localhost", secured.port()) } else { ("127.0.0.1", open.port()) };
        Config::from(json!({
            "server": host, "port": port, "use_ssl": is_secure, "user": "desk", "password": password,
        }))
    };
    let settings = config("pass", true);
    let mut mailbox = collectors.mailbox(&settings).await.unwrap();
    let letters = mailbox.list(&settings, 100).await.unwrap();
    assert_eq!((letters.len(), mailbox.list(&settings, 2).await.unwrap().len()), (3, 2));
    let first = mailbox.read(letters[0], 1_000).await.unwrap().unwrap();
    assert!(first.starts_with(b"Subject: 1.a\r\n"), "{}", String::from_utf8_lossy(&first));
    assert_eq!(mailbox.read(letters[1], 1_000).await.unwrap_err(), CollectError::TooLarge(1_000));
    assert_eq!(mailbox.read(99, 1_000).await.unwrap(), None);
    // Reading marks nothing.
    assert_eq!(mailbox.list(&settings, 100).await.unwrap(), letters);
    mailbox.mark(letters[0]).await.unwrap();
    mailbox.close().await;
    let settings = config("pass", false);
    let mut mailbox = collectors.mailbox(&settings).await.unwrap();
    assert_eq!(mailbox.list(&settings, 100).await.unwrap(), letters[1..]);
    mailbox.close().await;
    let refused = collectors.mailbox(&config("wrong", true)).await.err().unwrap();
    assert!(matches!(&refused, CollectError::Refused(why) if !why.contains("wrong")), "{refused:?}");
    let mut settings = json!({"server": "10.0.0.1", "user": "desk", "password": "pass"});
    let denied = collectors.mailbox(&Config::from(settings.clone())).await.err().unwrap();
    assert!(matches!(denied, CollectError::Denied(_)), "{denied:?}");
    settings["user"] = "two\r\nlines".into();
    let wrong = collectors.mailbox(&Config::from(settings)).await.err().unwrap();
    assert!(matches!(wrong, CollectError::Settings(_)), "{wrong:?}");
}

/// A mail server that talks without end is left, and what it says is not kept.
#[tokio::test]
async fn a_mailbox_without_end() {
    let greeting: &'static [u8] =
        Box::leak([b"* OK ".as_slice(), &vec![b'x'; 3 << 20]].concat().into_boxed_slice());
    let address = blunt_at_once(greeting).await;
    let settings = Config::from(json!({
        "server": address.ip().to_string(), "port": address.port(), "use_ssl": false, "user": "u", "password": "p",
    }));
    let error = Collectors::new(&site(&[address])).unwrap().mailbox(&settings).await.err().unwrap();
    assert!(matches!(&error, CollectError::Failed(why) if why.contains("too much")), "{error:?}");
}

#[tokio::test]
async fn a_call_is_signed_and_bounded() {
    let receiver = Receiver::start().await;
    let collectors = Collectors::new(&site(&[receiver.address])).unwrap();
    let mut call = Call {
        url: receiver.url("/macro"),
        secret: Some(Secret::new("whsec_c2VjcmV0")),
        id: "call-1".to_owned(),
        body: b"{\"item\":{}}".to_vec(),
        time_max: Duration::from_millis(500),
    };
    receiver.answer(422, &[], "no");
    let called = collectors.call(&call, 10).await.unwrap();
    assert_eq!(called, Called { status: 422, bytes: b"no".to_vec() });
    let seen = receiver.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/macro"));
    assert_eq!(&seen.body[..], b"{\"item\":{}}");
    assert_eq!((seen.header("webhook-id"), seen.header("content-type")), ("call-1", "application/json"));
    assert!(seen.header("webhook-signature").starts_with("v1,"));
    call.secret = None;
    receiver.answer(200, &[], &"x".repeat(11));
    assert_eq!(collectors.call(&call, 10).await.unwrap_err(), CollectError::TooLarge(10));
    assert!(!receiver.seen().pop().unwrap().headers.contains_key("webhook-signature"));
    call.secret = Some(Secret::new("whsec_!"));
    assert!(matches!(collectors.call(&call, 10).await.unwrap_err(), CollectError::Settings(_)));
    call.secret = None;
    call.url = "http://169.254.169.254/".to_owned();
    assert!(matches!(collectors.call(&call, 10).await.unwrap_err(), CollectError::Denied(_)));
}
