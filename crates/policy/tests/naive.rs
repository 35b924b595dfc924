//! The compiled evaluator against a naive one that walks the expression and builds every string.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use policy::check::Target;
use policy::credentials::{Attribute, Credentials};
use policy::default_rule::DefaultRule;
use policy::enforcer::Enforcer;
use policy::parse::{Expression, parse};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

struct Map(BTreeMap<String, String>);

impl Target for Map {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        self.0.get(key).map(|value| Cow::Borrowed(value.as_str()))
    }
}

const RULES: &[DefaultRule] = &[
    DefaultRule { name: "staff", check: "role:admin or role:reader", scopes: &[] },
    DefaultRule { name: "owner", check: "project_id:%(project_id)s", scopes: &[] },
    DefaultRule { name: "default", check: "rule:staff and not rule:owner", scopes: &[] },
];

/// Replaces `%(name)s` by the attributes; `None` when one is missing.
fn filled(argument: &str, target: &Map) -> Option<String> {
    let mut text = argument.to_owned();
    while let Some((before, rest)) = text.clone().split_once("%(") {
        let (name, after) = rest.split_once(")s")?;
        text = format!("{before}{}{after}", target.0.get(name)?);
    }
    Some(text)
}

/// `None`: no answer, so the whole question is denied.
fn naive(expression: &Expression, who: &Credentials<'_>, target: &Map) -> Option<bool> {
    let (kind, argument) = match expression {
        Expression::Allow => return Some(true),
        Expression::Deny => return Some(false),
        Expression::Not(inner) => return naive(inner, who, target).map(|held| !held),
        Expression::All(members) => {
            let mut answers = members.iter().map(|member| naive(member, who, target));
            return answers.find(|answer| *answer != Some(true)).unwrap_or(Some(true));
        }
        Expression::Any(members) => {
            let mut answers = members.iter().map(|member| naive(member, who, target));
            return answers.find(|answer| *answer != Some(false)).unwrap_or(Some(false));
        }
        Expression::Check { kind, argument } => (kind.as_str(), argument.as_str()),
    };
    Some(match kind {
        "rule" => {
            let rule = RULES.iter().find(|rule| rule.name == argument).unwrap_or(&RULES[2]);
            return naive(&parse(rule.check).unwrap(), who, target);
        }
        "role" => filled(argument, target)
            .is_some_and(|role| who.roles.iter().any(|r| r.to_lowercase() == role.to_lowercase())),
        "project_id" => filled(argument, target)? == who.project_id,
        "field" => {
            let (field, value) = argument.split_once(':').unwrap().1.split_once('=').unwrap();
            target.0.get(field).is_some_and(|have| have == value)
        }
        literal if literal.starts_with('\'') => {
            filled(argument, target).as_deref() == Some(literal.trim_matches('\''))
        }
        credential => match (who.get(credential).unwrap(), filled(argument, target)) {
            (_, None) => false,
            (Attribute::Text(text), Some(wanted)) => text == wanted,
            (Attribute::List(list), Some(wanted)) => list.contains(&wanted),
        },
    })
}

fn expressions() -> impl Strategy<Value = Expression> {
    let checks = prop::sample::select(vec![
        "@",
        "!",
        "role:admin",
        "role:Member",
        "role:%(name)s",
        "roles:member",
        "rule:staff",
        "rule:owner",
        "rule:unknown",
        "project_id:%(project_id)s",
        "project_id:%(missing)s",
        "user_id:u-%(name)s",
        "user_id:%(name)s-%(name)s",
        "is_admin:False",
        "'a':%(name)s",
        "field:networks:name=a",
    ]);
    checks.prop_map(|text| parse(text).unwrap()).prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            prop::collection::vec(inner, 2..4).prop_map(Expression::Any),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_compiled_rule_answers_as_the_naive_walk(
        expression in expressions(),
        attributes in prop::collection::btree_map(
            prop::sample::select(vec!["name".to_owned(), "project_id".to_owned()]),
            prop::sample::select(vec!["a".to_owned(), "admin".to_owned(), "p".to_owned()]),
            0..3,
        ),
        roles in prop::collection::vec(
            prop::sample::select(vec!["ADMIN", "member", "reader"]).prop_map(str::to_owned),
            0..3,
        ),
        user_id in prop::sample::select(vec!["u-a", "a-a", "a-admin"]),
    ) {
        let text = expression.to_string();
        let enforcer = Enforcer::new(RULES, Some(&format!("asked: \"{text}\""))).unwrap();
        let who = Credentials { roles: &roles, user_id, project_id: "p", ..Credentials::default() };
        let target = Map(attributes);
        let expected = naive(&expression, &who, &target).unwrap_or(false);
        prop_assert_eq!(enforcer.check("asked", &who, &target), expected, "{}", text);
    }
}
