//! Tokens that were identified a moment ago.
//!
//! An entry is good as long as nothing it was derived from has changed: the engine tells the newest change of a
//! collection at the cost of one load, so the end of a session or a changed role counts at the next request.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use dateline_engine::{CollectionId, Millis, Seq, Store};

use super::Principal;

/// Tokens kept at the most; when it is reached all are forgotten.
const TOKENS_MAX: usize = 10_000;
/// How long an entry may serve: the time of a session goes on while nothing is written.
const KEEP_MS: u64 = 1_000;

struct Entry {
    principal: Principal,
    /// Newest change of each source when the entry was made.
    sources: Vec<Seq>,
    until: Millis,
}

/// Principals by token.
pub(super) struct Known {
    sources: Vec<CollectionId>,
    entries: RwLock<HashMap<String, Entry>>,
}

/// The state of the sources before an identification reads them.
pub(super) struct Mark(Vec<Seq>);

impl Known {
    /// `sources` are all collections that an identification reads.
    pub(super) fn new(sources: Vec<CollectionId>) -> Self {
        Self { sources, entries: RwLock::default() }
    }

    pub(super) fn sources(&self) -> &[CollectionId] {
        &self.sources
    }

    pub(super) fn mark(&self, store: &Store) -> Mark {
        Mark(self.sources.iter().map(|source| store.changed(*source)).collect())
    }

    pub(super) fn find(&self, token: &str, mark: &Mark, now: Millis) -> Option<Principal> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(token)?;
        (entry.until > now && entry.sources == mark.0).then(|| entry.principal.clone())
    }

    pub(super) fn keep(&self, token: &str, principal: &Principal, mark: Mark, now: Millis) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= TOKENS_MAX {
            entries.clear();
        }
        let until = Millis::new(now.get().saturating_add(KEEP_MS));
        let entry = Entry { principal: principal.clone(), sources: mark.0, until };
        entries.insert(token.to_owned(), entry);
    }
}
