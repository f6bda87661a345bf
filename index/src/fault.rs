//! What an error of tantivy or of a file means to a caller.

use std::io;
use std::path::Path;

use dateline_engine::{Error, Result};
use tantivy::TantivyError;
use tantivy::directory::error::OpenReadError;

/// Says what was being done; I/O may pass (`Unavailable`), damage does not (`Corrupt`).
pub(crate) fn tantivy(doing: &str) -> impl FnOnce(TantivyError) -> Error {
    move |error| {
        let message = format!("search index: {doing}: {error}");
        match error {
            TantivyError::IoError(ref io) if is_damage(io.kind()) => Error::corrupt(message),
            TantivyError::OpenReadError(OpenReadError::IoError { ref io_error, .. })
                if is_damage(io_error.kind()) =>
            {
                Error::corrupt(message)
            }
            TantivyError::IoError(_)
            | TantivyError::LockFailure(..)
            | TantivyError::OpenWriteError(_)
            | TantivyError::OpenReadError(OpenReadError::IoError { .. })
            | TantivyError::ErrorInThread(_)
            | TantivyError::SystemError(_) => Error::unavailable(message),
            TantivyError::DataCorruption(_)
            | TantivyError::OpenReadError(_)
            | TantivyError::OpenDirectoryError(_)
            | TantivyError::IncompatibleIndex(_)
            | TantivyError::SchemaError(_)
            | TantivyError::DeserializeError(_) => Error::corrupt(message),
            _ => Error::internal(message),
        }
    }
}

/// A file that is cut off or holds what it should not.
fn is_damage(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// A file operation that failed.
pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::unavailable(format!("search index: {}: {error}", path.display()))
}

/// Makes names created or removed in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(file(dir))
}
