//! Signatures of a POST.
//!
//! * `x-superdesk-signature: sha1=` and the HMAC-SHA1 of the body with `secret_token`, for receivers that know it.
//! * `webhook-signature: v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}`, as Standard Webhooks has
//!   it. The key is `webhook_secret`, one or (while it is being replaced) several with blanks between, each `whsec_` and
//!   base64 or a plain text; without that setting it is the text of `secret_token`.

use crate::config::Config;
use crate::digest::{Hasher, Sha, hex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;

/// The keys of a destination, as begun signatures.
pub(crate) struct Keys {
    token: Option<Hmac<Sha1>>,
    webhook: Vec<Hmac<Sha256>>,
}

/// Takes the bytes of a body, all in their order.
pub(crate) struct Signer {
    token: Option<Hmac<Sha1>>,
    webhook: Vec<Hmac<Sha256>>,
    sha: Hasher,
    bytes: u64,
    id: String,
    timestamp: String,
}

/// What is said about a body.
pub(crate) struct Signed {
    /// Names are in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Length of the body.
    pub(super) bytes: u64,
    /// Digest of the body.
    pub(super) sha: Sha,
}

impl Keys {
    /// # Errors
    /// A sentence if a key is not what it says.
    pub(crate) fn of(config: &Config) -> Result<Keys, String> {
        let token = config.verbatim("secret_token");
        let webhook = match config.text("webhook_secret") {
            Some(secrets) => secrets.split_whitespace().map(webhook_key).collect::<Result<Vec<_>, _>>()?,
            None => token.map(|token| token.as_bytes().to_vec()).into_iter().collect(),
        };
        let unusable = || "a secret cannot be used as a key".to_owned();
        Ok(Keys {
            token: match token {
                Some(token) => Some(Hmac::new_from_slice(token.as_bytes()).map_err(|_| unusable())?),
                None => None,
            },
            webhook: webhook
                .iter()
                .map(|key| Hmac::new_from_slice(key).map_err(|_| unusable()))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn signer(&self, id: &str, now: Timestamp) -> Signer {
        let timestamp = now.as_second().to_string();
        let mut webhook = self.webhook.clone();
        for signature in &mut webhook {
            signature.update(format!("{id}.{timestamp}.").as_bytes());
        }
        Signer {
            token: self.token.clone(),
            webhook,
            sha: Hasher::default(),
            bytes: 0,
            id: id.to_owned(),
            timestamp,
        }
    }
}

impl Signer {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(signature) = &mut self.token {
            signature.update(bytes);
        }
        for signature in &mut self.webhook {
            signature.update(bytes);
        }
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Signed {
        let sha = self.sha.finish();
        let mut headers = vec![
            ("webhook-id", self.id),
            ("webhook-timestamp", self.timestamp),
            ("content-digest", sha.content_digest()),
        ];
        if let Some(signature) = self.token {
            headers
                .push(("x-superdesk-signature", format!("sha1={}", hex(&signature.finalize().into_bytes()))));
        }
        if !self.webhook.is_empty() {
            let one = |signature: Hmac<Sha256>| {
                format!("v1,{}", STANDARD.encode(signature.finalize().into_bytes()))
            };
            let all: Vec<String> = self.webhook.into_iter().map(one).collect();
            headers.push(("webhook-signature", all.join(" ")));
        }
        Signed { headers, bytes: self.bytes, sha }
    }
}

fn webhook_key(secret: &str) -> Result<Vec<u8>, String> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| "webhook_secret is not base64".to_owned()),
        None => Ok(secret.as_bytes().to_vec()),
    }
}
