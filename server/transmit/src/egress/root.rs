//! Where files may be written and taken.
//!
//! A path is walked from its root one folder at a time, and no step follows a link: neither `..` nor a link that somebody
//! puts there while we walk leads out. The file is written under another name in the same folder, synced and renamed, so
//! a reader of the folder sees all of it or nothing.

use super::denied::{Denied, Why};
use crate::collect::FolderFile;
use crate::limits::FOLDER_FILES_MAX;
use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// The roots of a site, links in their own paths resolved.
#[derive(Debug)]
pub(super) struct Roots(Vec<PathBuf>);

/// An open folder below a root.
#[derive(Debug)]
pub(crate) struct Place {
    folder: OwnedFd,
}

/// A folder that files cannot be written to.
#[derive(Debug)]
pub(crate) enum RootError {
    /// The guard refuses.
    Denied(Denied),
    /// The file system does.
    Io(io::Error),
}

impl Roots {
    /// A root that is not absolute is none. What people configured may itself lie behind a link, and does so from then on.
    pub(super) fn new(roots: &[PathBuf]) -> Roots {
        Roots(roots.iter().filter(|root| root.is_absolute()).cloned().collect())
    }

    pub(super) fn place(&self, path: &str) -> Result<Place, RootError> {
        if path.contains('\0') {
            return Err(denied("it has a NUL"));
        }
        // Destinations that were written for a server whose paths are absolute may lack the first slash.
        let path = Path::new("/").join(path.trim_start_matches('/'));
        if path.components().any(|part| matches!(part, Component::ParentDir)) {
            return Err(denied("it has .. in it"));
        }
        let below = |root: &PathBuf| path.strip_prefix(root).ok().map(Path::to_owned);
        let found = self.0.iter().find_map(|root| below(root).map(|rest| (root, rest)));
        let (root, rest) = found.ok_or_else(|| denied("it is below no configured root"))?;
        let mut folder = open_folder(CWD, root, OFlags::empty())?;
        for part in rest.components() {
            let Component::Normal(name) = part else { continue };
            folder = open_folder(&folder, Path::new(name), OFlags::NOFOLLOW)?;
        }
        Ok(Place { folder })
    }
}

fn open_folder<F: std::os::fd::AsFd>(at: F, path: &Path, more: OFlags) -> Result<OwnedFd, RootError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    rustix::fs::openat(at, path, flags, Mode::empty()).map_err(|error| match error {
        // A link answers ENOTDIR when a folder is asked for, ELOOP otherwise.
        Errno::LOOP | Errno::NOTDIR if more.contains(OFlags::NOFOLLOW) => {
            denied("a part of it is a link or no folder")
        }
        error => RootError::Io(error.into()),
    })
}

fn denied(what: &'static str) -> RootError {
    RootError::Denied(Denied(Why::Root(what)))
}

impl Place {
    /// The files of the folder: neither folders, links, nor what is hidden or has no name in UTF-8.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn files(&self) -> io::Result<Vec<FolderFile>> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.folder)?.take(FOLDER_FILES_MAX) {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let found = match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                // Somebody was faster.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
                continue;
            }
            let changed = found.st_mtime.max(found.st_ctime);
            let changed = Timestamp::from_second(changed).unwrap_or(Timestamp::MIN);
            let bytes = u64::try_from(found.st_size).unwrap_or(0);
            files.push(FolderFile { name: name.to_owned(), changed, bytes });
        }
        Ok(files)
    }

    /// A whole file; none when it has more bytes.
    ///
    /// # Errors
    /// What the file system says; a link is not followed.
    pub(crate) fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        // A pipe in its place must not make us wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = rustix::fs::openat(&self.folder, name, flags, Mode::empty())?.into();
        let mut bytes = Vec::new();
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes)?;
        Ok((bytes.len() <= bytes_max).then_some(bytes))
    }

    /// Moves a file into a folder inside, which is made if it is not there. Both are single components of a path.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn relocate(&self, name: &str, folder: &str) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.folder, folder, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inner = rustix::fs::openat(&self.folder, folder, flags, Mode::empty())?;
        Ok(rustix::fs::renameat(&self.folder, name, inner, name)?)
    }

    /// Writes a whole file, in place of one that has its name. `name` and `temporary` are single components of a path;
    /// `temporary` is of the same row at every attempt, so an attempt that broke off leaves nothing behind for good.
    ///
    /// # Errors
    /// What the file system says. The file that was there before is then untouched.
    pub(crate) fn write(&self, name: &str, temporary: &str, bytes: &[u8]) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.folder, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, temporary, flags, Mode::from_raw_mode(0o644))?;
        let written = fill(file.into(), bytes)
            .and_then(|()| Ok(rustix::fs::renameat(&self.folder, temporary, &self.folder, name)?));
        if let Err(error) = written {
            // The first error is the one to tell.
            let _ = rustix::fs::unlinkat(&self.folder, temporary, AtFlags::empty());
            return Err(error);
        }
        // The rename is in the folder; without this it may be lost with the power.
        Ok(rustix::fs::fsync(&self.folder)?)
    }
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}
