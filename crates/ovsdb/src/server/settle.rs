//! The end of a transaction: references are counted, rows that nothing keeps any more go, weak
//! references to rows that are gone are taken out, and limits and indexes are held. The steps and
//! their order are `ovsdb-server`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::cell;
use super::database::{Change, Changes};
use super::refusal::Refusal;
use super::table::{Address, Layout, Row};
use super::work::Work;
use crate::value::{Atom, Datum};

/// What is to be committed, or why not.
pub(super) fn settle(mut work: Work<'_>) -> Result<Changes, Refusal> {
    work.changes.retain(|_, change| changed(change));
    let mut kept = count(&work);
    check_references(&work, &kept)?;
    collect_garbage(&mut work, &mut kept);
    check_max_rows(&work)?;
    prune_weak(&mut work)?;
    check_indexes(&work)?;
    let mut changes = work.changes;
    changes.retain(|_, change| changed(change));
    for row in changes.values_mut().filter_map(|change| change.after.as_mut()) {
        Arc::make_mut(row).version = Uuid::new_v4();
    }
    Ok(changes)
}

fn changed(change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => !before.same(after),
        (None, None) => false,
        _ => true,
    }
}

/// By how much the number of references that keep a row changes.
type Kept = BTreeMap<Address, isize>;

fn count(work: &Work<'_>) -> Kept {
    let mut kept = Kept::new();
    for (address, change) in &work.changes {
        for (row, sign) in [(&change.before, -1), (&change.after, 1)] {
            for target in row.iter().flat_map(|row| strong(work, *address, row)) {
                *kept.entry(target).or_default() += sign;
            }
        }
    }
    kept
}

fn strong(work: &Work<'_>, address: Address, row: &Row) -> impl Iterator<Item = Address> {
    work.database
        .references(address, row)
        .into_iter()
        .filter_map(|(target, strong)| strong.then_some(target))
}

fn references(work: &Work<'_>, kept: &Kept, address: Address) -> isize {
    let before = isize::try_from(work.database.content.kept(address)).unwrap_or(isize::MAX);
    before + kept.get(&address).copied().unwrap_or_default()
}

fn name<'a>(work: &Work<'a>, address: Address) -> &'a str {
    work.layout(address.0).map_or("", |layout| layout.name.as_str())
}

fn check_references(work: &Work<'_>, kept: &Kept) -> Result<(), Refusal> {
    for (address, change) in &work.changes {
        let left = references(work, kept, *address);
        if change.after.is_none() && left > 0 {
            return Err(Refusal::referential(format!(
                "cannot delete {} row {} because of {left} remaining reference(s)",
                name(work, *address),
                address.1
            )));
        }
    }
    for (address, change) in &work.changes {
        let Some(row) = &change.after else { continue };
        if let Some(target) = strong(work, *address, row).find(|to| work.row(*to).is_none()) {
            return Err(Refusal::referential(format!(
                "Table {} row {} references nonexistent row {} in table {}.",
                name(work, *address),
                address.1,
                target.1,
                name(work, target)
            )));
        }
    }
    Ok(())
}

fn collect_garbage(work: &mut Work<'_>, kept: &mut Kept) {
    let mut look: Vec<Address> = work.changes.keys().chain(kept.keys()).copied().collect();
    while let Some(address) = look.pop() {
        let root = work.layout(address.0).is_none_or(|layout| layout.root);
        if root || references(work, kept, address) > 0 {
            continue;
        }
        let Some(row) = work.row(address).cloned() else { continue };
        let released: Vec<Address> = strong(work, address, &row).collect();
        for target in released {
            *kept.entry(target).or_default() -= 1;
            look.push(target);
        }
        work.put(address, None);
    }
}

fn check_max_rows(work: &Work<'_>) -> Result<(), Refusal> {
    for (number, table) in work.database.content.tables() {
        let Some(limit) = table.layout.max_rows else { continue };
        let mine = work.changes.range((number, Uuid::nil())..=(number, Uuid::max()));
        let (gone, came) = mine.fold((0, 0), |(gone, came), (_, change)| {
            (
                gone + usize::from(change.before.is_some()),
                came + usize::from(change.after.is_some()),
            )
        });
        let rows = table.rows.len() - gone + came;
        if came > gone && rows as u64 > limit {
            return Err(Refusal::constraint(format!(
                "transaction causes \"{}\" table to contain {rows} rows, greater than the \
                 schema-defined limit of {limit} row(s)",
                table.layout.name
            )));
        }
    }
    Ok(())
}

fn prune_weak(work: &mut Work<'_>) -> Result<(), Refusal> {
    let mut look: BTreeSet<Address> = work.changes.keys().copied().collect();
    for (address, change) in &work.changes {
        if change.after.is_none() {
            look.extend(work.database.content.weakly(*address));
        }
    }
    for address in look {
        let Some(row) = work.row(address).cloned() else { continue };
        let gone: BTreeSet<Uuid> = work
            .database
            .references(address, &row)
            .into_iter()
            .filter(|(target, strong)| !strong && work.row(*target).is_none())
            .map(|((_, uuid), _)| uuid)
            .collect();
        if gone.is_empty() {
            continue;
        }
        let Some(layout) = work.layout(address.0) else { continue };
        let pruned = without(layout, address.1, &row, &gone)?;
        work.put(address, Some(Arc::new(pruned)));
    }
    Ok(())
}

/// The row without its weak references to rows that are gone.
fn without(layout: &Layout, uuid: Uuid, row: &Row, gone: &BTreeSet<Uuid>) -> Result<Row, Refusal> {
    let mut pruned = row.clone();
    for (number, name, column) in layout.columns() {
        let weak = |base: Option<&crate::schema::BaseType>| {
            base.and_then(|base| base.refers.as_ref()).is_some_and(|refers| !refers.strong)
        };
        let (keys, values) = (weak(Some(&column.key)), weak(column.value.as_ref()));
        let is_gone = |atom: &Atom| atom.as_uuid().is_some_and(|uuid| gone.contains(&uuid));
        let mut datum = row.cell(number).clone();
        match &mut datum {
            _ if !keys && !values => continue,
            Datum::Set(set) => set.retain(|atom| !is_gone(atom)),
            Datum::Map(map) => {
                map.retain(|key, value| !(keys && is_gone(key) || values && is_gone(value)));
            }
        }
        let deleted = cell::size(row.cell(number)) - cell::size(&datum);
        if deleted > 0 && (cell::size(&datum) as u64) < column.min {
            return Err(Refusal::constraint(format!(
                "Deletion of {deleted} weak reference(s) to deleted (or never-existing) rows from \
                 column \"{name}\" in \"{}\" row {uuid} caused this column to become empty, but \
                 constraints on this column disallow an empty column.",
                layout.name
            )));
        }
        pruned.set(number, datum);
    }
    Ok(pruned)
}

fn check_indexes(work: &Work<'_>) -> Result<(), Refusal> {
    let mut new: BTreeMap<(usize, usize, Vec<Datum>), Uuid> = BTreeMap::new();
    for ((number, uuid), change) in &work.changes {
        let (Some(row), Some(table)) = (&change.after, work.database.content.table(*number)) else {
            continue;
        };
        for (position, (index, taken)) in table.layout.indexes.iter().zip(&table.taken).enumerate()
        {
            let key = table.layout.key(index, row);
            let before = taken
                .get(&key)
                .filter(|other| *other != uuid && !work.changes.contains_key(&(*number, **other)));
            let other =
                before.copied().or_else(|| new.insert((*number, position, key.clone()), *uuid));
            if let Some(other) = other {
                return Err(shared(&table.layout, index, &key, [*uuid, other]));
            }
        }
    }
    Ok(())
}

fn shared(layout: &Layout, index: &[usize], key: &[Datum], [one, other]: [Uuid; 2]) -> Refusal {
    let values: Vec<String> = key.iter().map(cell::shown).collect();
    let columns: Vec<String> = index
        .iter()
        .map(|number| format!("\"{}\"", layout.column_name(super::table::Place::Cell(*number))))
        .collect();
    Refusal::constraint(format!(
        "Transaction causes multiple rows in \"{}\" table to have identical values ({}) for index \
         on column {}.  First row, with UUID {one}.  Second row, with UUID {other}.",
        layout.name,
        values.join(", "),
        columns.join(" and ")
    ))
}
