//! Files, and the ways out of a folder.

use crate::world::{check, check_denied, send, site, site_with_root, transmission};
use dateline_transmit::{Body, Code, Transmission};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NAME: &str = "urn-newsml-example-2026-item-2-7.json";

fn row(path: &Path, body: &str) -> Transmission {
    transmission("File", json!({"file_path": path.to_str().unwrap()}), body)
}

/// A root with a folder in it, and a folder beside it that nothing may reach.
fn rooms() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let [root, outside] = ["root", "outside"].map(|name| top.join(name));
    fs::create_dir_all(root.join("wire")).unwrap();
    fs::create_dir(&outside).unwrap();
    (folder, root, outside)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[tokio::test]
async fn a_file_is_written_whole_and_replaced() {
    let (_keep, root, _) = rooms();
    let site = site_with_root(root.clone());
    let wire = root.join("wire");
    for body in ["one", "another"] {
        let receipt = send(&site, &row(&wire, body)).await.unwrap();
        assert_eq!(fs::read_to_string(wire.join(NAME)).unwrap(), body);
        assert_eq!(
            (receipt.bytes, receipt.target),
            (body.len() as u64, format!("{}/{NAME}", wire.display()))
        );
    }
    assert_eq!(fs::read_dir(&wire).unwrap().count(), 1);
    // A destination of another server may lack the first slash; the root itself is a folder too.
    let bare = PathBuf::from(root.to_str().unwrap().trim_start_matches('/'));
    send(&site, &row(&bare, "x")).await.unwrap();
    assert!(root.join(NAME).exists());
}

#[tokio::test]
async fn text_has_the_encoding_of_its_row() {
    let (_keep, root, _) = rooms();
    let mut row = row(&root, "");
    row.body = Body::Text { text: "Zürich €".to_owned(), encoding: "latin-1".to_owned() };
    send(&site_with_root(root.clone()), &row).await.unwrap();
    assert_eq!(fs::read(root.join(NAME)).unwrap(), b"Z\xfcrich ?");
    row.body = Body::Text { text: String::new(), encoding: "none\nsuch".to_owned() };
    check(send(&site_with_root(root), &row).await, Code::File, false);
}

#[tokio::test]
async fn no_path_leaves_its_root() {
    let (_keep, root, outside) = rooms();
    symlink(&outside, root.join("link")).unwrap();
    symlink("../outside", root.join("relative")).unwrap();
    symlink(&outside, root.join("wire/deep")).unwrap();
    fs::write(root.join("plain"), "").unwrap();
    let site = site_with_root(root.clone());
    for (path, reason) in [
        (outside.clone(), "below no configured root"),
        (root.join("../outside"), "it has .. in it"),
        (root.join("wire/../../outside"), "it has .. in it"),
        (PathBuf::from("/etc"), "below no configured root"),
        (PathBuf::from(format!("{}-other", root.display())), "below no configured root"),
        (root.join("link"), "a link"),
        (root.join("relative"), "a link"),
        (root.join("wire/deep"), "a link"),
        (root.join("link/."), "a link"),
        (root.join("plain"), "a link or no folder"),
        (root.join("wire\0"), "NUL"),
    ] {
        check_denied(send(&site, &row(&path, "x")).await, Code::File, reason);
    }
    assert!(is_empty(&outside));
}

#[tokio::test]
async fn no_item_chooses_its_folder() {
    let (_keep, root, outside) = rooms();
    let site = site_with_root(root.clone());
    for id in ["../outside/x", "/etc/x", "..", ".", "a\0b", "a/b", "a\nb", ".hidden", &"long".repeat(200)] {
        let mut row = row(&root.join("wire"), "x");
        row.item_id = id.to_owned();
        send(&site, &row).await.unwrap();
        row.destination.config =
            json!({"file_path": root.join("wire"), "file_extension": "x/../../../outside/y"}).into();
        send(&site, &row).await.unwrap();
    }
    assert!(is_empty(&outside));
    for entry in fs::read_dir(root.join("wire")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with('.') && name.len() <= 255, "{name}");
    }
}

#[tokio::test]
async fn links_in_the_place_of_files_are_replaced_and_not_followed() {
    let (_keep, root, outside) = rooms();
    let victim = outside.join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, root.join(NAME)).unwrap();
    let row = row(&root, "x");
    symlink(&victim, root.join(format!(".{}.part", row.id()))).unwrap();
    send(&site_with_root(root.clone()), &row).await.unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(!fs::symlink_metadata(root.join(NAME)).unwrap().is_symlink());
}

#[tokio::test]
async fn a_folder_that_is_swapped_for_a_link_leads_nowhere() {
    let (_keep, root, outside) = rooms();
    let (there, away, link) = (root.join("wire"), root.join("away"), root.join("link"));
    symlink(&outside, &link).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                let _ = fs::rename(&there, &away);
                let _ = fs::rename(&link, &there);
                let _ = fs::rename(&there, &link);
                let _ = fs::rename(&away, &there);
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    });
    let site = site_with_root(root.clone());
    let (mut sent, mut refused) = (0, 0);
    let end = Instant::now() + Duration::from_secs(30);
    while (sent < 50 || refused < 50) && Instant::now() < end {
        match send(&site, &row(&root.join("wire"), "x")).await {
            Ok(_) => sent += 1,
            Err(_) => refused += 1,
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(sent > 0 && refused > 0, "{sent} sent, {refused} refused");
    assert!(is_empty(&outside));
}

#[tokio::test]
async fn a_reader_sees_all_of_a_file_or_nothing() {
    let (_keep, root, _) = rooms();
    let stop = Arc::new(AtomicBool::new(false));
    let length = 1 << 20;
    let reader = std::thread::spawn({
        let (stop, file) = (Arc::clone(&stop), root.join(NAME));
        move || {
            while !stop.load(Ordering::Relaxed) {
                if let Ok(text) = fs::read(&file) {
                    assert_eq!(text.len(), length);
                    assert!(text.iter().all(|byte| *byte == text[0]));
                }
            }
        }
    });
    let site = site_with_root(root.clone());
    for letter in ["a", "b", "c", "d", "e", "f"] {
        send(&site, &row(&root, &letter.repeat(length))).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

#[tokio::test]
async fn what_the_file_system_refuses_may_pass() {
    let (_keep, root, _) = rooms();
    let site_here = site_with_root(root.clone());
    check(send(&site_here, &row(&root.join("missing"), "x")).await, Code::File, true);
    fs::create_dir(root.join(NAME)).unwrap();
    check(send(&site_here, &row(&root, "x")).await, Code::File, true);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 2, "nothing is left behind");
    check(send(&site_here, &transmission("File", json!({}), "x")).await, Code::File, false);
    check_denied(send(&site(&[]), &row(&root, "x")).await, Code::File, "below no configured root");
}
