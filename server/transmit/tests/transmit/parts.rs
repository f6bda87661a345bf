//! Real receivers, which may be missing on a machine.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Says why a test does nothing here; fails it where every part is required.
pub(crate) fn skip(reason: &str) {
    assert!(
        std::env::var_os("REQUIRE_PARTS").is_none_or(|value| value != "1"),
        "a part is missing: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// A process that ends with the test.
pub(crate) struct Part {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Part {
    /// Starts one of the Python parts, which prints its port. Nothing if this machine has not what it needs.
    pub(crate) fn python(script: &str, module: &str, arguments: &[&str]) -> Option<Part> {
        let python = python(module)?;
        let script = folder().join(script);
        let mut command = Command::new(python);
        command.arg(script).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("the part printed {line:?}"));
        Some(Part { child, address: ([127, 0, 0, 1], port).into() })
    }

    /// Starts a program that listens on a port that it is told, and waits until it does.
    pub(crate) fn program(command: &mut Command, address: SocketAddr) -> Part {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let part = Part { child, address };
        for _ in 0..600 {
            if std::net::TcpStream::connect(address).is_ok() {
                return part;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("a part does not listen on {address}");
    }
}

/// A Python that has a module; nothing, with a word about it, if there is none.
pub(crate) fn python(module: &str) -> Option<PathBuf> {
    let named = ["PARTS_PYTHON", "PYTHON"].into_iter().filter_map(std::env::var_os);
    let mut candidates = named.map(PathBuf::from).chain([PathBuf::from("python3")]);
    let import = format!("import {module}");
    let has = |python: &PathBuf| {
        let probe = Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    };
    let found = candidates.find(has);
    if found.is_none() {
        skip(&format!("no Python with {module}"));
    }
    found
}

/// Where the scripts lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts")
}

/// A port nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
