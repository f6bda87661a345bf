//! One record of the log, as everybody reads it.

use crate::types::{CollectionId, DocId, Epoch, Millis, Seq};

/// What a log record says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOp {
    /// A version was written.
    Put,
    /// A document was deleted by request.
    Delete,
    /// A document reached its end.
    Expire,
    /// A tombstone was forgotten.
    Purge,
    /// A job was enqueued; the collection is its lane, the id its number.
    Enqueue,
    /// A collection was defined; the id is its name.
    Catalog,
    /// A collection was dropped with all its documents, which get no records of their own; the id was its name.
    Drop,
}

impl ChangeOp {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Put => 1,
            Self::Delete => 2,
            Self::Expire => 3,
            Self::Purge => 4,
            Self::Enqueue => 5,
            Self::Catalog => 6,
            Self::Drop => 7,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Put),
            2 => Some(Self::Delete),
            3 => Some(Self::Expire),
            4 => Some(Self::Purge),
            5 => Some(Self::Enqueue),
            6 => Some(Self::Catalog),
            7 => Some(Self::Drop),
            _ => None,
        }
    }

    /// The record is about a document.
    #[must_use]
    pub const fn is_document(self) -> bool {
        matches!(self, Self::Put | Self::Delete | Self::Expire | Self::Purge)
    }
}

/// One record of the log. The body is not in it: ask `Store::version` for the version at `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place.
    pub seq: Seq,
    /// The last record of its transaction; never checkpoint before it.
    pub group_last: Seq,
    /// The record that wrote the version before, 0 for none.
    pub prev_seq: Seq,
    /// The time of the commit.
    pub at: Millis,
    /// The opening of the store in which it was written.
    pub epoch: Epoch,
    /// Which collection.
    pub collection: CollectionId,
    /// Which document.
    pub id: DocId,
    /// What happened.
    pub op: ChangeOp,
}
