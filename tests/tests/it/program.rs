//! The `dateline` program as a child process: started, killed, stopped, restarted on one directory.
//!
//! Invariant: no child outlives its `Server`, and a run that logs a warning, an error or a panic fails the
//! test when it ends.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The password of `admin` in every test.
pub(crate) const PASSWORD: &str = "correct horse 7 battery";
/// A start may replay a log; nothing here is large.
const START_MAX: Duration = Duration::from_secs(90);
const STOP_MAX: Duration = Duration::from_secs(30);

/// Where the program listens now; every restart changes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Address(Arc<RwLock<String>>);

impl Address {
    /// `http://HOST:PORT`, empty while nothing runs: another program may get the port meanwhile.
    pub(crate) fn get(&self) -> String {
        self.0.read().expect("no writer panics").clone()
    }

    fn set(&self, url: &str) {
        url.clone_into(&mut self.0.write().expect("no writer panics"));
    }
}

/// One data directory and the program that serves it.
pub(crate) struct Server {
    home: TempDir,
    address: Address,
    running: Option<Running>,
    /// Further flags of every start.
    flags: Vec<String>,
    /// What a shell does before it becomes the program, such as `ulimit -n 64`.
    before: String,
    /// Complaints that a test provokes.
    expected: Vec<String>,
}

struct Running {
    child: Child,
    talk: Arc<Mutex<Vec<String>>>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// What a finished program left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Server {
    /// A fresh directory, nothing running yet.
    pub(crate) fn idle() -> Self {
        Self::idle_in(&std::env::temp_dir())
    }

    /// A fresh directory on a disk of the test's choice, nothing running yet.
    pub(crate) fn idle_in(disk: &Path) -> Self {
        let home = tempfile::Builder::new().prefix("dateline-it-").tempdir_in(disk);
        let home = home.expect("a temporary directory");
        let (address, flags, expected) = (Address::default(), Vec::new(), Vec::new());
        Self { home, address, running: None, flags, before: String::new(), expected }
    }

    /// A fresh directory with the program serving it.
    pub(crate) fn start() -> Self {
        let mut server = Self::idle();
        server.launch();
        server
    }

    /// Gives every later start these flags too.
    pub(crate) fn flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// Runs every later start below a shell that has done this.
    pub(crate) fn before(&mut self, shell: &str) {
        shell.clone_into(&mut self.before);
    }

    /// Takes complaints with one of these texts as they come; a panic never.
    pub(crate) fn expect_complaints(&mut self, texts: &[&str]) {
        self.expected = texts.iter().map(|&text| text.to_owned()).collect();
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The id of the running process.
    pub(crate) fn process(&self) -> u32 {
        self.running.as_ref().expect("the program runs").child.id()
    }

    /// Resident memory of the running program in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process()));
        let status = status.expect("a process of Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no VmRSS in {status}")) >> 10
    }

    /// What the running program has logged so far.
    pub(crate) fn said(&self) -> Vec<String> {
        let running = self.running.as_ref().expect("the program runs");
        running.talk.lock().expect("no reader panics").clone()
    }

    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// Starts the program on the directory, at a free port, and waits until it is ready.
    pub(crate) fn launch(&mut self) {
        if let Err(talk) = self.try_launch() {
            panic!("dateline serve ended at start, or is not ready in time:\n{}", talk.join("\n"));
        }
    }

    /// As `launch`; what the program said when it does not start.
    pub(crate) fn try_launch(&mut self) -> Result<(), Vec<String>> {
        assert!(self.running.is_none(), "the program runs already");
        let (running, ready) = Running::spawn(self.serve());
        self.running = Some(running);
        let deadline = Instant::now() + START_MAX;
        while let Ok(line) = ready.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some(url) = line.strip_prefix("listening on ") {
                self.address.set(url.trim());
                return Ok(());
            }
        }
        // It may be gone already.
        Err(self.end(|child| drop(child.kill())))
    }

    fn serve(&self) -> Command {
        let mut command = dateline();
        if !self.before.is_empty() {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{}; exec \"$0\" \"$@\"", self.before)]).arg(command.get_program());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            command = shell;
        }
        command
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .args(["--listen", "127.0.0.1:0"])
            .args(&self.flags);
        command
    }

    /// Kills the program as a power cut would: no warning, no drain.
    pub(crate) fn kill(&mut self) {
        let talk = self.end(|child| child.kill().expect("the child can be killed"));
        self.check(&talk);
    }

    /// Starts the program and kills it so soon that it may still be recovering.
    pub(crate) fn stumble(&mut self, after: Duration) {
        assert!(self.running.is_none(), "the program runs already");
        self.running = Some(Running::spawn(self.serve()).0);
        thread::sleep(after);
        self.kill();
    }

    /// Asks the program to end, and checks that it drains and exits with 0.
    pub(crate) fn stop(&mut self) {
        let running = self.running.as_mut().expect("the program runs");
        terminate(running.child.id());
        let code = wait(&mut running.child, STOP_MAX);
        let talk = self.end(|child| drop(child.kill()));
        assert_eq!(code, Some(0), "exit code after SIGTERM:\n{}", talk.join("\n"));
        self.check(&talk);
    }

    fn end(&mut self, how: impl FnOnce(&mut Child)) -> Vec<String> {
        let Some(mut running) = self.running.take() else { return Vec::new() };
        self.address.set("");
        how(&mut running.child);
        running.child.wait().expect("the child can be waited for");
        for reader in running.readers {
            reader.join().expect("a reader ends with its pipe");
        }
        let mut talk = running.talk.lock().expect("no reader panics");
        std::mem::take(&mut *talk)
    }

    fn check(&self, talk: &[String]) {
        let is_expected = |line: &str| {
            !line.contains("panicked at") && self.expected.iter().any(|text| line.contains(text.as_str()))
        };
        let bad: Vec<&String> = talk.iter().filter(|line| is_complaint(line) && !is_expected(line)).collect();
        assert!(bad.is_empty(), "unexpected in the program's log: {bad:#?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let talk = self.end(|child| drop(child.kill()));
        if thread::panicking() {
            let tail = talk.len().saturating_sub(40);
            eprintln!("last lines of the program's log:\n{}", talk[tail..].join("\n"));
        } else {
            self.check(&talk);
        }
    }
}

impl Running {
    fn spawn(mut command: Command) -> (Self, Receiver<String>) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let talk = Arc::new(Mutex::new(Vec::new()));
        let (tell, ready) = channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let kept = Arc::clone(&talk);
        let readers = vec![
            // Nobody listens any more once the program is ready.
            read_lines(stdout, move |line| drop(tell.send(line))),
            read_lines(stderr, move |line| kept.lock().expect("no reader panics").push(line)),
        ];
        (Self { child, talk, readers }, ready)
    }
}

fn read_lines(
    pipe: impl Read + Send + 'static,
    mut take: impl FnMut(String) + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            match line {
                Ok(line) => take(without_colour(&line)),
                Err(_) => return,
            }
        }
    })
}

fn without_colour(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

fn is_complaint(line: &str) -> bool {
    let marks = [" WARN ", " ERROR ", "\"level\":\"WARN\"", "\"level\":\"ERROR\"", "panicked at"];
    marks.iter().any(|mark| line.contains(mark)) || line.starts_with("WARN ") || line.starts_with("ERROR ")
}

/// Asks a process that this test started to end (SIGTERM).
pub(crate) fn terminate(id: u32) {
    signal(id, "TERM");
}

/// Sends a signal, such as `STOP`, to a process that this test started.
pub(crate) fn signal(id: u32, name: &str) {
    // The shell's own kill: the standard library sends nothing but SIGKILL.
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().expect("sh runs");
    assert!(status.success(), "process {id} cannot be signalled");
}

/// Waits for a child for so long; its exit code, or `None` if it was killed or is still running.
pub(crate) fn wait(child: &mut Child, at_most: Duration) -> Option<i32> {
    let deadline = Instant::now() + at_most;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status.code();
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// The program's file.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("DATELINE_BIN") {
        return path.into();
    }
    let own = std::env::current_exe().expect("the test knows its own file");
    let beside = own.parent().and_then(Path::parent).expect("target/release/deps").join("dateline");
    assert!(beside.exists(), "{} is missing: run cargo build --release -p dateline-server", beside.display());
    beside
}

/// The program with nothing of this process's settings but the administrator's password.
pub(crate) fn dateline() -> Command {
    let mut command = Command::new(binary());
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("DATELINE_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").env("DATELINE_ADMIN_PASSWORD", PASSWORD);
    command
}

/// Runs a command of the program to its end.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Outcome {
    let mut command = dateline();
    command.args(arguments);
    outcome(command, Duration::from_secs(180))
}

/// Runs any command to its end.
pub(crate) fn outcome(mut command: Command, at_most: Duration) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(String::new())));
    let keep = |into: &Arc<Mutex<String>>| {
        let into = Arc::clone(into);
        move |line: String| {
            let mut text = into.lock().expect("no reader panics");
            text.push_str(&line);
            text.push('\n');
        }
    };
    let readers = [
        read_lines(child.stdout.take().expect("stdout is piped"), keep(&out)),
        read_lines(child.stderr.take().expect("stderr is piped"), keep(&err)),
    ];
    let code = wait(&mut child, at_most);
    if code.is_none() {
        drop(child.kill());
        child.wait().expect("the child can be waited for");
    }
    readers.into_iter().for_each(|reader| reader.join().expect("a reader ends with its pipe"));
    let text = |from: Arc<Mutex<String>>| from.lock().expect("no reader panics").clone();
    Outcome { code, stdout: text(out), stderr: text(err) }
}
