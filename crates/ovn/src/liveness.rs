//! Keeps the number of the configuration rising, so that hosts that are alive show it by coming to
//! it: `NB_Global.nb_cfg`, at most once in half the time after which an agent counts as down,
//! whichever server, Neutron's included, is the first to do it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ovsdb::client::Client;
use ovsdb::error::{Reason, TransactError};
use ovsdb::replica::Replica;
use ovsdb::transaction::{Mutator, Transaction, Until};
use ovsdb::value::Datum;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::nb::Table;

/// When the number was raised last: Neutron's key, so that its servers and ours take turns.
const RAISED_AT: &str = "neutron:liveness_check_at";

/// The number, and the wish that it rises.
#[derive(Clone)]
pub struct Liveness {
    nb: Client,
    asked: Arc<Notify>,
}

impl Liveness {
    /// The number in this Northbound database, whose client must follow `nb_cfg` and
    /// `external_ids` of `NB_Global`.
    #[must_use]
    pub fn new(nb: Client) -> Self {
        Self { nb, asked: Arc::default() }
    }

    /// The number; `None` before Northbound was read.
    #[must_use]
    pub fn nb_cfg(&self) -> Option<i64> {
        let nb = self.nb.read()?;
        let (_, row) = nb.rows(Table::NbGlobal.name()).next()?;
        row.get("nb_cfg").as_one()?.as_integer()
    }

    /// Somebody looks at agents: the number should not be old.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// Raises the number in any case: whoever has come to it has done all that was to do before.
    /// What it is then.
    ///
    /// # Errors
    /// Northbound did not take it.
    pub async fn advance(&self) -> Result<i64, TransactError> {
        let mut transaction = Transaction::new();
        {
            let Some(nb) = self.nb.read() else { return Err(TransactError::Disconnected) };
            let table = Table::NbGlobal.name();
            let (uuid, _) = nb.rows(table).next().ok_or(TransactError::Disconnected)?;
            transaction.mutate(table, uuid, "nb_cfg", Mutator::Add, Datum::one(1));
        }
        self.nb.transact(&transaction).await?;
        // The replica shows the transaction, and perhaps later ones.
        self.nb_cfg().ok_or(TransactError::Disconnected)
    }

    /// Raises the number for as long as the process lives.
    pub async fn run(self, down_time: Duration) {
        let interval = (down_time / 2).max(Duration::from_secs(1));
        loop {
            if let Err(error) = self.raise(interval).await {
                tracing::debug!("the number of the configuration was not raised: {error}");
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    /// Raises the number if nobody did for this long; whether it was raised.
    ///
    /// # Errors
    /// Northbound did not take it.
    pub async fn raise(&self, interval: Duration) -> Result<bool, TransactError> {
        let now = Timestamp::now();
        let transaction = {
            let Some(nb) = self.nb.read() else { return Err(TransactError::Disconnected) };
            raising(&nb, now, interval)
        };
        let Some(transaction) = transaction else { return Ok(false) };
        match self.nb.transact(&transaction).await {
            // Somebody else was the first.
            Err(TransactError::Refused { reason: Reason::WaitTimedOut, .. }) => Ok(false),
            outcome => outcome.map(|_| true),
        }
    }
}

fn raising(nb: &Replica, now: Timestamp, interval: Duration) -> Option<Transaction> {
    let (uuid, row): (Uuid, _) = nb.rows(Table::NbGlobal.name()).next()?;
    let last = row.get("external_ids").text_at(RAISED_AT).and_then(time_of);
    if last.is_some_and(|last| is_recent(last, now, interval)) {
        return None;
    }
    let (table, ids) = (Table::NbGlobal.name(), "external_ids");
    let mut transaction = Transaction::new();
    transaction
        .wait(table, uuid, &[("nb_cfg", row.get("nb_cfg").clone())], Until::Is, 0)
        .mutate(table, uuid, "nb_cfg", Mutator::Add, Datum::one(1))
        .mutate(table, uuid, ids, Mutator::Delete, Datum::one(RAISED_AT))
        .mutate(table, uuid, ids, Mutator::Insert, Datum::map([(RAISED_AT, text_of(now))]));
    Some(transaction)
}

/// A time that is to come is no recent one: the clock that wrote it was wrong.
fn is_recent(last: Timestamp, now: Timestamp, interval: Duration) -> bool {
    let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
    let age = now.duration_since(last);
    age < interval && age > -interval
}

/// As Neutron writes it: `2026-11-21 09:09:10.722111+00:00`.
fn text_of(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string()
}

fn time_of(text: &str) -> Option<Timestamp> {
    text.replacen(' ', "T", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_neutron_does() {
        let text = "2026-11-21 09:09:10.722111+00:00";
        let time = time_of(text).unwrap();
        assert_eq!(text_of(time), text);
        assert_eq!(time_of("soon"), None);
    }

    #[test]
    fn only_what_was_raised_a_short_while_ago_is_recent() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let interval = Duration::from_secs(37);
        let judged = |age: i64| is_recent(at(0), at(age), interval);
        assert_eq!([-60, -5, 0, 36, 37, 600].map(judged), [false, true, true, true, false, false]);
    }
}
