//! Entry point for fuzzers: any bytes are taken as a policy file. Compiled for them and tests only.

use crate::check::Target;
use crate::credentials::Credentials;
use crate::defaults::DEFAULTS;
use crate::enforcer::Enforcer;
use crate::parse;
use std::borrow::Cow;

struct Echo;

impl Target for Echo {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        (!key.len().is_multiple_of(3)).then(|| Cow::Owned(key.to_owned()))
    }
}

/// Loading and deciding must come to an end without a panic, and what is printed must parse to the
/// same again.
///
/// # Panics
/// When printing and parsing disagree: the bug the fuzzer looks for.
pub fn fuzz_policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(expression) = parse::parse(&text) {
        assert_eq!(parse::parse(&expression.to_string()), Ok(expression));
    }
    let defaults = DEFAULTS.get(..20).unwrap_or(DEFAULTS);
    let Ok(enforcer) = Enforcer::new(defaults, Some(&text)) else { return };
    let roles = ["admin".to_owned()];
    let who = Credentials { roles: &roles, project_id: "project_id", ..Credentials::default() };
    for rule in enforcer.rules() {
        let with_target = enforcer.decide(rule, &who, &Echo);
        let without = enforcer.decide(rule, &who, &());
        assert!(rule.depends_on_target() || with_target == without, "{}", rule.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_small_corpus_of_odd_files_is_survived() {
        let deep = format!("a: \"{}\"", "not ".repeat(100_000));
        let doubling: String =
            (0..200).map(|n| format!("r{n}: \"rule:r{m} and rule:r{m}\"\n", m = n + 1)).collect();
        let chain: String = (0..5000).map(|n| format!("r{n}: rule:r{}\n", n + 1)).collect();
        let aliases = "a: &a [[x:y]]\nb: &b [*a, *a]\nc: [*b, *b]\n";
        let corpus =
            ["", "a: \"!\"", "a: !", "a: [[[[]]]]", "default: rule:x", &deep, &doubling, &chain];
        for text in corpus.into_iter().chain([aliases]) {
            fuzz_policy(text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzz_policy(&data);
        }

        #[test]
        fn random_words_of_the_language_are_survived(
            words in prop::collection::vec(prop::sample::select(vec![
                "a: ", "\"", "'", "not ", "and ", "or ", "(", ")", "rule:", "role:x ",
                "field:a:b=~(", "%(a)s ", "project_id:%(tenant_id)s ", "\n", "[", "]", ",", "@ ",
                "! ", "1:", "default",
            ]), 0..30),
        ) {
            fuzz_policy(words.concat().as_bytes());
        }
    }
}
