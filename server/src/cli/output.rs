//! Writing to people and to programs: stdout carries data, stderr talk.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::outcome::Failure;

/// Where and how a command writes.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// `json`: one JSON value per line instead of text.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read along.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One piece of data: `text` for people, `value` for programs.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn data(&self, text: impl std::fmt::Display, value: &Value) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if self.json { writeln!(out, "{value}") } else { writeln!(out, "{text}") }?;
        Ok(out.flush()?)
    }

    /// A word to the person; programs do not need it.
    pub fn talk(&self, text: impl std::fmt::Display) {
        if !self.json {
            // Nobody to talk to is no failure.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// The reason of a failure, on stderr.
    pub fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let mut out = io::stderr().lock();
        let _ = if self.json {
            writeln!(out, "{}", json!({"error": {"code": failure.exit as u8, "message": failure.message}}))
        } else {
            writeln!(out, "dateline: {}", failure.message)
        };
    }
}
