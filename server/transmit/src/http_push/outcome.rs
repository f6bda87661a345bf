//! Answers of a receiver as receipts and failures.

use crate::failure::{Code, Failure, Remedy};
use crate::http::{NoReply, Reply, StatusClass, retry_after};
use crate::receipt::Answer;
use jiff::Timestamp;

pub(super) fn no_reply(error: NoReply) -> Failure {
    match error {
        NoReply::Denied(denied) => Failure::denied(Code::HttpPush, &denied),
        NoReply::Unreachable(why) => Failure::passing(Code::HttpPush, format!("not reached: {why}")),
        NoReply::Late(why) | NoReply::Lost(why) => {
            Failure::passing(Code::HttpPush, format!("no answer: {why}"))
        }
    }
}

/// The answer if it accepts the request.
pub(super) fn accepted(reply: &Reply, now: Timestamp) -> Result<Answer, Failure> {
    match StatusClass::of(reply.status) {
        StatusClass::Accepted => Ok(answer(reply)),
        _ => Err(refused(reply, now)),
    }
}

/// The failure that an answer is.
pub(super) fn refused(reply: &Reply, now: Timestamp) -> Failure {
    let again = Remedy::Retry { after: retry_after(&reply.headers, now) };
    let (code, remedy, what) = match StatusClass::of(reply.status) {
        // Success where another one was due, such as 202 for media.
        StatusClass::Accepted => (Code::HttpPush, again, "the receiver answers"),
        StatusClass::Redirect => {
            (Code::HttpPush, Remedy::GiveUp, "redirects are not followed; the receiver answers")
        }
        StatusClass::Later => (Code::HttpPushClient, again, "the receiver asks to come later:"),
        StatusClass::Gone => (Code::HttpPushClient, Remedy::Close, "the receiver is gone:"),
        StatusClass::Refused => (Code::HttpPushClient, Remedy::GiveUp, "the receiver refuses:"),
        StatusClass::Broken => (Code::HttpPushServer, again, "the receiver fails:"),
    };
    let message = format!("{what} {}", reply.status.as_u16());
    let failure = Failure { remedy, ..Failure::passing(code, message) };
    failure.answered(answer(reply))
}

fn answer(reply: &Reply) -> Answer {
    Answer::new(reply.status.as_u16(), &reply.body)
}
