//! A transaction as a value: operations that happen all or not at all (RFC 7047 §5.2). It can be
//! put together of others and sent again.

use serde_json::{Map as JsonObject, Value as Json, json};
use uuid::Uuid;

use crate::condition::Condition;
use crate::error::TransactError;
use crate::session::Reply;
use crate::value::{Atom, Datum};

/// Operations in the order in which they take effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    operations: Vec<Json>,
}

/// What `mutate` does with a column (RFC 7047 §5.1 `<mutation>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutator {
    /// Puts members into a set, or pairs into a map where their keys are not yet.
    Insert,
    /// Takes members out of a set, or out of a map the given pairs, or the given keys.
    Delete,
    /// `+=`
    Add,
    /// `-=`
    Subtract,
    /// `*=`
    Multiply,
    /// `/=`
    Divide,
    /// `%=`
    Modulo,
}

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The rows are as given.
    Is,
    /// They are not.
    IsNot,
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A row of this name was inserted.
    Inserted(Uuid),
    /// So many rows were updated, mutated or deleted.
    Changed(u64),
    /// The rows that were found, as the server wrote them: columns to values.
    Selected(Vec<Vec<(String, Datum)>>),
    /// `wait`, `comment`, `assert`: nothing to tell.
    Done,
}

impl Transaction {
    /// No operations.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts a row of a chosen name. Columns that are not given get their defaults.
    pub fn insert<N: AsRef<str>>(
        &mut self,
        table: &str,
        uuid: Uuid,
        columns: impl IntoIterator<Item = (N, Datum)>,
    ) -> &mut Self {
        let row = row(columns);
        self.push(json!({"op": "insert", "table": table, "uuid": uuid.to_string(), "row": row}))
    }

    /// Sets columns of a row; a row that is not there is no error, its outcome says 0.
    pub fn update<N: AsRef<str>>(
        &mut self,
        table: &str,
        uuid: Uuid,
        columns: impl IntoIterator<Item = (N, Datum)>,
    ) -> &mut Self {
        self.update_where(table, &is(uuid), columns)
    }

    /// Sets columns of all rows that fulfil all conditions.
    pub fn update_where<N: AsRef<str>>(
        &mut self,
        table: &str,
        conditions: &[Condition],
        columns: impl IntoIterator<Item = (N, Datum)>,
    ) -> &mut Self {
        let row = row(columns);
        self.push(json!({"op": "update", "table": table, "where": all(conditions), "row": row}))
    }

    /// Changes a column of a row by what it holds.
    pub fn mutate(
        &mut self,
        table: &str,
        uuid: Uuid,
        column: &str,
        mutator: Mutator,
        value: Datum,
    ) -> &mut Self {
        self.mutate_where(table, &is(uuid), column, mutator, value)
    }

    /// Changes a column of all rows that fulfil all conditions.
    pub fn mutate_where(
        &mut self,
        table: &str,
        conditions: &[Condition],
        column: &str,
        mutator: Mutator,
        value: Datum,
    ) -> &mut Self {
        let mutations = json!([[column, mutator.as_str(), value.to_json()]]);
        self.push(json!({
            "op": "mutate", "table": table, "where": all(conditions), "mutations": mutations,
        }))
    }

    /// Deletes a row; one that is not there is no error, its outcome says 0.
    pub fn delete(&mut self, table: &str, uuid: Uuid) -> &mut Self {
        self.delete_where(table, &is(uuid))
    }

    /// Deletes all rows that fulfil all conditions.
    pub fn delete_where(&mut self, table: &str, conditions: &[Condition]) -> &mut Self {
        self.push(json!({"op": "delete", "table": table, "where": all(conditions)}))
    }

    /// Waits until the row's columns are, or are not, as given; refused as
    /// [`Reason::WaitTimedOut`](crate::error::Reason::WaitTimedOut) after so many milliseconds, at
    /// once for 0. A row that is not there is not as given.
    pub fn wait<N: AsRef<str>>(
        &mut self,
        table: &str,
        uuid: Uuid,
        columns: &[(N, Datum)],
        until: Until,
        timeout_ms: u64,
    ) -> &mut Self {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_ref()).collect();
        let row = columns.iter().map(|(name, datum)| (name.as_ref(), datum.clone())).collect();
        self.wait_where(table, &is(uuid), &names, &[row], until, timeout_ms)
    }

    /// Waits until the rows that fulfil all conditions are, or are not, exactly these in these
    /// columns. With no rows and [`Until::Is`]: until there is none; with [`Until::IsNot`]: until
    /// there is one.
    pub fn wait_where(
        &mut self,
        table: &str,
        conditions: &[Condition],
        columns: &[&str],
        rows: &[Vec<(&str, Datum)>],
        until: Until,
        timeout_ms: u64,
    ) -> &mut Self {
        let rows: Vec<Json> = rows.iter().map(|columns| row(columns.iter().cloned())).collect();
        self.push(json!({
            "op": "wait", "table": table, "where": all(conditions), "columns": columns,
            "until": until.as_str(), "rows": rows, "timeout": timeout_ms,
        }))
    }

    /// Refuses the whole as [`Reason::NotOwner`](crate::error::Reason::NotOwner) unless this client
    /// holds the lock.
    pub fn assert_lock(&mut self, name: &str) -> &mut Self {
        self.push(json!({"op": "assert", "lock": name}))
    }

    /// A remark for the server's log.
    pub fn comment(&mut self, text: &str) -> &mut Self {
        self.push(json!({"op": "comment", "comment": text}))
    }

    /// Reads columns of the rows that fulfil all conditions, from the server itself.
    pub fn select(&mut self, table: &str, conditions: &[Condition], columns: &[&str]) -> &mut Self {
        self.push(json!({
            "op": "select", "table": table, "where": all(conditions), "columns": columns,
        }))
    }

    /// Another one's operations after these.
    pub fn extend(&mut self, other: Self) -> &mut Self {
        self.operations.extend(other.operations);
        self
    }

    /// How many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// There are no operations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The operations as the protocol writes them.
    #[must_use]
    pub fn operations(&self) -> &[Json] {
        &self.operations
    }

    fn push(&mut self, operation: Json) -> &mut Self {
        self.operations.push(operation);
        self
    }

    /// The `params` of the request.
    pub(crate) fn params(&self, database: &str) -> String {
        let mut text = format!("[{}", Json::from(database));
        for operation in &self.operations {
            text.push(',');
            text.push_str(&operation.to_string());
        }
        text.push(']');
        text
    }

    /// What became of the operations.
    pub(crate) fn outcomes(&self, reply: &Reply) -> Result<Vec<Outcome>, TransactError> {
        if !reply.error.is_null() {
            return Err(TransactError::refused(None, &reply.error));
        }
        let results = reply.result.as_array().map(Vec::as_slice).unwrap_or_default();
        for (number, result) in results.iter().enumerate() {
            if result.get("error").is_some() {
                let operation = (number < self.len()).then_some(number);
                return Err(TransactError::refused(operation, result));
            }
        }
        Ok(results.iter().map(outcome).collect())
    }
}

fn row<N: AsRef<str>>(columns: impl IntoIterator<Item = (N, Datum)>) -> Json {
    let columns =
        columns.into_iter().map(|(name, datum)| (name.as_ref().to_owned(), datum.to_json()));
    Json::Object(columns.collect::<JsonObject<_, _>>())
}

fn is(uuid: Uuid) -> [Condition; 1] {
    [Condition::equal("_uuid", Datum::one(uuid))]
}

fn all(conditions: &[Condition]) -> Json {
    Json::Array(conditions.iter().map(Condition::to_json).collect())
}

fn outcome(result: &Json) -> Outcome {
    if let Some(Datum::Set(set)) = result.get("uuid").and_then(Datum::from_json)
        && let Some(uuid) = set.first().and_then(Atom::as_uuid)
    {
        return Outcome::Inserted(uuid);
    }
    if let Some(count) = result.get("count").and_then(Json::as_u64) {
        return Outcome::Changed(count);
    }
    if let Some(rows) = result.get("rows").and_then(Json::as_array) {
        let read = |row: &Json| {
            let columns = row.as_object().into_iter().flatten();
            columns
                .filter_map(|(name, value)| Some((name.clone(), Datum::from_json(value)?)))
                .collect()
        };
        return Outcome::Selected(rows.iter().map(read).collect());
    }
    Outcome::Done
}

impl Mutator {
    fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Delete => "delete",
            Self::Add => "+=",
            Self::Subtract => "-=",
            Self::Multiply => "*=",
            Self::Divide => "/=",
            Self::Modulo => "%=",
        }
    }
}

impl Until {
    fn as_str(self) -> &'static str {
        match self {
            Self::Is => "==",
            Self::IsNot => "!=",
        }
    }
}
