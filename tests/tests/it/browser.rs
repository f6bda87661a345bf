//! `dateline demo` in a real browser: the page comes alive, devices move, a match appears.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::parts;
use crate::program::{dateline, outcome, terminate, wait};

const READY_MAX: Duration = Duration::from_secs(90);

/// A demo that ends with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_matches_in_a_browser() {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/console");
    let chromium = std::env::var_os("CHROMIUM").map_or(PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    for (what, path) in [
        ("chromium", &chromium),
        ("playwright-core (npm ci in server/console)", &console.join("node_modules/playwright-core")),
    ] {
        if !path.exists() {
            parts::skip(&format!("browser: {what} is not at {}", path.display()));
            return;
        }
    }
    if Command::new("node").arg("--version").stdout(Stdio::null()).status().is_err() {
        parts::skip("browser: node is not installed");
        return;
    }
    let _turn = parts::heavy().await;
    let (mut demo, url) = tokio::task::block_in_place(start);
    let picture = tempfile::Builder::new()
        .prefix("dateline-demo-")
        .suffix(".png")
        .tempfile()
        .expect("a temporary file");
    let kept = std::env::var_os("DEMO_PICTURE").map_or(picture.path().to_owned(), PathBuf::from);
    let mut command = Command::new("node");
    command.current_dir(&console).arg("e2e/demo.mjs").arg(&url).arg(&kept);
    let seen = tokio::task::block_in_place(|| outcome(command, Duration::from_secs(180)));
    assert_eq!(seen.code, Some(0), "the page: {}\n{}", seen.stdout, seen.stderr);
    let bytes = std::fs::metadata(&kept).expect("a picture").len();
    assert!(bytes > 10_000, "a picture of {bytes} bytes shows nothing");
    terminate(demo.0.id());
    let code = tokio::task::block_in_place(|| wait(&mut demo.0, Duration::from_secs(30)));
    assert_eq!(code, Some(0), "the demo ends when it is told to");
}

fn start() -> (Demo, String) {
    let mut command = dateline();
    command
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the demo starts");
    let stdout = child.stdout.take().expect("stdout is piped");
    let demo = Demo(child);
    let (tell, told) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(at) = line.find("http://").filter(|_| line.contains("#demo=")) {
                let url = line[at..].split_whitespace().next().unwrap_or_default().to_owned();
                let _ = tell.send(url);
            }
        }
    });
    let url = told.recv_timeout(READY_MAX).expect("the demo prints its address");
    (demo, url)
}
