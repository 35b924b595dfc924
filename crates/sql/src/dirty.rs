//! The marks: units that OVN must be brought in line with, a set and not a log. Marking again
//! replaces the token, so that who has worked from an older state cannot clear the mark.
//! Not here: what a unit is (`model`), who works them off (`ovn`).

use wire::attr::Wire;
use wire::fault::{Error, Result};
use wire::types::Id;
use wire::value::Value;

use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::tx::{Mark, Tx};

/// How long the sweeper leaves a mark to the process that made it.
const HEAD_START_MS: i64 = 2_000;
/// Marks in one statement.
const ROWS: usize = 100;

/// A stored mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirty {
    /// The unit.
    pub mark: Mark,
    /// Changes with every marking.
    pub token: i64,
    /// When it should be worked on: milliseconds since 1970.
    pub due_at: i64,
    /// Failed attempts since it was marked.
    pub tries: i64,
    /// Why the last one failed.
    pub why: Option<String>,
}

/// Why a mark waits whose unit is gone: so that who has loaded an older state, and is slow, is
/// noticed. Such marks are no work that is left.
pub const LOOK_AGAIN: &str = "looked at once more";

/// A random number that no other marking has.
pub(crate) fn token() -> i64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    i64::from_ne_bytes((high ^ low).to_ne_bytes()) & i64::MAX
}

/// The statements that store marks, which must be sorted: a constant order of locks.
pub(crate) fn put(dialect: Dialect, marks: &[Mark], token: i64, now_ms: i64) -> Vec<Statement> {
    let columns = ["kind", "id", "token", "due_at", "tries", "why"];
    let row = |mark: &Mark| {
        [
            Value::Int(mark.kind.into()),
            mark.id.store(),
            Value::Int(token),
            Value::Int(now_ms + HEAD_START_MS),
            Value::Int(0),
            Value::Null,
        ]
    };
    let statement = |chunk: &[Mark]| {
        let changed = ["token", "due_at", "tries", "why"];
        let sql = dialect.upsert("dirty", &columns, &["kind", "id"], &changed, chunk.len());
        Statement::new(sql, chunk.iter().flat_map(row).collect())
    };
    marks.chunks(ROWS).map(statement).collect()
}

const SELECT: &str = "SELECT kind, id, token, due_at, tries, why FROM dirty";

/// The marks that are due, longest first, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &Tx, now_ms: i64, limit: u64) -> Result<Vec<Dirty>> {
    let sql = format!("{SELECT} WHERE due_at <= ? ORDER BY due_at, kind, id LIMIT {limit}");
    let rows = tx.rows(&sql, &[Value::Int(now_ms)]).await?;
    Ok(rows.iter().filter_map(|row| read(row)).collect())
}

/// The marks of these units, for those that have one.
///
/// # Errors
/// Those of the database.
pub async fn of(tx: &Tx, marks: &[Mark]) -> Result<Vec<Dirty>> {
    let mut found = Vec::new();
    for chunk in marks.chunks(ROWS) {
        let keys = vec!["(kind = ? AND id = ?)"; chunk.len()].join(" OR ");
        let key = |mark: &Mark| [Value::Int(mark.kind.into()), mark.id.store()];
        let params: Vec<Value> = chunk.iter().flat_map(key).collect();
        let rows = tx.rows(&format!("{SELECT} WHERE {keys}"), &params).await?;
        found.extend(rows.iter().filter_map(|row| read(row)));
    }
    Ok(found)
}

fn read(row: &[Value]) -> Option<Dirty> {
    let [kind, id, token, due_at, tries, why] = row else { return None };
    Some(Dirty {
        mark: Mark { kind: i16::try_from(kind.as_int()?).ok()?, id: Id::load(id)? },
        token: token.as_int()?,
        due_at: due_at.as_int()?,
        tries: tries.as_int()?,
        why: why.as_text().map(str::to_owned),
    })
}

/// Removes a mark, unless the unit was marked again since `token` was read.
pub fn clear(tx: &Tx, mark: Mark, token: i64) {
    let params = vec![Value::Int(mark.kind.into()), mark.id.store(), Value::Int(token)];
    tx.exec("DELETE FROM dirty WHERE kind = ? AND id = ? AND token = ?", params);
}

/// Removes many marks, each unless it was marked again.
pub fn clear_all(tx: &Tx, done: &[Dirty]) {
    let mut done: Vec<&Dirty> = done.iter().collect();
    done.sort_by_key(|dirty| dirty.mark);
    for dirty in done {
        clear(tx, dirty.mark, dirty.token);
    }
}

/// Removes many marks, each unless it was marked again. Answers those that somebody else has
/// removed, or, when there is any such, all that are not there now: whoever has worked on one of
/// them marks it again.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &Tx, done: &[Dirty]) -> Result<Vec<Mark>> {
    let mut done: Vec<&Dirty> = done.iter().collect();
    done.sort_by_key(|dirty| dirty.mark);
    let mut gone = Vec::new();
    for chunk in done.chunks(ROWS) {
        let keys = vec!["(kind = ? AND id = ? AND token = ?)"; chunk.len()].join(" OR ");
        let key = |dirty: &&Dirty| {
            [Value::Int(dirty.mark.kind.into()), dirty.mark.id.store(), Value::Int(dirty.token)]
        };
        let params: Vec<Value> = chunk.iter().flat_map(key).collect();
        let removed = tx.run(format!("DELETE FROM dirty WHERE {keys}"), &params, vec![]).await?;
        if usize::try_from(removed) == Ok(chunk.len()) {
            continue;
        }
        let marks: Vec<Mark> = chunk.iter().map(|dirty| dirty.mark).collect();
        let left = of(tx, &marks).await?;
        gone.extend(marks.iter().filter(|mark| left.iter().all(|left| left.mark != **mark)));
    }
    Ok(gone)
}

/// Puts a mark off after a failed attempt, unless the unit was marked again.
pub fn defer(tx: &Tx, dirty: &Dirty, due_at: i64, why: &str) {
    put_off(tx, dirty, due_at, why, "tries = tries + 1");
}

/// Leaves the mark of a unit that is gone, to be looked at again, unless it was marked again.
pub fn look_again(tx: &Tx, dirty: &Dirty, due_at: i64) {
    put_off(tx, dirty, due_at, LOOK_AGAIN, "tries = 0");
}

fn put_off(tx: &Tx, dirty: &Dirty, due_at: i64, why: &str, tries: &str) {
    let params = vec![
        Value::Int(due_at),
        Value::Text(why.chars().take(255).collect()),
        Value::Int(dirty.mark.kind.into()),
        dirty.mark.id.store(),
        Value::Int(dirty.token),
    ];
    tx.exec(
        format!(
            "UPDATE dirty SET due_at = ?, {tries}, why = ? \
             WHERE kind = ? AND id = ? AND token = ?"
        ),
        params,
    );
}

/// How many marks there are that are work, and when the oldest one is due.
///
/// # Errors
/// Those of the database.
pub async fn backlog(tx: &Tx) -> Result<(u64, Option<i64>)> {
    let sql = "SELECT COUNT(*), MIN(due_at) FROM dirty WHERE why IS NULL OR why <> ?";
    let rows = tx.rows(sql, &[Value::text(LOOK_AGAIN)]).await?;
    match rows.first().map(Vec::as_slice) {
        Some([Value::Int(count), oldest]) => {
            Ok((u64::try_from(*count).unwrap_or(0), oldest.as_int()))
        }
        _ => Err(Error::internal("COUNT answered with no number")),
    }
}
