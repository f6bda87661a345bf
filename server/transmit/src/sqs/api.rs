//! Calls of the service: AWS JSON 1.0.

use super::Sqs;
use super::signature::{Credentials, Signable, sign};
use crate::failure::{Code, Failure};
use crate::http::{Endpoint, NoReply, Reply, full};
use crate::receipt::Answer;
use bytes::Bytes;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};

/// Whose queues, and where.
pub(super) struct Account {
    pub(super) endpoint: Endpoint,
    pub(super) region: String,
    pub(super) credentials: Credentials,
}

/// What the service answers to a call it carries out.
pub(super) struct Called {
    pub(super) status: u16,
    pub(super) fields: Map<String, Value>,
}

/// A call that was not carried out.
pub(super) enum Refusal {
    /// Nobody answers.
    NoReply(NoReply),
    /// The request cannot be written.
    Unwritable(String),
    /// The service says no.
    Said {
        /// The last part of its type, such as `QueueDoesNotExist`.
        kind: String,
        answer: Answer,
    },
}

const MEDIA_TYPE: &str = "application/x-amz-json-1.0";

impl Sqs {
    pub(super) async fn call(
        &self,
        account: &Account,
        action: &str,
        body: &Value,
    ) -> Result<Called, Refusal> {
        let body = Bytes::from(body.to_string());
        let target = format!("AmazonSQS.{action}");
        let signable =
            Signable { url: &account.endpoint.url, target: &target, media_type: MEDIA_TYPE, body: &body };
        let signed = sign(&signable, &account.credentials, &account.region, (self.clock)());
        let signed = signed.map_err(Refusal::Unwritable)?;
        let request = Request::post(account.endpoint.uri().map_err(Refusal::Unwritable)?)
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header(CONTENT_LENGTH, body.len())
            .header("x-amz-date", signed.date)
            .header("x-amz-target", target)
            .header(AUTHORIZATION, signed.authorization)
            .body(full(body))
            .map_err(|error| Refusal::Unwritable(error.to_string()))?;
        let reply = self.client.call(request).await.map_err(Refusal::NoReply)?;
        let status = reply.status.as_u16();
        let fields: Map<String, Value> = serde_json::from_slice(&reply.body).unwrap_or_default();
        match reply.status.is_success() {
            true => Ok(Called { status, fields }),
            false => Err(Refusal::Said { kind: kind(&fields), answer: answer(&reply) }),
        }
    }
}

fn kind(fields: &Map<String, Value>) -> String {
    let kind = fields.get("__type").and_then(Value::as_str).unwrap_or_default();
    kind.rsplit(['#', '.']).next().unwrap_or_default().to_owned()
}

fn answer(reply: &Reply) -> Answer {
    Answer::new(reply.status.as_u16(), &reply.body)
}

impl Refusal {
    /// The failure, with this code where the service itself refuses.
    pub(super) fn failure(self, code: Code) -> Failure {
        match self {
            Refusal::NoReply(NoReply::Denied(denied)) => Failure::denied(Code::SqsConnection, &denied),
            Refusal::NoReply(NoReply::Unreachable(why)) => {
                Failure::passing(Code::SqsConnection, format!("not reached: {why}"))
            }
            Refusal::NoReply(NoReply::Late(why) | NoReply::Lost(why)) => {
                Failure::passing(Code::SqsConnection, format!("no answer: {why}"))
            }
            Refusal::Unwritable(why) => Failure::lasting(code, why),
            Refusal::Said { kind, answer } => {
                let message = format!("the service answers {} {kind}", answer.status);
                let failure = match IN_THE_MESSAGE.contains(&kind.as_str()) {
                    true => Failure::lasting(code, message),
                    // Queues are made, and keys given, while rows wait; and the service may be busy.
                    false => Failure::passing(code, message),
                };
                failure.answered(answer)
            }
        }
    }
}

/// Refusals of a text: it would be the same text again.
const IN_THE_MESSAGE: [&str; 3] =
    ["InvalidMessageContents", "InvalidParameterValue", "InvalidParameterValueException"];
