//! Data directories that older programs have left, as a user meets them.

use std::fs;
use std::path::Path;

use crate::client::{Client, query};
use crate::program::{Server, run};

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a file type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a file is copied")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_directory_is_raised_when_asked_for() {
    let mut server = Server::idle();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store-v1"), &server.data());
    let data = server.data();
    let data = data.to_str().expect("a UTF-8 path");
    for arguments in [&["serve", "--data", data, "--listen", "127.0.0.1:0"][..], &["verify", "--data", data]]
    {
        let refused = run(arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains("format 1") && refused.stderr.contains("--upgrade"), "{refused:?}");
    }
    server.flags(&["--upgrade"]);
    server.launch();
    let admin = Client::admin(&server).await;
    let cars = admin.read("/api/cars?max_results=100").await;
    assert_eq!(cars["_meta"]["total"], 23, "{cars}");
    let old = admin.read("/api/cars/c2?version=1").await;
    assert_eq!((&old["n"], &admin.read("/api/cars/c2").await["n"]), (&2.into(), &200.into()));
    let green = admin.read(&format!("/api/ads?{}", query(&[("q", "green")]))).await;
    assert_eq!(green["_meta"]["total"], 1, "{green}");
    assert_eq!(admin.read("/api/devices/bus-1/fences").await["_items"][0]["_id"], "centre");
    let brand = admin.read(&format!("/api/cars?{}", query(&[("where", r#"{"brand":"b1"}"#)]))).await;
    assert_eq!(brand["_meta"]["total"], 8, "{brand}");
    server.stop();
    server.flags(&[]);
    server.launch();
    admin.put_new("/api/cars/new", &serde_json::json!({"plate": "new", "n": 1})).reply().await.expect(201);
    server.stop();
    let verified = run(&["verify", "--data", data]);
    assert_eq!(verified.code, Some(0), "verify: {}\n{}", verified.stdout, verified.stderr);
}
