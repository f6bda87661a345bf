//! Stops accepting writes after a failed write or sync, and remembers why.
//!
//! After a failed sync the kernel may have dropped the dirty pages, so trying again can report success
//! for data that is not on disk. Nothing but a restart, which replays what really is there, recovers.

use std::sync::OnceLock;

use crate::error::Error;

#[derive(Debug, Default)]
pub(crate) struct Poison(OnceLock<String>);

impl Poison {
    /// The first reason stays.
    pub(crate) fn set(&self, reason: String) {
        if self.0.set(reason).is_ok() {
            tracing::error!(reason = self.reason().unwrap_or_default(), "engine stopped accepting writes");
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.reason() {
            None => Ok(()),
            Some(reason) => Err(Error::unavailable(format!(
                "the engine has stopped accepting writes ({reason}); restart it to recover"
            ))),
        }
    }
}
