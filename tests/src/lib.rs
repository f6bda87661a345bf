//! Black-box tests of Dateline: the `dateline` program is started as a user starts it and spoken to over HTTP.
//!
//! Nothing of the other crates is imported, so that a test can only know what a client can know. The tests are one
//! binary, `tests/it`, one noun a file; this library is empty. The program is taken from `$DATELINE_BIN`, else from
//! the target directory the tests were built into: build it first (`cargo build --release -p dateline-server`).
