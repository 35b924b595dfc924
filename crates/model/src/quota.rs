//! How many of a thing a project may have: counted in the transaction that makes or removes one, so
//! that no race passes the limit. Not here: the `/quotas` API.

use wire::fault::{self, Result};
use wire::value::Value;

use crate::kind::Call;

/// Takes `count` of a resource for a project.
///
/// # Errors
/// `OverQuota` (409).
pub async fn take(call: &Call<'_>, resource: &str, project_id: &str, count: i64) -> Result<()> {
    let key = vec![Value::text(project_id), Value::text(resource)];
    let found = call
        .tx
        .rows(
            "SELECT (SELECT amount FROM quotas WHERE project_id = ? AND resource = ?), \
             (SELECT used FROM quota_usage WHERE project_id = ? AND resource = ?)",
            &[key.clone(), key.clone()].concat(),
        )
        .await?;
    let column =
        |index: usize| found.first().and_then(|row| row.get(index)).and_then(Value::as_int);
    let limit = column(0).unwrap_or_else(|| call.settings.quota(resource));
    if column(1).is_none() {
        call.tx.exec_ignore(
            "quota_usage",
            &["project_id", "resource", "used"],
            vec![Value::text(project_id), Value::text(resource), Value::Int(0)],
        );
    }
    let mut params = vec![Value::Int(count)];
    params.extend(key);
    if limit < 0 {
        call.tx.exec(
            "UPDATE quota_usage SET used = used + ? WHERE project_id = ? AND resource = ?",
            params,
        );
        return Ok(());
    }
    params.push(Value::Int(limit - count));
    call.tx
        .exec(
            "UPDATE quota_usage SET used = used + ? \
             WHERE project_id = ? AND resource = ? AND used <= ?",
            params,
        )
        .expect(1, fault::over_quota(resource, limit));
    Ok(())
}

/// Counts `count` of a resource whatever the limit says, for what the server makes unasked.
pub fn count(call: &Call<'_>, resource: &str, project_id: &str, count: i64) {
    call.tx.exec_ignore(
        "quota_usage",
        &["project_id", "resource", "used"],
        vec![Value::text(project_id), Value::text(resource), Value::Int(0)],
    );
    release(call, resource, project_id, -count);
}

/// Gives back `count` of a resource.
pub fn release(call: &Call<'_>, resource: &str, project_id: &str, count: i64) {
    call.tx.exec(
        "UPDATE quota_usage SET used = used - ? WHERE project_id = ? AND resource = ?",
        vec![Value::Int(count), Value::text(project_id), Value::text(resource)],
    );
}
