//! The limits of projects, as `/quotas` shows and changes them. Counting is in `quota`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use wire::attr::Wire;
use wire::fault::{self, Result};
use wire::types::quoted;
use wire::value::Value;

use crate::kind::Call;

/// The largest limit, as Neutron's column holds it.
const LIMIT_MAX: i64 = 2_147_483_647;

/// The limits of one project, by resource; -1: none.
pub type Limits = BTreeMap<String, i64>;

/// The limits of a project: its own, and the defaults where it has none.
///
/// # Errors
/// Those of the database.
pub async fn of(call: &Call<'_>, project_id: &str) -> Result<Limits> {
    let mut limits = call.settings.quotas.clone();
    limits.extend(own(call, project_id).await?);
    Ok(limits)
}

/// The projects with limits of their own, with all their limits.
///
/// # Errors
/// Those of the database.
pub async fn all(call: &Call<'_>) -> Result<BTreeMap<String, Limits>> {
    let rows = call.tx.rows("SELECT project_id, resource, amount FROM quotas", &[]).await?;
    let mut projects: BTreeMap<String, Limits> = BTreeMap::new();
    for row in rows {
        if let [Value::Text(project), Value::Text(resource), Value::Int(amount)] = row.as_slice() {
            projects
                .entry(project.clone())
                .or_insert_with(|| call.settings.quotas.clone())
                .insert(resource.clone(), *amount);
        }
    }
    Ok(projects)
}

async fn own(call: &Call<'_>, project_id: &str) -> Result<Limits> {
    pairs(call, "SELECT resource, amount FROM quotas WHERE project_id = ?", project_id).await
}

/// How many of each resource a project has.
///
/// # Errors
/// Those of the database.
pub async fn used(call: &Call<'_>, project_id: &str) -> Result<Limits> {
    pairs(call, "SELECT resource, used FROM quota_usage WHERE project_id = ?", project_id).await
}

async fn pairs(call: &Call<'_>, sql: &'static str, project_id: &str) -> Result<Limits> {
    let rows = call.tx.rows(sql, &[Value::text(project_id)]).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Value::Text(resource), Value::Int(amount)] => Some((resource.clone(), *amount)),
            _ => None,
        })
        .collect())
}

/// Sets limits of a project from `{"network": 10, …}`; `force` or `check_limit: false` passes over
/// what the project already uses.
///
/// # Errors
/// 400 for an unknown resource or a limit that is no number from -1 on, `InvalidQuotaValue` (409)
/// for one below the use.
pub async fn set(call: &Call<'_>, project_id: &str, asked: &Map<String, Json>) -> Result<()> {
    let flag = |name: &str| asked.get(name).map(bool::parse).transpose();
    let bad = |why: String| fault::bad_request(format!("The quota's flag is wrong: {why}."));
    let force = flag("force").map_err(bad)?.unwrap_or(false);
    let check = flag("check_limit").map_err(bad)?.unwrap_or(true);
    let used = used(call, project_id).await?;
    let words = ["force", "check_limit"];
    for (resource, limit) in asked.iter().filter(|(name, _)| !words.contains(&name.as_str())) {
        if !call.settings.quotas.contains_key(resource) {
            let known: Vec<&str> = call.settings.quotas.keys().map(String::as_str).collect();
            return Err(fault::bad_request(format!(
                "There is no quota for {}; there is one for each of {}.",
                quoted(&Json::from(resource.as_str())),
                known.join(", ")
            )));
        }
        let limit = limit_of(resource, limit)?;
        let have = used.get(resource).copied().unwrap_or(0);
        if check && !force && limit >= 0 && have > limit {
            return Err(fault::invalid_quota_value(resource, have, limit));
        }
        let key = [Value::text(project_id), Value::text(resource.as_str())];
        call.tx.exec("DELETE FROM quotas WHERE project_id = ? AND resource = ?", key.to_vec());
        call.tx.exec(
            "INSERT INTO quotas (project_id, resource, amount) VALUES (?, ?, ?)",
            [&key[..], &[Value::Int(limit)]].concat(),
        );
    }
    Ok(())
}

fn limit_of(resource: &str, limit: &Json) -> Result<i64> {
    let sentence = || {
        format!(
            "The quota '{resource}' must be a whole number from -1 (no limit) to {LIMIT_MAX}, not {}.",
            quoted(limit)
        )
    };
    let number = i64::parse(limit).map_err(|_| fault::invalid_input(sentence()))?;
    if (-1..=LIMIT_MAX).contains(&number) {
        return Ok(number);
    }
    Err(fault::bad_request(sentence()))
}

/// Gives a project the defaults again.
///
/// # Errors
/// `TenantQuotaNotFound` where it has them already.
pub async fn reset(call: &Call<'_>, project_id: &str) -> Result<()> {
    let gone = call
        .tx
        .run("DELETE FROM quotas WHERE project_id = ?", &[Value::text(project_id)], Vec::new())
        .await?;
    if gone == 0 {
        return Err(fault::tenant_quota_not_found(project_id));
    }
    Ok(())
}
