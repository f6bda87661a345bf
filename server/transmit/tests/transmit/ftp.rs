//! FTP and FTPS against pyftpdlib and vsftpd.

use crate::certificates::certificates;
use crate::parts::{self, Part};
use crate::receiver::blunt;
use crate::shelf::Shelf;
use crate::world::{check, check_denied, guarded, send, send_with, site, transmission};
use dateline_transmit::egress::{Allowance, Policy};
use dateline_transmit::{Code, MediumKind, Receipt, Site, Transmission};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const NAME: &str = "urn-newsml-example-2026-item-2-7.json";

/// A server in a folder that has `wire` and `media` in it.
struct Server {
    part: Part,
    folder: PathBuf,
    _keep: tempfile::TempDir,
}

impl Server {
    fn start(behaviour: &str) -> Option<Server> {
        Server::start_with(behaviour, "")
    }

    fn start_with(behaviour: &str, certificate: &str) -> Option<Server> {
        let (keep, folder) = folder();
        let arguments = [folder.to_str().unwrap(), behaviour, certificate];
        let part = Part::python("ftp.py", "pyftpdlib", &arguments)?;
        Some(Server { part, folder, _keep: keep })
    }

    fn row(&self, more: Value) -> Transmission {
        row(self.part.address, more)
    }

    async fn send(&self, more: Value) -> Receipt {
        send(&site(&[self.part.address]), &self.row(more)).await.unwrap()
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let folder = keep.path().join("home");
    for name in ["wire", "media"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    (keep, folder)
}

fn row(address: SocketAddr, more: Value) -> Transmission {
    let mut config = json!({
        "host": address.ip().to_string(), "port": address.port(), "username": "desk", "password": "p w;d",
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    transmission("ftp", config, "{\"a\": \"line\\r\\nend\"}\n")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_arrives_in_its_folder_under_its_name() {
    let Some(server) = Server::start("plain") else { return };
    let receipt = server.send(json!({"path": "wire"})).await;
    let wire = server.folder.join("wire");
    assert_eq!(fs::read_to_string(wire.join(NAME)).unwrap(), "{\"a\": \"line\\r\\nend\"}\n");
    assert_eq!(receipt.target, format!("{} {NAME}", server.part.address));
    // Again, onto the file that is there; and by the other two ways of data connections and names.
    for more in [json!({}), json!({"rename": false}), json!({"passive": false})] {
        fs::write(wire.join(NAME), "older and longer than what is sent now").unwrap();
        let mut more = more;
        more["path"] = "/wire".into();
        server.send(more).await;
        assert_eq!(fs::read(wire.join(NAME)).unwrap().len() as u64, receipt.bytes);
        assert_eq!(names(&wire), [NAME]);
    }
}

#[tokio::test]
async fn crops_go_to_the_folder_of_media_once() {
    for behaviour in ["plain", "sizeless"] {
        let Some(server) = Server::start(behaviour) else { return };
        let shelf = Shelf::default()
            .with("1", "crop.jpg", MediumKind::Crop("16-9".to_owned()), &[1; 200_000])
            .with("2", "original.jpg", MediumKind::Original, b"original")
            .with("3", "view.jpg", MediumKind::Rendition("viewImage".to_owned()), b"view");
        let site = site(&[server.part.address]);
        let mut more = json!({"path": "wire", "push_associated": true, "associated_path": "media"});
        let media = server.folder.join("media");
        // A name that another one contains is another name.
        fs::write(media.join("old-crop.jpg.bak"), "").unwrap();
        for (include_original, sent, there) in [
            (false, 1, &["crop.jpg", "old-crop.jpg.bak"][..]),
            (false, 0, &["crop.jpg", "old-crop.jpg.bak"]),
            (true, 1, &["crop.jpg", "old-crop.jpg.bak", "original.jpg"]),
        ] {
            more["include_original"] = include_original.into();
            let receipt = send_with(&site, &server.row(more.clone()), &shelf).await.unwrap();
            assert_eq!(
                (receipt.media_sent, names(&media)),
                (sent, there.iter().map(|n| n.to_string()).collect())
            );
            assert_eq!(names(&server.folder.join("wire")), [NAME]);
        }
        assert_eq!(fs::read(media.join("crop.jpg")).unwrap(), [1; 200_000]);
    }
}

#[tokio::test]
async fn a_medium_without_a_usable_name_is_not_sent() {
    let Some(server) = Server::start("plain") else { return };
    let site = site(&[server.part.address]);
    for name in ["../x.jpg", "", "a/b.jpg", "a\r\nDELE x", ".", ".hidden"] {
        let shelf = Shelf::default().with("1", name, MediumKind::Crop("16-9".to_owned()), b"1");
        let row = server.row(json!({"push_associated": true}));
        check(send_with(&site, &row, &shelf).await, Code::Ftp, false);
    }
    assert_eq!(names(&server.folder), ["media", "wire"]);
}

#[tokio::test]
async fn a_server_that_renames_onto_nothing_only_gets_the_newer_file() {
    let Some(server) = Server::start("timid") else { return };
    fs::write(server.folder.join(NAME), "older").unwrap();
    server.send(json!({})).await;
    assert_eq!(names(&server.folder), ["media", "wire", NAME].map(str::to_owned).to_vec().sorted());
    assert_ne!(fs::read_to_string(server.folder.join(NAME)).unwrap(), "older");
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl Sorted for Vec<String> {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}

#[tokio::test]
async fn a_server_cannot_send_data_elsewhere() {
    // The address it names is ignored; a port that belongs to a service is refused.
    let Some(server) = Server::start("lying") else { return };
    server.send(json!({"path": "wire"})).await;
    assert_eq!(names(&server.folder.join("wire")), [NAME]);
    let Some(server) = Server::start("privileged") else { return };
    let result = send(&site(&[server.part.address]), &server.row(json!({}))).await;
    check_denied(result, Code::Ftp, "port 22 is no port for a data connection");
}

#[tokio::test]
async fn ftps_secures_both_connections() {
    let certificates = certificates();
    let keep = tempfile::tempdir().unwrap();
    let pem = keep.path().join("receiver.pem");
    fs::write(&pem, &certificates.receiver).unwrap();
    // The server refuses a command or a transfer in the clear.
    let Some(server) = Server::start_with("plain", pem.to_str().unwrap()) else { return };
    let secure = json!({"host": "localhost", "use_ftps": true, "path": "wire"});
    let mut site = localhost(server.part.address);
    let failure = check(send(&site, &server.row(secure.clone())).await, Code::Ftp, true);
    assert!(failure.message.contains("UnknownIssuer"), "{}", failure.message);
    site.authorities_pem = Some(certificates.authority);
    check(send(&site, &server.row(json!({"host": "localhost"}))).await, Code::Ftp, true);
    assert!(names(&server.folder.join("wire")).is_empty());
    send(&site, &server.row(secure)).await.unwrap();
    assert_eq!(names(&server.folder.join("wire")), [NAME]);
}

/// `localhost` may be both.
fn localhost(address: SocketAddr) -> Site {
    let allow: Vec<Allowance> = ["127.0.0.1", "[::1]"]
        .iter()
        .map(|host| format!("{host}:{}", address.port()).parse().unwrap())
        .collect();
    guarded(Policy { allow, own: Vec::new(), file_roots: Vec::new() })
}

#[tokio::test]
async fn ftps_without_tls_sends_nothing() {
    let Some(server) = Server::start("plain") else { return };
    let result = send(&site(&[server.part.address]), &server.row(json!({"use_ftps": true}))).await;
    let failure = check(result, Code::Ftp, true);
    assert!(failure.message.starts_with("cannot secure the connection"), "{}", failure.message);
}

#[tokio::test]
async fn refusals_are_told_and_may_pass() {
    let Some(server) = Server::start("plain") else { return };
    let site = site(&[server.part.address]);
    for (more, words, status) in [
        (json!({"password": "canary"}), "cannot log in: the server answers 530", 530),
        (json!({"path": "missing"}), "cannot change to the folder: the server answers 550", 550),
    ] {
        let failure = check(send(&site, &server.row(more)).await, Code::Ftp, true);
        assert_eq!(failure.message, words);
        assert_eq!(failure.answer.as_ref().unwrap().status, status);
        assert!(!format!("{failure:?}").contains("canary"));
        assert_eq!(failure.to_string(), "PublishFTPError Error 10000 - FTP publish error");
    }
    let Some(full) = Server::start("full") else { return };
    let failure = check(send(&localhost(full.part.address), &full.row(json!({}))).await, Code::Ftp, true);
    assert_eq!(failure.answer.unwrap().status, 452);
    assert_eq!(names(&full.folder), ["media", "wire"]);
}

/// The library traces every command, passwords too; that is compiled out.
#[test]
fn passwords_are_not_traced() {
    assert!(log::STATIC_MAX_LEVEL < log::LevelFilter::Trace);
}

#[tokio::test]
async fn no_setting_is_a_second_command() {
    let Some(server) = Server::start("plain") else { return };
    fs::write(server.folder.join("victim"), "").unwrap();
    let site = site(&[server.part.address]);
    for key in ["username", "password", "path", "associated_path"] {
        let more = json!({ key: "wire\r\nDELE /victim" });
        check(send(&site, &server.row(more)).await, Code::Ftp, false);
    }
    let mut row = server.row(json!({"file_extension": "x\r\nDELE /victim"}));
    row.item_id = "a\r\nDELE /victim".to_owned();
    send(&site, &row).await.unwrap();
    assert!(server.folder.join("victim").exists());
}

#[tokio::test]
async fn a_server_that_is_silent_or_speaks_otherwise_costs_its_time() {
    for answer in [None, Some(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]), Some(b"")] {
        let address = blunt(answer).await;
        let mut site = site(&[address]);
        site.ftp_max = Duration::from_millis(500);
        check(send(&site, &row(address, json!({}))).await, Code::Ftp, true);
    }
}

#[tokio::test]
async fn targets_are_judged() {
    let closed = site(&[]);
    let address = parts::free_address();
    check_denied(send(&closed, &row(address, json!({}))).await, Code::Ftp, "loopback");
    check_denied(send(&closed, &row(address, json!({"host": "8.8.8.8"}))).await, Code::Ftp, "port");
    check_denied(send(&closed, &row(address, json!({"host": "a b"}))).await, Code::Ftp, "malformed");
    check(send(&closed, &row(address, json!({"port": "x"}))).await, Code::Ftp, false);
    check(send(&closed, &transmission("ftp", json!({}), "x")).await, Code::Ftp, false);
}

/// A second implementation. Its users are those of the machine, so it is run for anonymous ones.
#[tokio::test]
async fn vsftpd_takes_files_and_renames_them() {
    let found = Command::new("vsftpd").arg("-v").output();
    if found.is_err() {
        return parts::skip("no vsftpd");
    }
    if fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).ok() != Some(0) {
        return parts::skip("vsftpd wants to be started by root");
    }
    let keep = tempfile::tempdir().unwrap();
    let certificates = certificates();
    let pem = keep.path().join("receiver.pem");
    fs::write(&pem, &certificates.receiver).unwrap();
    let home = keep.path().join("home");
    fs::create_dir_all(home.join("wire")).unwrap();
    for (folder, mode) in [(keep.path(), 0o755), (home.as_path(), 0o555), (&home.join("wire"), 0o777)] {
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    for secured in [false, true] {
        let address = parts::free_address();
        let tls = match secured {
            false => String::new(),
            true => format!(
                "ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_data_ssl=YES\nforce_anon_logins_ssl=YES\n\
                 rsa_cert_file={0}\nrsa_private_key_file={0}\nrequire_ssl_reuse=YES\n",
                pem.display()
            ),
        };
        let config = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={}\nbackground=NO\nanonymous_enable=YES\n\
             local_enable=NO\nwrite_enable=YES\nanon_upload_enable=YES\nanon_other_write_enable=YES\n\
             anon_umask=022\nanon_root={}\nftp_username=daemon\nseccomp_sandbox=NO\n\
             secure_chroot_dir={}\nno_anon_password=NO\nxferlog_enable=NO\n{tls}",
            address.port(),
            home.display(),
            keep.path().display(),
        );
        let file = keep.path().join("vsftpd.conf");
        fs::write(&file, config).unwrap();
        let _server = Part::program(Command::new("vsftpd").arg(&file), address);
        let mut site = localhost(address);
        site.authorities_pem = Some(certificates.authority.clone());
        let more = json!({
            "host": "localhost", "username": null, "password": "desk@example.com", "path": "wire",
            "use_ftps": secured,
        });
        for _ in 0..2 {
            send(&site, &row(address, more.clone())).await.unwrap();
            assert_eq!(names(&home.join("wire")), [NAME]);
        }
        fs::remove_file(home.join("wire").join(NAME)).unwrap();
    }
}
