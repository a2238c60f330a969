//! A program of ours, running: started, read, stopped. It never outlives its test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

/// What `tests/run` tells through the environment.
pub fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the tests with tests/run"))
}

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_comptoir");

pub struct Process {
    child: Child,
    lines: Mutex<mpsc::Receiver<String>>,
    /// The line that told it is ready.
    pub ready: String,
}

impl Process {
    /// Starts `comptoir` with these arguments and waits until it says it is ready.
    pub fn start<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::run(Command::new(PROGRAM).args(arguments))
    }

    /// The same in a shell that first says this.
    pub fn start_after<S: AsRef<std::ffi::OsStr>>(shell: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        Self::run(Command::new("bash").args(["-c", &format!("{shell}; exec \"$0\" \"$@\""), PROGRAM]).args(arguments))
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command.env_remove("COMPTOIR_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the program never waits for a reader.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut process = Self { child, lines: Mutex::new(lines), ready: String::new() };
        process.ready = process.line_with("ready ");
        process
    }

    /// The next line of its output that contains this.
    pub fn line_with(&self, part: &str) -> String {
        let end = Instant::now() + super::LONG;
        let lines = self.lines.lock().unwrap();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(why) => panic!("no line with {part:?}: {why}"),
            }
        }
    }

    /// The address behind `name=http://` in the line that told it is ready.
    pub fn address(&self, name: &str) -> String {
        let prefix = format!("{name}=http://");
        let found = self.ready.split(' ').find_map(|word| word.strip_prefix(&prefix));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.ready)).to_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Of memory that is its own. Bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// As a crash does.
    pub fn kill(&mut self) {
        // It may be gone already; either way it is then waited for.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < within, "it runs on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
