//! What has to change in Northbound so that units are as wanted: pure, from what is wanted and the
//! rows there are. Only columns that are ours and that the server has are compared; of maps that
//! others write too, only our keys. Not here: how the edits become a transaction (`apply`).

mod cell;
mod edit;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ovsdb::replica::Replica;
use ovsdb::row::Row;
use ovsdb::value::Datum;
use sql::Mark;
use uuid::Uuid;

pub use edit::{At, Edit};

use crate::nb::Table;
use crate::owned;
use crate::want::{Cell, RowName, Want, Wants};

/// The key of `external_ids` under which a unit's anchor says who has written the unit last.
pub const SYNC: &str = "nucleon:sync";

/// The sets of other rows in which a row of a table can be; a row that is no root exists as long as
/// it is in one.
fn memberships(table: Table) -> &'static [(Table, &'static str)] {
    match table {
        Table::LogicalSwitchPort => &[(Table::LogicalSwitch, "ports"), (Table::PortGroup, "ports")],
        Table::Acl => &[(Table::PortGroup, "acls")],
        Table::Dns => &[(Table::LogicalSwitch, "dns_records")],
        Table::HaChassis => &[(Table::HaChassisGroup, "ha_chassis")],
        Table::LogicalSwitch
        | Table::DhcpOptions
        | Table::PortGroup
        | Table::AddressSet
        | Table::HaChassisGroup
        | Table::NbGlobal => &[],
    }
}

/// What has to change for one unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// These edits; none: it is as wanted.
    Edits(Vec<Edit>),
    /// It refers to a row that is not there and that none of the other units brings: it waits.
    Waits(RowName),
}

impl Difference {
    /// The unit is as wanted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Edits(edits) if edits.is_empty())
    }
}

/// What has to change for units that are brought in line together, one answer for each. A unit that
/// waits takes those with it that refer to its new rows.
#[must_use]
pub fn diff(units: &[(Mark, &Wants)], replica: &Replica) -> Vec<Difference> {
    let mut together = Together::new(units, replica);
    loop {
        let waiting: Vec<(usize, RowName)> = units
            .iter()
            .enumerate()
            .filter(|(at, _)| !together.waiting.contains_key(at))
            .filter_map(|(at, (_, wants))| Some((at, together.missing(wants)?)))
            .collect();
        if waiting.is_empty() {
            break;
        }
        for (at, row) in waiting {
            for want in units.get(at).into_iter().flat_map(|(_, wants)| &wants.rows) {
                together.coming.remove(&want.row);
            }
            together.waiting.insert(at, row);
        }
    }
    let one = |(at, (mark, wants)): (usize, &(Mark, &Wants))| match together.waiting.get(&at) {
        Some(row) => Difference::Waits(row.clone()),
        None => Difference::Edits(together.edits(*mark, wants)),
    };
    units.iter().enumerate().map(one).collect()
}

/// By row, which rows of the same unit refer to it, and in which column.
type Holders<'a> = HashMap<&'a RowName, Vec<(&'a RowName, &'static str)>>;

fn holders(wants: &Wants) -> Holders<'_> {
    let mut holders = Holders::new();
    for row in &wants.rows {
        for (column, cell) in &row.columns {
            if let Cell::Refers(to) = cell {
                for one in to {
                    holders.entry(one).or_default().push((&row.row, *column));
                }
            }
        }
    }
    holders
}

/// Units that are compared together.
struct Together<'a> {
    replica: &'a Replica,
    /// Rows that units want and that are not there yet.
    coming: HashSet<&'a RowName>,
    /// Rows that are there and will not be.
    going: HashSet<Uuid>,
    /// Which units wait, and for what.
    waiting: HashMap<usize, RowName>,
}

impl<'a> Together<'a> {
    fn new(units: &[(Mark, &'a Wants)], replica: &'a Replica) -> Self {
        let mut coming = HashSet::new();
        let mut going = HashSet::new();
        for (mark, wants) in units {
            let mut kept = HashSet::new();
            for want in &wants.rows {
                match owned::find(replica, &want.row) {
                    Some(uuid) => drop(kept.insert(uuid)),
                    None => drop(coming.insert(&want.row)),
                }
            }
            let rows = owned::owned(*mark, replica);
            going
                .extend(rows.into_iter().map(|(_, uuid)| uuid).filter(|uuid| !kept.contains(uuid)));
        }
        Self { replica, coming, going, waiting: HashMap::new() }
    }

    /// The first row that the unit refers to and that nobody has or brings.
    fn missing(&self, wants: &Wants) -> Option<RowName> {
        let parents = wants.members.iter().map(|member| &member.parent);
        let columns = wants.rows.iter().filter(|want| self.has_table(want.row.table));
        let referred = columns.flat_map(|want| {
            want.columns
                .iter()
                .filter(|(column, _)| self.has_column(want.row.table, column))
                .filter_map(
                    |(_, cell)| if let Cell::Refers(rows) = cell { Some(rows) } else { None },
                )
                .flatten()
        });
        parents.chain(referred).find(|row| self.resolve(row).is_none()).cloned()
    }

    /// The UUID of a row that is there when all is done.
    fn resolve(&self, row: &RowName) -> Option<Uuid> {
        match owned::find(self.replica, row) {
            Some(uuid) => Some(uuid).filter(|uuid| !self.going.contains(uuid)),
            None => self.coming.contains(row).then(|| owned::uuid(row)),
        }
    }

    fn has_table(&self, table: Table) -> bool {
        self.replica.schema().tables.contains_key(table.name())
    }

    fn has_column(&self, table: Table, column: &str) -> bool {
        self.replica.schema().column(table.name(), column).is_some()
    }

    fn edits(&self, mark: Mark, wants: &Wants) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut kept = HashSet::new();
        for want in wants.rows.iter().filter(|want| self.has_table(want.row.table)) {
            let found = owned::find(self.replica, &want.row);
            let uuid = found.unwrap_or_else(|| owned::uuid(&want.row));
            kept.insert(uuid);
            let at = At { row: want.row.clone(), uuid };
            match found.and_then(|uuid| self.replica.row(want.row.table.name(), uuid)) {
                Some(have) => self.changed(&at, have, want, &mut edits),
                None => edits.push(self.inserted(at, want)),
            }
        }
        let holders = holders(wants);
        for want in wants.rows.iter().filter(|want| self.has_table(want.row.table)) {
            self.joined(want, wants, &holders, &mut edits);
        }
        for (table, uuid) in owned::owned(mark, self.replica) {
            if kept.insert(uuid) {
                self.removed(table, uuid, &mut edits);
            }
        }
        edits
    }

    fn inserted(&self, at: At, want: &Want) -> Edit {
        let mut columns: BTreeMap<&'static str, Datum> = BTreeMap::new();
        for (column, cell) in &want.columns {
            if self.has_column(want.row.table, column) {
                let fresh = cell::fresh(cell, |row| self.resolve(row));
                cell::merge(columns.entry(*column), fresh);
            }
        }
        Edit::Insert { at, columns }
    }

    fn changed(&self, at: &At, have: &Row, want: &Want, edits: &mut Vec<Edit>) {
        for (column, cell) in &want.columns {
            if self.has_column(want.row.table, column) {
                let have = have.get(column);
                edits.extend(cell::changed(at, column, have, cell, |row| self.resolve(row)));
            }
        }
    }

    /// Puts a row into the sets in which it should be, and takes it out of those of ours in which
    /// it should not.
    fn joined(&self, want: &Want, wants: &Wants, holders: &Holders<'_>, edits: &mut Vec<Edit>) {
        let found = owned::find(self.replica, &want.row);
        let child =
            At { row: want.row.clone(), uuid: found.unwrap_or_else(|| owned::uuid(&want.row)) };
        let mut wanted: BTreeMap<(Table, &'static str, Uuid), (&RowName, bool)> = BTreeMap::new();
        for member in wants.members.iter().filter(|member| member.child == want.row) {
            if let Some(parent) = self.resolve(&member.parent) {
                let set = (member.parent.table, member.column, parent);
                wanted.insert(set, (&member.parent, true));
            }
        }
        // A set that the unit wants as a whole is no matter of its members.
        for (holder, column) in holders.get(&want.row).into_iter().flatten() {
            if let Some(parent) = self.resolve(holder) {
                wanted.insert((holder.table, *column, parent), (*holder, false));
            }
        }
        let mut have = BTreeSet::new();
        for (table, column) in memberships(want.row.table) {
            let parents = found
                .into_iter()
                .flat_map(|uuid| self.replica.referrers(table.name(), column, uuid));
            have.extend(parents.map(|parent| (*table, *column, parent)));
        }
        for (set @ (_, column, parent), (name, by_member)) in &wanted {
            if *by_member && !have.contains(set) {
                let parent = At { row: (*name).clone(), uuid: *parent };
                edits.push(Edit::Join { parent, column, child: child.clone() });
            }
        }
        for (table, column, parent) in have {
            if !wanted.contains_key(&(table, column, parent)) && self.is_ours(table, parent) {
                let parent = self.named(table, parent);
                edits.push(Edit::Leave { parent, column, child: child.clone() });
            }
        }
    }

    fn removed(&self, table: Table, uuid: Uuid, edits: &mut Vec<Edit>) {
        let at = self.named(table, uuid);
        let is_root =
            self.replica.schema().tables.get(table.name()).is_some_and(|table| table.root);
        if is_root {
            edits.push(Edit::Delete { at });
            return;
        }
        // It goes with the last reference to it. Weak ones go by themselves.
        for (parents, column) in memberships(table) {
            let is_strong = self.is_strong(*parents, column);
            for parent in self.replica.referrers(parents.name(), column, uuid).filter(|_| is_strong)
            {
                let parent = self.named(*parents, parent);
                edits.push(Edit::Leave { parent, column, child: at.clone() });
            }
        }
    }

    fn is_strong(&self, table: Table, column: &str) -> bool {
        let column = self.replica.schema().column(table.name(), column);
        column.and_then(|column| column.key.refers.as_ref()).is_some_and(|refers| refers.strong)
    }

    fn is_ours(&self, table: Table, uuid: Uuid) -> bool {
        let row = self.replica.row(table.name(), uuid);
        row.is_some_and(|row| owned::unit_of(self.replica, table, uuid, row).is_some())
    }

    /// A row with its name as far as it has one.
    fn named(&self, table: Table, uuid: Uuid) -> At {
        let row = self.replica.row(table.name(), uuid);
        let key = row.and_then(|row| {
            let chassis = (table == Table::HaChassis).then(|| row.text("chassis_name")).flatten();
            chassis.map(str::to_owned).or_else(|| table.key(|column| row.get(column)))
        });
        At { row: RowName::new(table, key.unwrap_or_default()), uuid }
    }
}
