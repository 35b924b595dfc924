//! The program `nucleon`: configuration, listener, metrics, log, subcommands. Not here: the API
//! itself (`api`), what things mean (`model`).

pub mod command;
pub mod config;
mod duty;
pub mod front;
pub mod limits;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod plane;
pub mod say;
pub mod storage;
pub mod sweep;
pub mod tls;
pub mod upload;
pub mod wiring;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use command::{Cli, Command};

/// What blocking work has left to end when everything else has.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Does what the arguments ask. Errors are told on stderr.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match config::file::parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    match obey(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nucleon: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn refused(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<clap::Error>() {
        Some(usage) => {
            // Nobody listening is no reason to fail.
            let _ = usage.print();
            // Where the usage is told about a file, the error itself names that file.
            let context = error.to_string();
            if context != usage.to_string() {
                eprintln!("{context}");
            }
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
        }
        None => {
            eprintln!("nucleon: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn obey(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start worker threads")?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => wiring::serve(*options).await.map(|()| ExitCode::SUCCESS),
            Command::Db(command) => command::database::run(command).await,
            Command::Ovn(command) => command::ovn::run(command).await,
            Command::Policy(command) => command::policy::run(command),
            Command::Token(command) => command::token::run(command).await,
            Command::Version => {
                say::say(format!("nucleon {}", env!("CARGO_PKG_VERSION")));
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    runtime.shutdown_timeout(END_TIMEOUT);
    done
}
