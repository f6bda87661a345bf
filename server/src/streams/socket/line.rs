//! The line to one client: messages out within a time, messages in, and its end.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::SinkExt;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tungstenite::Error;
use tungstenite::error::ProtocolError;

use super::closing::Closing;
use super::words;

/// How long a client is waited for that was told of the end.
const LINGER: Duration = Duration::from_secs(3);

/// `Err` ends the session.
pub(super) type Step = Result<(), Closing>;

/// See the module.
pub(super) struct Line {
    socket: WebSocket,
    /// A client that takes nothing for so long is given up.
    stall: Duration,
}

impl Line {
    pub(super) fn new(socket: WebSocket, stall: Duration) -> Self {
        Self { socket, stall }
    }

    /// The next message; why there is none any more.
    pub(super) async fn hear(&mut self) -> Result<Message, Closing> {
        match self.socket.recv().await {
            None => Err(Closing::Gone),
            Some(message) => message.map_err(broken),
        }
    }

    /// Puts a message into the buffer, which takes one more only when what is over its bound has been taken.
    pub(super) async fn put(&mut self, message: Message) -> Step {
        taken(timeout(self.stall, self.socket.feed(message)).await)
    }

    /// Waits until all that was put has been taken.
    pub(super) async fn flush(&mut self) -> Step {
        taken(timeout(self.stall, self.socket.flush()).await)
    }

    /// Puts one message, and waits until it has been taken.
    pub(super) async fn say(&mut self, message: Message) -> Step {
        self.put(message).await?;
        self.flush().await
    }

    /// Says why, as far as the client listens, and waits a moment for its goodbye.
    pub(super) async fn end(mut self, closing: Closing) {
        // Whoever took nothing for so long may need as long again to come to the end of it.
        let linger = if closing == Closing::Slow { LINGER.max(self.stall) } else { LINGER };
        let told = async {
            if let Some((code, reason)) = closing.told() {
                let bye = Message::Text(words::bye(None, reason).into());
                let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                if self.socket.feed(bye).await.is_err() || self.socket.send(close).await.is_err() {
                    return;
                }
            }
            while let Some(Ok(_)) = self.socket.recv().await {}
        };
        // A client that does not listen is not told.
        let _ = timeout(linger, told).await;
    }
}

fn taken(outcome: Result<Result<(), axum::Error>, Elapsed>) -> Step {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Closing::Gone),
        Err(_) => Err(Closing::Slow),
    }
}

/// Why nothing more can be read.
fn broken(error: axum::Error) -> Closing {
    match error.into_inner().downcast::<Error>().map(|error| *error) {
        Ok(Error::Capacity(_)) => Closing::TooLarge,
        Ok(Error::Utf8(_)) => Closing::NotUtf8,
        // A client that goes without a goodbye is everyday.
        Ok(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Closing::Gone,
        Ok(Error::Protocol(_)) => Closing::Protocol,
        _ => Closing::Gone,
    }
}
