//! What lies beside the store and was derived from it, as witnesses of how much the store has had.

use std::fs;

use dateline_engine::{Error, Witness};

use crate::data::DataDir;

/// What the search index and the geo snapshots have seen. What cannot be read says nothing: it is made anew.
pub(crate) fn gather(data: &DataDir) -> Vec<Witness> {
    let index = dateline_index::witness(&data.index());
    index.into_iter().chain(dateline_geo::witnesses(&data.geo())).collect()
}

/// Removes all of it, because some has seen more than there is: it is derived again from what is left.
///
/// # Errors
/// `Unavailable` when a directory cannot be removed; what is left of it is judged anew by the next start.
pub(crate) fn forget(data: &DataDir) -> Result<(), Error> {
    for dir in [data.index(), data.geo()] {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::unavailable(format!("{}: {error}", dir.display())));
            }
            _ => tracing::warn!(dir = %dir.display(), "removed, to be derived again"),
        }
    }
    Ok(())
}
