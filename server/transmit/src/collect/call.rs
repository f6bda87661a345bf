//! A question with a document in it: a POST of JSON that is signed as HTTP push signs, and the whole answer.

use super::http::{broken, parsed};
use super::{CollectError, Collectors};
use crate::config::Config;
use crate::http::full;
use crate::http_push::{Keys, post};
use crate::secret::Secret;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A question.
#[derive(Debug, Clone)]
pub struct Call {
    /// The address: `http` or `https`.
    pub url: String,
    /// The key of the signature, as `webhook_secret` of HTTP push has it; none: it is not signed.
    pub secret: Option<Secret>,
    /// `webhook-id`: the same whenever the same thing is asked.
    pub id: String,
    /// JSON.
    pub body: Vec<u8>,
    /// Time for everything, the answer included; beside it the bounds of all requests hold.
    pub time_max: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The status of HTTP; a redirect is an answer.
    pub status: u16,
    /// The whole body.
    pub bytes: Vec<u8>,
}

impl Collectors {
    /// Asks, and reads the answer whatever its status is.
    ///
    /// # Errors
    /// [`CollectError::TooLarge`] for an answer beyond `bytes_max`, [`CollectError::Settings`] for a secret that is no key.
    pub async fn call(&self, call: &Call, bytes_max: usize) -> Result<Called, CollectError> {
        let end = Instant::now() + call.time_max;
        let late = || CollectError::Late(format!("no answer within {} s", call.time_max.as_secs_f32()));
        let endpoint = parsed(&call.url)?;
        let mut settings = serde_json::Map::new();
        if let Some(secret) = &call.secret {
            settings.insert("webhook_secret".to_owned(), secret.reveal().into());
        }
        let keys = Keys::of(&Config::new(settings)).map_err(CollectError::Settings)?;
        let mut signer = keys.signer(&call.id, (self.site.clock)());
        signer.update(&call.body);
        let body = full(Bytes::copy_from_slice(&call.body));
        let unwritable = |_| CollectError::Settings("the request cannot be written".to_owned());
        let mut request = post(&endpoint, &signer.finish())?.body(body).map_err(unwritable)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let reply = timeout_at(end, self.http.open(request)).await.map_err(|_| late())??;
        let (head, mut body) = reply.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = timeout_at(end, body.frame()).await.map_err(|_| late())? {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            if bytes.len() + data.len() > bytes_max {
                return Err(CollectError::TooLarge(bytes_max));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Called { status: head.status.as_u16(), bytes })
    }
}
