//! What the one writer shares with every reader.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::commit::poison::Poison;
use crate::commit::watermark::Watermark;
use crate::feed::ring::Ring;
use crate::feed::trim::Floor;
use crate::figures::{CommitFigures, KeepFigures};
use crate::keep::alarm::Alarm;
use crate::kv::Kv;
use crate::queue::{Listeners, Wakes};

/// Written by the writer alone, each part through its own rules.
pub(crate) struct Shared {
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watermark: Watermark,
    pub(crate) poison: Poison,
    pub(crate) catalog: ArcSwap<Catalog>,
    /// Held while a change of the catalog is written; views are taken when it is not.
    pub(crate) defining: RwLock<()>,
    pub(crate) figures: CommitFigures,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) listeners: Listeners,
    pub(crate) alarm: Alarm,
    /// When indexes are built on.
    pub(crate) building: Alarm,
    pub(crate) kept: KeepFigures,
    /// Newest change of each collection, by its number.
    pub(crate) changed: Box<[AtomicU64]>,
    /// The newest records of the log.
    pub(crate) ring: Ring,
    /// What has been trimmed.
    pub(crate) floor: Floor,
    /// About the bytes that were trimmed since the store was opened.
    pub(crate) trimmed_bytes: AtomicU64,
}
