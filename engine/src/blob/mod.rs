//! Attachments: bytes of any length, cut into chunks that are named by their own SHA-256.
//!
//! A chunk is stored once however many attachments hold it, and reading one proves it. What an attachment is made
//! of, its [`Manifest`], is kept by the layer above in a document; a chunk that no manifest names any more is an
//! orphan. [`Store::orphan_chunks`](crate::Store::orphan_chunks) finds them and
//! [`Transaction::forget_chunks`](crate::Transaction::forget_chunks) removes them, but only those that were last
//! stored before a given time: an attachment that is just being made stores each of its chunks anew, known or not,
//! and so keeps it.

mod manifest;

pub use manifest::{Manifest, Part};

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::codec::blob::{STORED_PREFIX, decode_stored, key_bytes, key_stored, parse};
use crate::error::{Error, Result};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::limits::CHUNK_BYTES_MAX;
use crate::types::Millis;

/// The name of a chunk: the SHA-256 of its bytes. Text form: 64 hexadecimal digits, lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkHash(pub(crate) [u8; 32]);

impl ChunkHash {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChunkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChunkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ChunkHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::invalid("a chunk is named by 64 hexadecimal digits");
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 64 || !digits {
            return Err(bad());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(hash))
    }
}

/// Bytes on their way into the store, with their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub(crate) hash: ChunkHash,
    pub(crate) bytes: Bytes,
}

impl Chunk {
    /// Names the bytes; costs a hash over them, so it is done where it holds up nobody.
    ///
    /// # Errors
    /// `Invalid` when there are none or more than 256 KiB.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > CHUNK_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a chunk has 1 to {CHUNK_BYTES_MAX} bytes, not {}",
                bytes.len()
            )));
        }
        Ok(Self { hash: ChunkHash::of(&bytes), bytes })
    }

    /// Its name.
    #[must_use]
    pub const fn hash(&self) -> ChunkHash {
        self.hash
    }

    /// Bytes in it.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// The bytes of a chunk, proved by their name.
pub(crate) fn read(kv: &dyn KvRead, hash: &ChunkHash) -> Result<Option<Bytes>> {
    let Some(bytes) = kv.get(Family::Blobs, &key_bytes(hash))? else { return Ok(None) };
    if ChunkHash::of(&bytes) != *hash {
        return Err(Error::corrupt(format!("blobs/{hash}: the bytes are not those of the name")));
    }
    Ok(Some(bytes.into()))
}

/// Names, in order, of at most `max` chunks after `after` that were last stored before `before` and of which
/// `is_used` says no; and the last name looked at, if there may be more.
pub(crate) fn orphans(
    kv: &dyn KvRead,
    before: Millis,
    after: Option<ChunkHash>,
    max: usize,
    is_used: &dyn Fn(&ChunkHash) -> bool,
) -> Result<(Vec<ChunkHash>, Option<ChunkHash>)> {
    let mut range = KeyRange::prefix(&[STORED_PREFIX]);
    if let Some(after) = after {
        range.lower = [&key_stored(&after)[..], &[0]].concat();
    }
    let (mut found, mut last) = (Vec::new(), None);
    kv.scan(Family::Blobs, &range, Direction::Forward, &mut |place, value| {
        let hash =
            parse(place).ok_or_else(|| Error::corrupt(format!("blobs: unreadable key {place:02x?}")))?;
        if decode_stored(&hash, value)? < before && !is_used(&hash) {
            found.push(hash);
        }
        let full = found.len() >= max;
        last = full.then_some(hash);
        Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok((found, last))
}

#[cfg(test)]
mod tests;
