//! `nucleon token`: make, list and revoke the tokens of `--auth token`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use identity::token::{Grant, Listed, Tokens};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use wire::ctx::Ctx;

use super::TokenCommand;
use crate::config::StorageOptions;
use crate::say::say;
use crate::storage::Storage;

/// What a new token is for.
#[derive(Args, Clone, Debug)]
pub struct NewTokenOptions {
    /// What the token is for, for `nucleon token list`
    #[arg(long, default_value = "", value_parser = name, value_name = "TEXT")]
    pub name: String,

    /// The project that requests with the token are for
    #[arg(long, value_parser = name, value_name = "ID")]
    pub project: String,

    /// The user that requests with the token are from [default: the project's id]
    #[arg(long, value_parser = name, value_name = "ID")]
    pub user: Option<String>,

    /// A role of the token: reader, member, manager, admin or service. Can be given repeatedly
    #[arg(
        long,
        default_values = ["member", "reader"],
        value_delimiter = ',',
        value_parser = name,
        value_name = "ROLE"
    )]
    pub role: Vec<String>,

    /// When the token ends: a number of s, m, h or d, such as 30d; never without
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub expires_in: Option<SignedDuration>,
}

/// Does it.
///
/// # Errors
/// Those of the database; there is no such token.
pub async fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let ctx = Ctx::system(now);
    match command {
        TokenCommand::Create { storage, token } => {
            let grant = grant(token, now)?;
            let token = tokens(&storage).await?.create(&ctx, &grant).await?;
            say(token.expose_secret());
        }
        TokenCommand::List { storage } => {
            for token in tokens(&storage).await?.list(&ctx).await? {
                say(line(&token, now));
            }
        }
        TokenCommand::Revoke { storage, id } => {
            if !tokens(&storage).await?.revoke(&ctx, &id).await? {
                bail!("there is no valid token with the id {id}; see `nucleon token list`");
            }
            say(format!("The token {id} is revoked."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn tokens(options: &StorageOptions) -> anyhow::Result<Tokens> {
    let db = Storage::of(options)?.open().await?;
    db.migrate().await?;
    Ok(Tokens::new(db))
}

fn grant(options: NewTokenOptions, now: Timestamp) -> anyhow::Result<Grant> {
    let ends = options.expires_in.map(|left| now.checked_add(left));
    Ok(Grant {
        name: options.name,
        user_id: options.user.unwrap_or_else(|| options.project.clone()),
        project_id: options.project,
        roles: options.role,
        expires_at: ends.transpose().context("--expires-in is too long")?,
    })
}

fn line(token: &Listed, now: Timestamp) -> String {
    let grant = &token.grant;
    let state = match (&token.revoked_at, grant.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(end)) if end <= now => format!("expired {end}"),
        (None, Some(end)) => format!("valid until {end}"),
        (None, None) => "valid".to_owned(),
    };
    format!(
        "{}  {state}  project={} user={} roles={} created={}  {}",
        token.id,
        grant.project_id,
        grant.user_id,
        grant.roles.join(","),
        token.created_at,
        grant.name
    )
}

/// What fits into the column, on one line.
fn name(text: &str) -> Result<String, String> {
    if text.chars().count() > 255 || text.chars().any(char::is_control) {
        return Err("use at most 255 characters, none of them a control character".to_owned());
    }
    Ok(text.to_owned())
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let accepted = || "use a number and one of s, m, h and d, such as 30d".to_owned();
    let unit = text.chars().last().ok_or_else(accepted)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(accepted()),
    };
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
    number
        .filter(|number| *number > 0)
        .map(|number| SignedDuration::from_secs(i64::from(number) * seconds))
        .ok_or_else(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("30d"), Ok(SignedDuration::from_hours(720)));
        assert_eq!(duration("90s"), Ok(SignedDuration::from_secs(90)));
        for bad in ["", "d", "0d", "-1d", "1w", "1.5h", "5", "99999999999d", "5é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
