//! The bytes of an attachment for parsers and senders, chunk after chunk from the store.

use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use dateline_engine::{Manifest, Part, Result, Store};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, ReadBuf};

/// Reads chunks where they are needed. Each read blocks for at most one chunk, so parsers run on threads that may wait.
pub(crate) struct Source {
    store: Store,
    manifest: Manifest,
    at: u64,
    /// The chunk that was read last, and where its bytes begin in the whole.
    held: Option<(u64, Bytes)>,
}

impl Source {
    pub(crate) fn new(store: &Store, manifest: Manifest) -> Self {
        Self { store: store.clone(), manifest, at: 0, held: None }
    }

    /// All bytes; for a manifest whose length the caller has looked at.
    ///
    /// # Errors
    /// `Corrupt` when a chunk is missing or damaged.
    pub(crate) fn all(store: &Store, manifest: &Manifest) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(manifest.length()).unwrap_or(0));
        for part in manifest.parts(0..manifest.length()) {
            bytes.extend_from_slice(&read(store, &part)?);
        }
        Ok(bytes)
    }

    /// SHA-256 of all bytes.
    ///
    /// # Errors
    /// `Corrupt` when a chunk is missing or damaged.
    pub(crate) fn digest(store: &Store, manifest: &Manifest) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        for part in manifest.parts(0..manifest.length()) {
            hash.update(read(store, &part)?);
        }
        Ok(hash.finalize().into())
    }

    /// What there is at the present place: at most one chunk, nothing at the end.
    fn next(&mut self) -> io::Result<Bytes> {
        let length = self.manifest.length();
        if self.at >= length {
            return Ok(Bytes::new());
        }
        if let Some((start, bytes)) = &self.held
            && self.at >= *start
            && self.at - start < bytes.len() as u64
        {
            return Ok(bytes.slice(usize::try_from(self.at - start).unwrap_or(0)..));
        }
        let Some(part) = self.manifest.parts(self.at..length).next() else { return Ok(Bytes::new()) };
        let bytes = read(&self.store, &part).map_err(|error| io::Error::other(error.to_string()))?;
        self.held = Some((self.at, bytes.clone()));
        Ok(bytes)
    }

    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next()?;
        let count = bytes.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count as u64;
        Ok(count)
    }
}

/// The bytes of a part, proved.
///
/// # Errors
/// `Corrupt` when its chunk is missing or damaged.
pub(super) fn read(store: &Store, part: &Part) -> Result<Bytes> {
    let missing = || dateline_engine::Error::corrupt(format!("blobs/{}: missing", part.chunk));
    let bytes =
        store.chunk(&part.chunk)?.filter(|bytes| bytes.len() >= part.range.end).ok_or_else(missing)?;
    Ok(bytes.slice(part.range.clone()))
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(buffer)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.manifest.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = self.next()?;
        bytes.truncate(buffer.remaining());
        buffer.put_slice(&bytes);
        self.at += bytes.len() as u64;
        Poll::Ready(Ok(()))
    }
}
