//! Running other programs so that none outlives the task: not on failure, not on Ctrl-C.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// The root of the workspace.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// A command that starts in the root of the workspace.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).kill_on_drop(true);
    command
}

/// Is there a program of this name on the path?
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// A loopback port that nobody had a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The signals that ask the task to end. While this lives they no longer end it by themselves.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Whether one of them has come.
    pub seen: bool,
}

impl Signals {
    /// Takes the signals over.
    pub fn new() -> Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            seen: false,
        })
    }

    /// Waits for one of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
        self.seen = true;
    }
}

/// Says what it runs, runs it, and fails if it fails. A signal ends the program, then the task.
pub async fn run(signals: &mut Signals, command: &mut Command) -> Result<()> {
    let line = spell(command);
    println!("$ {line}");
    let mut child = command.spawn().with_context(|| format!("cannot start {line}"))?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = signals.next() => {
            stop(&mut child, "TERM").await?;
            bail!("interrupted during {line}");
        }
    };
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Runs it silently and returns what it printed; both streams are in the error if it fails.
pub async fn output(command: &mut Command) -> Result<String> {
    let line = spell(command);
    let output = command.output().await.with_context(|| format!("cannot start {line}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{line}: {}\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(printed)
}

/// Sends the signal and waits; kills what does not go within fifteen seconds.
pub async fn stop(child: &mut Child, signal: &str) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(15);
    let Some(id) = child.id() else { return Ok(()) };
    // Sending a signal needs `unsafe` or a crate; the program `kill` needs neither.
    Command::new("kill").args(["-s", signal, &id.to_string()]).status().await?;
    if timeout(PATIENCE, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

fn spell(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
