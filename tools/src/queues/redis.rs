//! Redis Streams: XADD, XREADGROUP, XACK and XDEL, with `appendfsync always`.

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
    client.flush().await?;
    client.reply().await?;
    Ok((running, port))
}

impl Client {
    pub(super) async fn connect(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { stream: BufStream::with_capacity(1 << 16, 1 << 17, stream), payload: payload() })
    }

    pub(super) async fn put(&mut self, jobs: usize) -> Result<(), String> {
        let payload = self.payload.clone();
        for _ in 0..jobs {
            self.send(&["XADD", "bench", "*", "payload", &payload]).await?;
        }
        self.flush().await?;
        for _ in 0..jobs {
            self.reply().await?;
        }
        Ok(())
    }

    pub(super) async fn take(&mut self, max: usize) -> Result<usize, String> {
        let count = max.to_string();
        let read = ["XREADGROUP", "GROUP", "workers", "one", "COUNT", &count, "BLOCK", "1000"];
        self.send(&[&read[..], &["STREAMS", "bench", ">"]].concat()).await?;
        self.flush().await?;
        let ids = entries(self.reply().await?)?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.send(&[&["XACK", "bench", "workers"], &ids[..]].concat()).await?;
        self.send(&[&["XDEL", "bench"], &ids[..]].concat()).await?;
        self.flush().await?;
        self.reply().await?;
        self.reply().await?;
        Ok(ids.len())
    }

    async fn send(&mut self, words: &[&str]) -> Result<(), String> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.write_all(command.as_bytes()).await.map_err(|e| e.to_string())
    }

    async fn flush(&mut self) -> Result<(), String> {
        self.stream.flush().await.map_err(|e| e.to_string())
    }

    async fn reply(&mut self) -> Result<Reply, String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.map_err(|e| e.to_string())?;
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or("redis closed the connection")?;
        let length = || rest.parse::<i64>().map_err(|_| format!("redis said {line}"));
        match kind {
            "+" | ":" => Ok(Reply::Text(rest.to_owned())),
            "$" => {
                let Ok(length) = usize::try_from(length()?) else { return Ok(Reply::Nothing) };
                let mut text = vec![0; length + 2];
                self.stream.read_exact(&mut text).await.map_err(|e| e.to_string())?;
                text.truncate(length);
                String::from_utf8(text).map(Reply::Text).map_err(|e| e.to_string())
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
