//! How the edits of several units become one transaction that happens only if nobody else has
//! written any of them since they were observed, and whose operations know whose they are. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ovsdb::condition::Condition;
use ovsdb::replica::Replica;
use ovsdb::transaction::{Mutator, Outcome, Transaction, Until};
use ovsdb::value::{Atom, Datum};
use sql::Mark;
use uuid::Uuid;

use crate::diff::{At, Edit, SYNC};
use crate::nb::Table;
use crate::owned;
use crate::want::Wants;

/// Who has written a unit last, as its anchor shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// There is no anchor.
    Absent,
    /// One of ours, with this token.
    Token(Uuid, String),
    /// Somebody who knows of no tokens; then it is recognised by all of its `external_ids`.
    Foreign(Uuid, Datum),
}

impl Observed {
    /// What the anchor shows now.
    #[must_use]
    pub fn of(mark: Mark, replica: &Replica) -> Self {
        let Some(anchor) = owned::anchor(mark) else { return Self::Absent };
        let Some(uuid) = owned::find(replica, &anchor) else { return Self::Absent };
        let ids = replica.row(anchor.table.name(), uuid).map(|row| row.get("external_ids"));
        match ids.and_then(|ids| ids.text_at(SYNC)) {
            Some(token) => Self::Token(uuid, token.to_owned()),
            None => Self::Foreign(uuid, ids.cloned().unwrap_or_else(Datum::none)),
        }
    }
}

/// A unit that is to be written.
#[derive(Debug)]
pub struct Write<'a> {
    /// The unit.
    pub mark: Mark,
    /// What it should look like.
    pub wants: &'a Wants,
    /// Who had written it before its state was loaded.
    pub observed: &'a Observed,
    /// What has to change.
    pub edits: Vec<Edit>,
    /// What its anchor will show: a token that no other writing has.
    pub token: String,
}

impl Write<'_> {
    /// The unit will have an anchor.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        owned::anchor(self.mark)
            .is_some_and(|anchor| self.wants.rows.iter().any(|want| want.row == anchor))
    }
}

/// A transaction, and whose each of its operations is.
#[derive(Debug, Default)]
pub struct Plan {
    /// The operations.
    pub transaction: Transaction,
    /// For each operation the units, by their places in the list, that need it.
    owners: Vec<Vec<usize>>,
}

impl Plan {
    /// The units that an operation was for.
    #[must_use]
    pub fn owners(&self, operation: usize) -> &[usize] {
        self.owners.get(operation).map_or(&[], Vec::as_slice)
    }

    /// The units of operations that found no row to change: it went before the transaction came.
    #[must_use]
    pub fn missed(&self, outcomes: &[Outcome]) -> BTreeSet<usize> {
        let missed = outcomes.iter().zip(&self.owners);
        let missed = missed.filter(|(outcome, _)| matches!(outcome, Outcome::Changed(0)));
        missed.flat_map(|(_, owners)| owners.iter().copied()).collect()
    }

    fn add(&mut self, owners: Vec<usize>, operation: impl FnOnce(&mut Transaction)) {
        operation(&mut self.transaction);
        self.owners.resize(self.transaction.len(), owners);
    }
}

/// Members that come into a set or go out of it, and whose they are.
type Members<'a> = BTreeMap<(Table, Uuid, &'static str), (BTreeSet<Uuid>, Vec<usize>)>;

/// Puts the edits of units into one transaction. Operations on the same set of the same row become
/// one: a thousand ports that come into a switch are one operation.
#[must_use]
pub fn plan(writes: &[Write<'_>], replica: &Replica) -> Plan {
    let mut plan = Plan::default();
    for (owner, write) in writes.iter().enumerate() {
        unchanged(&mut plan, owner, write);
    }
    present(&mut plan, writes, replica);
    for (owner, write) in writes.iter().enumerate() {
        write_rows(&mut plan, owner, write, replica);
    }
    let (mut join, mut leave) = (Members::new(), Members::new());
    for (owner, write) in writes.iter().enumerate() {
        for edit in &write.edits {
            let (members, parent, column, child) = match edit {
                Edit::Join { parent, column, child } => (&mut join, parent, column, child),
                Edit::Leave { parent, column, child } => (&mut leave, parent, column, child),
                _ => continue,
            };
            let key = (parent.row.table, parent.uuid, *column);
            let (uuids, owners) = members.entry(key).or_default();
            uuids.insert(child.uuid);
            owners.push(owner);
        }
    }
    for (members, mutator) in [(leave, Mutator::Delete), (join, Mutator::Insert)] {
        for ((table, parent, column), (children, owners)) in members {
            let children = Datum::set(children);
            plan.add(owners, |txn| {
                txn.mutate(table.name(), parent, column, mutator, children);
            });
        }
    }
    for (owner, write) in writes.iter().enumerate() {
        for edit in &write.edits {
            if let Edit::Delete { at } = edit {
                plan.add(vec![owner], |txn| {
                    txn.delete(at.row.table.name(), at.uuid);
                });
            }
        }
    }
    plan
}

/// Nobody has written the unit since it was observed. Where there was no anchor, inserting it fails
/// if there is one now.
fn unchanged(plan: &mut Plan, owner: usize, write: &Write<'_>) {
    let Some(anchor) = owned::anchor(write.mark) else { return };
    let table = anchor.table.name();
    match write.observed {
        Observed::Absent => {}
        Observed::Token(uuid, token) => plan.add(vec![owner], |txn| {
            let conditions = [
                Condition::equal("_uuid", Datum::one(*uuid)),
                Condition::includes("external_ids", Datum::map([(SYNC, token.as_str())])),
            ];
            txn.wait_where(table, &conditions, &["external_ids"], &[], Until::IsNot, 0);
        }),
        Observed::Foreign(uuid, ids) => plan.add(vec![owner], |txn| {
            txn.wait(table, *uuid, &[("external_ids", ids.clone())], Until::Is, 0);
        }),
    }
}

/// Rows that come to be referred to are still there: a weak reference to a row that is not would
/// vanish without a word. Those that were referred to before were there then, and go with their
/// references.
fn present(plan: &mut Plan, writes: &[Write<'_>], replica: &Replica) {
    let mut referred: BTreeMap<(String, Uuid), Vec<usize>> = BTreeMap::new();
    for (owner, write) in writes.iter().enumerate() {
        for (table, column, was, is) in write.edits.iter().flat_map(columns) {
            let refers = replica
                .schema()
                .column(table.name(), column)
                .and_then(|column| column.key.refers.as_ref());
            let Some(refers) = refers else { continue };
            let was = was.and_then(Datum::as_set);
            let is_new = |atom: &&Atom| was.is_none_or(|was| !was.contains(atom));
            let new = is.as_set().into_iter().flatten().filter(is_new);
            for uuid in new.filter_map(Atom::as_uuid) {
                if replica.row(&refers.table, uuid).is_some() {
                    referred.entry((refers.table.clone(), uuid)).or_default().push(owner);
                }
            }
        }
    }
    for ((table, uuid), owners) in referred {
        plan.add(owners, |txn| {
            let condition = [Condition::equal("_uuid", Datum::one(uuid))];
            txn.wait_where(&table, &condition, &["external_ids"], &[], Until::IsNot, 0);
        });
    }
}

/// The columns that an edit sets as wholes, with what they were and what they become.
fn columns(edit: &Edit) -> Vec<(Table, &'static str, Option<&Datum>, &Datum)> {
    match edit {
        Edit::Insert { at, columns } => {
            columns.iter().map(|(column, datum)| (at.row.table, *column, None, datum)).collect()
        }
        Edit::Set { at, column, was, is } => vec![(at.row.table, *column, Some(was), is)],
        Edit::Pairs { .. } | Edit::Join { .. } | Edit::Leave { .. } | Edit::Delete { .. } => {
            Vec::new()
        }
    }
}

/// New rows, columns that change, and the anchor's token.
fn write_rows(plan: &mut Plan, owner: usize, write: &Write<'_>, replica: &Replica) {
    let anchor = owned::anchor(write.mark).filter(|_| write.is_anchored());
    let is_anchor = |at: &At| Some(&at.row) == anchor.as_ref();
    let mut token = anchor.as_ref().and_then(|anchor| {
        let uuid = owned::find(replica, anchor)?;
        Some(At { row: anchor.clone(), uuid })
    });
    let mut sets: BTreeMap<&At, Vec<(&str, Datum)>> = BTreeMap::new();
    for edit in &write.edits {
        match edit {
            Edit::Insert { at, columns } => {
                let mut columns = columns.clone();
                if is_anchor(at) {
                    let ids = columns.entry("external_ids").or_insert_with(Datum::none);
                    let known = ids.as_map().cloned().unwrap_or_default();
                    let shown = (Atom::from(SYNC), Atom::from(write.token.as_str()));
                    *ids = Datum::Map(known.into_iter().chain([shown]).collect());
                }
                plan.add(vec![owner], |txn| {
                    txn.insert(at.row.table.name(), at.uuid, columns);
                });
            }
            Edit::Set { at, column, is, .. } => {
                sets.entry(at).or_default().push((*column, is.clone()));
            }
            Edit::Pairs { at, column, was, is } => {
                let (mut gone, mut come): (BTreeSet<&str>, BTreeMap<&str, &str>) = (
                    was.keys().map(String::as_str).collect(),
                    is.iter().map(|(key, value)| (&**key, &**value)).collect(),
                );
                if is_anchor(at) && *column == "external_ids" {
                    token = None;
                    gone.insert(SYNC);
                    come.insert(SYNC, &write.token);
                }
                exchange(plan, owner, at, column, gone, come);
            }
            Edit::Join { .. } | Edit::Leave { .. } | Edit::Delete { .. } => {}
        }
    }
    for (at, columns) in sets {
        plan.add(vec![owner], |txn| {
            txn.update(at.row.table.name(), at.uuid, columns);
        });
    }
    if let Some(at) = token {
        let come = BTreeMap::from([(SYNC, write.token.as_str())]);
        exchange(plan, owner, &at, "external_ids", BTreeSet::from([SYNC]), come);
    }
}

/// Takes keys out of a map and puts pairs in; the rest stays, whatever others make of it meanwhile.
fn exchange(
    plan: &mut Plan,
    owner: usize,
    at: &At,
    column: &str,
    gone: BTreeSet<&str>,
    come: BTreeMap<&str, &str>,
) {
    let (table, uuid) = (at.row.table.name(), at.uuid);
    if !gone.is_empty() {
        plan.add(vec![owner], |txn| {
            txn.mutate(table, uuid, column, Mutator::Delete, Datum::set(gone));
        });
    }
    if !come.is_empty() {
        plan.add(vec![owner], |txn| {
            txn.mutate(table, uuid, column, Mutator::Insert, Datum::map(come));
        });
    }
}
