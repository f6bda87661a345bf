//! A disk of its own whose power can be cut: ext4 on a loop device.
//!
//! `EXT4_IOC_SHUTDOWN` without flushing the log is what xfstests uses: from then on the file system answers every
//! operation with EIO, and after a remount it holds what had reached the device. Dirty pages and metadata that the
//! journal did not have are gone, as after a power cut; sectors are not torn and writes not reordered.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
const NO_LOG_FLUSH: u32 = 2;

/// The image file and where it is mounted. Dropping it unmounts.
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes an empty file system of so many MiB in `dir` and mounts it.
    pub(crate) fn create(dir: &Path, size_mb: u64) -> Result<Self, String> {
        let (image, mount) = (dir.join("disk.img"), dir.join("disk"));
        let made = File::create(&image).and_then(|file| file.set_len(size_mb << 20));
        made.and_then(|()| std::fs::create_dir_all(&mount)).map_err(|e| format!("{}: {e}", dir.display()))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let mut disk = Self { image, mount, mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// Where the files are.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Takes the power away: nothing more reaches the disk.
    pub(crate) fn cut(&self) -> Result<(), String> {
        let root = File::open(&self.mount).map_err(|e| format!("{}: {e}", self.mount.display()))?;
        shut_down(&root).map_err(|e| format!("shutting down {}: {e}", self.mount.display()))
    }

    /// Brings the disk back as the journal has it. Nothing may have files open.
    pub(crate) fn restore(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        let mut outcome = Ok(());
        // The kernel may take a moment to let go of a killed process's files.
        for _ in 0..50 {
            outcome = run(Command::new("umount").arg(&self.mount));
            if outcome.is_ok() {
                self.mounted = false;
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        outcome
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted
            && let Err(reason) = self.unmount()
        {
            eprintln!("{reason}");
        }
    }
}

/// Whether this process may mount.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

#[expect(unsafe_code, reason = "an ioctl that no crate wraps")]
fn shut_down(root: &File) -> io::Result<()> {
    let how = NO_LOG_FLUSH;
    // SAFETY: the descriptor is open, and this request reads one u32 that outlives the call.
    let answer = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const how) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}
