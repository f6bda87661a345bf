//! Redis Streams: XADD, XREADGROUP, XACK and XDEL, with `appendfsync always`.

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

/// A reply of RESP 2.
enum Reply {
    Text(String),
    Nothing,
    List(Vec<Reply>),
}

pub(super) async fn start(dir: &Path) -> Result<(Running, u16), String> {
    let port = program::free_port()?;
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(dir);
    let running = program::peer(&mut command, port)?;
    let mut client = Client::connect(port).await?;
    client.send(&["XGROUP", "CREATE", "bench", "workers", "$", "MKSTREAM"]).await?;
    client.pipe.flush().await?;
    client.reply().await?;
    Ok((running, port))
}

impl Client {
    pub(super) async fn connect(port: u16) -> Result<Self, String> {
        Ok(Self { pipe: Pipe::connect(port).await?, payload: payload() })
    }

    pub(super) async fn put(&mut self, jobs: usize) -> Result<(), String> {
        let payload = self.payload.clone();
        for _ in 0..jobs {
            self.send(&["XADD", "bench", "*", "payload", &payload]).await?;
        }
        self.pipe.flush().await?;
        for _ in 0..jobs {
            self.reply().await?;
        }
        Ok(())
    }

    pub(super) async fn take(&mut self, max: usize) -> Result<usize, String> {
        let count = max.to_string();
        let read = ["XREADGROUP", "GROUP", "workers", "one", "COUNT", &count, "BLOCK", "1000"];
        self.send(&[&read[..], &["STREAMS", "bench", ">"]].concat()).await?;
        self.pipe.flush().await?;
        let ids = entries(self.reply().await?)?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.send(&[&["XACK", "bench", "workers"], &ids[..]].concat()).await?;
        self.send(&[&["XDEL", "bench"], &ids[..]].concat()).await?;
        self.pipe.flush().await?;
        self.reply().await?;
        self.reply().await?;
        Ok(ids.len())
    }

    async fn send(&mut self, words: &[&str]) -> Result<(), String> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.pipe.send(&command).await
    }

    async fn reply(&mut self) -> Result<Reply, String> {
        let line = self.pipe.line().await?;
        let (kind, rest) = line.split_at_checked(1).ok_or("redis said nothing")?;
        let length = || rest.parse::<i64>().map_err(|_| format!("redis said {line}"));
        match kind {
            "+" | ":" => Ok(Reply::Text(rest.to_owned())),
            "$" => {
                let Ok(length) = usize::try_from(length()?) else { return Ok(Reply::Nothing) };
                self.pipe.text(length).await.map(Reply::Text)
            }
            "*" => {
                let mut list = Vec::new();
                for _ in 0..length()? {
                    list.push(Box::pin(self.reply()).await?);
                }
                Ok(Reply::List(list))
            }
            _ => Err(format!("redis said {line}")),
        }
    }
}

/// The ids in `[[stream, [[id, fields], ...]]]`; none when nothing came in time.
fn entries(reply: Reply) -> Result<Vec<String>, String> {
    let Reply::List(streams) = reply else { return Ok(Vec::new()) };
    let mut ids = Vec::new();
    for stream in streams {
        let Reply::List(parts) = stream else { return Err("redis answered no stream".to_owned()) };
        for part in parts {
            let Reply::List(rows) = part else { continue };
            for row in rows {
                match row {
                    Reply::List(row) => ids.extend(row.into_iter().find_map(text)),
                    Reply::Text(_) | Reply::Nothing => return Err("redis answered no entry".to_owned()),
                }
            }
        }
    }
    Ok(ids)
}

fn text(reply: Reply) -> Option<String> {
    match reply {
        Reply::Text(text) => Some(text),
        Reply::Nothing | Reply::List(_) => None,
    }
}
