//! Text of a rule → [`Expression`], and back with `Display`. What the checks mean is in `check`.
//!
//! The lexer is oslo.policy's: words are separated by white space, parentheses are peeled off the
//! two ends of a word only, because `%(name)s` has some inside. `not` binds closer than `and`, and
//! `and` closer than `or`; the three operators may be written in any case.

use std::fmt;

/// How deep parentheses, `not`s and references may be nested; real policies stay below ten.
pub const DEPTH_LIMIT: usize = 100;

/// A rule as written, with superfluous parentheses gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `@` or the empty rule.
    Allow,
    /// `!`.
    Deny,
    /// `not …`.
    Not(Box<Expression>),
    /// `… and …`: two members or more.
    All(Vec<Expression>),
    /// `… or …`: two members or more.
    Any(Vec<Expression>),
    /// `kind:argument`, split at the first colon.
    Check {
        /// Before the colon: `role`, `rule`, `field`, a credential or a literal.
        kind: String,
        /// After the colon: may hold further colons and `%(name)s`.
        argument: String,
    },
}

/// Why a text is no rule, as a sentence without its subject.
pub type Problem = String;

/// Reads one rule.
///
/// # Errors
/// Says which word is not understood. PARITY (deliberately not): oslo.policy logs such a rule and
/// denies it; a policy that means something else than its author thought is better not loaded.
pub fn parse(text: &str) -> Result<Expression, Problem> {
    if text.is_empty() {
        return Ok(Expression::Allow);
    }
    let words = words(text)?;
    if words.is_empty() {
        return Err("the rule is blank; write \"\" or \"@\" to allow, \"!\" to deny".into());
    }
    let mut parser = Parser { words: words.into_iter().peekable(), depth: 0 };
    let whole = parser.any()?;
    match parser.words.next() {
        None => Ok(whole),
        Some(word) => Err(format!("expected \"and\" or \"or\" before {word}")),
    }
}

/// Reads the old form, a list of lists: the outer joined by "or", the inner by "and".
///
/// # Errors
/// As [`parse`]; the old form knows single checks only, no operators.
pub fn parse_list(alternatives: &[Vec<String>]) -> Result<Expression, Problem> {
    if alternatives.is_empty() {
        return Ok(Expression::Allow);
    }
    let mut any = Vec::new();
    // PARITY: an empty inner list is skipped, so that a list of nothing but those denies.
    for checks in alternatives.iter().filter(|checks| !checks.is_empty()) {
        let all = checks.iter().map(|check| lone_check(check)).collect::<Result<Vec<_>, _>>()?;
        any.push(join(all, Expression::All));
    }
    Ok(if any.is_empty() { Expression::Deny } else { join(any, Expression::Any) })
}

fn lone_check(text: &str) -> Result<Expression, Problem> {
    match words(text)?.as_slice() {
        [Word::Check(check)] => Ok(check.clone()),
        _ => Err(format!("\"{text}\" in a list is not a single check such as \"role:admin\"")),
    }
}

/// One member stands for itself; several need the operator.
fn join(mut members: Vec<Expression>, operator: fn(Vec<Expression>) -> Expression) -> Expression {
    match members.pop() {
        Some(only) if members.is_empty() => only,
        Some(last) => {
            members.push(last);
            operator(members)
        }
        None => operator(members),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Open,
    Close,
    Not,
    And,
    Or,
    Check(Expression),
}

impl fmt::Display for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => out.write_str("\"(\""),
            Self::Close => out.write_str("\")\""),
            Self::Not => out.write_str("\"not\""),
            Self::And => out.write_str("\"and\""),
            Self::Or => out.write_str("\"or\""),
            Self::Check(check) => write!(out, "\"{check}\""),
        }
    }
}

fn words(text: &str) -> Result<Vec<Word>, Problem> {
    let mut words = Vec::new();
    for chunk in text.split_whitespace() {
        let inner = chunk.trim_start_matches('(');
        words.extend((inner.len()..chunk.len()).map(|_| Word::Open));
        let core = inner.trim_end_matches(')');
        match core {
            "" => {}
            _ if core.eq_ignore_ascii_case("and") => words.push(Word::And),
            _ if core.eq_ignore_ascii_case("or") => words.push(Word::Or),
            _ if core.eq_ignore_ascii_case("not") => words.push(Word::Not),
            _ => words.push(Word::Check(check(core)?)),
        }
        words.extend((core.len()..inner.len()).map(|_| Word::Close));
    }
    Ok(words)
}

fn check(word: &str) -> Result<Expression, Problem> {
    match (word, word.split_once(':')) {
        ("@", _) => Ok(Expression::Allow),
        ("!", _) => Ok(Expression::Deny),
        _ if is_quoted(word) => Err(format!("{word} is quoted as a whole; leave the quotes out")),
        (_, Some((kind, argument))) => {
            Ok(Expression::Check { kind: kind.into(), argument: argument.into() })
        }
        (_, None) => Err(format!(
            "\"{word}\" is not a check; expected \"role:admin\" or the like, \"@\" or \"!\""
        )),
    }
}

fn is_quoted(word: &str) -> bool {
    let ends = (word.chars().next(), word.chars().next_back());
    word.len() >= 2 && matches!(ends, (Some('"'), Some('"')) | (Some('\''), Some('\'')))
}

struct Parser {
    words: std::iter::Peekable<std::vec::IntoIter<Word>>,
    depth: usize,
}

impl Parser {
    fn any(&mut self) -> Result<Expression, Problem> {
        let mut members = vec![self.all()?];
        while self.words.next_if_eq(&Word::Or).is_some() {
            members.push(self.all()?);
        }
        Ok(join(members, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Problem> {
        let mut members = vec![self.one()?];
        while self.words.next_if_eq(&Word::And).is_some() {
            members.push(self.one()?);
        }
        Ok(join(members, Expression::All))
    }

    fn one(&mut self) -> Result<Expression, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(format!("nested more than {DEPTH_LIMIT} deep"));
        }
        let expression = match self.words.next() {
            Some(Word::Check(check)) => check,
            Some(Word::Not) => Expression::Not(Box::new(self.one()?)),
            Some(Word::Open) => {
                let inner = self.any()?;
                match self.words.next() {
                    Some(Word::Close) => inner,
                    Some(word) => return Err(format!("expected \")\" before {word}")),
                    None => return Err("a \"(\" is never closed".into()),
                }
            }
            Some(word) => return Err(format!("expected a check before {word}")),
            None => return Err("expected a check at the end".into()),
        };
        self.depth -= 1;
        Ok(expression)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, operator) = match self {
            Self::Allow => return out.write_str("@"),
            Self::Deny => return out.write_str("!"),
            Self::Not(inner) => return write!(out, "not {inner}"),
            Self::Check { kind, argument } => return write!(out, "{kind}:{argument}"),
            Self::All(members) => (members, " and "),
            Self::Any(members) => (members, " or "),
        };
        let mut before = "(";
        for member in members {
            write!(out, "{before}{member}")?;
            before = operator;
        }
        out.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        assert_eq!(shown("a:1 or b:2 and not c:3 or d:4"), "(a:1 or (b:2 and not c:3) or d:4)");
        assert_eq!(shown("not (a:1 or b:2) and c:3"), "(not (a:1 or b:2) and c:3)");
    }

    #[test]
    fn operators_are_understood_in_any_case() {
        assert_eq!(shown("NOT a:1 AND b:2 Or c:3"), "((not a:1 and b:2) or c:3)");
    }

    #[test]
    fn parentheses_inside_a_check_belong_to_it() {
        assert_eq!(shown("((project_id:%(project_id)s))"), "project_id:%(project_id)s");
    }

    #[test]
    fn an_empty_rule_allows_and_a_blank_one_is_refused() {
        assert_eq!(parse(""), Ok(Expression::Allow));
        assert!(parse(" ").unwrap_err().contains("blank"));
    }

    #[test]
    fn a_refusal_names_the_offending_word() {
        let problem = |text: &str| parse(text).unwrap_err();
        assert!(problem("role:a role:b").contains("before \"role:b\""));
        assert!(problem("(role:a").contains("never closed"));
        assert!(problem("role:a)").contains("before \")\""));
        assert!(problem("role:a or").contains("at the end"));
        assert!(problem("admin").contains("\"admin\" is not a check"));
        assert!(problem("'role:admin'").contains("quotes"));
        assert!(problem(&"(".repeat(5000)).contains("nested more than"));
    }

    #[test]
    fn a_list_of_lists_is_an_or_of_ands() {
        let list = |rows: &[&[&str]]| {
            let rows: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|s| (*s).into()).collect()).collect();
            parse_list(&rows).map(|expression| expression.to_string())
        };
        assert_eq!(list(&[]).unwrap(), "@");
        assert_eq!(list(&[&[]]).unwrap(), "!");
        assert_eq!(list(&[&["a:1", "b:2"], &[], &["c:3"]]).unwrap(), "((a:1 and b:2) or c:3)");
        assert!(list(&[&["not a:1"]]).is_err());
    }

    /// Expressions as the parser makes them: operators always have at least two members.
    fn expressions() -> impl Strategy<Value = Expression> {
        let check = ("[a-z_.']{1,8}", "[a-zA-Z0-9_:=~%*-]{0,8}(%\\([a-z:_]{1,9}\\)s)?")
            .prop_map(|(kind, argument)| Expression::Check { kind, argument });
        let leaf = prop_oneof![Just(Expression::Allow), Just(Expression::Deny), check];
        leaf.prop_filter("quoted as a whole", |leaf| !is_quoted(&leaf.to_string())).prop_recursive(
            5,
            40,
            4,
            |inner| {
                prop_oneof![
                    inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
                    prop::collection::vec(inner.clone(), 2..5).prop_map(Expression::All),
                    prop::collection::vec(inner, 2..5).prop_map(Expression::Any),
                ]
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(expression in expressions()) {
            prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
        }
    }
}
