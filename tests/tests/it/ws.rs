//! A WebSocket client of the program: JSON both ways, events kept apart from answers.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::client::Client;

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const PROTOCOL: &str = "dateline.v1.json";

/// An open socket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<Value>,
    answers: VecDeque<Value>,
    /// Code and reason, once the program has closed it.
    closed: Option<(u16, String)>,
}

impl Socket {
    /// Opens a socket with the client's token.
    pub(crate) async fn open(client: &Client) -> Self {
        let token = format!("Bearer {}", client.token());
        let opened = Self::try_open(client, "/api/ws", &[("authorization", &token)]).await;
        opened.unwrap_or_else(|status| panic!("the socket is refused: {status}"))
    }

    /// Opens a socket; the status when it is refused, 0 when the program cannot be reached.
    pub(crate) async fn try_open(
        client: &Client,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = client.url().replacen("http://", "ws://", 1);
        if url.is_empty() {
            return Err(0);
        }
        let mut request = format!("{url}{path}").into_client_request().expect("an address");
        let mut set = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).expect("a header value");
            request.headers_mut().insert(HeaderName::from_static(name), value);
        };
        set("sec-websocket-protocol", PROTOCOL);
        for &(name, value) in headers {
            set(name, value);
        }
        match connect_async(request).await {
            Ok((stream, response)) => {
                let spoken = response.headers().get("sec-websocket-protocol");
                assert_eq!(spoken.and_then(|value| value.to_str().ok()), Some(PROTOCOL));
                let (events, answers) = (VecDeque::new(), VecDeque::new());
                Ok(Self { stream, events, answers, closed: None })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) -> bool {
        self.stream.send(message).await.is_ok()
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        assert!(self.send(Message::text(message.to_string())).await, "said {message} to a closed socket");
    }

    /// Reads one message; false at the end.
    async fn read(&mut self) -> bool {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                match message["op"].as_str() {
                    Some("event") => self.events.push_back(message),
                    Some(_) => self.answers.push_back(message),
                    None => panic!("no op in {message}"),
                }
                true
            }
            Some(Ok(Message::Close(frame))) => {
                self.closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                true
            }
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => panic!("not a text"),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => true,
            Some(Err(_)) | None => false,
        }
    }

    /// Says something and waits for its answer.
    pub(crate) async fn ask(&mut self, message: &Value) -> Value {
        self.say(message).await;
        self.answer().await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Value {
        self.next(|socket| socket.answers.pop_front(), "an answer").await
    }

    /// The next event, of whatever kind; `None` when the socket ended.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next event of a kind; others are passed over.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let found = |socket: &mut Self| {
            while let Some(event) = socket.events.pop_front() {
                if event["type"] == kind {
                    return Some(event);
                }
            }
            None
        };
        self.next(found, kind).await
    }

    async fn next(&mut self, mut found: impl FnMut(&mut Self) -> Option<Value>, what: &str) -> Value {
        let reading = async {
            loop {
                if let Some(found) = found(self) {
                    return found;
                }
                assert!(self.read().await, "the socket ended before {what}: {:?}", self.closed);
            }
        };
        tokio::time::timeout(SOON, reading).await.unwrap_or_else(|_| panic!("no {what} within {SOON:?}"))
    }

    /// Subscribes; what the program answers when it does.
    pub(crate) async fn subscribe(&mut self, id: u64, topics: &[&str], also: Value) -> Value {
        let mut message = json!({"op": "sub", "id": id, "topics": topics});
        for (name, value) in also.as_object().expect("an object") {
            message[name] = value.clone();
        }
        let answer = self.ask(&message).await;
        assert!(answer["op"] == "ok" && answer["re"] == "sub" && answer["id"] == id, "{answer}");
        answer
    }

    /// Reads until the program closes the socket: code and reason, and that the event `bye` said the same before.
    pub(crate) async fn end(&mut self) -> (u16, String) {
        let ended = async { while self.read().await {} };
        tokio::time::timeout(SOON, ended).await.expect("the socket ends");
        let (code, reason) = self.closed.clone().expect("a close frame");
        let last = self.events.back().expect("an event");
        assert_eq!((&last["type"], &last["data"]["reason"]), (&json!("bye"), &json!(reason)), "{last}");
        assert!(last["data"]["retry_ms"].is_u64() && last.get("sub").is_none(), "{last}");
        (code, reason)
    }
}
