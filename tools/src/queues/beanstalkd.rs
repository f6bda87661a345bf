//! beanstalkd: put, reserve and delete, with an fsync for every write (`-f 0`).

use std::path::Path;
use std::process::Command;

use super::peer::payload;
use super::pipe::Pipe;
use crate::program::{self, Running};

/// See `peer::Client`.
pub(super) struct Client {
    pipe: Pipe,
    payload: String,
}

pub(super) fn start(dir: &Path) -> Result<(Running, u16), String> {
    let port = program::free_port()?;
    let mut command = Command::new("beanstalkd");
    command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-f", "0", "-b"]).arg(dir);
    Ok((program::peer(&mut command, port)?, port))
}

impl Client {
    pub(super) async fn connect(port: u16) -> Result<Self, String> {
        Ok(Self { pipe: Pipe::connect(port).await?, payload: payload() })
    }

    pub(super) async fn put(&mut self, jobs: usize) -> Result<(), String> {
        let command = format!("put 0 0 30 {}\r\n{}\r\n", self.payload.len(), self.payload);
        for _ in 0..jobs {
            self.pipe.send(&command).await?;
        }
        self.pipe.flush().await?;
        for _ in 0..jobs {
            self.expect("INSERTED ").await?;
        }
        Ok(())
    }

    pub(super) async fn take(&mut self, max: usize) -> Result<usize, String> {
        // The first one is waited for; the others are taken as far as they are there.
        self.pipe.send("reserve-with-timeout 1\r\n").await?;
        for _ in 1..max {
            self.pipe.send("reserve-with-timeout 0\r\n").await?;
        }
        self.pipe.flush().await?;
        let mut ids = Vec::new();
        for _ in 0..max {
            ids.extend(self.reserved().await?);
        }
        for id in &ids {
            self.pipe.send(&format!("delete {id}\r\n")).await?;
        }
        self.pipe.flush().await?;
        for _ in &ids {
            self.expect("DELETED").await?;
        }
        Ok(ids.len())
    }

    /// The id of a job that was asked for; `None` when there was none in time.
    async fn reserved(&mut self) -> Result<Option<String>, String> {
        let line = self.pipe.line().await?;
        if line.starts_with("TIMED_OUT") || line.starts_with("DEADLINE_SOON") {
            return Ok(None);
        }
        let mut words = line.split(' ').skip(1);
        let (Some(id), Some(Ok(length))) = (words.next(), words.next().map(str::parse::<usize>)) else {
            return Err(format!("beanstalkd said {line}"));
        };
        self.pipe.text(length).await?;
        Ok(Some(id.to_owned()))
    }

    async fn expect(&mut self, start: &str) -> Result<(), String> {
        let line = self.pipe.line().await?;
        if line.starts_with(start) { Ok(()) } else { Err(format!("beanstalkd said {line}")) }
    }
}
