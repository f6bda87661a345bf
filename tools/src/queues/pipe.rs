//! A connection that speaks in lines and counted texts, as Redis and beanstalkd do. What is sent lies in a buffer until it
//! is flushed, so that commands go out together.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// See the module.
pub(super) struct Pipe(BufStream<TcpStream>);

impl Pipe {
    pub(super) async fn connect(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self(BufStream::with_capacity(1 << 16, 1 << 17, stream)))
    }

    pub(super) async fn send(&mut self, text: &str) -> Result<(), String> {
        self.0.write_all(text.as_bytes()).await.map_err(|e| e.to_string())
    }

    pub(super) async fn flush(&mut self) -> Result<(), String> {
        self.0.flush().await.map_err(|e| e.to_string())
    }

    /// The next line, without its end; an error when the connection was closed.
    pub(super) async fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await.map_err(|e| e.to_string())? == 0 {
            return Err("the connection was closed".to_owned());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// A text of so many bytes and the end of its line.
    pub(super) async fn text(&mut self, length: usize) -> Result<String, String> {
        let mut text = vec![0; length + 2];
        self.0.read_exact(&mut text).await.map_err(|e| e.to_string())?;
        text.truncate(length);
        String::from_utf8(text).map_err(|e| e.to_string())
    }
}
