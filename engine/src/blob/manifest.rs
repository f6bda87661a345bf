//! What an attachment is made of.

use std::ops::Range;

use crate::blob::ChunkHash;
use crate::error::{Error, Result};
use crate::limits::{BLOB_BYTES_MAX, CHUNK_BYTES_MAX};

const CHUNK: u64 = CHUNK_BYTES_MAX as u64;

/// The chunks of an attachment in order: all of 256 KiB but the last, which holds the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    length: u64,
    chunks: Vec<ChunkHash>,
}

/// A piece of an attachment: these bytes of that chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The chunk.
    pub chunk: ChunkHash,
    /// Bytes inside it.
    pub range: Range<usize>,
}

impl Manifest {
    /// Puts a stored manifest together again.
    ///
    /// # Errors
    /// `Invalid` when so many chunks cannot hold so many bytes, or `hashes` ends inside a hash.
    pub fn new(length: u64, hashes: &[u8]) -> Result<Self> {
        let chunks: Vec<ChunkHash> =
            hashes.chunks(32).filter_map(|hash| hash.try_into().ok().map(ChunkHash)).collect();
        if length > BLOB_BYTES_MAX
            || !hashes.len().is_multiple_of(32)
            || chunks.len() as u64 != length.div_ceil(CHUNK)
        {
            let count = chunks.len();
            return Err(Error::invalid(format!("a manifest of {length} bytes cannot have {count} chunks")));
        }
        Ok(Self { length, chunks })
    }

    /// Bytes of the attachment.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Its chunks in order.
    #[must_use]
    pub fn chunks(&self) -> &[ChunkHash] {
        &self.chunks
    }

    /// The hashes one after another, 32 bytes each.
    #[must_use]
    pub fn hashes(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.0).collect()
    }

    /// The last chunk if it is not full: who goes on writing takes it back and writes it anew, longer.
    pub fn take_rest(&mut self) -> Option<ChunkHash> {
        let rest = self.length % CHUNK;
        if rest == 0 {
            return None;
        }
        self.length -= rest;
        self.chunks.pop()
    }

    /// Adds a chunk at the end.
    ///
    /// # Errors
    /// `Invalid` behind a chunk that is not full, or when the attachment becomes too long.
    pub fn push(&mut self, chunk: &super::Chunk) -> Result<()> {
        if !self.length.is_multiple_of(CHUNK) {
            return Err(Error::invalid("only the last chunk may be shorter than the others"));
        }
        let length = self.length + chunk.len() as u64;
        if length > BLOB_BYTES_MAX {
            return Err(Error::invalid(format!("an attachment has at most {BLOB_BYTES_MAX} bytes")));
        }
        self.length = length;
        self.chunks.push(chunk.hash());
        Ok(())
    }

    /// The parts that hold these bytes, in order; what lies behind the end is left out.
    pub fn parts(&self, range: Range<u64>) -> impl Iterator<Item = Part> + '_ {
        let end = range.end.min(self.length);
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let place = at / CHUNK;
            let chunk = *self.chunks.get(usize::try_from(place).ok()?)?;
            let first = place * CHUNK;
            let upto = end.min(first + CHUNK);
            let range = usize::try_from(at - first).ok()?..usize::try_from(upto - first).ok()?;
            at = upto;
            Some(Part { chunk, range })
        })
    }
}
