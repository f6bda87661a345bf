//! Somebody who uses the server over its public interface, as anybody else would.

use dateline_engine::Store;
use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::outcome::Failure;

/// A signed-in client.
pub(crate) struct Visitor<'a> {
    pub(crate) client: Client,
    /// The signed-in user.
    pub(crate) user: String,
    /// Only for the time: everybody here looks at the same clock.
    clock: &'a Store,
}

impl<'a> Visitor<'a> {
    /// Signs in.
    pub(crate) fn sign_in(
        url: &str,
        username: &str,
        password: &str,
        clock: &'a Store,
    ) -> Result<Self, Failure> {
        let body = json!({"username": username, "password": password});
        let session = Client::new(url, None, None)?.call(Method::POST, "/api/auth", Some(&body))?;
        let text = |name: &str| session.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let client = Client::new(url, Some(text("token")), None)?;
        Ok(Self { client, user: text("user"), clock })
    }

    /// Now, as devices write it.
    pub(crate) fn time(&self) -> String {
        self.time_in(0.0)
    }

    /// The time so many seconds from now.
    pub(crate) fn time_in(&self, seconds: f64) -> String {
        let ms = i64::try_from(self.clock.now().get()).unwrap_or(i64::MAX);
        let ms = ms.saturating_add((seconds * 1000.0) as i64);
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_string()
    }
}
