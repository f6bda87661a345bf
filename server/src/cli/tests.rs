//! Commands on a directory, in this process.

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory;
use dateline_engine::{Durability, Transaction};

use super::first_start::{self, Administrator};
use super::outcome::Exit;
use super::place::Offline;
use super::{Cli, run};
use crate::auth::password;
use crate::data::DataDir;

fn dateline(arguments: &[&str]) -> Exit {
    run(std::iter::once("dateline").chain(arguments.iter().copied()).map(OsString::from))
}

fn offline(dir: &Path) -> Offline {
    Offline::open(DataDir::take(dir).unwrap()).unwrap()
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn users_and_keys_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let at = data.to_str().unwrap();
    assert_eq!(dateline(&["user", "list", "--data", at]), Exit::NotFound, "nothing is created by looking");
    assert!(!data.exists());
    assert_eq!(dateline(&["--json", "init", "--data", at]), Exit::Ok);
    assert_eq!(dateline(&["user", "add", "Ann", "--admin", "--data", at]), Exit::Ok);
    assert_eq!(dateline(&["user", "add", "ann", "--data", at]), Exit::Conflict);
    assert_eq!(dateline(&["user", "add", "two words", "--data", at]), Exit::Usage);
    assert_eq!(dateline(&["user", "list", "--data", at, "--json"]), Exit::Ok);
    assert_eq!(dateline(&["user", "passwd", "ANN", "--data", at]), Exit::Ok);
    assert_eq!(dateline(&["user", "passwd", "bob", "--data", at]), Exit::NotFound);
    assert_eq!(
        dateline(&["token", "create", "import", "--user", "ann", "--scope", "ads:write", "--data", at]),
        Exit::Ok
    );
    assert_eq!(
        dateline(&["token", "create", "x", "--user", "ann", "--scope", "all", "--data", at]),
        Exit::Usage
    );
    assert_eq!(
        dateline(&["token", "create", "x", "--user", "bob", "--scope", "*", "--data", at]),
        Exit::NotFound
    );
    assert_eq!(dateline(&["token", "create", "x", "--scope", "*", "--data", at]), Exit::Usage);

    let open = offline(&data);
    assert_eq!(dateline(&["user", "list", "--data", at]), Exit::Unavailable, "held by this test");
    let ann = open.auth.users().find(&open.store, "ann").unwrap().unwrap();
    assert_eq!((ann.username(), ann.user_type()), ("Ann", "administrator"));
    let keys = open.auth.keys().list(&open.store, Some(ann.id()), 10).unwrap();
    assert_eq!(keys.len(), 1);
    drop(open);
    assert_eq!(dateline(&["token", "revoke", keys[0].id.as_str(), "--data", at]), Exit::Ok);
    assert_eq!(dateline(&["token", "revoke", keys[0].id.as_str(), "--data", at]), Exit::NotFound);
    assert_eq!(dateline(&["user", "remove", "ann", "--data", at]), Exit::Ok);
    assert_eq!(dateline(&["user", "remove", "ann", "--data", at]), Exit::NotFound);
}

#[test]
fn the_first_administrator_comes_from_the_environment_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let open = offline(dir.path());
    let first = |given: Option<&str>| {
        first_start::administrator(&open.store, &open.auth, given.map(str::to_owned)).unwrap()
    };
    assert_eq!(first(None), Administrator::Missing);
    assert_eq!(first(Some("")), Administrator::Missing);
    assert_eq!(first(Some("s3cret")), Administrator::Created);
    assert_eq!(first(Some("other")), Administrator::Known);
    let users = open.auth.users();
    let admin = users.find(&open.store, "admin").unwrap().unwrap();
    let hash = users.secret_of(&open.store, admin.id()).unwrap().hash.unwrap();
    assert!(password::fits("s3cret", &hash) && !password::fits("other", &hash));
    open.store.commit(users.remove(Transaction::new(Durability::Buffered), admin.id())).unwrap();
    assert!(!users.has_administrator(&open.store).unwrap());
}

#[test]
fn usage_and_configuration_errors_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.toml");
    std::fs::write(&file, "lisen = \"x\"\n").unwrap();
    let (file, data) = (file.to_str().unwrap(), dir.path().join("d"));
    assert_eq!(dateline(&["nonsense"]), Exit::Usage);
    assert_eq!(dateline(&["--help"]), Exit::Ok);
    assert_eq!(dateline(&["user", "list"]), Exit::Usage);
    assert_eq!(dateline(&["user", "list", "--url", "ftp://x"]), Exit::Usage);
    assert_eq!(dateline(&["user", "list", "--url", "http://127.0.0.1:1"]), Exit::Unavailable);
    assert_eq!(dateline(&["config", "check", file]), Exit::Usage);
    assert_eq!(dateline(&["serve", "--data", data.to_str().unwrap(), "--config", file]), Exit::Usage);
    assert_eq!(
        dateline(&["serve", "--data", data.to_str().unwrap(), "--set", "limits.drain_s=soon"]),
        Exit::Usage
    );
    assert!(!data.exists(), "nothing is created before the configuration is right");
    assert_eq!(dateline(&["config", "show", "--origin"]), Exit::Ok);
    assert_eq!(dateline(&["version", "--json"]), Exit::Ok);
    assert_eq!(dateline(&["openapi"]), Exit::Ok);
    assert_eq!(dateline(&["completions", "bash"]), Exit::Ok);
}
