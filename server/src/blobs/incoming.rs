//! Bytes on their way in: cut into chunks, committed as they come, with a bounded part of them in memory.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use dateline_engine::{
    Chunk, Condition, DocId, Durability, Error, Manifest, Receipt, Revision, Transaction,
    limits::CHUNK_BYTES_MAX,
};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::manifests::Shelf;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::body::unreadable;

/// Chunks that are committed together.
const CHUNKS_AT_A_TIME: usize = 16;

/// Bytes that have all come, under a name for the time being.
pub(crate) struct Settled {
    id: DocId,
    pub(crate) manifest: Manifest,
    stored: Option<Revision>,
    /// SHA-256 of the bytes.
    pub(crate) digest: [u8; 32],
}

impl Settled {
    /// Takes the name away that was for the time being.
    pub(crate) fn release(&self, shelf: Shelf, transaction: Transaction) -> Transaction {
        match self.stored {
            Some(revision) => {
                transaction.delete(shelf.manifests, self.id.clone(), Condition::Revision(revision))
            }
            None => transaction,
        }
    }
}

/// One attachment in the making.
pub(crate) struct Incoming<'a> {
    app: &'a App,
    shelf: Shelf,
    id: DocId,
    manifest: Manifest,
    /// The version of the stored manifest this one goes on from.
    stored: Option<Revision>,
    /// Not yet a whole chunk.
    rest: BytesMut,
    /// Not yet committed.
    chunks: Vec<Chunk>,
    hash: Sha256,
}

impl<'a> Incoming<'a> {
    /// A new attachment.
    pub(crate) fn new(app: &'a App, shelf: Shelf, id: DocId) -> Self {
        let (rest, chunks) = (BytesMut::new(), Vec::new());
        Self {
            app,
            shelf,
            id,
            manifest: Manifest::default(),
            stored: None,
            rest,
            chunks,
            hash: Sha256::new(),
        }
    }

    /// Goes on with what was stored before. The bytes of a last chunk that is not full are taken back.
    pub(super) fn resume(app: &'a App, shelf: Shelf, id: DocId) -> Result<Self, Problem> {
        let (mut manifest, document) = shelf.manifest(app.store(), id.as_str())?;
        let mut incoming = Self::new(app, shelf, id);
        if let Some(chunk) = manifest.take_rest() {
            let bytes = app.store().chunk(&chunk)?;
            let bytes =
                bytes.ok_or_else(|| Problem::from(Error::corrupt(format!("blobs/{chunk}: missing"))))?;
            incoming.rest.extend_from_slice(&bytes);
        }
        incoming.manifest = manifest;
        incoming.stored = Some(document.revision());
        Ok(incoming)
    }

    /// Bytes taken so far.
    pub(crate) fn length(&self) -> u64 {
        self.manifest.length() + self.rest.len() as u64
    }

    /// Takes a body to its end. What was committed stays when it breaks off.
    pub(super) async fn take(&mut self, mut body: Body, frame_max: Duration) -> Result<(), Problem> {
        loop {
            let frame = match tokio::time::timeout(frame_max, body.frame()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(unreadable(&error)),
                Err(_) => {
                    return Err(Problem::new(Slug::RequestTimeout, "the next bytes did not arrive in time"));
                }
            };
            let Ok(bytes) = frame.into_data() else { continue };
            self.add(&bytes).await?;
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// 413 when that is more than an upload may have.
    pub(crate) async fn add(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let bytes_max = self.app.config().limits.upload_bytes_max;
        if self.length() + bytes.len() as u64 > bytes_max {
            let detail = format!("an attachment has at most {bytes_max} bytes here");
            return Err(Problem::new(Slug::BodyTooLarge, detail).with("bytes_max", bytes_max));
        }
        self.rest.extend_from_slice(bytes);
        while self.rest.len() >= CHUNK_BYTES_MAX {
            let full = self.rest.split_to(CHUNK_BYTES_MAX).freeze();
            self.cut(full).await?;
        }
        if self.chunks.len() >= CHUNKS_AT_A_TIME {
            self.flush().await?;
        }
        Ok(())
    }

    /// Stores what is left, so that everything can be read. It belongs to nothing yet: whoever needs it puts the
    /// manifest under a name of its own, durably, and takes this one away.
    pub(crate) async fn settle(mut self) -> Result<Settled, Problem> {
        self.cut_rest().await?;
        self.flush().await?;
        let Self { id, manifest, stored, hash, .. } = self;
        Ok(Settled { id, manifest, stored, digest: hash.finalize().into() })
    }

    /// Hashing takes long enough to be done where it holds up nobody.
    async fn cut(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let mut hash = std::mem::take(&mut self.hash);
        let work = self.app.scan(move |_| -> Result<(Chunk, Sha256), Problem> {
            hash.update(&bytes);
            Ok((Chunk::new(bytes)?, hash))
        });
        let (chunk, hash) = work.await.map_err(crate::http::Refusal::into_problem)?;
        self.hash = hash;
        self.manifest.push(&chunk)?;
        self.chunks.push(chunk);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Problem> {
        let transaction = self.add_to(Transaction::new(Durability::Buffered));
        let receipt = self.app.commit(transaction).await?;
        self.stored = receipt.revision(0);
        Ok(())
    }

    /// The manifest is the first write, so that the receipt tells its revision.
    fn add_to(&mut self, transaction: Transaction) -> Transaction {
        let condition = self.stored.map_or(Condition::Absent, Condition::Revision);
        let transaction = self.shelf.put(transaction, self.id.clone(), condition, &self.manifest);
        self.chunks.drain(..).fold(transaction, Transaction::chunk)
    }

    /// Commits what is left, durably, together with what `finish` adds; the manifest is the first write.
    pub(super) async fn end(
        &mut self,
        finish: impl FnOnce(Transaction, &Manifest) -> Transaction,
    ) -> Result<Receipt, Problem> {
        if !self.rest.is_empty() {
            let rest = self.rest.split().freeze();
            self.cut(rest).await?;
        }
        let transaction = self.add_to(Transaction::new(Durability::Sync));
        let transaction = finish(transaction, &self.manifest);
        Ok(self.app.commit(transaction).await?)
    }

    /// SHA-256 of what was taken since `new`, once `end` or [`Self::cut_rest`] has seen it all.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Cuts the last chunk, so that the digest is that of all bytes.
    pub(super) async fn cut_rest(&mut self) -> Result<(), Problem> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let rest = self.rest.split().freeze();
        self.cut(rest).await
    }
}
