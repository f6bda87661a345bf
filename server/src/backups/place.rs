//! Where on the server a backup may go: below the configured directory, and nowhere else.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use dateline_engine::{BackupDir, ErrorKind};

use crate::eve::problem::{Problem, Slug};

/// Directories between the configured one and a backup, itself included.
const DEPTH_MAX: usize = 4;
const NAME_BYTES_MAX: usize = 100;

/// The directory of a backup: `to` is names of letters, digits, `.`, `-` and `_`, joined with `/`.
///
/// # Errors
/// 400 when it is something else, or a link leads away from the configured directory.
pub(super) fn find(root: &Path, to: &str) -> Result<PathBuf, Problem> {
    let names: Vec<&str> = to.split('/').collect();
    if names.len() > DEPTH_MAX || !names.iter().all(|name| is_plain(name)) {
        return Err(wrong(format!(
            "'{to}' is not 1 to {DEPTH_MAX} names of letters, digits, '.', '-' and '_' joined with '/'"
        )));
    }
    let mut path = root.to_owned();
    for name in names {
        path.push(name);
        if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            return Err(wrong(format!("{name} is not a directory")));
        }
    }
    Ok(path)
}

fn is_plain(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

pub(super) fn wrong(why: impl Display) -> Problem {
    Problem::new(Slug::ValidationFailed, format!("to: {why}")).issue("to", why.to_string())
}

/// Every backup below the configured directory, by its place.
///
/// # Errors
/// As `BackupDir::open`, but what is no backup is passed over.
pub(super) fn all(root: &Path) -> dateline_engine::Result<Vec<(String, BackupDir)>> {
    let mut found = Vec::new();
    walk(root, "", DEPTH_MAX, &mut found)?;
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, BackupDir)>,
) -> dateline_engine::Result<()> {
    // One that does not exist yet holds nothing.
    for entry in std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_plain(&name) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let place = format!("{prefix}{name}");
        match BackupDir::open(&entry.path()) {
            Ok(backup) => found.push((place, backup)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if depth > 1 {
                    walk(&entry.path(), &format!("{place}/"), depth - 1, found)?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_never_leaves_its_directory() {
        let root = tempfile::tempdir().unwrap();
        let check = |to: &str, fits: bool| {
            assert_eq!(find(root.path(), to).is_ok(), fits, "{to:?}");
        };
        check("daily", true);
        check("site-1/2026.11", true);
        for bad in
            ["", "/", "/etc", "..", "a/..", "../a", "a//b", "a/", "./a", ".hidden", "a\\b", "a b", "a\0", "ü"]
        {
            check(bad, false);
        }
        check("a/b/c/d", true);
        check("a/b/c/d/e", false);
        check(&"x".repeat(101), false);

        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        std::fs::write(root.path().join("file"), "x").unwrap();
        check("link", false);
        check("link/a", false);
        check("file", false);
    }
}
