//! HTTP push: the item as a POST of JSON, its media before it.
//!
//! Settings: `resource_url`, `assets_url`, `packaged`, `secret_token`, `webhook_secret`.
//!
//! Media come first, so that a receiver that has the item has them all: each is asked for with
//! `GET {assets_url}/{id}` and sent as a form if the answer is 404. Every POST has a `webhook-id` that is the same at
//! every attempt, a `webhook-timestamp`, a `content-digest` (RFC 9530) and, where there is a secret, the signatures of
//! [`signature`]. Redirects are failures. A destination that is `packaged` gets parts of packages only inside of them.

mod assets;
mod form;
mod outcome;
mod signature;

pub(crate) use form::media_type;
pub(crate) use signature::Keys;

use crate::digest::Sha;
use crate::egress::Class;
use crate::failure::{Code, Failure};
use crate::http::{Endpoint, HttpClient, full};
use crate::media::MediaProvider;
use crate::receipt::{Answer, Receipt};
use crate::site::{Clock, Site};
use crate::tls::Tls;
use crate::transmission::Transmission;
use crate::transmitter::{Lent, Transmitter};
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use serde_json::value::RawValue;
use signature::Signed;
use std::time::Duration;

pub(crate) struct HttpPush {
    client: HttpClient,
    clock: Clock,
}

impl HttpPush {
    pub(crate) fn new(site: &Site, tls: Tls) -> HttpPush {
        let client = HttpClient::new(site.egress.clone(), tls, Class::Http, site.http_answer_max);
        HttpPush { client, clock: site.clock.clone() }
    }

    async fn push(&self, transmission: &Transmission, media: &dyn MediaProvider) -> Result<Receipt, Failure> {
        let config = &transmission.destination.config;
        let keys = Keys::of(config).map_err(lasting)?;
        let resource = config.text("resource_url").ok_or_else(|| lasting("resource_url is not set"))?;
        let resource = endpoint("resource_url", &resource)?;
        let item = json(transmission)?;
        let media_sent = match config.text("assets_url") {
            Some(assets) => {
                self.push_media(transmission, media, &endpoint("assets_url", &assets)?, &keys).await?
            }
            None => 0,
        };
        let mut receipt = Receipt {
            id: transmission.id(),
            sha256: Sha::of(&item).hex(),
            bytes: 0,
            target: resource.target.label(),
            answer: None,
            media_sent,
            duration: Duration::ZERO,
        };
        if !(transmission.is_in_package && config.is_on("packaged", false)) {
            receipt.bytes = item.len() as u64;
            receipt.answer = Some(self.push_item(&receipt.id, &resource, item, &keys).await?);
        }
        Ok(receipt)
    }

    async fn push_item(
        &self,
        id: &str,
        resource: &Endpoint,
        item: Bytes,
        keys: &Keys,
    ) -> Result<Answer, Failure> {
        let mut signer = keys.signer(id, (self.clock)());
        signer.update(&item);
        let mut request = post(resource, &signer.finish())?.body(full(item)).map_err(|_| unwritable())?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let reply = self.client.call(request).await.map_err(outcome::no_reply)?;
        outcome::accepted(&reply, (self.clock)())
    }
}

impl Transmitter for HttpPush {
    fn key(&self) -> &'static str {
        "http_push"
    }

    fn name(&self) -> &'static str {
        "HTTP Push"
    }

    fn codes(&self) -> &'static [Code] {
        &[Code::HttpPush, Code::HttpPushClient, Code::HttpPushServer]
    }

    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        media: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>> {
        Box::pin(self.push(transmission, media))
    }
}

/// The item. It is sent byte for byte as it was formatted, which is what a signature is good for.
fn json(transmission: &Transmission) -> Result<Bytes, Failure> {
    // JSON is UTF-8 whatever encoding the row names.
    let text = transmission.body.as_text().ok_or_else(|| lasting("the formatted item is not JSON"))?;
    serde_json::from_str::<&RawValue>(text).map_err(|_| lasting("the formatted item is not JSON"))?;
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

fn endpoint(setting: &str, text: &str) -> Result<Endpoint, Failure> {
    Endpoint::parse(text).map_err(|error| error.failure(Code::HttpPush, setting))
}

/// A POST with the headers that say what the body is.
pub(crate) fn post(endpoint: &Endpoint, signed: &Signed) -> Result<hyper::http::request::Builder, Failure> {
    let uri = endpoint.uri().map_err(lasting)?;
    let mut request = Request::builder().method(Method::POST).uri(uri).header(CONTENT_LENGTH, signed.bytes);
    for (name, value) in &signed.headers {
        request = request.header(HeaderName::from_static(name), value);
    }
    Ok(request)
}

fn lasting(message: impl AsRef<str>) -> Failure {
    Failure::lasting(Code::HttpPush, message)
}

fn unwritable() -> Failure {
    lasting("the request cannot be written")
}
