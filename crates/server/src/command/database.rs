//! `nucleon db`: bring the schema up to date, and check what is stored.

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use wire::ctx::Ctx;

use super::DatabaseCommand;
use crate::log;
use crate::say::say;
use crate::storage::Storage;

/// Does it.
///
/// # Errors
/// Those of the database.
pub async fn run(command: DatabaseCommand) -> anyhow::Result<ExitCode> {
    match command {
        DatabaseCommand::Migrate { storage, log } => {
            log::start(&log)?;
            Storage::of(&storage)?.open().await?.migrate().await?;
            say("The schema is that of this version.");
            Ok(ExitCode::SUCCESS)
        }
        DatabaseCommand::Check { storage, log } => {
            log::start(&log)?;
            let db = Storage::of(&storage)?.open_existing().await?;
            let ctx = Ctx::system(Timestamp::now());
            let findings = model::check::check(&db, &ctx).await.context(
                "the database cannot be read; bring its schema up to date with `nucleon db migrate`",
            )?;
            for finding in &findings {
                let (table, row) = (&finding.table, &finding.row);
                say(format!("{table} {row}: {}. To mend it: {}.", finding.problem, finding.remedy));
            }
            if findings.is_empty() {
                say("Everything is as it should be.");
                return Ok(ExitCode::SUCCESS);
            }
            say(format!("{} found.", findings.len()));
            Ok(ExitCode::FAILURE)
        }
    }
}
