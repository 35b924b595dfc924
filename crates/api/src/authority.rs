//! Who may do what to which row, and which attributes he is shown. The rules are `policy`'s; here
//! is which of them a request needs. Not here: which rows a caller sees at all (the tables'
//! `visible`).

use std::borrow::Cow;

use policy::check::Target;
use policy::credentials::Credentials;
use policy::enforcer::{Decision, Enforcer, Rule};
use serde_json::Value as Json;
use wire::attr::{Attr, Resource};
use wire::ctx::Ctx;
use wire::draft::{Draft, default_of};
use wire::fault::{self, Result};
use wire::row::Row;
use wire::show::Mask;
use wire::value::Value;

/// A row as rules see it.
pub struct RowTarget<'a>(pub &'a Row);

impl Target for RowTarget<'_> {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        let row = self.0;
        let value = match row.named(key) {
            Some(value) => value,
            // `network:tenant_id` and, in a network's own rules, its own attributes by that name.
            None => row.named(&key.replace("tenant_id", "project_id"))?,
        };
        printed(value)
    }
}

/// A value as Python prints it; `None`: there is none.
fn printed(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Missing => None,
        Value::Null => Some("None".into()),
        Value::Bool(true) => Some("True".into()),
        Value::Bool(false) => Some("False".into()),
        Value::Int(number) => Some(number.to_string().into()),
        Value::Text(text) => Some(text.as_str().into()),
        Value::Json(json) => Some(json.to_string().into()),
        Value::Written(text) => Some(text.as_ref().into()),
    }
}

/// The caller as rules see him.
pub fn credentials(ctx: &Ctx) -> Credentials<'_> {
    Credentials {
        roles: &ctx.roles,
        service_roles: &ctx.service_roles,
        user_id: &ctx.user_id,
        project_id: &ctx.project_id,
        domain_id: ctx.domain_id.as_deref(),
        system_scope: ctx.system_scope.as_deref(),
        is_admin: ctx.is_admin,
        ..Credentials::default()
    }
}

/// 403 unless the rule holds for the target.
///
/// # Errors
/// `PolicyNotAuthorized`.
pub fn require(rules: &Enforcer, ctx: &Ctx, rule: &str, target: &dyn Target) -> Result<()> {
    if rules.check(rule, &credentials(ctx), target) {
        Ok(())
    } else {
        Err(fault::not_authorized(rule))
    }
}

/// True when the caller may see this row.
pub fn may_see(rules: &Enforcer, ctx: &Ctx, table: &Resource, row: &Row) -> bool {
    rules.check(&format!("get_{}", table.one), &credentials(ctx), &RowTarget(row))
}

/// 403 unless the caller may create or update (`act`) with just these attributes.
///
/// # Errors
/// `PolicyNotAuthorized` naming the rule.
pub fn require_all(
    rules: &Enforcer,
    ctx: &Ctx,
    act: &str,
    ask: &Draft,
    target: &Row,
) -> Result<()> {
    let base = format!("{act}_{}", ask.table.one);
    let row = RowTarget(target);
    require(rules, ctx, &base, &row)?;
    for (attr, value) in ask.given() {
        if !attr.verbs.enforce || (act == "create" && is_default(attr, value)) {
            continue;
        }
        let rule = format!("{base}:{}", attr.wire);
        if rules.rule(&rule).is_some() {
            require(rules, ctx, &rule, &row)?;
        }
        for key in inner_keys(value) {
            let rule = format!("{rule}:{key}");
            if rules.rule(&rule).is_some() {
                require(rules, ctx, &rule, &row)?;
            }
        }
    }
    Ok(())
}

/// PARITY: neutron/policy.py asks for an attribute's own rule only where it is not the default.
fn is_default(attr: &Attr, value: &Value) -> bool {
    default_of(attr).is_some_and(|default| default == *value)
}

/// The keys of the objects in a list, or of an object: `create_port:fixed_ips:ip_address`.
fn inner_keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = match value.as_json() {
        Some(Json::Array(items)) => items
            .iter()
            .filter_map(Json::as_object)
            .flat_map(|object| {
                object.iter().filter(|(_, inner)| !inner.is_null()).map(|(key, _)| key.clone())
            })
            .collect(),
        Some(Json::Object(object)) => object.keys().cloned().collect(),
        _ => Vec::new(),
    };
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What a caller is shown of the rows of one kind.
pub struct View<'a> {
    rules: &'a Enforcer,
    ctx: &'a Ctx,
    row_rule: Option<&'a Rule>,
    none: bool,
    mask: Mask,
    /// Attributes whose rule has to be asked for each row.
    asked: Vec<(usize, &'a Rule)>,
}

impl<'a> View<'a> {
    /// The view of this caller on a kind; rules that depend on the roles alone are decided here,
    /// once.
    pub fn new(rules: &'a Enforcer, ctx: &'a Ctx, table: &Resource, fields: &[String]) -> Self {
        let who = credentials(ctx);
        let mut mask = Mask::of(table, fields);
        let mut asked = Vec::new();
        let whole = format!("get_{}", table.one);
        for (part, rule) in rules.parts(&whole) {
            let position = table.attrs.iter().position(|attr| attr.wire == part);
            let Some(index) = position.filter(|index| mask.shows(*index)) else {
                continue;
            };
            if rule.depends_on_target() {
                asked.push((index, rule));
            } else if rules.decide(rule, &who, &()) != Decision::Allowed {
                mask.hide(index);
            }
        }
        let row_rule = rules.resolve(&whole);
        let none = match row_rule {
            None => true,
            Some(rule) if !rule.depends_on_target() => {
                rules.decide(rule, &who, &()) != Decision::Allowed
            }
            Some(_) => false,
        };
        let row_rule = row_rule.filter(|rule| rule.depends_on_target());
        Self { rules, ctx, row_rule, none, mask, asked }
    }

    /// True when the caller sees the row at all.
    pub fn sees(&self, row: &Row) -> bool {
        let who = credentials(self.ctx);
        !self.none
            && self.row_rule.is_none_or(|rule| {
                self.rules.decide(rule, &who, &RowTarget(row)) == Decision::Allowed
            })
    }

    /// Appends the row as JSON, without what the caller may not see.
    pub fn show(&self, row: &Row, out: &mut Vec<u8>) {
        if self.asked.is_empty() {
            return wire::show::object(row, &self.mask, out);
        }
        let who = credentials(self.ctx);
        let mut mask = Cow::Borrowed(&self.mask);
        for (index, rule) in &self.asked {
            if self.rules.decide(rule, &who, &RowTarget(row)) != Decision::Allowed {
                mask.to_mut().hide(*index);
            }
        }
        wire::show::object(row, &mask, out);
    }
}
