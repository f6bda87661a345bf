//! Why an action is refused, and how clients are told.

use std::fmt;

use dateline_formats::Fields;
use serde_json::{Value, json};

/// An action that is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status that fits: 400, 403, 404 or 412.
    pub status: u16,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// One thing.
    Message(String),
    /// Things about associated items and members of a package.
    Messages(Vec<String>),
    /// Nothing yet: somebody has to confirm it.
    Warnings(Vec<String>),
    /// The item is not valid.
    Invalid {
        /// Messages for people.
        messages: Vec<String>,
        /// The faults by field.
        fields: Fields,
    },
}

impl Refusal {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self { status: 400, reason: Reason::Message(message.into()) }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self { status: 403, reason: Reason::Message(message.into()) }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: 404, reason: Reason::Message(message.into()) }
    }

    /// The state of the item does not allow the action.
    pub(crate) fn transition(message: impl Into<String>) -> Self {
        Self { status: 412, reason: Reason::Message(message.into()) }
    }

    pub(crate) fn of(reason: Reason) -> Self {
        Self { status: 400, reason }
    }

    /// The one text for people; the `_message` of answers to POST and DELETE.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.reason {
            Reason::Message(message) => message.clone(),
            Reason::Messages(messages) => python_list(messages),
            Reason::Warnings(warnings) => python_json(warnings),
            Reason::Invalid { messages, .. } => format!("[{}]", python_list(messages)),
        }
    }

    /// The `_issues` of answers to PATCH and PUT, which have status 400 whatever is wrong: clients read the true status
    /// in the text, as in `{"validator exception": "412: Workflow transition is invalid."}`.
    #[must_use]
    pub fn issues(&self) -> Value {
        match &self.reason {
            Reason::Message(message) => json!({"validator exception": format!("{}: {message}", self.status)}),
            Reason::Messages(_) | Reason::Warnings(_) => json!({"validator exception": self.message()}),
            Reason::Invalid { fields, .. } => {
                json!({"validator exception": self.message(), "fields": fields})
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.status, self.message())
    }
}

impl std::error::Error for Refusal {}

/// `['a', "it's"]`: clients take such texts apart.
fn python_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| python_text(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// In single quotes, in double ones if it has a single and no double one.
fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c == quote => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// `{"warnings": ["a", "b"]}`, with the blanks that clients see.
fn python_json(warnings: &[String]) -> String {
    let warnings: Vec<String> = warnings.iter().map(|text| Value::from(text.as_str()).to_string()).collect();
    format!("{{\"warnings\": [{}]}}", warnings.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_as_clients_read_it() {
        let check = |refusal: Refusal, issues: Value| assert_eq!(refusal.issues(), issues);
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        check(Refusal::bad_request("No."), json!({"validator exception": "400: No."}));
        check(Refusal::transition("No."), json!({"validator exception": "412: No."}));
        check(
            Refusal::of(Reason::Messages(texts(&["a", "it's", "\"it's\"\\\n"]))),
            json!({"validator exception": "['a', \"it's\", '\"it\\'s\"\\\\\\n']"}),
        );
        check(
            Refusal::of(Reason::Warnings(texts(&["Is it \"so\"?", "b"]))),
            json!({"validator exception": "{\"warnings\": [\"Is it \\\"so\\\"?\", \"b\"]}"}),
        );
        let fields = Fields::from_iter([("headline".to_owned(), "required field".into())]);
        check(
            Refusal::of(Reason::Invalid {
                messages: texts(&["MEDIA'S HEADLINE is a required field"]),
                fields,
            }),
            json!({
                "validator exception": "[[\"MEDIA'S HEADLINE is a required field\"]]",
                "fields": {"headline": "required field"},
            }),
        );
        assert_eq!(Refusal::not_found("Event id does not exist").to_string(), "404: Event id does not exist");
    }
}
