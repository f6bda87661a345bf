//! How long a collection keeps what it holds.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::KEEP_MS_MAX;

/// How long a collection keeps what it holds; `None` everywhere keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Versions of a document, the current one among them, that are always kept.
    pub versions_max: Option<u32>,
    /// Milliseconds for which a superseded version is always kept, counted from the write that superseded it.
    /// With both rules a version goes when neither keeps it.
    pub versions_ms: Option<u64>,
    /// Milliseconds after its last write at which a document ends, unless the write names another end.
    pub expire_after_ms: Option<u64>,
    /// Milliseconds for which a tombstone is kept. It stays longer while the log still holds its record.
    pub tombstone_ms: Option<u64>,
}

impl Keep {
    pub(super) fn check(&self) -> Result<()> {
        if self.versions_max == Some(0) {
            return Err(Error::invalid("versions: at least the current version is kept"));
        }
        let times = [self.versions_ms, self.expire_after_ms, self.tombstone_ms];
        if times.into_iter().flatten().any(|ms| ms == 0 || ms > KEEP_MS_MAX) {
            return Err(Error::invalid(format!("a time to keep is 1 to {KEEP_MS_MAX} ms")));
        }
        Ok(())
    }

    /// Whether some versions may go before their document does.
    pub(crate) fn limits_versions(&self) -> bool {
        self.versions_max.is_some() || self.versions_ms.is_some()
    }

    pub(crate) fn keeps_versions_as(&self, other: &Self) -> bool {
        (self.versions_max, self.versions_ms) == (other.versions_max, other.versions_ms)
    }
}
