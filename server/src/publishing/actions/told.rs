//! Refusals of the producer as answers.

use dateline_publish::action::Refusal;
use serde_json::Value;

use crate::eve::problem::{Problem, Slug};

/// How a request was sent: clients are told differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// PATCH, PUT: always 400, with the true status in the text.
    AsChange,
    /// POST, DELETE: with its own status.
    AsRequest,
}

/// The answer to a refused action.
pub(super) fn refused(refusal: &Refusal, sent: Sent) -> Problem {
    let slug = match refusal.status {
        403 => Slug::Forbidden,
        404 => Slug::NotFound,
        412 => Slug::StateConflict,
        _ => Slug::ValidationFailed,
    };
    let mut problem = Problem::new(slug, refusal.message());
    if let Value::Object(issues) = refusal.issues() {
        problem = problem.issues(issues);
    }
    problem.status(if sent == Sent::AsChange { 400 } else { refusal.status })
}

/// A refusal of the server itself, in the same words.
pub(super) fn refusal(status: u16, message: &str, sent: Sent) -> Problem {
    let slug = match status {
        403 => Slug::Locked,
        404 => Slug::NotFound,
        _ => Slug::ValidationFailed,
    };
    let problem = Problem::new(slug, message).issue("validator exception", format!("{status}: {message}"));
    problem.status(if sent == Sent::AsChange { 400 } else { status })
}
