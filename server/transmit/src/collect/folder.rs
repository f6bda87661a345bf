//! Files of a folder of this machine, below a root of the site.

use super::{CollectError, Collectors};
use crate::egress::Place;
use jiff::Timestamp;
use std::io;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFile {
    /// Its name in the folder.
    pub name: String,
    /// When it was last written or renamed.
    pub changed: Timestamp,
    /// Its size in bytes.
    pub bytes: u64,
}

/// An open folder. Its calls block.
#[derive(Debug)]
pub struct Folder {
    place: Place,
}

impl Collectors {
    /// The folder that a path names, if it is a root of the site or below one.
    ///
    /// # Errors
    /// [`CollectError::Denied`] outside of every root and for paths with links or `..`; when it is not there.
    pub fn folder(&self, path: &str) -> Result<Folder, CollectError> {
        Ok(Folder { place: self.site.egress.place(path)? })
    }
}

impl Folder {
    /// Its files by name, at the most so many; no folders, links and hidden files.
    ///
    /// # Errors
    /// What the file system says.
    pub fn list(&self, most: usize) -> io::Result<Vec<FolderFile>> {
        let mut files = self.place.files()?;
        files.sort_by(|one, other| one.name.cmp(&other.name));
        files.truncate(most);
        Ok(files)
    }

    /// A whole file.
    ///
    /// # Errors
    /// [`CollectError::TooLarge`]; what the file system says.
    pub fn read(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, CollectError> {
        let bytes =
            self.place.read(name, bytes_max).map_err(|error| CollectError::Failed(error.to_string()))?;
        bytes.ok_or(CollectError::TooLarge(bytes_max))
    }

    /// Moves a file into a folder of the folder, which is made if it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn relocate(&self, name: &str, folder: &str) -> io::Result<()> {
        self.place.relocate(name, folder)
    }
}
