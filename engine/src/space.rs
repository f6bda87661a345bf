//! How much room the disk has, and whether the store may grow.
//!
//! A log-structured store needs room to make room: deletes are written too, and compaction writes before it removes.
//! So growth stops while there is still some: documents, jobs, positions and collections are refused, deletes, acks,
//! cursors and housekeeping go on, and reads in any case. A disk that fills up all the same stops the engine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{DISK_LOOK_MS, DISK_RESERVE_SHARE};

/// Room as it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What this process may still write, in bytes.
    pub free_bytes: u64,
    /// With less than this the store does not grow, in bytes.
    pub reserve_bytes: u64,
}

impl Room {
    /// Whether growth is refused.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.free_bytes < self.reserve_bytes
    }
}

/// Looks at a disk now and then, by whoever asks.
#[derive(Debug)]
pub(crate) struct Space {
    dir: PathBuf,
    reserve_bytes_max: u64,
    began: Instant,
    /// When it was looked at last, in milliseconds since `began`.
    looked_ms: AtomicU64,
    free: AtomicU64,
    reserve: AtomicU64,
    told: AtomicBool,
}

impl Space {
    /// Of the disk that holds `dir`, which exists.
    pub(crate) fn new(dir: &Path, reserve_bytes_max: u64) -> Self {
        let space = Self {
            dir: dir.to_owned(),
            reserve_bytes_max,
            began: Instant::now(),
            looked_ms: AtomicU64::new(0),
            free: AtomicU64::new(u64::MAX),
            reserve: AtomicU64::new(0),
            told: AtomicBool::new(false),
        };
        space.look();
        space
    }

    /// Room as of now, a quarter of a second old at the most.
    pub(crate) fn room(&self) -> Room {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked_ms = self.looked_ms.load(Ordering::Acquire);
        let is_mine = now_ms >= looked_ms.saturating_add(DISK_LOOK_MS)
            && self
                .looked_ms
                .compare_exchange(looked_ms, now_ms, Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
        if is_mine {
            self.look();
        }
        Room {
            free_bytes: self.free.load(Ordering::Acquire),
            reserve_bytes: self.reserve.load(Ordering::Acquire),
        }
    }

    /// Refuses growth when there is little room.
    pub(crate) fn check(&self) -> Result<()> {
        let room = self.room();
        if !room.is_short() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Full,
            format!(
                "the disk has {} MiB left and {} are kept in reserve: nothing that grows is stored until there is \
                 room; reads, deletes and acks go on",
                room.free_bytes >> 20,
                room.reserve_bytes >> 20
            ),
        ))
    }

    fn look(&self) {
        let found = match rustix::fs::statvfs(&self.dir) {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, dir = %self.dir.display(), "room on the disk is not known");
                return;
            }
        };
        let total = found.f_blocks.saturating_mul(found.f_frsize);
        let reserve = self.reserve_bytes_max.min(total / DISK_RESERVE_SHARE);
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        self.reserve.store(reserve, Ordering::Release);
        self.free.store(free, Ordering::Release);
        let is_short = free < reserve;
        if self.told.swap(is_short, Ordering::AcqRel) != is_short {
            let (free_mib, reserve_mib) = (free >> 20, reserve >> 20);
            if is_short {
                tracing::warn!(free_mib, reserve_mib, "the disk is nearly full, growth is refused");
            } else {
                tracing::info!(free_mib, reserve_mib, "the disk has room again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_the_smaller_of_both_bounds() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Space::new(dir.path(), 0).room().is_short());
        let room = Space::new(dir.path(), 1 << 20).room();
        assert_eq!(room.reserve_bytes, 1 << 20);
        let room = Space::new(dir.path(), u64::MAX).room();
        assert!(room.reserve_bytes < u64::MAX / DISK_RESERVE_SHARE && room.reserve_bytes > 0);
    }

    #[test]
    fn little_room_is_an_answer() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::new(dir.path(), 0);
        space.free.store(5 << 20, Ordering::Release);
        space.reserve.store(8 << 20, Ordering::Release);
        let refused = space.check().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Full);
        assert!(
            refused.to_string().contains("5 MiB") && refused.to_string().contains("8 are kept"),
            "{refused}"
        );
        // It comes back by itself.
        std::thread::sleep(std::time::Duration::from_millis(DISK_LOOK_MS + 20));
        space.check().unwrap();
    }
}
