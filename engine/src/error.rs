//! What can go wrong, as few kinds as callers act differently on.

use std::fmt;

use crate::types::{DocId, Revision};

/// Result of every fallible call of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// How a caller should act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A precondition of the write does not hold; `Error::conflict` says which.
    Conflict,
    /// The named thing does not exist.
    NotFound,
    /// The asked-for history has been trimmed or belongs to another epoch.
    Gone,
    /// The request itself is wrong and will never succeed.
    Invalid,
    /// A bound is reached; try again later.
    Busy,
    /// The disk is nearly full: nothing that grows is stored until there is room; reads and removals go on.
    Full,
    /// Stored bytes are damaged; the message names family and key.
    Corrupt,
    /// The engine has stopped accepting writes; a restart recovers.
    Unavailable,
    /// A defect of the engine.
    Internal,
}

/// Which precondition failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The document must exist and does not.
    Absent,
    /// The document must not exist and does, at this revision.
    Exists(Revision),
    /// The document is not at the expected revision.
    Stale {
        /// What the writer had seen.
        expected: Revision,
        /// What is stored now; `None` when the document is gone.
        found: Option<Revision>,
    },
    /// Another live document holds the unique key.
    Unique {
        /// Declared name of the index: its fields joined with `,`.
        index: String,
        /// The holder.
        id: DocId,
    },
    /// The lease has ended or has passed to another worker.
    LeaseLost,
    /// The idempotency key was used for another request.
    KeyReused,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the document does not exist"),
            Self::Exists(found) => write!(f, "the document exists already, at revision {found}"),
            Self::Stale { expected, found: Some(found) } => {
                write!(f, "the document is at revision {found}, not {expected}")
            }
            Self::Stale { expected, found: None } => {
                write!(f, "the document of revision {expected} is gone")
            }
            Self::Unique { index, id } => write!(f, "value for '{index}' is held by {id}"),
            Self::KeyReused => f.write_str("the idempotency key was used for another request"),
            Self::LeaseLost => f.write_str("the lease has ended or has passed to another worker"),
        }
    }
}

/// An error with its kind and a message that says what to do or where to look.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    conflict: Option<Conflict>,
    /// Where in the document the fault is, and what it is.
    field: Option<Box<(String, String)>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), conflict: None, field: None }
    }

    /// A document that is wrong at one field.
    pub(crate) fn invalid_field(path: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        let error = Self::invalid(format!("{path}: {why}"));
        Self { field: Some(Box::new((path.to_owned(), why))), ..error }
    }

    /// A request that is wrong in itself.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A bound is reached for now.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Busy, message)
    }

    /// Damaged bytes; the message names the family and key or the file.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// The service is stopping or has stopped.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// A defect.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The named thing does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// The asked-for history is no longer there.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Gone, message)
    }

    /// How to act on it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The failed precondition, for kind `Conflict`.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        self.conflict.as_ref()
    }

    /// Of a document that is wrong at one field: its path, and what is wrong.
    #[must_use]
    pub fn field(&self) -> Option<(&str, &str)> {
        self.field.as_deref().map(|(path, why)| (&path[..], &why[..]))
    }

    /// Adds where it happened; kind and conflict stay, so corruption survives wrapping.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        let error = Self::new(ErrorKind::Conflict, conflict.to_string());
        Self { conflict: Some(conflict), ..error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
