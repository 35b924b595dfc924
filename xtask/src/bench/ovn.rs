//! What OVN costs: a server with a Northbound and a Southbound of its own, as bare databases.
//! `ovn-northd` and hypervisors have machines of their own in a cloud, and are not started.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::process::Child;
use tokio::time::sleep;

use super::connection::Connection;
use super::load;
use super::report::Row;
use super::scenario::{Choice, Goal, Scenario};
use super::server::Server;
use super::stage::Stage;
use crate::process::{command, installed};

/// Where Debian's packages put the schemas.
const SCHEMAS: &str = "/usr/share/ovn";
/// Ports of the large database.
const PORTS: usize = 10_000;
/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long the server is left alone to see what it does then.
const IDLE: Duration = Duration::from_secs(10);

/// Two databases of OVN, each with its server.
struct Databases {
    options: Vec<String>,
    _servers: Vec<Child>,
}

impl Databases {
    async fn start(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let (mut options, mut servers) = (Vec::new(), Vec::new());
        for name in ["nb", "sb"] {
            let file = directory.join(format!("{name}.db"));
            let socket = directory.join(format!("{name}.sock"));
            let schema = format!("{SCHEMAS}/ovn-{name}.ovsschema");
            let made = command("ovsdb-tool").arg("create").arg(&file).arg(schema).status().await?;
            if !made.success() {
                bail!("ovsdb-tool cannot make {}", file.display());
            }
            let mut server = command("ovsdb-server");
            server.arg(format!("--remote=punix:{}", socket.display()));
            server.args(["--no-chdir", "--unixctl=none"]).arg(&file);
            server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            servers.push(server.spawn().context("cannot start ovsdb-server")?);
            options.extend([format!("--ovn-{name}"), format!("unix:{}", socket.display())]);
            while !socket.exists() {
                sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(Self { options, _servers: servers })
    }
}

/// Measures all that is wanted.
pub async fn measure(
    program: &Path,
    directory: &Path,
    choice: &Choice,
    wants: impl Fn(&str) -> bool,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let large = ["ovn-first-sync", "ovn-ready", "ovn-audit", "ovn-idle"];
    let (create, large) = (wants("ovn-create-port"), large.into_iter().any(&wants));
    if !create && !large {
        return Ok(());
    }
    if !installed("ovsdb-server") || !Path::new(SCHEMAS).is_dir() {
        println!("OVN is not measured: the package ovn-central is not installed");
        return Ok(());
    }
    if create {
        create_ports(program, &directory.join("ovn-small"), choice, rows).await?;
    }
    if large {
        live(program, &directory.join("ovn-large"), rows).await?;
    }
    Ok(())
}

fn announce(rows: &mut Vec<Row>, row: Row) {
    println!("{}", row.line());
    rows.push(row);
}

async fn create_ports(
    program: &Path,
    directory: &Path,
    choice: &Choice,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let databases = Databases::start(directory).await?;
    let server = Server::start_with(program, directory, &databases.options).await?;
    let mut stage = Stage::new(server.target.clone(), 500).await?;
    let network = stage.network().await?;
    let body = json!({"port": {"network_id": network}}).to_string();
    let target = stage.target.clone();
    let request = target.request("POST", "/v2.0/ports", &body);
    let many = choice.many();
    let before = Latencies::of(&Metrics::read(&server).await?);
    let made = load::run(&stage.target, many, std::sync::Arc::new(move |_| request.clone()));
    let outcome = made.await?;
    let after = Latencies::of(&Metrics::read(&server).await?);
    let scenario = Scenario::named(
        "ovn-create-port",
        Goal { rate: Some(1500.0), p50: None, p99: None },
        "4.6/s",
    );
    announce(rows, Row::of(&scenario, &outcome));
    let taken = after.since(&before);
    for (part, bound) in [(0.5, 10.0), (0.99, 100.0)] {
        let name = format!("ovn-commit-to-nb-p{}", part * 100.0);
        announce(rows, Row::single(name, "ms", taken.quantile(part) * 1000.0, bound));
    }
    server.stop().await
}

/// A server is filled while it has no OVN, gets one, and is started once more.
async fn live(program: &Path, directory: &Path, rows: &mut Vec<Row>) -> Result<()> {
    let databases = Databases::start(directory).await?;
    let server = Server::start(program, directory).await?;
    let mut stage = Stage::new(server.target.clone(), 500).await?;
    for _ in 0..4 {
        let network = stage.network().await?;
        stage.fill(&network, PORTS / 4).await?;
    }
    server.stop().await?;

    let begun = Instant::now();
    let server = Server::start_with(program, directory, &databases.options).await?;
    wait(&server, |metrics| {
        metrics.value("ovn_audits_total") >= 1.0
            && metrics.value("ovn_units_total") >= PORTS as f64
            && metrics.value("ovn_marks_waiting") == 0.0
    })
    .await?;
    let name = format!("ovn-first-sync-{PORTS}");
    announce(rows, Row::single(name, "s", begun.elapsed().as_secs_f64(), 10.0));
    server.stop().await?;

    let begun = Instant::now();
    let server = Server::start_with(program, directory, &databases.options).await?;
    wait(&server, |metrics| metrics.value("ovn_northbound_connected") == 1.0).await?;
    let name = format!("ovn-ready-{PORTS}");
    announce(rows, Row::single(name, "s", begun.elapsed().as_secs_f64(), 2.0));
    let metrics = wait(&server, |metrics| metrics.value("ovn_audits_total") >= 1.0).await?;
    if metrics.value("ovn_drift_total") > 0.0 {
        bail!("{} units differ after a restart", metrics.value("ovn_drift_total"));
    }
    let name = format!("ovn-audit-{PORTS}");
    announce(rows, Row::single(name, "s", metrics.value("ovn_audit_seconds"), 3.0));
    sleep(Duration::from_secs(1)).await;
    let before = server.cpu()?;
    sleep(IDLE).await;
    let used = server.cpu()? - before;
    let share = used.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    announce(rows, Row::single("ovn-idle-cpu".to_owned(), "%", share, 1.0));
    server.stop().await
}

/// Until the metrics are so.
async fn wait(server: &Server, done: impl Fn(&Metrics) -> bool) -> Result<Metrics> {
    let begun = Instant::now();
    loop {
        let metrics = Metrics::read(server).await?;
        if done(&metrics) {
            return Ok(metrics);
        }
        if begun.elapsed() > PATIENCE {
            bail!("this did not come about within {PATIENCE:?}:\n{}", metrics.0);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// What the server tells of itself.
struct Metrics(String);

impl Metrics {
    async fn read(server: &Server) -> Result<Self> {
        let mut connection = Connection::open(&server.target).await?;
        let status = connection.send(&server.target.request("GET", "/metrics", "")).await?;
        if status != 200 {
            bail!("/metrics answers {status}");
        }
        Ok(Self(String::from_utf8(connection.body)?))
    }

    /// The value of a line without labels.
    fn value(&self, name: &str) -> f64 {
        let line = |line: &str| {
            let rest = line.strip_prefix("nucleon_")?.strip_prefix(name)?.strip_prefix(' ')?;
            rest.trim().parse().ok()
        };
        self.0.lines().find_map(line).unwrap_or(0.0)
    }
}

/// How many commits were in Northbound within so many seconds.
struct Latencies(Vec<(f64, f64)>);

impl Latencies {
    fn of(metrics: &Metrics) -> Self {
        let bucket = |line: &str| {
            let rest =
                line.strip_prefix("nucleon_ovn_commit_to_northbound_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.trim().parse().ok()?))
        };
        Self(metrics.0.lines().filter_map(bucket).collect())
    }

    fn since(&self, before: &Self) -> Self {
        let pairs = self.0.iter().zip(&before.0);
        Self(pairs.map(|((bound, now), (_, then))| (*bound, now - then)).collect())
    }

    /// The time that this part of them stayed below, as exactly as the buckets say.
    fn quantile(&self, part: f64) -> f64 {
        let all = self.0.last().map_or(0.0, |(_, count)| *count);
        let (mut low, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= all * part && *count > below {
                let inside = (all * part - below) / (count - below);
                return if bound.is_finite() { low + (bound - low) * inside } else { low };
            }
            (low, below) = (*bound, *count);
        }
        f64::INFINITY
    }
}
