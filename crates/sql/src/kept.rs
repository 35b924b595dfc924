//! Lists that SQLite keeps in their parents' rows. Triggers write them, in the transaction that
//! changes the child table, so a list is as true as its rows and reading it needs no seek.
//! Not here: which lists (`wire::attr::Child::kept`), reading them (`dialect`).

use wire::attr::Child;
use wire::fault::Result;

use crate::dialect::Dialect;
use crate::tx::Tx;

/// Keeps a list in the rows of `parent` from now on, those that are there included. Part of a
/// migration; the other engines gather lists as they read, and for them it does nothing. The
/// triggers say what the child shows: a release that has it show more drops column and triggers in
/// a migration of its own and keeps the list anew ([`drifted`] finds one that forgot).
///
/// # Errors
/// Those of the database.
pub async fn keep(tx: &Tx, parent: &str, child: &Child) -> Result<()> {
    let (Dialect::Sqlite, Some(column)) = (tx.dialect(), child.kept) else { return Ok(()) };
    let Child { table, parent: key, .. } = child;
    let list = Dialect::Sqlite.gathered(child, parent);
    let write = format!("UPDATE {parent} SET {column} = {list}");
    tx.exec(format!("ALTER TABLE {parent} ADD COLUMN {column} TEXT NULL"), Vec::new());
    tx.exec(write.clone(), Vec::new());
    for (event, rows) in [
        ("INSERT", format!("= NEW.{key}")),
        ("DELETE", format!("= OLD.{key}")),
        ("UPDATE", format!("IN (OLD.{key}, NEW.{key})")),
    ] {
        let trigger = format!(
            "CREATE TRIGGER {column}_after_{} AFTER {event} ON {table} \
             BEGIN {write} WHERE {parent}.id {rows}; END",
            event.to_lowercase()
        );
        tx.exec(trigger, Vec::new());
    }
    tx.flush().await
}

/// A statement that finds the ids of the rows whose kept list is another than the child table has;
/// `None` where nothing is kept.
pub fn drifted(dialect: Dialect, parent: &str, child: &Child) -> Option<String> {
    let column = child.kept.filter(|_| dialect == Dialect::Sqlite)?;
    let list = dialect.gathered(child, "t");
    Some(format!("SELECT t.id FROM {parent} t WHERE COALESCE(t.{column}, '[]') <> {list}"))
}
