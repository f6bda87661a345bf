//! How far an index is.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::document::Document;
use crate::index::Index;
use crate::limits::INDEX_VIOLATIONS_MAX;
use crate::types::Seq;

/// How far an index is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum IndexState {
    /// Every document is in it.
    Ready,
    /// Writes keep it; what was there before is being added. It is not read.
    Building {
        /// The record of its declaration: later versions are in it.
        #[serde(with = "seq")]
        since: Seq,
    },
    /// All that can be is in it, and it is not read: these documents do not fit. It becomes ready by itself soon after
    /// they are changed or removed.
    Pending {
        /// The record of its declaration.
        #[serde(with = "seq")]
        since: Seq,
        /// The first documents that do not fit.
        violations: Vec<Violation>,
        /// How many more were found.
        more: u64,
    },
}

/// Why an index cannot be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// The document without an entry; for a value that is not unique also the one that holds it.
    pub ids: Vec<String>,
    /// The values in question, in the order of the fields.
    #[serde(default)]
    pub values: Vec<Json>,
    /// What is wrong.
    pub why: String,
}

mod seq {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::types::Seq;

    pub(super) fn serialize<S: Serializer>(seq: &Seq, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(seq.get())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seq, D::Error> {
        u64::deserialize(deserializer).map(Seq::new)
    }
}

/// Where the building of an index stands. Stored with every step, in the step's own batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The last document that was seen to; `None` before the first.
    pub(crate) after: Option<String>,
    /// How often all documents have been gone through.
    pub(crate) passes: u32,
    /// Documents added.
    pub(crate) added: u64,
    pub(crate) violations: Vec<Violation>,
    pub(crate) more: u64,
}

impl Progress {
    pub(crate) fn violated(&mut self, violation: Violation) {
        if self.violations.len() < INDEX_VIOLATIONS_MAX {
            self.violations.push(violation);
        } else {
            self.more += 1;
        }
    }

    /// Where the index stands after a whole pass, and where the next one would begin.
    pub(crate) fn close(self, since: Seq) -> (IndexState, Self) {
        let next = Self { passes: self.passes + 1, added: self.added, ..Self::default() };
        match self.violations.is_empty() {
            true => (IndexState::Ready, next),
            false => (IndexState::Pending { since, violations: self.violations, more: self.more }, next),
        }
    }
}

impl Index {
    /// The record of its declaration while it is not ready.
    pub(crate) fn since(&self) -> Option<Seq> {
        match &self.state {
            IndexState::Ready => None,
            IndexState::Building { since } | IndexState::Pending { since, .. } => Some(*since),
        }
    }

    /// Whether a stored version has its entries in this plain index.
    pub(crate) fn has(&self, version: &Document, progress: Option<&Progress>) -> bool {
        let Some(since) = self.since() else { return true };
        let seen_to = progress.is_some_and(|progress| {
            progress.passes > 0 || progress.after.as_deref().is_some_and(|after| version.id.as_str() <= after)
        });
        version.seq > since || seen_to
    }
}
