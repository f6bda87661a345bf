//! Files: documents of `media` with their bytes, named by the SHA-256 of them.

use bytes::Bytes;
use dateline_engine::limits::CHUNK_BYTES_MAX;
use dateline_engine::{Chunk, Condition, DocId, Durability, Error, Manifest, Result, Transaction};
use dateline_media::Picture;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::made::refused;
use crate::app::App;
use crate::blobs::{Shelf, Source};
use crate::eve::problem::Problem;
use crate::eve::{json, patch};
use crate::ids;
use crate::publishing::items;

/// Chunks that are committed together before the documents.
const CHUNKS_AT_A_TIME: usize = 16;

/// A file about to be stored.
pub(crate) struct NewFile {
    id: DocId,
    about: Map<String, Value>,
    manifest: Manifest,
    chunks: Vec<Chunk>,
}

impl NewFile {
    /// Of bytes in memory; `about` is what its document says of it. Costs two hashes over them.
    ///
    /// # Errors
    /// `Invalid` for more bytes than an attachment may have.
    pub(crate) fn of(bytes: Vec<u8>, about: Map<String, Value>) -> Result<Self> {
        Self::named(DocId::new(ids::hex(&Sha256::digest(&bytes)))?, bytes, about)
    }

    /// Under a name that stands for these bytes in another way.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn named(id: DocId, bytes: Vec<u8>, about: Map<String, Value>) -> Result<Self> {
        let (mut bytes, mut manifest, mut chunks) = (Bytes::from(bytes), Manifest::default(), Vec::new());
        while !bytes.is_empty() {
            let chunk = Chunk::new(bytes.split_to(bytes.len().min(CHUNK_BYTES_MAX)))?;
            manifest.push(&chunk)?;
            chunks.push(chunk);
        }
        Ok(Self { id, about, manifest, chunks })
    }

    /// Of bytes whose chunks are stored already; `digest` is the SHA-256 of them in hexadecimal digits.
    ///
    /// # Errors
    /// `Invalid` when the digest is none.
    pub(crate) fn of_manifest(digest: &str, manifest: Manifest, about: Map<String, Value>) -> Result<Self> {
        Ok(Self { id: DocId::new(digest)?, about, manifest, chunks: Vec::new() })
    }

    pub(crate) fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Adds a word about it.
    pub(crate) fn note(&mut self, name: &str, value: Value) {
        self.about.insert(name.to_owned(), value);
    }

    /// Stores the bytes, so that the commit of the documents is small. Until then they belong to nothing.
    ///
    /// # Errors
    /// What the engine refuses with.
    pub(crate) async fn stage(&mut self, app: &App) -> Result<()> {
        let mut rest = std::mem::take(&mut self.chunks);
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(CHUNKS_AT_A_TIME));
            let transaction =
                rest.into_iter().fold(Transaction::new(Durability::Buffered), Transaction::chunk);
            app.commit(transaction).await?;
            rest = later;
        }
        Ok(())
    }

    /// Adds document and manifest. Written anew where they are there already, so that no sweep takes them meanwhile.
    pub(crate) fn add_to(mut self, shelf: Shelf, transaction: Transaction) -> Transaction {
        self.about.insert("length".to_owned(), self.manifest.length().into());
        patch::set_version(&mut self.about, 1);
        let transaction = shelf.put(transaction, self.id.clone(), Condition::Always, &self.manifest);
        let transaction = transaction.put(shelf.media, self.id, Condition::Always, json::encode(&self.about));
        self.chunks.into_iter().fold(transaction, Transaction::chunk)
    }
}

/// A stored file.
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) about: Value,
    pub(crate) manifest: Manifest,
}

impl File {
    pub(crate) fn word(&self, name: &str) -> &str {
        self.about.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn media_type(&self) -> &str {
        self.word("media_type")
    }

    /// The picture that it is. Blocks, and takes the memory of all pixels.
    ///
    /// # Errors
    /// 400 for what is none, or is damaged or too large.
    pub(crate) fn picture(&self, app: &App) -> std::result::Result<Picture, Problem> {
        let bytes = Source::all(app.store(), &self.manifest)?;
        Picture::decode(&bytes, &app.media().limits).map_err(|fault| refused(&fault))
    }
}

/// The file of this id; none also for what can never be one.
///
/// # Errors
/// `Corrupt` when its document or manifest cannot be read.
pub(crate) fn find(app: &App, id: &str) -> std::result::Result<Option<File>, Problem> {
    let shelf = Shelf::of(app.store())?;
    let Some(about) = items::find(app.store(), shelf.media, id)? else { return Ok(None) };
    let (manifest, _) = shelf.manifest(app.store(), id).map_err(|_| {
        Problem::from(Error::corrupt(format!("media/{id}: its manifest is missing or damaged")))
    })?;
    Ok(Some(File { id: id.to_owned(), about, manifest }))
}
