//! Every command block of README.md and docs/*.md is run against a real program, or says that it is not.
//!
//! A fenced block `sh run` is executed by bash with `-euo pipefail`; the blocks of one file run in order in one shell,
//! so that a variable set in the first is there in the last. The server's address `127.0.0.1:8400` is replaced by
//! that of the test's own, `dateline` is on the path, `DATELINE_ADMIN_PASSWORD` is set and the directory is empty.
//! A block `sh shown` is only shown (it starts a server, installs something, needs another machine). A block that is
//! plain `sh`, `bash` or `console` fails the test: it must be one of the two.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::parts;
use crate::program::{PASSWORD, Server, binary, outcome};

const USUAL_ADDRESS: &str = "127.0.0.1:8400";

struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block { line: index + 1, info: info.trim().to_owned(), text: String::new() })
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md")];
    let docs = std::fs::read_dir(root.join("docs")).into_iter().flatten();
    pages.extend(
        docs.map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|end| end == "md")),
    );
    pages.retain(|path| path.exists());
    pages.sort();
    pages
}

#[test]
fn every_block_says_whether_it_runs() {
    for page in pages() {
        for block in blocks(&std::fs::read_to_string(&page).expect("the page is read")) {
            let mut words = block.info.split_whitespace();
            if let Some("sh" | "bash" | "console" | "shell") = words.next() {
                let is_marked = matches!(words.next(), Some("run" | "shown"));
                assert!(
                    is_marked,
                    "{}:{}: '{}' is neither 'sh run' nor 'sh shown'",
                    page.display(),
                    block.line,
                    block.info
                );
            }
        }
    }
}

/// A grep that stops at its first find breaks the pipe of what still writes, and with pipefail that is a failure.
const GREP: &str = r#"grep() {
  if [ -p /dev/stdin ]; then local text; text=$(cat); command grep "$@" <<< "$text"; else command grep "$@"; fi
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_works() {
    let mut ran = 0;
    for page in pages() {
        let blocks = blocks(&std::fs::read_to_string(&page).expect("the page is read"));
        let blocks: Vec<Block> = blocks.into_iter().filter(|block| block.info == "sh run").collect();
        if blocks.is_empty() {
            continue;
        }
        ran += blocks.len();
        let server = Server::start();
        let address = server.address().get();
        let address = address.strip_prefix("http://").expect("http").to_owned();
        let mut script = format!("set -euo pipefail\n{GREP}\n");
        for block in &blocks {
            script.push_str(&format!(
                "echo '-- {}:{}' >&2\n{}",
                page.display(),
                block.line,
                block.text.replace(USUAL_ADDRESS, &address)
            ));
        }
        let place = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new("bash");
        let beside = binary().parent().expect("a directory").to_owned();
        // The program may have another name under $DATELINE_BIN.
        let bin = place.path().join(".bin");
        std::fs::create_dir(&bin).expect("a directory");
        std::os::unix::fs::symlink(binary(), bin.join("dateline")).expect("a link");
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = [bin, beside].into_iter().chain(std::env::split_paths(&paths).collect::<Vec<_>>());
        command
            .args(["-c", &script])
            .stdin(Stdio::null())
            .current_dir(place.path())
            .env("DATELINE_ADMIN_PASSWORD", PASSWORD);
        command.env("PATH", std::env::join_paths(paths).expect("a path"));
        let done = tokio::task::spawn_blocking(move || outcome(command, Duration::from_secs(120)))
            .await
            .expect("bash is waited for");
        assert_eq!(
            done.code,
            Some(0),
            "{}: the block named last failed\n{}\n{}",
            page.display(),
            done.stderr,
            done.stdout
        );
    }
    eprintln!("examples: {ran} blocks were run");
    if ran == 0 {
        parts::skip("examples: no page has a block marked 'sh run'");
    }
}
