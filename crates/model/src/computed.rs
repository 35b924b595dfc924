//! Collections that are not stored: their rows are made when they are asked for, and filtered here.

use wire::query::{Filter, Query};
use wire::row::Row;

/// True when a computed row passes the filters of a query.
pub fn matches(row: &Row, query: &Query) -> bool {
    query.filters.iter().all(|filter| match filter {
        Filter::In { attr, values } => values.contains(row.value(*attr)),
        // Computed rows have neither children nor tags.
        Filter::Child { .. } => false,
        Filter::Tags { negate, .. } => *negate,
    })
}
