//! Every bound of the engine, with the relations between them checked at compile time.

/// Longest document id in bytes; escaped and prefixed it still fits a short key.
pub const DOC_ID_BYTES_MAX: usize = 200;
/// Largest document body in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Largest packed batch of the positions lane in bytes.
pub const POSITIONS_BYTES_MAX: usize = 4 << 20;
/// Most operations in one transaction.
pub const TRANSACTION_OPS_MAX: usize = 10_000;
/// Largest transaction in bytes of bodies, payloads and positions.
pub const TRANSACTION_BYTES_MAX: usize = 64 << 20;
/// Most transactions that may wait for the writer.
pub const INTAKE_TRANSACTIONS_MAX: usize = 8_192;
/// Most bytes that may wait for the writer.
pub const INTAKE_BYTES_MAX: usize = 128 << 20;
/// Most transactions the writer puts into one group.
pub const GROUP_TRANSACTIONS_MAX: usize = 2_048;
/// Bytes after which the writer closes a group.
pub const GROUP_BYTES_MAX: usize = 1 << 20;
/// Longest time a buffered write stays out of the feed, in milliseconds.
pub const BUFFERED_SYNC_MS_MAX: u64 = 20;
/// Most collections of one store.
pub const COLLECTIONS_MAX: usize = 4_096;
/// Most collections one store can have had; a number is never given twice.
pub const COLLECTION_IDS_MAX: usize = 65_536;
/// Most declared indexes of one collection.
pub const INDEXES_MAX: usize = 32;
/// Most fields of one index.
pub const INDEX_FIELDS_MAX: usize = 8;
/// Most ranges of keys that one reading of an index is made of.
pub const INDEX_RANGES_MAX: usize = 1_024;
/// Documents that do not fit an index, named at the most.
pub const INDEX_VIOLATIONS_MAX: usize = 20;
/// Most documents one step of building an index reads.
pub const FILL_DOCUMENTS_MAX: usize = 256;
/// Bytes of documents after which such a step is closed.
pub const FILL_BYTES_MAX: usize = 1 << 20;
/// Most upgrades of one collection's schema.
pub const UPGRADES_MAX: usize = 100;
/// Most changes of one upgrade.
pub const UPGRADE_CHANGES_MAX: usize = 64;
/// Most names in a path of an upgrade.
pub const UPGRADE_PATH_PARTS_MAX: usize = 8;
/// Longest path of an upgrade in bytes.
pub const UPGRADE_PATH_BYTES_MAX: usize = 256;
/// Largest default of an upgrade in bytes of JSON.
pub const UPGRADE_DEFAULT_BYTES_MAX: usize = 4 << 10;
/// How deep an upgrade nests values at the most; every JSON reader takes that.
pub const UPGRADE_DEPTH_MAX: usize = 100;
/// What upgrades could not do to one body, named at the most.
pub const UPGRADE_UNMET_MAX: usize = 20;
/// Longest name of a collection, index or cursor in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest text inside an index key in bytes; of a longer one the key holds the beginning, and it cannot be unique.
pub const INDEX_VALUE_BYTES_MAX: usize = 1_024;
/// Most keys one document may add to one index (list elements multiply).
pub const INDEX_KEYS_MAX: usize = 256;
/// Longest time to keep or to live in milliseconds: a hundred years.
pub const KEEP_MS_MAX: u64 = 100 * 366 * 24 * 3600 * 1000;
/// Documents that housekeeping looks at for one transaction.
pub const UPKEEP_ROWS_MAX: usize = 256;
/// Rows that one step of dropping a collection goes through.
pub const DROP_STEP_ROWS_MAX: usize = 10_000;
/// Versions that housekeeping removes in one transaction.
pub const UPKEEP_VERSIONS_MAX: usize = 2_048;
/// Largest chunk of an attachment in bytes.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Largest attachment in bytes: its manifest must fit a document.
pub const BLOB_BYTES_MAX: u64 = 64 << 30;
/// Most log records one feed read looks at.
pub const FEED_READ_MAX: usize = 65_536;
/// Most records the feed's ring keeps in memory.
pub const FEED_RING_RECORDS_MAX: usize = 65_536;
/// Bytes of records after which the feed's ring lets the oldest go.
pub const FEED_RING_BYTES_MAX: u64 = 16 << 20;
/// Records in one segment of the feed's ring, which it lets go of together.
pub const FEED_RING_SEGMENT_RECORDS: usize = 1_024;
/// Most bytes of positions batches in one feed read.
pub const FEED_READ_BYTES_MAX: usize = 8 << 20;

/// Least step of the epoch at a restore: more than the openings of the lost store between two backups.
pub const RESTORE_EPOCHS_MIN: u32 = 1_000;
/// The step is random within so many more, so that two restores of one backup differ.
pub const RESTORE_EPOCHS_SPAN: u32 = 8_000;
/// Room on the disk is looked at this often at the most, in milliseconds.
pub const DISK_LOOK_MS: u64 = 250;
/// Of a small disk one part in so many is kept in reserve.
pub const DISK_RESERVE_SHARE: u64 = 20;

const _: () = assert!(BODY_BYTES_MAX <= TRANSACTION_BYTES_MAX);
const _: () = assert!(POSITIONS_BYTES_MAX <= TRANSACTION_BYTES_MAX);
const _: () = assert!(TRANSACTION_BYTES_MAX <= INTAKE_BYTES_MAX);
const _: () = assert!(3 * UPKEEP_ROWS_MAX + UPKEEP_VERSIONS_MAX < TRANSACTION_OPS_MAX);
const _: () = assert!(DROP_STEP_ROWS_MAX <= TRANSACTION_OPS_MAX);
const _: () = assert!(COLLECTIONS_MAX <= COLLECTION_IDS_MAX);
const _: () = assert!(TRANSACTION_OPS_MAX < FEED_READ_MAX);
const _: () = assert!(FEED_RING_RECORDS_MAX >= 2 * FEED_RING_SEGMENT_RECORDS);
const _: () = assert!(CHUNK_BYTES_MAX <= TRANSACTION_BYTES_MAX);
// 32 bytes of hash a chunk, in base64.
const _: () = assert!(BLOB_BYTES_MAX / CHUNK_BYTES_MAX as u64 * 44 < BODY_BYTES_MAX as u64);
const _: () = assert!(BODY_BYTES_MAX <= u32::MAX as usize);
