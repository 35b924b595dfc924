//! `Draft`: what a caller asked, read against the table of the kind. Not here: whether he may
//! (policy), and what it means (model).

use serde_json::{Map, Value as Json};

use crate::attr::{At, Attr, Default, Resource, Source, Wire};
use crate::ctx::Ctx;
use crate::fault::{self, Fault, Result};
use crate::row::Row;
use crate::types::quoted;
use crate::value::Value;

/// Which act a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// POST.
    Create,
    /// PUT.
    Update,
}

/// One object of a request's body: `asked[i]` belongs to `table.attrs[i]`.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The kind.
    pub table: &'static Resource,
    /// The act.
    pub verb: Verb,
    asked: Vec<Option<Value>>,
}

impl Draft {
    /// Reads `{"port": {…}}`.
    ///
    /// # Errors
    /// `HTTPBadRequest` naming the attribute, the value and what is accepted.
    pub fn parse_one(table: &'static Resource, verb: Verb, body: &Json) -> Result<Self> {
        let Some(inner) = body.get(table.one).or_else(|| body.get(underscored(table.one).as_str()))
        else {
            return Err(fault::bad_request(format!(
                "The body must be an object with the key '{}'.",
                table.one
            )));
        };
        Self::parse(table, verb, inner)
    }

    /// Reads `{"port": {…}}` or `{"ports": [{…}, …]}`; the flag says whether it was a list.
    ///
    /// # Errors
    /// `HTTPBadRequest`, also for an empty list or one of more than `limit`.
    pub fn parse_many(
        table: &'static Resource,
        body: &Json,
        limit: usize,
    ) -> Result<(Vec<Self>, bool)> {
        // A kind whose one and many have the same name tells them apart by the value.
        let list = body.get(table.many).filter(|list| table.one != table.many || list.is_array());
        let Some(list) = list else {
            return Self::parse_one(table, Verb::Create, body).map(|draft| (vec![draft], false));
        };
        let Json::Array(items) = list else {
            return Err(fault::bad_request(format!("'{}' must be a list.", table.many)));
        };
        if items.is_empty() || items.len() > limit {
            return Err(fault::bad_request(format!(
                "'{}' has {} entries; from 1 to {limit} are accepted in one request.",
                table.many,
                items.len()
            )));
        }
        let drafts = items
            .iter()
            // PARITY: Neutron also takes each entry wrapped in its own key.
            .map(|item| Self::parse(table, Verb::Create, item.get(table.one).unwrap_or(item)))
            .collect::<Result<_>>()?;
        Ok((drafts, true))
    }

    /// Reads the inner object.
    ///
    /// # Errors
    /// `HTTPBadRequest` naming the attribute, the value and what is accepted.
    pub fn parse(table: &'static Resource, verb: Verb, object: &Json) -> Result<Self> {
        let Json::Object(object) = object else {
            return Err(fault::bad_request(format!("'{}' must be an object.", table.one)));
        };
        let object = &one_project(table, object)?;
        let mut asked = vec![None; table.attrs.len()];
        refuse_unknown(table, object)?;
        for (attr, slot) in table.attrs.iter().zip(&mut asked) {
            let Some(given) = object.get(attr.wire) else {
                require(table, verb, attr)?;
                continue;
            };
            permit(table, verb, attr)?;
            *slot = Some(convert(table, attr, given)?);
        }
        Ok(Self { table, verb, asked })
    }

    /// A draft in which nothing is asked, for objects that the server makes itself.
    pub fn blank(table: &'static Resource, verb: Verb) -> Self {
        Self { table, verb, asked: vec![None; table.attrs.len()] }
    }

    /// What was asked of an attribute; `None`: nothing.
    pub fn asked<T: Wire>(&self, at: At<T>) -> Option<T> {
        self.value(at.index).and_then(T::load)
    }

    /// True when the caller named the attribute.
    pub fn names<T>(&self, at: At<T>) -> bool {
        self.value(at.index).is_some()
    }

    /// What was asked, or the default of the table, or the type's empty value.
    pub fn or_default<T: Wire>(&self, at: At<T>) -> T {
        self.asked(at)
            .or_else(|| {
                self.table.attrs.get(at.index).and_then(default_of).and_then(|v| T::load(&v))
            })
            .unwrap_or_else(T::empty)
    }

    /// Asks for a value, as if the caller had.
    pub fn ask<T: Wire>(&mut self, at: At<T>, value: T) {
        if let Some(slot) = self.asked.get_mut(at.index) {
            *slot = Some(value.store());
        }
    }

    /// Takes back what was asked of an attribute.
    pub fn forget<T>(&mut self, at: At<T>) {
        if let Some(slot) = self.asked.get_mut(at.index) {
            *slot = None;
        }
    }

    /// The raw value asked at a position.
    pub fn value(&self, index: usize) -> Option<&Value> {
        self.asked.get(index).and_then(Option::as_ref)
    }

    /// The attributes that the caller named, with what he asked.
    pub fn given(&self) -> impl Iterator<Item = (&'static Attr, &Value)> {
        let attrs: &'static [Attr] = self.table.attrs;
        attrs.iter().zip(&self.asked).filter_map(|(attr, asked)| asked.as_ref().map(|v| (attr, v)))
    }

    /// Fills in the caller's project where a create names none.
    ///
    /// # Errors
    /// 400 for a caller without a project, who has to name one.
    pub fn own(&mut self, ctx: &Ctx) -> Result<()> {
        let Some(index) = self.table.position("project_id") else {
            return Ok(());
        };
        let Some(slot) = self.asked.get_mut(index) else {
            return Ok(());
        };
        if slot.is_none() {
            if ctx.project_id.is_empty() && !ctx.is_admin {
                return Err(fault::bad_request(
                    "The token is not for a project; name one in 'project_id'.",
                ));
            }
            *slot = Some(Value::text(&*ctx.project_id));
        }
        Ok(())
    }

    /// The row of a create: what was asked, and the defaults. Attributes that the model chooses are
    /// left `Missing`, so that forgetting one is noticed when it is stored.
    pub fn complete(&self) -> Row {
        let mut row = Row::empty(self.table);
        for (index, attr) in self.table.attrs.iter().enumerate() {
            let asked = self.value(index).cloned().or_else(|| default_of(attr));
            let stored = !matches!(attr.verbs.source, Source::Ask);
            if let (Some(value), true) = (asked, stored) {
                row.put(index, value);
            }
        }
        row
    }

    /// The row of an update: the stored one with what was asked.
    pub fn applied(&self, old: &Row) -> Row {
        let mut row = old.clone();
        for (index, attr) in self.table.attrs.iter().enumerate() {
            if let (Some(value), false) =
                (self.value(index), matches!(attr.verbs.source, Source::Ask))
            {
                row.put(index, value.clone());
            }
        }
        row
    }
}

/// The default of an attribute as a value; `None`: the model chooses or the caller must.
pub fn default_of(attr: &Attr) -> Option<Value> {
    match attr.verbs.default {
        Default::Required | Default::Unset => None,
        Default::Null => Some(Value::Null),
        Default::Bool(truth) => Some(Value::Bool(truth)),
        Default::Int(number) => Some(Value::Int(number)),
        Default::Text(text) => Some(Value::text(text)),
        Default::List => Some(Value::json(Json::Array(Vec::new()))),
    }
}

/// Collections with hyphens in their names (`default-security-group-rules`) have underscores in
/// bodies.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// `tenant_id` and `project_id` are one attribute under two names; both must agree.
fn one_project(table: &Resource, object: &Map<String, Json>) -> Result<Map<String, Json>> {
    let mut object = object.clone();
    if table.position("project_id").is_none() {
        return Ok(object);
    }
    if let Some(tenant) = object.remove("tenant_id") {
        if object.get("project_id").is_some_and(|project| *project != tenant) {
            return Err(fault::bad_request(
                "'project_id' and 'tenant_id' are two names of one attribute and must be equal.",
            ));
        }
        object.insert("project_id".into(), tenant);
    }
    Ok(object)
}

fn refuse_unknown(table: &Resource, object: &Map<String, Json>) -> Result<()> {
    let unknown: Vec<&str> = object
        .keys()
        .map(String::as_str)
        .filter(|name| table.attrs.iter().all(|attr| attr.wire != *name))
        .take(10)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(fault::bad_request(format!(
        "A {} has no attribute {}.",
        table.one.replace('_', " "),
        unknown.iter().map(|name| quoted(&Json::from(*name))).collect::<Vec<_>>().join(", ")
    )))
}

fn require(table: &Resource, verb: Verb, attr: &Attr) -> Result<()> {
    if verb == Verb::Create && attr.verbs.post && attr.verbs.default == Default::Required
        // The project is filled in from the token.
        && attr.wire != "project_id"
    {
        return Err(fault::bad_request(format!(
            "A {} needs '{}', which must be {}.",
            table.one.replace('_', " "),
            attr.wire,
            attr.accepts
        )));
    }
    Ok(())
}

fn permit(table: &Resource, verb: Verb, attr: &Attr) -> Result<()> {
    let permitted = match verb {
        Verb::Create => attr.verbs.post,
        Verb::Update => attr.verbs.put,
    };
    if permitted {
        return Ok(());
    }
    let why = match verb {
        Verb::Create => "is set by the server and cannot be given",
        Verb::Update => "cannot be changed",
    };
    Err(fault::bad_request(format!(
        "The attribute '{}' of a {} {why}.",
        attr.wire,
        table.one.replace('_', " ")
    )))
}

fn convert(table: &Resource, attr: &Attr, given: &Json) -> Result<Value> {
    let parsed = match attr.verbs.never_null && given.is_null() {
        true => Err("null is none".to_owned()),
        false => (attr.parse)(given),
    };
    parsed.map_err(|why| {
        let (kind, status) = (attr.fault)(given);
        let message = format!(
            "The attribute '{}' of a {} must be {}: {why}.",
            attr.wire,
            table.one.replace('_', " "),
            attr.accepts
        );
        Fault::new(kind, status, message).into()
    })
}
