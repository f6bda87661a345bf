//! Parts that may be missing on a machine.

use std::path::Path;
use std::process::Command;

fn skip(reason: &str) {
    assert!(
        std::env::var_os("REQUIRE_PARTS").is_none_or(|value| value != "1"),
        "a part is missing: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// A program that answers `-version` or `-ver` with a text that contains `words`.
fn program(variable: &str, usual: &[&str], argument: &str, words: &str) -> Option<String> {
    let named = std::env::var(variable).ok();
    let all = named.into_iter().chain(usual.iter().map(|name| (*name).to_owned()));
    let found = all.into_iter().find(|name| {
        let said = Command::new(name).arg(argument).output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(words))
    });
    if found.is_none() {
        skip(variable);
    }
    found
}

/// ImageMagick's `convert`.
pub(crate) fn magick() -> Option<String> {
    program("MAGICK", &["magick", "convert", "/usr/bin/convert"], "-version", "Version: ImageMagick")
}

pub(crate) fn exiftool() -> Option<String> {
    program("EXIFTOOL", &["exiftool"], "-ver", ".")
}

/// Runs a program and gives its output.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
