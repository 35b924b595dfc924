//! `nucleon ovn`: what in OVN is not as it is stored here.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use model::unit::Unit;
use ovn::audit::{Audit, Finding, PIECE};
use ovn::diff::Difference;
use sql::Mark;

use super::OvnCommand;
use crate::log;
use crate::plane::Plane;
use crate::say::say;
use crate::storage::Storage;

/// How long OVN may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is being worked on is looked at so often until it counts as a difference.
const LOOKS: u32 = 3;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Does it.
///
/// # Errors
/// Those of the database; OVN cannot be reached or is not configured.
pub async fn run(command: OvnCommand) -> anyhow::Result<ExitCode> {
    let (look, is_shown) = match command {
        OvnCommand::Diff(look) => (look, true),
        OvnCommand::Audit(look) => (look, false),
    };
    log::start(&look.log)?;
    look.ovn.check()?;
    let settings = look.network.settings();
    let mut plane = Plane::connect(&look.ovn, &settings)
        .context("there is no OVN to look at; give --ovn-nb and --ovn-sb")?;
    let db = Storage::of(&look.storage)?.open_existing().await?;
    let facts = plane.ready(PATIENCE).await?;
    let audit = Audit { db, nb: plane.nb.clone(), facts };
    let units = audit.units().await?;
    let (mut findings, mut waiting) = (0, 0);
    for piece in units.chunks(PIECE) {
        for finding in persistent(&audit, piece).await? {
            findings += 1;
            waiting += usize::from(finding.known.is_some());
            if is_shown {
                show(&finding);
            }
        }
    }
    tell(units.len(), findings, waiting);
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Those of these units that stay different for a while.
async fn persistent(audit: &Audit, units: &[Mark]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = audit.compare(units).await?;
    for _ in 1..LOOKS {
        if findings.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let suspects: Vec<Mark> = findings.iter().map(|finding| finding.mark).collect();
        findings = audit.compare(&suspects).await?;
    }
    Ok(findings)
}

fn show(finding: &Finding) {
    let Finding { mark, difference, known } = finding;
    let kind = Unit::of(mark.kind).map_or_else(String::new, |unit| format!("{unit:?} "));
    let known = if known.is_some() { " (being worked on)" } else { "" };
    match difference {
        Difference::Waits(row) => {
            say(format!("{kind}{}{known}: waits for {} {}", mark.id, row.table.name(), row.key));
        }
        Difference::Edits(edits) => {
            for edit in edits {
                say(format!("{kind}{}{known}: {edit}", mark.id));
            }
        }
    }
}

fn tell(units: usize, findings: usize, waiting: usize) {
    if findings == 0 {
        say(format!("{units} units compared; no difference is left."));
    } else {
        say(format!("{units} units compared; {findings} differ, {waiting} of them are marked."));
    }
}
