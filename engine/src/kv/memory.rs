//! An ordered map behind the `Kv` seam: the twin of RocksDB for model tests.
//!
//! A snapshot copies the map. That is fine for the small states tests hold.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::error::Result;
use crate::kv::batch::{Action, Batch};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv, KvRead, Visit};
use crate::statistics::Statistics;

type Map = BTreeMap<(Family, Vec<u8>), Vec<u8>>;

/// Cloning shares the content: a clone kept by a test outlives the store that used it.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryKv {
    map: Arc<RwLock<Map>>,
}

impl MemoryKv {
    /// Another store with the same content.
    #[cfg(test)]
    pub(crate) fn copy(&self) -> Self {
        Self { map: Arc::new(RwLock::new(self.read().clone())) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KvRead for Map {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(BTreeMap::get(self, &(family, key.to_vec())).cloned())
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        keys.iter().map(|key| KvRead::get(self, family, key)).collect()
    }

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let bounds = (family, range.lower.clone())..(family, range.upper.clone());
        let mut entries = self.range(bounds);
        loop {
            let next = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            };
            let Some(((_, key), value)) = next else { return Ok(()) };
            if visit(key, value)? == ControlFlow::Break(()) {
                return Ok(());
            }
        }
    }
}

impl KvRead for MemoryKv {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        KvRead::get(&*self.read(), family, key)
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.read().multi_get(family, keys)
    }

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.snapshot().scan(family, range, direction, visit)
    }
}

impl Kv for MemoryKv {
    fn write(&self, batch: &Batch, _sync: bool) -> Result<()> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for (family, action, key, value) in batch.iter() {
            let place = (family, key.to_vec());
            match action {
                Action::Put => {
                    map.insert(place, value.to_vec());
                }
                Action::Delete | Action::SingleDelete => {
                    map.remove(&place);
                }
                Action::DeleteRange => {
                    map.retain(|at, _| *at < place || *at >= (family, value.to_vec()));
                }
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn size(&self, family: Family, range: &KeyRange) -> Result<u64> {
        if range.is_empty() {
            return Ok(0);
        }
        let bounds = (family, range.lower.clone())..(family, range.upper.clone());
        let bytes = self.read().range(bounds).map(|((_, key), value)| key.len() + value.len()).sum::<usize>();
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    fn drop_files(&self, _family: Family, _range: &KeyRange) -> Result<()> {
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn KvRead + Send + '_> {
        Box::new(self.read().clone())
    }

    fn statistics(&self) -> Result<Statistics> {
        Ok(Statistics::default())
    }
}
