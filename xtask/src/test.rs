//! `cargo xtask test`: everything that can be tested on this machine, in one go, with one line at
//! the end. Installs what is missing where it may. The tests themselves are in the crates.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::args::Args;
use crate::audit;
use crate::engines::{Engines, has_mariadb, postgres_programs};
use crate::process::{Signals, command, installed, output, root, run};

/// The scripts that drive the built server from outside. Each is given `--server PATH`.
const BLACK_BOX: &[&str] = &[
    "tests/clients/run.py",
    "tests/clients/with_keystone.py",
    "tests/clients/with_tempest.py",
    "tests/clients/with_neutron.py",
];

/// A program that the tests of packets on real OVN need, and the package that brings it.
const NETWORK: &[(&str, &str)] = &[
    ("ovn-northd", "ovn-central"),
    ("ovn-controller", "ovn-host"),
    ("ovs-vswitchd", "openvswitch-switch"),
    ("ip", "iproute2"),
    ("ping", "iputils-ping"),
    ("ethtool", "ethtool"),
    // What Neutron's agent for metadata runs.
    ("haproxy", "haproxy"),
    ("iptables", "iptables"),
];

/// Where the scripts say what they import, and what is taken if they do not.
const REQUIREMENTS: &str = "tests/clients/requirements.txt";
const CLIENTS: &str =
    "python-openstackclient\nopenstacksdk\nkeystone\ntempest==47.0.0\nneutron==29.0.0\n";

/// Runs all there is. Words left over go to the test runner, a filter for instance; then the
/// scripts and the examples in the documentation are left out.
///
/// # Errors
/// If anything failed or was missing. A step that fails does not keep the next from running; a
/// signal does. The servers are gone in every case.
pub async fn run_all(args: Args) -> Result<()> {
    let began = Instant::now();
    let mut signals = Signals::new()?;
    let mut report = Report::default();
    install(&mut signals).await?;
    let engines = Engines::start().await?;
    let done = steps(&mut signals, &mut report, &engines, args.rest()).await;
    engines.stop().await?;
    done?;
    report.close(began)
}

async fn steps(
    signals: &mut Signals,
    report: &mut Report,
    engines: &Engines,
    filter: Vec<String>,
) -> Result<()> {
    let cargo = |words: &[&str]| {
        let mut cargo = command("cargo");
        cargo.args(words).args(&filter).envs(engines.environment());
        cargo
    };
    let audited = audit::run(signals).await;
    report.note(signals, "audit", audited)?;
    if installed("cargo-nextest") {
        let tested = run(signals, &mut cargo(&["nextest", "run", "--workspace"])).await;
        report.note(signals, "tests", tested)?;
        if filter.is_empty() {
            // nextest leaves out the examples in the documentation.
            let doc = ["test", "--workspace", "--doc", "--quiet"];
            let tested = run(signals, &mut cargo(&doc)).await;
            report.note(signals, "examples in the documentation", tested)?;
        }
    } else {
        let tested = run(signals, &mut cargo(&["test", "--workspace", "--no-fail-fast"])).await;
        report.note(signals, "tests", tested)?;
    }
    let scripts = BLACK_BOX.iter().filter(|script| root().join(script).is_file());
    for script in scripts.filter(|_| filter.is_empty()) {
        let tested = black_box(signals, engines, script).await;
        report.note(signals, script, tested)?;
    }
    Ok(())
}

/// What has become of the steps so far.
#[derive(Default)]
struct Report {
    passed: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// Keeps the outcome; after a signal there is no going on.
    fn note(&mut self, signals: &Signals, step: &str, outcome: Result<()>) -> Result<()> {
        if signals.seen {
            bail!("interrupted during {step}");
        }
        match outcome {
            Ok(()) => self.passed.push(step.to_owned()),
            Err(error) => {
                eprintln!("xtask: {step}: {error:#}");
                self.failed.push(step.to_owned());
            }
        }
        Ok(())
    }

    fn close(self, began: Instant) -> Result<()> {
        let seconds = began.elapsed().as_secs();
        if !self.failed.is_empty() {
            bail!("failed after {seconds} s: {}", self.failed.join(", "));
        }
        println!("all passed in {seconds} s: {}", self.passed.join(", "));
        Ok(())
    }
}

/// Installs the Debian packages that are missing.
async fn install(signals: &mut Signals) -> Result<()> {
    let mut missing = Vec::new();
    if postgres_programs().is_none() {
        missing.push("postgresql");
    }
    if !has_mariadb() {
        missing.push("mariadb-server");
    }
    let python = output(command("python3").args(["-c", "import venv, ensurepip"])).await;
    if python.is_err() {
        missing.extend(["python3", "python3-venv"]);
    }
    let network = NETWORK.iter().filter(|(program, _)| !installed(program));
    missing.extend(network.map(|(_, package)| package));
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    if !is_root || !installed("apt-get") {
        bail!("missing, and only root on Debian can install them here: {packages}");
    }
    println!("installing what the tests need and this machine lacks: {packages}");
    run(signals, &mut apt(&["update", "--quiet"])).await?;
    let words = ["install", "--quiet", "--yes", "--no-install-recommends"];
    run(signals, apt(&words).args(missing)).await.context("the tests cannot run without them")
}

fn apt(words: &[&str]) -> Command {
    let mut apt = command("apt-get");
    // RUNLEVEL keeps the packages from starting servers of their own.
    apt.args(words).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt
}

/// Runs a script with the interpreter that has the clients, against the server of this tree.
async fn black_box(signals: &mut Signals, engines: &Engines, script: &str) -> Result<()> {
    // As the README starts it, so it must be what cargo finds by itself.
    run(signals, command("cargo").args(["run", "--", "version"])).await?;
    let python = clients(signals).await?;
    let server = root().join("target/debug/nucleon");
    let mut python = command(python);
    python.arg(script).arg("--server").arg(server).envs(engines.environment());
    run(signals, &mut python).await
}

/// The Python interpreter of `target/clients`, where the OpenStack clients are installed. It is
/// made once for each set of requirements.
async fn clients(signals: &mut Signals) -> Result<PathBuf> {
    let wanted =
        fs::read_to_string(root().join(REQUIREMENTS)).unwrap_or_else(|_| CLIENTS.to_owned());
    let environment = root().join("target/clients");
    let stamp = environment.join("installed.txt");
    let python = environment.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let mut create = command("python3");
    run(signals, create.args(["-m", "venv", "--clear"]).arg(&environment)).await?;
    let list = environment.join("requirements.txt");
    fs::write(&list, &wanted)?;
    let mut pip = command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(list);
    run(signals, &mut pip).await?;
    fs::write(stamp, wanted)?;
    Ok(python)
}
