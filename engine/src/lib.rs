//! The storage engine of Dateline: versioned documents, one log, a durable queue, a positions lane.
//!
//! **What it is for.** Every durable change is one transaction of one log. In a single atomic write it
//! stores the document, its history, its log record, its index entries and the jobs it causes. Whatever
//! else exists is a function of that log and is kept by a [`Follower`].
//!
//! **The way of a byte.** [`Store::submit`] -> prepare (caller's thread) -> bounded intake -> the one writer
//! thread -> one batch, one sync -> [`Watermark`] -> [`Feed`] -> followers.
//!
//! **What it does not know.** HTTP, users, JSON beyond "an object with these index fields", search,
//! geography, publishing. It is synchronous: no executor is needed to use it.

#![deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod backup;
mod blob;
mod catalog;
mod change;
mod clock;
mod codec;
mod commit;
pub mod date;
mod document;
mod error;
mod feed;
mod figures;
mod format;
mod index;
mod keep;
mod kv;
mod latency;
pub mod limits;
mod queue;
mod read;
mod repair;
mod schema;
mod space;
mod statistics;
mod store;
mod types;
mod verify;
mod witness;

#[cfg(test)]
mod tests;

pub use backup::{
    BackupDir, BackupWriter, Checked, Checkpoint, Choice, FileFacts, Generation, Pruned, Restored, Rewound,
    Taken, Until, Watch,
};
pub use blob::{Chunk, ChunkHash, Manifest, Part};
pub use catalog::{Catalog, Collection, CollectionOptions, CollectionState, Keep};
pub use change::{Change, ChangeOp};
pub use clock::{Clock, ManualClock, SystemClock};
pub use codec::fold::fold;
pub use codec::idem::{Idempotency, Remembered};
pub use commit::op::{Condition, Durability, Receipt, Transaction};
pub use commit::watermark::Watermark;
pub use document::Document;
pub use error::{Conflict, Error, ErrorKind, Result};
pub use feed::cursor::Cursor;
pub use feed::follower::{Follower, FollowerHandle, follow};
pub use feed::group::{Claim, Group, partition_of};
pub use feed::trim::{Retention, TrimPolicy, Trimmed};
pub use feed::{Entry, Feed};
pub use figures::{CommitTotals, FeedTotals, KeepTotals};
pub use index::{FieldKind, Index, IndexEntry, IndexField, IndexSpec, IndexState, Reading, Spans, Violation};
pub use keep::scrub::{Damage, ScrubPlace, Scrubbed};
pub use kv::tuning::{Compression, Filter, Tuning};
pub use latency::Latency;
pub use queue::{
    Ack, Backoff, Beat, DeadFilter, FinishedJob, Granted, GroupOnFail, Heartbeat, Holder, Job, JobEvent,
    JobState, JobStep, LaneSettings, LaneView, LeaseRequest, LeaseTerm, LeaseToken, LeasedJob, Nack, Nacked,
    NewJob, Progress, Queue, QueueNews, Rate, Retry, Waits,
};
pub use read::{Moment, Snapshot};
pub use repair::Repaired;
pub use schema::{Conversion, Unmet, Upgrade};
pub use space::Room;
pub use statistics::{
    CacheStatistics, Compaction, FamilyStatistics, Filters, Level, Memory, Space, Stalls, Statistics, Syncs,
    Written,
};
pub use store::{Health, Options, Store};
pub use types::{
    CollectionId, DocId, Epoch, IndexId, JobId, Millis, PositionSeq, Revision, Seq, StoreId, Tail,
};
pub use witness::Witness;
