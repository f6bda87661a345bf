//! The disk says no to a sync, once: nothing more is written until a restart, and what was acknowledged is there.
//!
//! strace stands between the program and the kernel and answers for it. It is Linux's, and may be missing or forbidden;
//! then these tests say so and do nothing.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::client::Client;
use crate::errors;
use crate::parts;
use crate::program::{Server, run};

/// Makes later starts run below strace, which writes down each sync; whether it can.
fn trace(server: &mut Server, trace: &Path, inject: &str) -> bool {
    let works = Command::new("strace").args(["-D", "-f", "-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|done| done.status.success()) {
        parts::without("syncs are made to fail with strace, which does not run here");
        return false;
    }
    // With -D the program stays the child that the test kills.
    let options = format!("-D -f -y -qq -e signal=none -e trace=fdatasync,fsync {inject}");
    server.before(&format!("exec strace {options} -o '{}' \"$0\" \"$@\"", trace.display()));
    true
}

/// How often the log of the store was synced.
fn syncs(trace: &Path) -> usize {
    let text = std::fs::read_to_string(trace).expect("a trace");
    // A call that another thread interrupts has a second line, which resumes it without naming the file.
    text.lines().filter(|line| line.contains(" fdatasync(") && line.contains(".log>")).count()
}

async fn notes(server: &mut Server) -> Client {
    server.launch();
    let admin = Client::admin(server).await;
    let notes = json!({"name": "notes", "schema": {"n": {"type": "integer"}}});
    admin.post("/api/collections", &notes).reply().await.expect(201);
    admin
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_comes_after_its_sync() {
    let mut server = Server::idle();
    let file = server.data().with_file_name("trace");
    if !trace(&mut server, &file, "") {
        return;
    }
    let admin = notes(&mut server).await;
    for (n, durability) in [(0..30, "sync"), (30..60, "buffered")] {
        let before = syncs(&file);
        for n in n.clone() {
            let put = admin.put_new(&format!("/api/notes/n{n}"), &json!({"n": n}));
            put.header("prefer", &format!("durability={durability}")).reply().await.expect(201);
        }
        let found = syncs(&file) - before;
        eprintln!("{durability}: {} answers, {found} syncs", n.len());
        match durability {
            "sync" => assert!(found >= n.len(), "{found} syncs for {} answers", n.len()),
            _ => assert!(found < n.len(), "{found} syncs for {} answers that wait for none", n.len()),
        }
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_ends_writing_until_a_restart() {
    let mut server = Server::idle();
    // The first ones, one for each built-in collection and more, belong to the start. Three, because one may be of
    // another file.
    let file = server.data().with_file_name("trace");
    if !trace(&mut server, &file, "-e inject=fdatasync:error=EIO:when=100..102") {
        return;
    }
    server.expect_complaints(&["Input/output error", "engine stopped accepting writes"]);
    let admin = notes(&mut server).await;
    let mut stored = Vec::new();
    let refused = loop {
        let n = stored.len();
        assert!(n < 200, "no sync has failed");
        let reply = admin.put_new(&format!("/api/notes/n{n}"), &json!({"n": n})).reply().await;
        if reply.status != 201 {
            break reply;
        }
        stored.push(n);
    };
    assert!(stored.len() > 10, "only {} were stored", stored.len());
    let told = errors::problem("the failed sync", &refused, 503);
    assert_eq!(told["type"], "engine-stopped", "{told}");
    // The kernel says yes again, and may have dropped what the failed one was about: it is not asked a second time.
    let before = syncs(&file);
    let later = admin.put_new("/api/notes/later", &json!({"n": 1})).reply().await;
    let told = errors::problem("after the failed sync", &later, 503);
    assert_eq!(told["type"], "engine-stopped", "{told}");
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("restart")), "{told}");
    assert_eq!(syncs(&file), before, "a sync after the failed one");
    assert_eq!(admin.read("/api/notes/n3").await["n"], 3, "reading goes on");
    assert_eq!(admin.get("/readyz").unsigned().reply().await.status, 503);
    server.kill();

    server.before("");
    server.launch();
    let admin = Client::admin(&server).await;
    for n in &stored {
        assert_eq!(admin.read(&format!("/api/notes/n{n}")).await["n"], json!(n), "n{n} was acknowledged");
    }
    // The one in question is there or not.
    let open = admin.get(&format!("/api/notes/n{}", stored.len())).reply().await;
    assert!(matches!(open.status, 200 | 404), "{}", open.status);
    assert_eq!(admin.get("/api/notes/later").reply().await.status, 404, "it was refused");
    admin.put_new("/api/notes/after", &json!({"n": 2})).reply().await.expect(201);
    server.stop();
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_eq!(verified.code, Some(0), "verify: {}\n{}", verified.stdout, verified.stderr);
}
