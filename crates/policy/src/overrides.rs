//! The operator's `policy.yaml` (or JSON, which is YAML too) → named rules with their lines.
//! What the names mean, and whether they are known, is the `enforcer`'s business.

use crate::error::PolicyError;
use crate::parse::{self, Expression, Problem};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;

/// One rule of the file, parsed.
#[derive(Debug)]
pub(crate) struct Override {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) expression: Expression,
    pub(crate) line: u64,
}

/// Reads the whole text; an empty one holds no rules.
pub(crate) fn read(text: &str) -> Result<Vec<Override>, PolicyError> {
    let is_comment = |line: &str| matches!(line.trim().chars().next(), None | Some('#'));
    if text.lines().all(is_comment) {
        return Ok(Vec::new());
    }
    let File(rules) = serde_saphyr::from_str(text).map_err(|error| PolicyError {
        line: error.location().map(|place| place.line()),
        rule: None,
        problem: error.without_snippet().to_string(),
    })?;
    rules.into_iter().map(Override::parse).collect()
}

impl Override {
    fn parse((name, value): (Spanned<String>, Spanned<Value>)) -> Result<Self, PolicyError> {
        let line = value.referenced.line();
        let refuse = |problem: Problem| PolicyError {
            line: Some(line),
            rule: Some(name.value.clone()),
            problem,
        };
        let (text, expression) = match value.value {
            Value::Text(text) => {
                let expression = parse::parse(&text).map_err(refuse)?;
                (text, expression)
            }
            Value::List(list) => {
                let expression = parse::parse_list(&list).map_err(refuse)?;
                (expression.to_string(), expression)
            }
        };
        Ok(Self { name: name.value, text, expression, line })
    }
}

struct File(Vec<(Spanned<String>, Spanned<Value>)>);

enum Value {
    Text(String),
    List(Vec<Vec<String>>),
}

/// Member of the outer list: several checks, or one without its brackets.
struct Checks(Vec<String>);

const EXPECTED: &str = "text such as \"role:admin\" (in quotes if it starts with ! or @), \
                        or a list of lists of checks";

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = File;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("names of rules with their values")
            }

            fn visit_unit<E: Error>(self) -> Result<File, E> {
                Ok(File(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = map.next_entry()? {
                    rules.push(rule);
                }
                Ok(File(rules))
            }
        }

        input.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Value;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut alternatives = Vec::new();
                while let Some(Checks(checks)) = list.next_element()? {
                    alternatives.push(checks);
                }
                Ok(Value::List(alternatives))
            }
        }

        input.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Checks;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a check such as \"role:admin\", or a list of checks")
            }

            fn visit_str<E: Error>(self, check: &str) -> Result<Checks, E> {
                // PARITY: an empty text is skipped like an empty list.
                Ok(Checks(if check.is_empty() { Vec::new() } else { vec![check.to_owned()] }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Checks, A::Error> {
                let mut checks = Vec::new();
                while let Some(check) = list.next_element()? {
                    checks.push(check);
                }
                Ok(Checks(checks))
            }
        }

        input.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> PolicyError {
        read(text).unwrap_err()
    }

    #[test]
    fn yaml_and_json_and_the_old_lists_are_read() {
        let yaml =
            "# comment\n\"a\": \"role:x\"\nb: [[\"role:x\", \"role:y\"], \"role:z\", \"\"]\n";
        let json = "{\n\t\"a\": \"role:x\",\n\t\"b\": [[\"role:x\", \"role:y\"], [\"role:z\"]]\n}";
        for text in [yaml, json] {
            let rules = read(text).unwrap();
            let shown: Vec<_> = rules
                .iter()
                .map(|rule| (rule.name.as_str(), rule.expression.to_string(), rule.line))
                .collect();
            let b = "((role:x and role:y) or role:z)".to_owned();
            assert_eq!(shown, [("a", "role:x".to_owned(), 2), ("b", b, 3)]);
        }
    }

    #[test]
    fn no_text_means_no_rules() {
        for text in ["", "\n# only a comment\n", "---\n", "{}"] {
            assert!(read(text).unwrap().is_empty(), "{text:?}");
        }
    }

    #[test]
    fn bad_syntax_is_refused_with_rule_and_line() {
        let error = refusal("a: role:x\n\nb: role:x or\n");
        assert_eq!((error.line, error.rule.as_deref()), (Some(3), Some("b")));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_line() {
        for text in ["a: role:x\nb:\n", "a: role:x\nb: true\n", "a: role:x\nb: {c: d}\n"] {
            let error = refusal(text);
            assert_eq!(error.line, Some(2), "{text:?}: {error}");
        }
        for text in ["a: \"x\na: b: c", "a: role:x\na: role:y\n"] {
            assert!(refusal(text).line.is_some(), "{text:?}");
        }
        for text in ["- a\n", "role:x"] {
            assert!(refusal(text).problem.contains("names of rules"), "{}", refusal(text));
        }
    }
}
