//! The events that wait to be told: taking some, saying that they were told, putting them off.
//! Who tells them claims them first, so that two processes never tell one at the same time; who
//! ends before it is done leaves claims that run out.

use sql::Tx;
use wire::attr::Wire as _;
use wire::fault::{Error, Result};
use wire::types::Id;
use wire::value::Value;

/// A claimed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The port.
    pub port_id: Id,
    /// Its place among the events of this port.
    pub seq: i64,
    /// Nova's name of the event.
    pub name: String,
    /// `completed` or `failed`, where it has one.
    pub status: Option<String>,
    /// Nova's server.
    pub server_uuid: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// How often it was told in vain.
    pub tries: i64,
    /// Who claimed it.
    claim: i64,
}

/// The events that can be told now: nobody else is at them, their time has come, and nothing
/// older of the same port waits.
const READY: &str = "SELECT e.port_id, e.seq, e.name, e.status, e.server_uuid, e.created_at, \
     e.tries, e.claim FROM nova_events e WHERE e.due_at <= ? AND NOT EXISTS \
     (SELECT 1 FROM nova_events o WHERE o.port_id = e.port_id AND o.seq < e.seq) \
     ORDER BY e.due_at, e.port_id";

/// Takes at most `limit` events, oldest first, one of each port. They are the caller's, whose
/// `claim` no other has, until `until_ms`.
///
/// # Errors
/// Those of the database; `Retry` when another process was quicker.
pub async fn take(
    tx: &Tx,
    now_ms: i64,
    claim: i64,
    until_ms: i64,
    limit: u32,
) -> Result<Vec<Waiting>> {
    let rows = tx.rows(&format!("{READY} LIMIT {limit}"), &[Value::Int(now_ms)]).await?;
    let mut taken: Vec<Waiting> = rows.iter().filter_map(|row| read(row)).collect();
    for event in &mut taken {
        let mut params = vec![Value::Int(claim), Value::Int(until_ms)];
        params.extend(event.key());
        tx.exec(
            "UPDATE nova_events SET claim = ?, due_at = ? \
             WHERE port_id = ? AND seq = ? AND claim = ?",
            params,
        )
        .expect(1, Error::Retry("another process tells this event"));
        event.claim = claim;
    }
    Ok(taken)
}

fn read(row: &[Value]) -> Option<Waiting> {
    let [port_id, seq, name, status, server_uuid, created_at, tries, claim] = row else {
        return None;
    };
    Some(Waiting {
        port_id: Id::load(port_id)?,
        seq: seq.as_int()?,
        name: name.as_text()?.to_owned(),
        status: status.as_text().map(str::to_owned),
        server_uuid: server_uuid.as_text()?.to_owned(),
        created_at: created_at.as_int()?,
        tries: tries.as_int()?,
        claim: claim.as_int()?,
    })
}

impl Waiting {
    fn key(&self) -> [Value; 3] {
        [Value::text(self.port_id.to_string()), Value::Int(self.seq), Value::Int(self.claim)]
    }

    /// It was told, or need not be any more.
    pub fn remove(&self, tx: &Tx) {
        let sql = "DELETE FROM nova_events WHERE port_id = ? AND seq = ? AND claim = ?";
        tx.exec(sql, self.key().into());
    }

    /// It was told in vain; again at `due_at`, milliseconds since 1970.
    pub fn put_off(&self, tx: &Tx, due_at: i64) {
        let mut params = vec![Value::Int(due_at)];
        params.extend(self.key());
        tx.exec(
            "UPDATE nova_events SET due_at = ?, tries = tries + 1, claim = 0 \
             WHERE port_id = ? AND seq = ? AND claim = ?",
            params,
        );
    }
}

/// How many events wait.
///
/// # Errors
/// Those of the database.
pub async fn waiting(tx: &Tx) -> Result<u64> {
    let rows = tx.rows("SELECT COUNT(*) FROM nova_events", &[]).await?;
    let count = rows.first().and_then(|row| row.first()).and_then(Value::as_int);
    count
        .and_then(|count| u64::try_from(count).ok())
        .ok_or_else(|| Error::internal("COUNT answered with no number"))
}
