//! The programs of the laboratory: daemons that die with the test, and commands that must succeed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::patience::until;

/// The ending of the files that say which processes were started; see `leftover`.
pub const STARTED: &str = "started";

/// A program that runs in the background. Killed when it is dropped, and by the kernel when the
/// thread that started it ends: so start it from a thread that lives as long as the test.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it. What it says goes to `NAME.log` in the directory.
    ///
    /// # Panics
    /// If it cannot be started, for instance because it is not installed.
    pub fn start(directory: &Path, name: &str, command: &[&str]) -> Self {
        let mut words = vec!["--pdeathsig", "KILL"];
        words.extend(command);
        let log = directory.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new("setpriv")
            .args(words)
            .env("OVS_RUNDIR", directory)
            .env("OVN_RUNDIR", directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv (util-linux): {error}"));
        let mut program = Self { name: name.to_owned(), child, log };
        let id = program.id();
        let started = directory.join(format!("{name}.{STARTED}"));
        fs::write(started, format!("{id} {}", birth(id).unwrap_or_default())).unwrap();
        // `setpriv` becomes the program; until then it is not known whether there is one.
        until(&format!("start of {}", command[0]), || {
            program.assert_running();
            let now = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            (!["setpriv", ""].contains(&now.trim())).then_some(())
        });
        program
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Is it there?
    ///
    /// # Panics
    /// If it is not, with what it said last.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} has ended: {status}\n{}", self.name, self.log());
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait(mut self) {
        until(&format!("end of {}", self.name), || self.child.try_wait().unwrap());
    }

    /// Stops it as a machine stops that loses its power.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When the process began, in the kernel's ticks: with its id it names a process for ever.
pub fn birth(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

/// Runs a command to its end and returns what it printed.
///
/// # Panics
/// If it fails or is not installed.
pub fn run(words: &[&str]) -> String {
    attempt(words).unwrap_or_else(|said| panic!("{}: {said}", words.join(" ")))
}

/// Runs a command to its end: what it printed, or what it said when it failed.
///
/// # Errors
/// If it failed: both its streams.
///
/// # Panics
/// If it is not installed.
pub fn attempt(words: &[&str]) -> Result<String, String> {
    let output = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} must be installed: {error}", words[0]));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    Err(format!("{}: {printed}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The words of a line: separated by blanks, of which those between single quotes are kept.
pub fn words(line: &str) -> Vec<String> {
    let mut quoted = false;
    let mut kept = |it: char| {
        quoted ^= it == '\'';
        !quoted && it.is_ascii_whitespace()
    };
    let words = line.split(&mut kept).filter(|it| !it.is_empty());
    words.map(|it| it.replace('\'', "")).collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words("set  port 'a b' c='d e'"), ["set", "port", "a b", "c=d e"]);
    }
}
