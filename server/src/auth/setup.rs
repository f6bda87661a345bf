//! The first administrator, by a one-time link that only the terminal shows.
//!
//! There is never a default password. The token lives in this process only, for 30 minutes, and works once.

use std::sync::{Mutex, PoisonError};

use dateline_engine::{Millis, Result};

use super::token;

const LIFE_MS: u64 = 30 * 60 * 1000;

#[derive(Clone)]
struct Pending {
    digest: String,
    expires: Millis,
}

/// The set-up that waits to be done, if one does.
#[derive(Default)]
pub(crate) struct Setup {
    pending: Mutex<Option<Pending>>,
}

impl Setup {
    /// Opens the set-up and returns the token to show.
    pub(crate) fn open(&self, now: Millis) -> Result<String> {
        let fresh = token::new_session()?;
        let expires = Millis::new(now.get() + LIFE_MS);
        *self.lock() = Some(Pending { digest: fresh.digest, expires });
        Ok(fresh.text)
    }

    /// Uses the token up. Of two callers with the right token one gets it.
    pub(crate) fn take(&self, text: &str, now: Millis) -> Option<Taken<'_>> {
        let mut pending = self.lock();
        let fits = pending
            .as_ref()
            .is_some_and(|p| p.expires > now && token::same_digest(&p.digest, &token::digest(text)));
        if !fits {
            return None;
        }
        Some(Taken { setup: self, pending: pending.take() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token in use. Unless the set-up is [`done`](Self::done) it works again: a mistyped password does not cost the link.
pub(crate) struct Taken<'a> {
    setup: &'a Setup,
    pending: Option<Pending>,
}

impl Taken<'_> {
    pub(crate) fn done(mut self) {
        self.pending = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            *self.setup.lock() = Some(pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_works_once_and_not_for_ever() {
        let setup = Setup::default();
        let now = Millis::new(1_000_000);
        assert!(setup.take("", now).is_none());
        let token = setup.open(now).unwrap();
        assert!(setup.take("wrong", now).is_none());
        let first = setup.take(&token, now).unwrap();
        assert!(setup.take(&token, now).is_none(), "in use");
        drop(first);
        setup.take(&token, now).unwrap().done();
        assert!(setup.take(&token, now).is_none(), "used up");
        let token = setup.open(now).unwrap();
        assert!(setup.take(&token, Millis::new(1_000_000 + LIFE_MS)).is_none(), "too late");
    }
}
