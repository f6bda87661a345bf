//! One stored version of one document.

use bytes::Bytes;

use crate::schema;
use crate::types::{CollectionId, DocId, Epoch, Millis, Revision, Seq};

/// A version as it was written: the current one or a superseded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where it lives.
    pub collection: CollectionId,
    /// Its name there.
    pub id: DocId,
    /// The log sequence that wrote this version.
    pub seq: Seq,
    /// The sequence of the version before, 0 for the first.
    pub prev_seq: Seq,
    /// The opening of the store in which it was written.
    pub epoch: Epoch,
    /// When the document first came to be; a deletion in between starts it anew.
    pub created: Millis,
    /// When this version was written.
    pub updated: Millis,
    /// When it ends by itself, if ever.
    pub expires: Option<Millis>,
    /// Version of the collection's schema that the body is of; 0, as the first was written once, stands for 1.
    pub schema: u32,
    /// The body was stored under an older version, and brought up to this one for who reads it.
    pub upgraded: bool,
    /// A tombstone: the document was deleted by this version, and the body is empty.
    pub deleted: bool,
    /// A JSON object, UTF-8, exactly as accepted.
    pub body: Bytes,
}

impl Document {
    /// The version's name for preconditions.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision { epoch: self.epoch, seq: self.seq }
    }

    /// Version of the collection's schema that the body is of, counted from 1.
    #[must_use]
    pub fn schema_version(&self) -> u32 {
        self.schema.max(schema::FIRST)
    }

    /// Whether a reader may see it: not deleted, not past its end.
    #[must_use]
    pub fn is_live(&self, now: Millis) -> bool {
        !self.deleted && self.expires.is_none_or(|end| end > now)
    }
}
