//! `Query`: the parameters of a list, read against the table of the kind. Not here: the SQL
//! (`sql`).

use serde_json::Value as Json;

use crate::attr::{Attr, BAD_REQUEST, Child, Column, Resource, Source};
use crate::fault::{self, Fault, Result};
use crate::types::quoted_text;
use crate::value::Value;

/// One condition of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The attribute at this position is one of the values.
    In {
        /// Position in the table.
        attr: usize,
        /// Alternatives.
        values: Vec<Value>,
    },
    /// One of the child rows of the attribute at this position matches.
    Child {
        /// Position in the table.
        attr: usize,
        /// Column of the child table.
        key: &'static str,
        /// Alternatives.
        values: Vec<Value>,
        /// The column contains the value rather than equals it.
        substring: bool,
    },
    /// The tags of the row.
    Tags {
        /// All of them, or any one.
        all: bool,
        /// Rows for which this does not hold.
        negate: bool,
        /// The tags.
        tags: Vec<String>,
    },
}

/// How a list is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Wire names of the attributes to show; empty: all.
    pub fields: Vec<String>,
    /// Position and whether descending, first one first.
    pub sort: Vec<(usize, bool)>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// The id of the row after which to begin.
    pub marker: Option<String>,
    /// Backwards from the marker.
    pub reverse: bool,
}

/// The parameters that are not filters.
const WORDS: [&str; 6] = ["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"];

impl Query {
    /// Reads decoded `name=value` pairs.
    ///
    /// # Errors
    /// `HTTPBadRequest` for a filter the kind does not have (strict validation), a value of the
    /// wrong type, or bad paging words.
    pub fn parse(
        table: &'static Resource,
        pairs: &[(String, String)],
        page_limit: u64,
    ) -> Result<Self> {
        let mut query = Self::default();
        query.page(table, pairs, page_limit)?;
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in pairs {
            if WORDS.contains(&name.as_str()) || seen.contains(&name.as_str()) {
                continue;
            }
            seen.push(name);
            let values: Vec<&str> =
                pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
            query.filter(table, name, &values)?;
        }
        Ok(query)
    }

    /// The first value that the attribute at this position is asked for by.
    #[must_use]
    pub fn first(&self, position: usize) -> Option<&Value> {
        self.filters.iter().find_map(|filter| match filter {
            Filter::In { attr, values } if *attr == position => values.first(),
            _ => None,
        })
    }

    fn page(
        &mut self,
        table: &'static Resource,
        pairs: &[(String, String)],
        page_limit: u64,
    ) -> Result<()> {
        let all = |word: &str| -> Vec<&str> {
            pairs.iter().filter(|(n, _)| n == word).map(|(_, v)| v.as_str()).collect()
        };
        self.fields =
            all("fields").iter().filter(|f| !f.is_empty()).map(|f| (*f).to_owned()).collect();
        if let Some(limit) = all("limit").last() {
            let limit: u64 = limit.parse().map_err(|_| {
                fault::bad_limit(format!(
                    "'limit' must be a whole number from 0 on, not {}.",
                    quoted_text(limit)
                ))
            })?;
            // PARITY: Neutron reads limit=0 as no limit.
            self.limit = (limit > 0).then_some(limit);
        }
        self.limit = match (self.limit, page_limit) {
            (limit, 0) => limit,
            (limit, most) => Some(limit.unwrap_or(most).min(most)),
        };
        // PARITY: without a limit there are no pages, and a marker is passed over.
        let marker =
            all("marker").last().copied().filter(|m| !m.is_empty() && self.limit.is_some());
        self.marker = marker.map(str::to_owned);
        self.reverse = all("page_reverse").last().is_some_and(|r| r.eq_ignore_ascii_case("true"));
        self.order(table, &all("sort_key"), &all("sort_dir"))
    }

    fn order(&mut self, table: &'static Resource, keys: &[&str], dirs: &[&str]) -> Result<()> {
        if keys.len() != dirs.len() {
            return Err(fault::bad_request(format!(
                "There are {} 'sort_key' and {} 'sort_dir'; give one direction for each key.",
                keys.len(),
                dirs.len()
            )));
        }
        for (place, key) in keys.iter().enumerate() {
            let position = table
                .position(key)
                .filter(|i| table.attrs.get(*i).is_some_and(|attr| attr.verbs.sort))
                .ok_or_else(|| {
                    fault::bad_request(format!(
                        "'sort_key' must be an attribute to sort by, not {}.",
                        quoted_text(key)
                    ))
                })?;
            let descending = match dirs.get(place) {
                Some(&"asc") => false,
                Some(&"desc") => true,
                other => {
                    let other = other.unwrap_or(&"");
                    return Err(fault::bad_request(format!(
                        "'sort_dir' must be asc or desc, not {}.",
                        quoted_text(other)
                    )));
                }
            };
            self.sort.push((position, descending));
        }
        Ok(())
    }

    fn filter(&mut self, table: &'static Resource, name: &str, values: &[&str]) -> Result<()> {
        if table.taggable
            && let Some((all, negate)) = tag_filter(name)
        {
            let tags = values.iter().flat_map(|v| v.split(',')).map(str::to_owned).collect();
            self.filters.push(Filter::Tags { all, negate, tags });
            return Ok(());
        }
        if table.any_filter && !table.attr(name).is_some_and(|attr| attr.verbs.filter) {
            return Ok(());
        }
        let unknown = || {
            fault::bad_request(format!(
                "{} is not something that {} can be filtered by.",
                quoted_text(name),
                table.many.replace(['_', '-'], " ")
            ))
        };
        let position = table.position(name).ok_or_else(unknown)?;
        let attr = table.attrs.get(position).ok_or_else(unknown)?;
        if !attr.verbs.filter {
            return Err(unknown());
        }
        match attr.verbs.source {
            Source::Child(child) => {
                self.filters.extend(child_filters(attr, position, child, values)?)
            }
            _ => self
                .filters
                .push(Filter::In { attr: position, values: column_values(attr, values)? }),
        }
        Ok(())
    }
}

fn tag_filter(name: &str) -> Option<(bool, bool)> {
    match name {
        "tags" => Some((true, false)),
        "tags-any" => Some((false, false)),
        "not-tags" => Some((true, true)),
        "not-tags-any" => Some((false, true)),
        _ => None,
    }
}

fn column_values(attr: &Attr, values: &[&str]) -> Result<Vec<Value>> {
    let read = |text: &&str| {
        if attr.column == Column::Json && text.is_empty() {
            return Ok(Value::Null);
        }
        (attr.filter)(text).ok_or_else(|| {
            let why = format!(
                "The filter '{}' must be {}, not {}.",
                attr.wire,
                attr.accepts,
                quoted_text(text)
            );
            match (attr.fault)(&Json::from(*text)) {
                BAD_REQUEST => fault::invalid_input(why),
                (kind, status) => Fault::new(kind, status, why).into(),
            }
        })
    };
    values.iter().map(read).collect()
}

/// Child filters are `fixed_ips=ip_address=192.0.2.7`, or plain values for a list of plain values.
fn child_filters(
    attr: &Attr,
    position: usize,
    child: &'static Child,
    values: &[&str],
) -> Result<Vec<Filter>> {
    if let (true, Some((key, _))) = (child.flat, child.keys.first()) {
        let values = values.iter().map(|v| Value::text(*v)).collect();
        return Ok(vec![Filter::Child { attr: position, key, values, substring: false }]);
    }
    // Alternatives of one key are one filter; different keys must all hold.
    let mut groups: Vec<(&'static str, bool, Vec<Value>)> = Vec::new();
    for text in values {
        let parsed = text.split_once('=').and_then(|(key, value)| {
            let (name, substring) = match key.strip_suffix("_substr") {
                Some(name) => (name, true),
                None => (key, false),
            };
            child.keys.iter().find(|(k, _)| *k == name).map(|(k, _)| (*k, substring, value))
        });
        let Some((key, substring, value)) = parsed else {
            return Err(fault::invalid_input(format!(
                "The filter '{}' must be KEY=VALUE with a key of {}, not {}.",
                attr.wire,
                child.keys.iter().map(|(k, _)| *k).collect::<Vec<_>>().join(", "),
                quoted_text(text)
            )));
        };
        match groups.iter_mut().find(|(k, s, _)| (*k, *s) == (key, substring)) {
            Some((_, _, wanted)) => wanted.push(Value::text(value)),
            None => groups.push((key, substring, vec![Value::text(value)])),
        }
    }
    let filter =
        |(key, substring, values)| Filter::Child { attr: position, key, values, substring };
    Ok(groups.into_iter().map(filter).collect())
}
