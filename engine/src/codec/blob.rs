//! Keys and values of family `blobs`.
//!
//! ```text
//! 01 hash 32 B  ->  bytes of the chunk, 1 to 256 KiB; the hash is their SHA-256
//! 02 hash 32 B  ->  [format u8 = 01][at_ms u64 LE]    when it was last stored
//! ```
//! The times lie apart, so that looking for orphans does not read the bytes.

use crate::blob::ChunkHash;
use crate::codec::FORMAT;
use crate::error::{Error, Result};
use crate::types::Millis;

pub(crate) const BYTES_PREFIX: u8 = 1;
pub(crate) const STORED_PREFIX: u8 = 2;

pub(crate) fn key_bytes(hash: &ChunkHash) -> Vec<u8> {
    [&[BYTES_PREFIX], &hash.0[..]].concat()
}

pub(crate) fn key_stored(hash: &ChunkHash) -> Vec<u8> {
    [&[STORED_PREFIX], &hash.0[..]].concat()
}

/// The hash in a key of either kind.
pub(crate) fn parse(key: &[u8]) -> Option<ChunkHash> {
    let (&kind, hash) = key.split_first()?;
    let hash = hash.try_into().ok().map(ChunkHash)?;
    matches!(kind, BYTES_PREFIX | STORED_PREFIX).then_some(hash)
}

pub(crate) fn encode_stored(at: Millis) -> Vec<u8> {
    [&[FORMAT], &at.get().to_le_bytes()[..]].concat()
}

pub(crate) fn decode_stored(hash: &ChunkHash, value: &[u8]) -> Result<Millis> {
    let at = value.split_first().filter(|(format, _)| **format == FORMAT);
    let at = at.and_then(|(_, at)| at.try_into().ok()).map(u64::from_le_bytes);
    at.map(Millis::new).ok_or_else(|| Error::corrupt(format!("blobs/{hash}: unreadable time {value:02x?}")))
}
