//! Amazon SQS, FIFO queues.
//!
//! Settings: `access_key_id`, `secret_access_key`, `region`, `endpoint_url` (the region's own without it), `queue_name`,
//! `message_group_id`.
//!
//! The message is the formatted item. Its deduplication id is the row's: a repeat of an attempt within five minutes is
//! dropped by the queue, while the same text that is sent again on purpose arrives, which content-based deduplication
//! would drop.

mod api;
mod signature;

use crate::digest::Sha;
use crate::egress::Class;
use crate::failure::{Code, Failure};
use crate::http::{Endpoint, HttpClient};
use crate::media::MediaProvider;
use crate::receipt::{Answer, Receipt, one_line};
use crate::site::{Clock, Site};
use crate::tls::Tls;
use crate::transmission::Transmission;
use crate::transmitter::{Lent, Transmitter};
use api::{Account, Refusal};
use serde_json::json;
use signature::Credentials;
use std::time::Duration;

pub(crate) struct Sqs {
    client: HttpClient,
    clock: Clock,
}

impl Sqs {
    pub(crate) fn new(site: &Site, tls: Tls) -> Sqs {
        let client = HttpClient::new(site.egress.clone(), tls, Class::Queue, site.http_answer_max);
        Sqs { client, clock: site.clock.clone() }
    }

    async fn deliver(&self, transmission: &Transmission) -> Result<Receipt, Failure> {
        let (account, queue_name, group) = settings(transmission)?;
        let not_text = || Failure::lasting(Code::SqsSend, "the formatted item is not text");
        let text = transmission.body.as_text().ok_or_else(not_text)?;
        let queue = self.call(&account, "GetQueueUrl", &json!({"QueueName": queue_name})).await;
        let queue = queue.map_err(|refusal| refusal.failure(Code::SqsClient))?;
        let queue_url = queue.fields.get("QueueUrl").and_then(|url| url.as_str());
        let no_url = || Failure::passing(Code::SqsClient, "the service names no queue");
        let id = transmission.id();
        let message = json!({
            "QueueUrl": queue_url.ok_or_else(no_url)?,
            "MessageBody": text,
            "MessageGroupId": group,
            "MessageDeduplicationId": id,
        });
        let sent = self.call(&account, "SendMessage", &message).await;
        let sent = sent.map_err(|refusal: Refusal| refusal.failure(Code::SqsSend))?;
        let message_id = sent.fields.get("MessageId").and_then(|id| id.as_str()).unwrap_or_default();
        Ok(Receipt {
            id,
            sha256: Sha::of(text.as_bytes()).hex(),
            bytes: text.len() as u64,
            target: one_line(&format!("{queue_name} at {}", account.endpoint.target.label())),
            answer: Some(Answer::new(sent.status, message_id.as_bytes())),
            media_sent: 0,
            duration: Duration::ZERO,
        })
    }
}

impl Transmitter for Sqs {
    fn key(&self) -> &'static str {
        "amazon_sqs_fifo"
    }

    fn name(&self) -> &'static str {
        "Amazon SQS FIFO"
    }

    fn codes(&self) -> &'static [Code] {
        &[Code::SqsConnection, Code::SqsClient, Code::SqsSend]
    }

    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        _: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>> {
        Box::pin(self.deliver(transmission))
    }
}

/// The account, the name of the queue, and the group.
fn settings(transmission: &Transmission) -> Result<(Account, String, String), Failure> {
    let config = &transmission.destination.config;
    let lasting = |message: String| Failure::lasting(Code::SqsClient, message);
    let needed = |key: &str| config.text(key).ok_or_else(|| lasting(format!("{key} is not set")));
    let region = needed("region")?;
    // It becomes a part of a host's name and of what is signed.
    if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(lasting("region is no region".to_owned()));
    }
    let url = config.text("endpoint_url").unwrap_or_else(|| format!("https://sqs.{region}.amazonaws.com"));
    let endpoint = Endpoint::parse(&url).map_err(|error| error.failure(Code::SqsClient, "endpoint_url"))?;
    let credentials = Credentials {
        access_key_id: needed("access_key_id")?,
        secret_access_key: needed("secret_access_key")?.into(),
    };
    Ok((Account { endpoint, region, credentials }, needed("queue_name")?, needed("message_group_id")?))
}
