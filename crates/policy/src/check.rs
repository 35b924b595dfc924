//! A compiled rule and how it is answered: no map is built, nothing is allocated. Here too is the
//! seam to the caller's data, [`Target`]. Names of rules were resolved by the `enforcer` before.

use crate::credentials::{Attribute, Credentials, Key};
use crate::field::Field;
use crate::parse::{Expression, Problem};
use crate::template::{Template, canonical_key};
use std::borrow::Cow;

/// What the request acts on.
///
/// A value is given as Python would print it: `True`, `False`, `None` for null, or the text; an
/// attribute that is not there is `None`. Besides its own attributes a target answers, if it has
/// such a parent:
/// - `network:project_id` and `network:shared`: of the network it belongs to,
/// - `security_group:project_id`: of the security group a rule belongs to,
/// - `ext_parent:project_id`: of the resource it is nested in (policy, router, floating IP, …).
///
/// `tenant_id` is never asked for; rules that use it ask for `project_id`.
pub trait Target {
    /// The attribute called `key` on the wire.
    fn get(&self, key: &str) -> Option<Cow<'_, str>>;
}

/// A target with no attribute at all.
impl Target for () {
    fn get(&self, _key: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Index of a rule in its enforcer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleId(pub(crate) usize);

/// One node of a compiled rule.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    Allow,
    Deny,
    Not(Box<Check>),
    All(Box<[Check]>),
    Any(Box<[Check]>),
    Rule(RuleId),
    /// In lower case.
    Role(Box<str>),
    RoleOfTarget(Template),
    Owner(Owner),
    Field(Field),
    /// `'text':%(name)s`: the target against a literal.
    Literal {
        literal: Box<str>,
        template: Template,
    },
    /// `user_id:%(user_id)s`: the target, or a constant, against an attribute of the caller.
    Credential {
        key: Key,
        template: Template,
    },
}

/// `project_id:%(network:project_id)s`: the caller's project owns the target or its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    key: Box<str>,
    /// What to ask when `key` is the old spelling of a parent's attribute, `network_tenant_id`.
    respelled: Option<Box<str>>,
    without: NoAnswer,
}

/// Why a check has no answer. Neutron raises an error there; here the request is denied, even if
/// the check stands under a `not`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The target does not say which parent it has. PARITY: the closest `rule:` around fails.
    NoParent,
    /// The attribute is unknown. PARITY: the whole request fails.
    NoAttribute,
}

/// What the compiler asks its surroundings.
pub(crate) trait Names {
    /// Which rule `rule:name` means; `None` when it means none and denies.
    fn rule(&mut self, name: &str) -> Option<RuleId>;
    /// Something that is legal but surely not meant.
    fn warn(&mut self, warning: String);
}

impl Check {
    pub(crate) fn compile(expression: &Expression, names: &mut dyn Names) -> Result<Self, Problem> {
        let mut all = |members: &[Expression]| {
            members.iter().map(|member| Self::compile(member, names)).collect::<Result<_, _>>()
        };
        Ok(match expression {
            Expression::Allow => Self::Allow,
            Expression::Deny => Self::Deny,
            Expression::Not(inner) => Self::Not(Box::new(Self::compile(inner, names)?)),
            Expression::All(members) => Self::All(all(members)?),
            Expression::Any(members) => Self::Any(all(members)?),
            Expression::Check { kind, argument } => Self::compile_check(kind, argument, names)?,
        })
    }

    fn compile_check(kind: &str, argument: &str, names: &mut dyn Names) -> Result<Self, Problem> {
        Ok(match kind {
            "rule" => names.rule(argument).map_or(Self::Deny, Self::Rule),
            "role" => {
                let template = Template::parse(argument)?;
                match template.constant() {
                    Some(role) => Self::Role(role.to_lowercase().into()),
                    None => Self::RoleOfTarget(template),
                }
            }
            "field" => {
                let field = Field::parse(argument)?;
                if field.is_hopeless() {
                    names.warn(format!(
                        "field:{argument} names no boolean attribute of a collection (their names \
                         are in the plural), so it never holds"
                    ));
                }
                Self::Field(field)
            }
            "project_id" | "tenant_id" => Self::Owner(Owner::parse(kind, argument)?),
            "http" | "https" => {
                return Err(format!(
                    "\"{kind}:\" checks, which ask another server, are not supported; \
                     write the rule with roles and owners"
                ));
            }
            _ => Self::compile_generic(kind, argument, names)?,
        })
    }

    fn compile_generic(kind: &str, argument: &str, names: &mut dyn Names) -> Result<Self, Problem> {
        let template = Template::parse(argument)?;
        if let Some(literal) = literal(kind)? {
            return Ok(Self::Literal { literal: literal.into(), template });
        }
        if let Some(key) = Key::named(kind) {
            return Ok(Self::Credential { key, template });
        }
        names.warn(format!(
            "\"{kind}\" is neither a kind of check nor an attribute of a caller, so \
             {kind}:{argument} never holds"
        ));
        Ok(Self::Deny)
    }

    /// `Err` when the question cannot be answered for this target.
    pub(crate) fn answer(&self, ask: &Ask<'_, '_>) -> Result<bool, NoAnswer> {
        match self {
            Self::Allow => Ok(true),
            Self::Deny => Ok(false),
            Self::Not(inner) => inner.answer(ask).map(|held| !held),
            Self::All(members) => {
                for member in members {
                    if !member.answer(ask)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(members) => {
                for member in members {
                    if member.answer(ask)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Rule(id) => match (ask.rule)(*id).map_or(Ok(false), |rule| rule.answer(ask)) {
                Err(NoAnswer::NoParent) => Ok(false),
                answer => answer,
            },
            Self::Role(role) => Ok(has_role(ask.who, role)),
            Self::RoleOfTarget(template) => Ok(template
                .fill(ask.target)
                .is_some_and(|role| has_role(ask.who, &role.to_lowercase()))),
            Self::Owner(owner) => owner.answer(ask),
            Self::Field(field) => Ok(field.holds(ask.target)),
            Self::Literal { literal, template } => Ok(template.fills_to(ask.target, literal)),
            Self::Credential { key, template } => Ok(match ask.who.value(*key) {
                None => false,
                Some(Attribute::Text(text)) => template.fills_to(ask.target, text),
                Some(Attribute::List(list)) => {
                    list.iter().any(|text| template.fills_to(ask.target, text))
                }
            }),
        }
    }

    /// The nodes right below.
    pub(crate) fn members(&self) -> &[Check] {
        match self {
            Self::Not(inner) => std::slice::from_ref(&**inner),
            Self::All(members) | Self::Any(members) => members,
            _ => &[],
        }
    }

    /// Whether this very node looks at the target.
    pub(crate) fn looks_at_target(&self) -> bool {
        match self {
            Self::Owner(_) | Self::Field(_) | Self::RoleOfTarget(_) => true,
            Self::Literal { template, .. } | Self::Credential { template, .. } => {
                template.constant().is_none()
            }
            _ => false,
        }
    }
}

/// One question: who, about what, and where other rules are found.
pub(crate) struct Ask<'q, 'r> {
    pub(crate) who: &'q Credentials<'q>,
    pub(crate) target: &'q dyn Target,
    pub(crate) rule: &'q dyn Fn(RuleId) -> Option<&'r Check>,
}

fn has_role(who: &Credentials<'_>, lower: &str) -> bool {
    who.roles.iter().any(|role| {
        role.eq_ignore_ascii_case(lower)
            || !role.is_ascii() && role.chars().flat_map(char::to_lowercase).eq(lower.chars())
    })
}

impl Owner {
    fn parse(kind: &str, argument: &str) -> Result<Self, Problem> {
        let name = argument
            .strip_prefix("%(")
            .and_then(|rest| rest.strip_suffix(")s"))
            .filter(|name| !name.contains(['(', ')', '%']));
        let Some(name) = name else {
            return Err(format!("\"{kind}:{argument}\" is not \"{kind}:%(attribute)s\""));
        };
        let respelled = name
            .strip_prefix("network_")
            .map(|attribute| canonical_key(&format!("network:{attribute}")).into_boxed_str());
        let has_parent = respelled.is_some()
            || name.starts_with("network:")
            || name.starts_with("security_group:");
        let without = if has_parent { NoAnswer::NoParent } else { NoAnswer::NoAttribute };
        Ok(Self { key: canonical_key(name).into(), respelled, without })
    }

    /// PARITY (deliberately not): in Neutron a token without a project owns what has no project,
    /// and `tenant_id:` never holds, because callers lost the attribute of that name. Here the
    /// first owns nothing, and the old name means the new one.
    fn answer(&self, ask: &Ask<'_, '_>) -> Result<bool, NoAnswer> {
        let owner = ask
            .target
            .get(&self.key)
            .or_else(|| self.respelled.as_deref().and_then(|key| ask.target.get(key)))
            .ok_or(self.without)?;
        Ok(!ask.who.project_id.is_empty() && owner == ask.who.project_id)
    }
}

/// The kind of a check when it is a Python literal: quoted text, a number, `True`, `False`, `None`.
fn literal(kind: &str) -> Result<Option<String>, Problem> {
    let quote = kind.chars().next().filter(|first| matches!(first, '\'' | '"'));
    if let Some(quote) = quote {
        return kind
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
            .filter(|text| !text.contains([quote, '\\']))
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| {
                format!("{kind} is not text in quotes (escapes and colons are not supported there)")
            });
    }
    if matches!(kind, "True" | "False" | "None") {
        return Ok(Some(kind.to_owned()));
    }
    let digits = kind.strip_prefix('-').unwrap_or(kind);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(None);
    }
    let is_canonical = digits == "0" || !digits.starts_with('0');
    if is_canonical && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Some(kind.to_owned()));
    }
    Err(format!("\"{kind}\" is not a plain whole number; put text in quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_text_in_quotes_whole_numbers_and_pythons_constants() {
        assert_eq!(literal("'a b'").unwrap().as_deref(), Some("a b"));
        assert_eq!(literal("-15").unwrap().as_deref(), Some("-15"));
        assert_eq!(literal("True").unwrap().as_deref(), Some("True"));
        assert_eq!(literal("user_id").unwrap(), None);
        for wrong in ["'a", "'", "'a\\n'", "007", "1.5"] {
            assert!(literal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_owner_check_needs_exactly_one_attribute() {
        for wrong in ["x", "%(a)s-%(b)s", "%(a)", "x%(a)s"] {
            assert!(Owner::parse("project_id", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_role_is_the_same_in_any_case_and_any_script() {
        let roles = ["ÄRGER".to_owned(), "Admin".to_owned()];
        let who = Credentials { roles: &roles, ..Credentials::default() };
        assert!(has_role(&who, "ärger") && has_role(&who, "admin") && !has_role(&who, "adm"));
    }
}
