//! A database: its tables, who refers to whom, the last transactions, and how a settled transaction
//! becomes its content.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use super::table::{Address, Layout, Row, Table, TableNumber};
use crate::schema::Schema;

/// How many transactions can be asked for again, as in `ovsdb-server`.
const HISTORY: usize = 100;

/// What became of one row in a transaction.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The row before; `None`: it was not there.
    pub before: Option<Arc<Row>>,
    /// The row afterwards; `None`: it is not there any more.
    pub after: Option<Arc<Row>>,
}

/// What became of the rows.
pub(super) type Changes = BTreeMap<Address, Change>;

/// The content.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    tables: Vec<Table>,
    /// How often each row is referred to by others so that it must stay.
    strong: HashMap<Address, usize>,
    /// Who refers to a row without keeping it.
    weak: HashMap<Address, BTreeSet<Address>>,
}

/// A database.
#[derive(Debug)]
pub(super) struct Database {
    /// The schema as it was given.
    pub schema: Json,
    /// Clients may write.
    pub writable: bool,
    /// The rows.
    pub content: Content,
    /// The name of the last transaction that changed something.
    pub last: Uuid,
    /// The last transactions, oldest first.
    history: VecDeque<(Uuid, Arc<Changes>)>,
    numbers: HashMap<String, TableNumber>,
}

impl Content {
    fn empty(schema: &Schema) -> Self {
        let tables = schema
            .tables
            .iter()
            .map(|(name, table)| Table::new(Arc::new(Layout::new(name, table))))
            .collect();
        Self { tables, ..Self::default() }
    }

    /// A table.
    pub fn table(&self, number: TableNumber) -> Option<&Table> {
        self.tables.get(number)
    }

    /// The tables by their numbers.
    pub fn tables(&self) -> impl Iterator<Item = (TableNumber, &Table)> {
        self.tables.iter().enumerate()
    }

    /// A row.
    pub fn row(&self, (table, uuid): Address) -> Option<&Arc<Row>> {
        self.tables.get(table)?.rows.get(&uuid)
    }

    /// How often the row is kept by others.
    pub fn kept(&self, address: Address) -> usize {
        self.strong.get(&address).copied().unwrap_or_default()
    }

    /// Who refers to the row weakly.
    pub fn weakly(&self, address: Address) -> impl Iterator<Item = Address> {
        self.weak.get(&address).into_iter().flatten().copied()
    }
}

impl Database {
    /// Empty.
    ///
    /// # Errors
    /// A sentence that names the part that is no schema.
    pub fn new(schema: Json) -> Result<(String, Self), String> {
        let parsed = Schema::from_json(&schema)?;
        let numbers =
            parsed.tables.keys().enumerate().map(|(number, name)| (name.clone(), number)).collect();
        let content = Content::empty(&parsed);
        let database = Self {
            schema,
            writable: true,
            content,
            last: Uuid::new_v4(),
            history: VecDeque::new(),
            numbers,
        };
        Ok((parsed.name, database))
    }

    /// The number of a table.
    pub fn number(&self, table: &str) -> Option<TableNumber> {
        self.numbers.get(table).copied()
    }

    /// What a row refers to: the row, and whether it keeps it. A reference to itself is left out.
    pub fn references(&self, (table, uuid): Address, row: &Row) -> Vec<(Address, bool)> {
        let mut found = Vec::new();
        let Some(table_of) = self.content.table(table) else { return found };
        table_of.layout.references(row, |name, target, strong| {
            if let Some(number) = self.number(name)
                && (number, target) != (table, uuid)
            {
                found.push(((number, target), strong));
            }
        });
        found
    }

    /// Makes a settled transaction the content; `false`: it changed nothing.
    pub fn commit(&mut self, changes: Changes) -> Option<Arc<Changes>> {
        if changes.is_empty() {
            return None;
        }
        for (address, change) in &changes {
            if let Some(row) = &change.before {
                self.forget(*address, row);
            }
        }
        for (address, change) in &changes {
            if let Some(row) = &change.after {
                self.learn(*address, row);
            }
        }
        let changes = Arc::new(changes);
        self.last = Uuid::new_v4();
        self.history.push_back((self.last, Arc::clone(&changes)));
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        Some(changes)
    }

    fn forget(&mut self, address: Address, row: &Arc<Row>) {
        for (target, strong) in self.references(address, row) {
            if strong {
                if let Some(count) = self.content.strong.get_mut(&target) {
                    *count -= 1;
                    if *count == 0 {
                        self.content.strong.remove(&target);
                    }
                }
            } else if let Some(from) = self.content.weak.get_mut(&target) {
                from.remove(&address);
                if from.is_empty() {
                    self.content.weak.remove(&target);
                }
            }
        }
        if let Some(table) = self.content.tables.get_mut(address.0) {
            table.release(address.1, row);
            table.rows.remove(&address.1);
        }
    }

    fn learn(&mut self, address: Address, row: &Arc<Row>) {
        for (target, strong) in self.references(address, row) {
            if strong {
                *self.content.strong.entry(target).or_default() += 1;
            } else {
                self.content.weak.entry(target).or_default().insert(address);
            }
        }
        if let Some(table) = self.content.tables.get_mut(address.0) {
            table.take(address.1, row);
            table.rows.insert(address.1, Arc::clone(row));
        }
    }

    /// What has changed since the transaction `since`; `None`: nobody remembers.
    pub fn since(&self, since: Uuid) -> Option<Changes> {
        if since == self.last {
            return Some(Changes::new());
        }
        let at = self.history.iter().position(|(name, _)| *name == since)?;
        let mut all = Changes::new();
        for (_, changes) in self.history.iter().skip(at + 1) {
            for (address, change) in changes.iter() {
                all.entry(*address)
                    .and_modify(|known| known.after.clone_from(&change.after))
                    .or_insert_with(|| change.clone());
            }
        }
        Some(all)
    }

    /// Exchanges the content for another, as a server that was started on another file: nobody
    /// remembers what was before.
    pub fn replace(&mut self, content: Content) {
        self.content = content;
        self.last = Uuid::new_v4();
        self.history.clear();
    }

    /// The content without rows.
    pub fn emptied(&self) -> Content {
        let tables =
            self.content.tables.iter().map(|table| Table::new(Arc::clone(&table.layout))).collect();
        Content { tables, ..Content::default() }
    }
}
