//! The server under test when no other is named: the release build of this tree, on a database of
//! its own, without authentication.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Child;
use tokio::time::sleep;

use super::connection::{Connection, Target};
use crate::process::{self, command, free_port};

/// How long it may take until it answers.
const START: Duration = Duration::from_secs(30);

/// A running server.
pub struct Server {
    /// Where it listens.
    pub target: Target,
    /// From its start to its first answer that needs the database.
    pub ready: Duration,
    child: Child,
}

impl Server {
    /// Starts the program with its database and log in the directory.
    ///
    /// # Errors
    /// If it does not answer; the error has its log.
    pub async fn start(program: &Path, directory: &Path) -> Result<Self> {
        Self::start_with(program, directory, &[]).await
    }

    /// [`Server::start`] with further options.
    pub async fn start_with(program: &Path, directory: &Path, options: &[String]) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let database = format!("sqlite:{}", directory.join("bench.db").display());
        let log = directory.join("server.log");
        let mut server = command(program);
        server.args(["serve", "--auth", "none", "--listen", &address, "--database", &database]);
        for kind in ["network", "subnet", "port", "security_group", "security_group_rule"] {
            server.args(["--quota", &format!("{kind}=-1")]);
        }
        server.args(options);
        let file = File::create(&log)?;
        server.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let began = Instant::now();
        let mut child = server.spawn().with_context(|| format!("cannot start {program:?}"))?;
        let target = Target::new(&format!("http://{address}"), &[])?;
        loop {
            if answers(&target).await {
                return Ok(Server { target, ready: began.elapsed(), child });
            }
            let ended = child.try_wait()?;
            if ended.is_some() || began.elapsed() > START {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("the server does not answer ({ended:?}); its log:\n{said}");
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends it as an operator would.
    pub async fn stop(mut self) -> Result<()> {
        process::stop(&mut self.child, "TERM").await
    }

    /// The processor time that it has used so far.
    pub fn cpu(&self) -> Result<Duration> {
        let id = self.child.id().context("the server has ended")?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        let (_, rest) = stat.rsplit_once(") ").context("/proc/…/stat")?;
        // Of the fields after the name these are user and system time, in hundredths of a second.
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.collect::<Result<Vec<u64>, _>>()?.iter().sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    /// The memory it has in use, in MiB.
    pub fn resident(&self) -> Result<f64> {
        let id = self.child.id().context("the server has ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 =
            line.and_then(|it| it.split_whitespace().next()).context("VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }
}

async fn answers(target: &Target) -> bool {
    let Ok(mut connection) = Connection::open(target).await else { return false };
    let request = target.request("GET", "/v2.0/networks?limit=1", "");
    connection.send(&request).await.is_ok_and(|status| status == 200)
}

/// Builds the server for release; returns the path of the program.
pub async fn build(signals: &mut process::Signals) -> Result<PathBuf> {
    let mut cargo = command("cargo");
    cargo.args(["build", "--release", "--package", "nucleon-server", "--bin", "nucleon"]);
    process::run(signals, &mut cargo).await?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    Ok(target.unwrap_or_else(|| process::root().join("target")).join("release/nucleon"))
}
