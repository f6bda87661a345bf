//! `dateline serve` as a child process on the disk that is cut.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Password of the administrator it makes at its first start.
pub(crate) const PASSWORD: &str = "power cut 7 battery";
const START_MAX: Duration = Duration::from_secs(60);

/// Starts the program, time after time.
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    /// Where it logs to; outside the disk.
    pub(crate) log: PathBuf,
}

/// A running program. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
}

impl Program {
    /// Starts it without waiting.
    pub(crate) fn spawn(&self) -> Result<Running, String> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|e| format!("{}: {e}", self.log.display()))?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(&self.data).args(["--listen", "127.0.0.1:0"]);
        command.env("DATELINE_ADMIN_PASSWORD", PASSWORD);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn().map_err(|e| format!("{}: {e}", self.binary.display()))?;
        Ok(Running { child })
    }

    /// Starts it and waits until it serves; its address, and how long that took.
    pub(crate) fn start(&self) -> Result<(Running, String, Duration), String> {
        let began = Instant::now();
        let mut running = self.spawn()?;
        let stdout = running.child.stdout.take().ok_or("the program has no output")?;
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more once the program is ready.
                let _ = tell.send(line);
            }
        });
        loop {
            let left = START_MAX.saturating_sub(began.elapsed());
            let line = told.recv_timeout(left).map_err(|_| self.complaint("it did not start"))?;
            if let Some(url) = line.strip_prefix("listening on ") {
                return Ok((running, url.trim().to_owned(), began.elapsed()));
            }
        }
    }

    /// What it logged last.
    fn complaint(&self, what: &str) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(15);
        format!("{what}; {} ends:\n{}", self.log.display(), lines.get(last..).unwrap_or_default().join("\n"))
    }
}

impl Running {
    /// Kills it and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The program beside this tool.
pub(crate) fn beside() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let found = own.parent().map(|dir| dir.join("dateline")).filter(|path| path.exists());
    found.ok_or_else(|| format!("no dateline beside {}: name it with --program", own.display()))
}

/// A directory of our own for one run.
pub(crate) fn work_dir(dir: &Path) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}
