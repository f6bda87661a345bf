//! Whether a backup is whole: every byte against its checksum, and every generation opened as a restore would.
//!
//! Nothing in the backup is changed, so it may lie on a medium that cannot be written. A generation is opened in a
//! scratch directory: its large files are links into the pool, which the storage below only reads, and the small ones,
//! which it rewrites, are copies.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use crate::backup::{BackupDir, FILES, FileFacts, Generation, Watch, pool};
use crate::clock::ManualClock;
use crate::error::{Error, ErrorKind, Result};
use crate::format;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::kv::tuning::Tuning;
use crate::store::Store;

/// Memory for looking at a generation; reading once through needs little.
pub(super) const MEMORY: RocksOptions =
    RocksOptions { cache_bytes: 32 << 20, memtable_bytes: 32 << 20, tuning: Tuning::SHIPPED };

/// What a verification has looked at and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Generations, oldest first.
    pub generations: Vec<u32>,
    /// Different files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is not as it should be; none means that each generation can be restored.
    pub differences: Vec<String>,
}

impl BackupDir {
    /// Reads everything and says what differs. `only`: of this generation. `scratch` must be an empty directory; what
    /// is put there stays.
    ///
    /// # Errors
    /// `NotFound` when there is no such generation or none at all, `Unavailable` when something cannot be read.
    pub fn verify(&self, only: Option<u32>, scratch: &Path, watch: Watch<'_>) -> Result<Checked> {
        let known =
            self.generations()?.into_iter().filter(|(number, _)| only.is_none_or(|only| only == *number));
        let known: Vec<_> = known.collect();
        if known.is_empty() {
            let which = only
                .map_or("there is no generation in it".to_owned(), |n| format!("there is no generation {n}"));
            return Err(Error::not_found(format!("{}: {which}", self.root.display())));
        }
        let mut checked = Checked::default();
        let mut readable = Vec::new();
        for (number, manifest) in known {
            checked.generations.push(number);
            match manifest {
                Ok(manifest) => readable.push(manifest),
                Err(error) => checked.differences.push(error.to_string()),
            }
        }
        let damaged = self.files(&readable, &mut checked, watch)?;
        for manifest in readable {
            let number = manifest.number;
            if manifest.files.iter().any(|facts| damaged.contains_key(&facts.pool_name())) {
                checked.differences.push(format!("generation {number} cannot be restored"));
                continue;
            }
            let place = scratch.join(number.to_string());
            let found = self.open_in(&manifest, &place).and_then(|store| examine(&store, &manifest, watch));
            let found = match found {
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid) => {
                    vec![error.to_string()]
                }
                found => found?,
            };
            checked.differences.extend(found.into_iter().map(|what| format!("generation {number}: {what}")));
            fs::remove_dir_all(&place).map_err(|error| super::io(&place, &error))?;
        }
        Ok(checked)
    }

    /// Sums each file once, however many generations name it; answers those that differ.
    fn files(
        &self,
        manifests: &[Generation],
        checked: &mut Checked,
        watch: Watch<'_>,
    ) -> Result<HashMap<String, FileFacts>> {
        let all = manifests.iter().flat_map(|manifest| &manifest.files);
        let all: HashMap<String, &FileFacts> = all.map(|facts| (facts.pool_name(), facts)).collect();
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let total = all.iter().map(|(_, facts)| facts.size).sum();
        let mut damaged = HashMap::new();
        for (name, facts) in all {
            if let Some(difference) = pool::differs(&self.pool().join(&name), facts)? {
                checked.differences.push(format!("{FILES}/{name}: {difference}"));
                damaged.insert(name, facts.clone());
            }
            checked.files += 1;
            checked.bytes += facts.size;
            watch("files", checked.bytes, total);
        }
        Ok(damaged)
    }

    fn open_in(&self, manifest: &Generation, place: &Path) -> Result<Store> {
        fs::create_dir_all(place).map_err(|error| super::io(place, &error))?;
        let pool = self.pool();
        let pool = pool.canonicalize().map_err(|error| super::io(&pool, &error))?;
        for facts in &manifest.files {
            let (from, to) = (pool.join(facts.pool_name()), place.join(&facts.name));
            let never_rewritten = facts.name.ends_with(".sst") || facts.name.ends_with(".blob");
            let put = if never_rewritten { symlink(&from, &to) } else { fs::copy(&from, &to).map(drop) };
            put.map_err(|error| super::io(&to, &error))?;
        }
        let kv = RocksKv::open(place, MEMORY)?;
        kv.hold_still()?;
        // An older format is raised in the scratch directory only.
        format::upgrade(&kv)?;
        // Its time is that of the backup, so that nothing is past its end that was not then.
        Store::start_still(Arc::new(kv), Arc::new(ManualClock::new(manifest.created)))
    }
}

/// Holds an opened generation against its manifest and against the invariants of the format.
pub(super) fn examine(store: &Store, manifest: &Generation, watch: Watch<'_>) -> Result<Vec<String>> {
    let mut found = store.verify(&mut |keys| watch("keys", keys, 0))?;
    let tail = store.watermark().applied();
    let is = (store.id(), tail.seq, tail.positions);
    let wanted = (manifest.store, manifest.last_seq, manifest.positions_last);
    if is != wanted {
        let (id, seq, positions) = wanted;
        found.push(format!(
            "it is of store {} at {} and {}, the manifest says {id} at {seq} and {positions}",
            is.0, is.1, is.2
        ));
    }
    store.close();
    Ok(found)
}
