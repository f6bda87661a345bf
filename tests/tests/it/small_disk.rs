//! A disk of a few megabytes: a tmpfs of its own, for root only.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::parts;

/// Unmounted when dropped.
pub(crate) struct SmallDisk {
    mount: TempDir,
}

impl SmallDisk {
    /// `None`, with the reason told, where this user may not mount.
    pub(crate) fn mount(size_mib: u64) -> Option<Self> {
        let mount = tempfile::Builder::new().prefix("dateline-disk-").tempdir().expect("a directory");
        let options = format!("size={size_mib}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "dateline-test"])
            .arg(mount.path())
            .output();
        match mounted {
            Ok(done) if done.status.success() => Some(Self { mount }),
            other => {
                parts::without(&format!("a small disk needs root: {other:?}"));
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.mount.path()
    }

    fn filler(&self) -> PathBuf {
        self.mount.path().join("filler")
    }

    /// Fills it up to so many KiB.
    pub(crate) fn fill_to(&self, left_kib: u64) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("a file");
        while self.free_kib() > left_kib {
            let step = (self.free_kib() - left_kib).min(1024);
            let block = vec![7; usize::try_from(step << 10).expect("small")];
            if file.write_all(&block).is_err() {
                return;
            }
        }
    }

    /// Gives back what `fill_to` took.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("the filler is removed");
    }

    fn free_kib(&self) -> u64 {
        let told =
            Command::new("df").args(["-k", "--output=avail"]).arg(self.path()).output().expect("df runs");
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        text.lines()
            .nth(1)
            .and_then(|line| line.trim().parse().ok())
            .unwrap_or_else(|| panic!("df said {text}"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that is about to end may have files open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
