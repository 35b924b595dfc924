//! `cargo xtask bench`: measures a server over HTTP in a closed loop, ours or any other that
//! speaks the Networking API. What is measured is in `scenario`.

mod connection;
mod histogram;
mod load;
mod ovn;
mod report;
mod scenario;
mod server;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::connection::Target;
use self::report::Row;
use self::scenario::{Choice, SCENARIOS, Scenario};
use self::server::Server;
use self::stage::{PORTS_PER_NETWORK, Stage};
use crate::args::Args;
use crate::directory::Directory;
use crate::process::{self, Signals, command, root};

const HELP: &str = "\
cargo xtask bench [OPTIONS]

  --url URL        a running server; without it this tree is built, started and stopped
  --token TOKEN    sent as X-Auth-Token
  --header K:V     sent with every request; may be repeated
  --clients N      clients of the scenarios that have many (32)
  --seconds N      how long each scenario is measured (10)
  --networks N     networks that created ports are spread over (1)
  --ports N        ports that the server is filled with before the searches
                   (100000; with --url none, and no searches)
  --only NAME      only scenarios whose name has this in it; may be repeated
  --json FILE      write the numbers there as well
  --server PATH    start this program instead of building one
";

/// Half of what is read from the command line; the rest is in [`Choice`].
struct Options {
    url: Option<String>,
    headers: Vec<(String, String)>,
    only: Vec<String>,
    ports: usize,
    server: Option<PathBuf>,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }

    fn scenarios(&self, full: bool) -> impl Iterator<Item = &'static Scenario> {
        SCENARIOS.iter().filter(move |it| it.full == full && self.wants(it.name))
    }
}

/// Reads the options, measures, and prints the table.
pub async fn run(mut args: Args) -> Result<()> {
    if args.flag("--help") {
        print!("{HELP}");
        return Ok(());
    }
    let mut signals = Signals::new()?;
    if cfg!(debug_assertions) {
        return run_optimised(&mut signals, args).await;
    }
    let url = args.option("--url")?;
    let clients = args.number("--clients", 32)?.max(1);
    let seconds = args.number("--seconds", 10)?.max(1);
    let json = args.option("--json")?;
    let networks = args.number("--networks", 1)?.clamp(1, 200);
    let choice = Choice { clients, time: Duration::from_secs(seconds as u64), networks };
    let options = Options {
        headers: headers(&mut args)?,
        only: args.options("--only")?,
        ports: args.number("--ports", if url.is_some() { 0 } else { 100_000 })?,
        server: args.option("--server")?.map(PathBuf::from),
        url,
    };
    args.finish()?;
    let program = match (&options.url, &options.server) {
        (Some(_), _) => None,
        (None, Some(program)) => Some(program.clone()),
        (None, None) => Some(server::build(&mut signals).await?),
    };
    let measuring = async {
        match &program {
            Some(program) => measure_own(program, &options, &choice).await,
            None => measure_other(&options, &choice).await,
        }
    };
    let rows = tokio::select! {
        rows = measuring => rows?,
        () = signals.next() => bail!("interrupted"),
    };
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&report::json(&rows, clients, seconds))?;
        fs::write(&path, text).with_context(|| format!("cannot write {path}"))?;
    }
    println!("\n{}", report::table(&rows));
    Ok(())
}

/// An unoptimised generator would take a good part of the machine from the server.
async fn run_optimised(signals: &mut Signals, args: Args) -> Result<()> {
    let mut cargo = command("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "xtask", "--", "bench"]);
    process::run(signals, cargo.args(args.rest())).await
}

fn headers(args: &mut Args) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    if let Some(token) = args.option("--token")? {
        headers.push(("X-Auth-Token".to_owned(), token));
    }
    for header in args.options("--header")? {
        let pair = header.split_once(':').with_context(|| format!("{header:?} is no K:V"))?;
        headers.push((pair.0.trim().to_owned(), pair.1.trim().to_owned()));
    }
    Ok(headers)
}

/// Somebody's server: what is made there is removed again.
async fn measure_other(options: &Options, choice: &Choice) -> Result<Vec<Row>> {
    let url = options.url.as_deref().unwrap_or_default();
    let target = Target::new(url, &options.headers)?;
    let mut stage = Stage::new(target, 100).await?;
    let measured = measure_scenarios(&mut stage, options, choice).await;
    println!("removing what was made");
    let cleared = stage.clear().await;
    let rows = measured?;
    cleared?;
    Ok(rows)
}

async fn measure_scenarios(
    stage: &mut Stage,
    options: &Options,
    choice: &Choice,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    measure(stage, options.scenarios(false), choice, &mut rows).await?;
    if options.ports > 0 && options.scenarios(true).next().is_some() {
        fill(stage, options.ports).await?;
        measure(stage, options.scenarios(true), choice, &mut rows).await?;
    }
    Ok(rows)
}

/// A server of our own: also its memory, and how soon it is back with a full database.
async fn measure_own(program: &Path, options: &Options, choice: &Choice) -> Result<Vec<Row>> {
    let directory = Directory::new(&root().join("target"), "bench")?;
    let mut rows = Vec::new();
    if options.scenarios(false).next().is_some() {
        let small = Directory::new(&directory.path, "small")?;
        let server = Server::start(program, &small.path).await?;
        let mut stage = Stage::new(server.target.clone(), 500).await?;
        measure(&mut stage, options.scenarios(false), choice, &mut rows).await?;
        server.stop().await?;
    }
    let wants = |name: &str| options.wants(name);
    ovn::measure(program, &directory.path, choice, wants, &mut rows).await?;
    let (memory, ready) = (options.wants("memory"), options.wants("ready"));
    let nothing = options.scenarios(true).next().is_none() && !memory && !ready;
    if options.ports == 0 || nothing {
        return Ok(rows);
    }
    let server = Server::start(program, &directory.path).await?;
    let mut stage = Stage::new(server.target.clone(), 500).await?;
    fill(&mut stage, options.ports).await?;
    measure(&mut stage, options.scenarios(true), choice, &mut rows).await?;
    let ports = options.ports;
    if memory {
        // After the searches, and after a list that passes every port through the server.
        let all = stage.filled;
        stage.ports("fields=id", all).await?;
        let name = format!("memory-{ports}-ports");
        rows.push(announced(Row::single(name, "MiB", server.resident()?, 150.0)));
    }
    server.stop().await?;
    if ready {
        let server = Server::start(program, &directory.path).await?;
        let seconds = server.ready.as_secs_f64();
        rows.push(announced(Row::single(format!("ready-{ports}-ports"), "s", seconds, 1.0)));
        server.stop().await?;
    }
    Ok(rows)
}

async fn fill(stage: &mut Stage, ports: usize) -> Result<()> {
    println!("filling the server with {ports} ports");
    let mut left = ports;
    // At least four networks, so that a search by network is not a search for everything.
    let share = ports.div_ceil(4).min(PORTS_PER_NETWORK);
    while left > 0 {
        let network = stage.network().await?;
        stage.fill(&network, share.min(left)).await?;
        left -= share.min(left);
    }
    Ok(())
}

async fn measure(
    stage: &mut Stage,
    scenarios: impl Iterator<Item = &'static Scenario>,
    choice: &Choice,
    rows: &mut Vec<Row>,
) -> Result<()> {
    for scenario in scenarios {
        let prepared = scenario.prepare(stage, choice).await;
        let (load, requests) = prepared.with_context(|| format!("preparing {}", scenario.name))?;
        let outcome = load::run(&stage.target, load, requests).await?;
        rows.push(announced(Row::of(scenario, &outcome)));
    }
    Ok(())
}

fn announced(row: Row) -> Row {
    println!("{}", row.line());
    row
}
