//! A store, an index over it, and shorthand for using both.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dateline_engine::{
    CollectionId, CollectionOptions, Condition, DocId, Durability, Options, Seq, Store, Transaction,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{DefaultOperator, Mapping, SearchAnswer, SearchIndex, SearchOptions, SearchRequest};

/// Longer than any test should wait.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) struct World {
    pub(super) store: Store,
    pub(super) dir: TempDir,
    pub(super) built_in: Vec<(String, Mapping)>,
    index: Option<SearchIndex>,
}

impl World {
    /// A store in memory with an index on disk.
    pub(super) fn new() -> Self {
        Self::over(Store::memory(Options::new()).unwrap())
    }

    pub(super) fn over(store: Store) -> Self {
        let mut world = Self { store, dir: tempfile::tempdir().unwrap(), built_in: Vec::new(), index: None };
        world.open();
        world
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("index")
    }

    pub(super) fn open(&mut self) {
        let mut options = SearchOptions::new(self.built_in.clone());
        options.memory_bytes = 15_000_000;
        self.index = Some(SearchIndex::open(&self.store, &self.root(), options).unwrap());
    }

    pub(super) fn index(&self) -> &SearchIndex {
        self.index.as_ref().unwrap()
    }

    /// Ends the index in order.
    pub(super) fn stop(&mut self) {
        self.index.take().unwrap().stop();
    }

    /// Ends the index as a killed process does.
    pub(super) fn kill(&mut self) {
        self.index.take().unwrap().abandon();
    }

    /// Defines a collection with this `search`.
    pub(super) fn define(&self, name: &str, search: &Json) -> CollectionId {
        let definition = json!({"search": search}).to_string();
        let options = CollectionOptions { definition, ..CollectionOptions::default() };
        self.store.ensure_collection(name, options).unwrap()
    }

    pub(super) fn put(&self, collection: CollectionId, id: &str, body: &Json) -> Seq {
        let id = DocId::new(id).unwrap();
        let transaction = Transaction::new(Durability::Buffered);
        let transaction = transaction.put(collection, id, Condition::Always, body.to_string());
        self.store.commit(transaction).unwrap().tail.seq
    }

    pub(super) fn delete(&self, collection: CollectionId, id: &str) -> Seq {
        let transaction = Transaction::new(Durability::Buffered);
        let transaction = transaction.delete(collection, DocId::new(id).unwrap(), Condition::Present);
        self.store.commit(transaction).unwrap().tail.seq
    }

    /// The last record written, durable or not.
    pub(super) fn head(&self) -> Seq {
        self.store.watermark().applied().seq
    }

    pub(super) fn request(&self, collection: &str, q: &str) -> SearchRequest {
        SearchRequest {
            collection: collection.to_owned(),
            q: q.to_owned(),
            default_operator: DefaultOperator::And,
            offset: 0,
            limit: crate::limits::HITS_MAX,
            min_seq: Some(self.head()),
            deadline: LONG,
        }
    }

    /// The answer as of everything written.
    pub(super) fn search(&self, collection: &str, q: &str) -> SearchAnswer {
        let answer = self.index().search(&self.request(collection, q)).unwrap_or_else(|e| panic!("{q}: {e}"));
        assert_eq!(answer.total, answer.hits.len() as u64, "{q}");
        answer
    }

    /// Ids of what is found, sorted.
    pub(super) fn ids(&self, collection: &str, q: &str) -> Vec<String> {
        let mut ids: Vec<_> =
            self.search(collection, q).hits.into_iter().map(|hit| hit.id.as_str().to_owned()).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn figure(&self, name: &str) -> u64 {
        let figures = self.index().figures();
        figures.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no figure {name}")).1
    }

    /// Waits for everything written, then proves the index equal to the store.
    pub(super) fn verify(&self) {
        assert!(self.index().wait_visible(self.head(), LONG), "{:?}", self.index().failed());
        assert_eq!(self.index().verify().unwrap(), [""; 0]);
    }
}

/// A copy of a directory as it is; files that vanish meanwhile are left out.
pub(super) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

/// A small random generator (splitmix64, Steele, Lea and Flood 2014) whose seed is printed.
pub(super) struct Random(u64);

impl Random {
    /// From `SEED`, or a new seed.
    pub(super) fn new(test: &str) -> Self {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
        println!("{test}: SEED={seed}");
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(super) fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }
}
