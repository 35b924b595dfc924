//! The tasks of the project, run as `cargo xtask NAME`. What a task does is in the file of its
//! name; here is only the list of them.

#![allow(clippy::print_stdout, reason = "a tool of the command line speaks on stdout")]

mod args;
mod audit;
mod bench;
mod directory;
mod engines;
mod process;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::args::Args;
use crate::process::{Signals, command};

const HELP: &str = "\
cargo xtask TASK

  test     every test, on SQLite and on private PostgreSQL and MariaDB servers
  bench    measure a server over HTTP (cargo xtask bench --help)
  dev      a server in memory, without authentication; more flags are passed on to it
  parity   compare the tables with the facts taken from Neutron
  tidy     the rules that no compiler checks: lengths, imports, headers
  audit    licences and banned dependencies
";

fn main() -> ExitCode {
    // One thread: the load generator shall leave the other cores to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let task = words.next().unwrap_or_else(|| "help".to_owned());
    let args = Args::new(words);
    match task.as_str() {
        "test" => test::run_all(args).await,
        "bench" => bench::run(args).await,
        "dev" => dev(args).await,
        "parity" => parity(args).await,
        "tidy" => tidy::run(args),
        "audit" => {
            args.finish()?;
            audit::run(&mut Signals::new()?).await
        }
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        unknown => bail!("no task {unknown}\n{HELP}"),
    }
}

/// Serves an empty database in memory to whoever is on this machine, until it is interrupted.
async fn dev(args: Args) -> Result<()> {
    let mut cargo = command("cargo");
    cargo.args(["run", "--package", "nucleon-server", "--bin", "nucleon", "--", "serve"]);
    cargo.args(["--database", "sqlite::memory:", "--auth", "none"]).args(args.rest());
    process::run(&mut Signals::new()?, &mut cargo).await
}

/// The comparison itself is a test of `model`, where the tables are.
async fn parity(args: Args) -> Result<()> {
    let mut cargo = command("cargo");
    cargo.args(["test", "--package", "nucleon-model", "--test", "parity"]).args(args.rest());
    process::run(&mut Signals::new()?, &mut cargo).await
}
