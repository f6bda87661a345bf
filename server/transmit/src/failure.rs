//! Why a transmission did not arrive, and what may help.

use crate::egress::Denied;
use crate::receipt::{Answer, one_line};
use std::fmt;
use std::time::Duration;

/// A transmission that did not arrive, or of which nobody knows.
///
/// `Display` is the form that is stored with a row: `PublishFileError Error 13000 - File publish error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which error; operators choose by it which ones close a subscriber.
    pub code: Code,
    /// What happened, in one line, for everybody who may see the row.
    pub message: String,
    /// What happened, for operators only: why the guard refused an address. Nothing where `message` says it all.
    pub reason: Option<String>,
    /// What may help.
    pub remedy: Remedy,
    /// What the receiver said, if it did.
    pub answer: Option<Answer>,
    /// From the call to the failure.
    pub duration: Duration,
}

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another attempt, not before `after` if the receiver gave a time.
    Retry {
        /// From now, at most a day.
        after: Option<Duration>,
    },
    /// Nothing: the same request would fail in the same way.
    GiveUp,
    /// Nothing, and further rows need not be tried: the receiver says that it is gone for good (HTTP 410).
    Close,
}

/// The numbered errors of transmitters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// 9010: no transmitter has the key that the destination names.
    UnknownDeliveryType,
    /// 10000
    Ftp,
    /// 11000
    Email,
    /// 11001: a destination of e-mail without recipients.
    NoRecipients,
    /// 12000
    Odbc,
    /// 13000
    File,
    /// 14000: no answer, or none that is HTTP.
    HttpPush,
    /// 14001: 4xx.
    HttpPushClient,
    /// 14002: 5xx.
    HttpPushServer,
    /// 15000: the queue service was not reached.
    SqsConnection,
    /// 15001: the settings of the queue, or its credentials.
    SqsClient,
    /// 15002: the service did not take the message.
    SqsSend,
}

impl Code {
    /// Every code, in order: what `/publish_errors` lists for this crate.
    pub const ALL: [Code; 12] = [
        Code::UnknownDeliveryType,
        Code::Ftp,
        Code::Email,
        Code::NoRecipients,
        Code::Odbc,
        Code::File,
        Code::HttpPush,
        Code::HttpPushClient,
        Code::HttpPushServer,
        Code::SqsConnection,
        Code::SqsClient,
        Code::SqsSend,
    ];

    /// The number.
    pub fn number(self) -> u16 {
        match self {
            Code::UnknownDeliveryType => 9010,
            Code::Ftp => 10000,
            Code::Email => 11000,
            Code::NoRecipients => 11001,
            Code::Odbc => 12000,
            Code::File => 13000,
            Code::HttpPush => 14000,
            Code::HttpPushClient => 14001,
            Code::HttpPushServer => 14002,
            Code::SqsConnection => 15000,
            Code::SqsClient => 15001,
            Code::SqsSend => 15002,
        }
    }

    /// The name of its class of errors.
    pub fn class(self) -> &'static str {
        match self {
            Code::UnknownDeliveryType => "PublishDeliveryTypeError",
            Code::Ftp => "PublishFTPError",
            Code::Email | Code::NoRecipients => "PublishEmailError",
            Code::Odbc => "PublishODBCError",
            Code::File => "PublishFileError",
            Code::HttpPush => "PublishHTTPPushError",
            Code::HttpPushClient => "PublishHTTPPushClientError",
            Code::HttpPushServer => "PublishHTTPPushServerError",
            Code::SqsConnection | Code::SqsClient | Code::SqsSend => "PublishAmazonSQSError",
        }
    }

    /// The text beside the number.
    pub fn text(self) -> &'static str {
        match self {
            Code::UnknownDeliveryType => "Unknown delivery type",
            Code::Ftp => "FTP publish error",
            Code::Email => "Email publish error",
            Code::NoRecipients => "Recipients could not be found for destination",
            Code::Odbc => "ODBC publish error",
            Code::File => "File publish error",
            Code::HttpPush => "HTTP push publish error",
            Code::HttpPushClient => "HTTP push publish client error",
            Code::HttpPushServer => "HTTP push publish server error",
            Code::SqsConnection => "Amazon SQS connection error",
            Code::SqsClient => "Amazon SQS client error",
            Code::SqsSend => "Amazon SQS send error",
        }
    }
}

impl Failure {
    /// Whether another attempt can help.
    pub fn is_retryable(&self) -> bool {
        matches!(self.remedy, Remedy::Retry { .. })
    }

    /// The time the receiver asked for, from the failure on.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.remedy {
            Remedy::Retry { after } => after,
            Remedy::GiveUp | Remedy::Close => None,
        }
    }

    /// What is stored as a row's `error_message`.
    pub fn error_message(&self) -> String {
        format!("{self}:{}", self.message)
    }

    /// One that may pass.
    pub(crate) fn passing(code: Code, message: impl AsRef<str>) -> Failure {
        Failure::new(code, message.as_ref(), Remedy::Retry { after: None })
    }

    /// One that would come again.
    pub(crate) fn lasting(code: Code, message: impl AsRef<str>) -> Failure {
        Failure::new(code, message.as_ref(), Remedy::GiveUp)
    }

    /// A refusal of the guard: everybody sees that, operators see why.
    pub(crate) fn denied(code: Code, denied: &Denied) -> Failure {
        let mut failure = Failure::lasting(code, denied.to_string());
        failure.reason = Some(one_line(&denied.reason()));
        failure
    }

    pub(crate) fn answered(mut self, answer: Answer) -> Failure {
        self.answer = Some(answer);
        self
    }

    fn new(code: Code, message: &str, remedy: Remedy) -> Failure {
        let message = one_line(message);
        Failure { code, message, reason: None, remedy, answer: None, duration: Duration::ZERO }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} Error {} - {}", self.code.class(), self.code.number(), self.code.text())
    }
}

impl std::error::Error for Failure {}
