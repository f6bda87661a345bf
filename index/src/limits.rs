//! Every bound of the search index, with the relations between them checked at compile time.

use std::time::Duration;

/// Longest query text in bytes.
pub const QUERY_BYTES_MAX: usize = 1_024;
/// Most words, phrases and ranges of one query.
pub const QUERY_CLAUSES_MAX: usize = 64;
/// Deepest nesting of parentheses and negations.
pub const QUERY_DEPTH_MAX: usize = 16;
/// Most hits of one answer.
pub const HITS_MAX: usize = 1_000;
/// Offset and limit of one request together reach at most this far.
pub const WINDOW_MAX: usize = 10_000;
/// Most different words one prefix may stand for.
pub const PREFIX_TERMS_MAX: usize = 16_384;

/// Most fields one mapping may declare.
pub const FIELDS_MAX: usize = 1_024;
/// Longest dotted path of a field in bytes.
pub const PATH_BYTES_MAX: usize = 256;
/// Longest text kept as one value, for equality and ranges; longer ones are found by their words only.
pub const KEYWORD_BYTES_MAX: usize = 512;
/// Longest word in bytes; a longer one is not indexed.
pub const WORD_BYTES_MAX: usize = 128;
/// Most values of one document that are indexed.
pub const VALUES_MAX: usize = 4_096;

/// Operations after which the index commits.
pub(crate) const COMMIT_OPS_MAX: usize = 10_000;
/// Age of the oldest uncommitted operation at which the index commits.
pub(crate) const COMMIT_EVERY: Duration = Duration::from_millis(500);
/// Age at which a position that moved without any operation is committed, so that the log can be trimmed.
pub(crate) const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// Log records after which the same is done earlier.
pub(crate) const CHECKPOINT_RECORDS_MAX: u64 = 100_000;
/// Log records a rebuild reads at a time.
pub(crate) const TAIL_RECORDS_MAX: usize = 4_096;
/// Documents that go in anew at a time after an upgrade of their schema.
pub(crate) const REFILL_DOCUMENTS_MAX: usize = 1_024;
/// Wait before a failed rebuild or a failed reopening is tried again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Most indexing threads of a rebuild.
pub(crate) const REBUILD_THREADS_MAX: usize = 4;
/// Most differences `verify` names.
pub(crate) const DIFFERENCES_MAX: usize = 20;

const _: () = assert!(HITS_MAX <= WINDOW_MAX);
const _: () = assert!(PATH_BYTES_MAX + KEYWORD_BYTES_MAX + 64 < 65_530, "a term fits tantivy's limit");
const _: () = assert!(WORD_BYTES_MAX <= KEYWORD_BYTES_MAX);
