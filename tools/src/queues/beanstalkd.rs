//! beanstalkd: put, reserve and delete, with an fsync for every write (`-f 0`).

use std::path::Path;
use std::process::Command;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::peer::payload;
use crate::program::{self, Running};

/// See `peer::Client`.
pub(super) struct Client {
    stream: BufStream<TcpStream>,
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
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { stream: BufStream::with_capacity(1 << 16, 1 << 17, stream), payload: payload() })
    }

    pub(super) async fn put(&mut self, jobs: usize) -> Result<(), String> {
        let command = format!("put 0 0 30 {}\r\n{}\r\n", self.payload.len(), self.payload);
        for _ in 0..jobs {
            self.send(&command).await?;
        }
        self.flush().await?;
        for _ in 0..jobs {
            self.expect("INSERTED ").await?;
        }
        Ok(())
    }

    pub(super) async fn take(&mut self, max: usize) -> Result<usize, String> {
        // The first one is waited for; the others are taken as far as they are there.
        self.send("reserve-with-timeout 1\r\n").await?;
        for _ in 1..max {
            self.send("reserve-with-timeout 0\r\n").await?;
        }
        self.flush().await?;
        let mut ids = Vec::new();
        for _ in 0..max {
            ids.extend(self.reserved().await?);
        }
        for id in &ids {
            self.send(&format!("delete {id}\r\n")).await?;
        }
        self.flush().await?;
        for _ in &ids {
            self.expect("DELETED").await?;
        }
        Ok(ids.len())
    }

    /// The id of a job that was asked for; `None` when there was none in time.
    async fn reserved(&mut self) -> Result<Option<String>, String> {
        let line = self.line().await?;
        if line.starts_with("TIMED_OUT") || line.starts_with("DEADLINE_SOON") {
            return Ok(None);
        }
        let mut words = line.trim_end().split(' ').skip(1);
        let (Some(id), Some(Ok(length))) = (words.next(), words.next().map(str::parse::<usize>)) else {
            return Err(format!("beanstalkd said {line}"));
        };
        let mut body = vec![0; length + 2];
        self.stream.read_exact(&mut body).await.map_err(|e| e.to_string())?;
        Ok(Some(id.to_owned()))
    }

    async fn send(&mut self, text: &str) -> Result<(), String> {
        self.stream.write_all(text.as_bytes()).await.map_err(|e| e.to_string())
    }

    async fn flush(&mut self) -> Result<(), String> {
        self.stream.flush().await.map_err(|e| e.to_string())
    }

    async fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.map_err(|e| e.to_string())?;
        Ok(line)
    }

    async fn expect(&mut self, start: &str) -> Result<(), String> {
        let line = self.line().await?;
        if line.starts_with(start) { Ok(()) } else { Err(format!("beanstalkd said {line}")) }
    }
}
