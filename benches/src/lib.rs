//! What the benches share: the documents they write, and the plain RocksDB they are measured against.
//!
//! Each bench has a reference that does the least possible work for the same result in the same run, so a
//! ratio holds on any machine. `benches/README.md` has the table.

pub mod http;

use std::path::Path;

use dateline_engine::{
    CollectionId, CollectionOptions, Condition, DocId, Durability, Options, Store, Transaction,
};
use rocksdb::{ColumnFamilyDescriptor, DB, WriteBatch, WriteOptions};

/// The allocator the program ships with.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes of one benched document's body.
pub const BODY_BYTES: usize = 1_024;

/// A JSON object of exactly `BODY_BYTES` bytes.
#[must_use]
pub fn body(number: u64) -> Vec<u8> {
    let mut body = format!(r#"{{"number":{number},"text":""#).into_bytes();
    // Not one repeated byte: compression would make the reference look better than it is.
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while body.len() < BODY_BYTES - 2 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.push(b'a' + u8::try_from(state % 26).unwrap_or(0));
    }
    body.extend_from_slice(b"\"}");
    body
}

/// The id of the n-th document.
#[must_use]
pub fn id(number: u64) -> String {
    format!("document-{number:012}")
}

/// A fresh store with one collection.
///
/// # Panics
/// When the directory cannot hold a store.
#[must_use]
pub fn store(dir: &Path) -> (Store, CollectionId) {
    let store = Store::open(dir, Options::new()).expect("the store opens");
    let collection = store
        .ensure_collection("documents", CollectionOptions::default())
        .expect("the collection is defined");
    (store, collection)
}

/// The transaction that creates the n-th document.
///
/// # Panics
/// Never: the id is valid.
#[must_use]
pub fn create(collection: CollectionId, number: u64, durability: Durability) -> Transaction {
    let id = DocId::new(id(number)).expect("a valid id");
    Transaction::new(durability).put(collection, id, Condition::Absent, body(number))
}

/// Plain RocksDB with the families a document touches.
pub struct Plain {
    db: DB,
}

impl Plain {
    /// Opens an empty database with RocksDB's own defaults for everything but the families.
    ///
    /// # Panics
    /// When the directory cannot hold a database.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let families = ["heads", "log", "meta"]
            .map(|name| ColumnFamilyDescriptor::new(name, rocksdb::Options::default()));
        let db = DB::open_cf_descriptors(&options, dir, families).expect("the database opens");
        Self { db }
    }

    /// One batch with the same records and bytes as the engine writes for these documents.
    ///
    /// # Panics
    /// When the write fails.
    pub fn write(&self, numbers: std::ops::Range<u64>, sync: bool) {
        let family = |name| self.db.cf_handle(name).expect("the family exists");
        let (heads, log, meta) = (family("heads"), family("log"), family("meta"));
        let mut batch = WriteBatch::default();
        for number in numbers.clone() {
            let (id, body) = (id(number), body(number));
            let key = [&[0, 0, 0, 1], id.as_bytes()].concat();
            let value = [&[0; 60][..], &body].concat();
            batch.put_cf(heads, &key, &value);
            let record = [&[0; 36][..], id.as_bytes()].concat();
            batch.put_cf(log, number.to_be_bytes(), &record);
        }
        batch.put_cf(meta, b"last_seq", numbers.end.to_le_bytes());
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(batch, &options).expect("the write succeeds");
    }

    /// The stored value of the n-th document.
    ///
    /// # Panics
    /// When the read fails.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Vec<u8>> {
        let heads = self.db.cf_handle("heads").expect("the family exists");
        let key = [&[0, 0, 0, 1], id(number).as_bytes()].concat();
        self.db.get_cf(heads, key).expect("the read succeeds")
    }

    /// Walks the log records after `after`; returns how many.
    #[must_use]
    pub fn scan(&self, after: u64, max: usize) -> usize {
        let log = self.db.cf_handle("log").expect("the family exists");
        let from = (after + 1).to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&from, rocksdb::Direction::Forward);
        self.db.iterator_cf(log, mode).take(max).filter(|row| row.is_ok()).count()
    }
}
