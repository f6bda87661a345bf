//! Programs as child processes: `dateline serve`, and the peers it is measured beside.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Password of the administrator it makes at its first start.
pub(crate) const PASSWORD: &str = "kept 7 battery";
const START_MAX: Duration = Duration::from_secs(60);

/// Starts the program, time after time.
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    /// Where it logs to; outside the disk.
    pub(crate) log: PathBuf,
    /// Settings beside those of every run, `name=value`.
    pub(crate) settings: Vec<String>,
}

/// A running program. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
}

impl Program {
    /// With the settings of every run.
    pub(crate) fn new(binary: &Path, data: PathBuf, log: PathBuf) -> Self {
        Self { binary: binary.to_owned(), data, log, settings: Vec::new() }
    }

    /// Starts it without waiting.
    pub(crate) fn spawn(&self) -> Result<Running, String> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|e| format!("{}: {e}", self.log.display()))?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(&self.data).args(["--listen", "127.0.0.1:0"]);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
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

/// A program that listens on a port of its own; told when it takes connections. Dropping it kills it.
pub(crate) fn peer(command: &mut Command, port: u16) -> Result<Running, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|e| format!("{name}: {e}; on Debian: apt-get install {name}"))?;
    let running = Running { child };
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if began.elapsed() > START_MAX {
            return Err(format!("{name} does not listen on port {port}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(running)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|e| e.to_string())
}

/// A directory for one run, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Below `parent`, or below the directory for temporary files.
    pub(crate) fn new(parent: Option<&Path>, name: &str) -> Result<Self, String> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let dir = parent.join(format!("dateline-{name}-{}", std::process::id()));
        work_dir(&dir)?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Only files of this run are in it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A directory of our own for one run.
pub(crate) fn work_dir(dir: &Path) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}
