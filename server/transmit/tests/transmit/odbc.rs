//! Databases: PostgreSQL through its driver, where the crate is built with the feature `odbc`.

use crate::world::{check, send, site, transmission};
use dateline_transmit::{Code, Secret, Transmission};
use serde_json::json;

fn row(connection: &str, procedure: &str, body: &str) -> Transmission {
    transmission("ODBC", json!({"connection_string": connection, "stored_procedure": procedure}), body)
}

#[tokio::test]
async fn a_destination_names_a_connection_and_brings_none() {
    let mut site = site(&[]);
    site.odbc.insert("wire".to_owned(), Secret::new("Driver={none};PWD=canary"));
    for connection in
        ["", "other", "Driver={none};Server=10.0.0.1", "DSN=other", "wire;Server=10.0.0.1", "DSN=wire;PWD=x"]
    {
        check(send(&site, &row(connection, "put", "{}")).await, Code::Odbc, false);
    }
    for (procedure, body) in
        [("", "{}"), ("p; DROP", "{}"), ("put", "[]"), ("put", "x"), ("put", "{\"a b\": 1}")]
    {
        check(send(&site, &row("wire", procedure, body)).await, Code::Odbc, false);
    }
    for connection in ["wire", "DSN=wire", "DSN=wire;"] {
        // No such driver, or no drivers at all.
        let failure = check(send(&site, &row(connection, "put", "{}")).await, Code::Odbc, true);
        assert!(!format!("{failure:?} {site:?}").contains("canary"), "{failure:?}");
        assert_eq!(failure.to_string(), "PublishODBCError Error 12000 - ODBC publish error");
    }
}

#[cfg(feature = "odbc")]
mod postgres {
    use super::{Secret, row, send};
    use crate::parts::{self, Part};
    use crate::world::{check, site};
    use dateline_transmit::{Code, Site};
    use serde_json::json;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::process::Command;

    const DRIVER: &str = "/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so";

    struct Database {
        part: Part,
        _keep: tempfile::TempDir,
    }

    /// As the user `postgres` where we are root, whom PostgreSQL does not serve.
    fn command(program: &str) -> Command {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
        command
    }

    impl Database {
        fn start() -> Option<Database> {
            if !Path::new(DRIVER).exists() {
                parts::skip("no ODBC driver for PostgreSQL");
                return None;
            }
            let keep = tempfile::tempdir().unwrap();
            fs::set_permissions(keep.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
            let data = keep.path().join("data");
            let made = command("initdb")
                .args(["-A", "trust", "-N", "-U", "desk", "-E", "UTF8", "-D"])
                .arg(&data)
                .output();
            if !made.is_ok_and(|made| made.status.success()) {
                parts::skip("no PostgreSQL");
                return None;
            }
            let address = parts::free_address();
            let mut server = command("postgres");
            server.arg("-D").arg(&data).arg("-k").arg(keep.path()).args(["-h", "127.0.0.1", "-p"]);
            let part = Part::program(server.arg(address.port().to_string()), address);
            let database = Database { part, _keep: keep };
            database.sql(
                "CREATE TABLE news (headline text, urgency text, body text); \
                 CREATE PROCEDURE put_news(headline text, urgency text DEFAULT 'none', body text DEFAULT NULL) \
                 LANGUAGE sql AS 'INSERT INTO news VALUES ($1, $2, $3)'; \
                 CREATE PROCEDURE count_news(amount integer) \
                 LANGUAGE sql AS 'INSERT INTO news VALUES (amount::text)'; \
                 ALTER TABLE news ADD CHECK (headline <> 'bad');",
            );
            Some(database)
        }

        fn sql(&self, sql: &str) -> String {
            let port = self.part.address.port().to_string();
            for _ in 0..100 {
                let mut psql = Command::new("psql");
                psql.args([
                    "-h",
                    "127.0.0.1",
                    "-U",
                    "desk",
                    "-d",
                    "postgres",
                    "-At",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-p",
                ]);
                let output = psql.args([&port, "-c", sql]).output().unwrap();
                if output.status.success() {
                    return String::from_utf8(output.stdout).unwrap();
                }
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(error.contains("starting up"), "{error}");
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            panic!("the database does not start");
        }

        fn site(&self) -> Site {
            let port = self.part.address.port();
            let string =
                format!("Driver={DRIVER};Server=127.0.0.1;Port={port};Database=postgres;UID=desk;PWD=canary");
            let mut site = site(&[]);
            site.odbc.insert("wire".to_owned(), Secret::new(string));
            site
        }
    }

    #[tokio::test]
    async fn values_arrive_as_they_are_and_defaults_where_there_are_none() {
        let Some(database) = Database::start() else { return };
        let site = database.site();
        let evil = "'); DROP TABLE news; -- \\' \" ? $1 {fn now()} Zürich 字 🗞\n";
        let body = json!({"HeadLine": evil, "urgency": 0, "body": {"a": [1, "x"]}}).to_string();
        send(&site, &row("wire", "put_news", &body)).await.unwrap();
        let stored = database.sql("SELECT headline || '|' || urgency || '|' || body FROM news");
        assert_eq!(stored, format!("{evil}|none|{{\"a\":[1,\"x\"]}}\n"));
        send(&site, &row("DSN=wire", "public.put_news", "{\"headline\": \"2\", \"urgency\": 3}"))
            .await
            .unwrap();
        assert_eq!(database.sql("SELECT urgency FROM news WHERE headline = '2'"), "3\n");
        send(&site, &row("wire", "count_news", "{\"amount\": 42}")).await.unwrap();
        assert_eq!(database.sql("SELECT count(*) FROM news WHERE headline = '42'"), "1\n");
    }

    #[tokio::test]
    async fn what_the_database_refuses_is_told_in_its_state() {
        let Some(database) = Database::start() else { return };
        let site = database.site();
        for (procedure, body, is_retryable, state) in
            [("put_news", "{\"headline\": \"bad\"}", false, "23514"), ("missing", "{}", true, "42")]
        {
            let failure = check(send(&site, &row("wire", procedure, body)).await, Code::Odbc, is_retryable);
            assert!(failure.message.contains(state), "{}", failure.message);
            assert!(failure.reason.is_some());
        }
        drop(database);
        let failure = check(send(&site, &row("wire", "put_news", "{}")).await, Code::Odbc, true);
        assert!(!failure.message.contains("127.0.0.1"), "{}", failure.message);
        assert!(!format!("{failure:?}").contains("canary"));
    }
}
