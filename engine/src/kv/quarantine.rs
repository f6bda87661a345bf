//! Families in which bytes were found that cannot be read. They are merged no more.
//!
//! RocksDB takes no write, in whatever family, once a merge has met a damaged block, and after the next start the merge
//! begins again. So a damaged family keeps its tables as they are: it grows by what would have been merged away, and
//! everything else is read and written on. Where a merge was the first to meet the block, a restart is enough. What is
//! known stands in file `DAMAGED` of the store, which a restored store does not have.
//!
//! ```text
//! DAMAGED  *( family SP reason LF )        families by their names; one that this program does not know is passed over
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::kv::families::Family;

/// Name of the file in the directory of the store. No file of the storage is called so.
const FILE: &str = "DAMAGED";

/// See the module.
pub(crate) struct Quarantine {
    path: PathBuf,
    families: Mutex<BTreeSet<Family>>,
}

impl Quarantine {
    /// What earlier runs have found.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::unavailable(format!("{}: {error}", path.display())));
            }
            found => found.unwrap_or_default(),
        };
        let named = |line: &str| {
            let name = line.split(' ').next();
            Family::ALL.into_iter().find(|family| name == Some(family.name()))
        };
        Ok(Self { path, families: Mutex::new(text.lines().filter_map(named).collect()) })
    }

    pub(crate) fn holds(&self, family: Family) -> bool {
        self.families().contains(&family)
    }

    pub(crate) fn all(&self) -> Vec<Family> {
        self.families().iter().copied().collect()
    }

    /// Remembers a family; whether it was not known before. Where the file cannot be written, that is told: the
    /// damage is met again after the next start.
    pub(crate) fn add(&self, family: Family, reason: &Error) -> bool {
        let mut families = self.families();
        if !families.insert(family) {
            return false;
        }
        let reason = reason.to_string().replace('\n', " ");
        tracing::error!(family = family.name(), reason, "a family with damaged bytes is merged no more");
        if let Err(error) = self.append(&format!("{} {reason}\n", family.name())) {
            tracing::error!(%error, file = %self.path.display(), "the damaged family cannot be noted down");
        }
        true
    }

    fn append(&self, line: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        self.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }

    fn families(&self) -> MutexGuard<'_, BTreeSet<Family>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_survives_and_strangers_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::load(dir.path()).unwrap();
        let reason = Error::corrupt("block\nof 000012.sst");
        assert!(quarantine.add(Family::Heads, &reason));
        assert!(!quarantine.add(Family::Heads, &reason), "known already");
        quarantine.append("families-of-later words\n").unwrap();
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text.lines().next(), Some("heads block of 000012.sst"));
        let again = Quarantine::load(dir.path()).unwrap();
        assert_eq!(again.all(), [Family::Heads]);
    }
}
