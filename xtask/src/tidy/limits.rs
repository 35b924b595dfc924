//! `docs/limits.md` is the one place that has all limits: each constant it names has the value it
//! says, and each constant of a crate that is called `…_MAX` is there.

use std::collections::BTreeMap;

/// The page.
pub const PAGE: &str = "docs/limits.md";

/// Constants by file and name, with their values.
pub type Constants = BTreeMap<(String, String), String>;

/// Adds the constants at the head of a source file.
pub fn learn(name: &str, text: &str, constants: &mut Constants) {
    if !name.starts_with("crates/") || !name.contains("/src/") {
        return;
    }
    for line in text.lines() {
        let Some((visibility, rest)) = line.split_once("const ") else { continue };
        let is_one = visibility.is_empty() || visibility.starts_with("pub");
        let Some((constant, typed)) = rest.split_once(": ").filter(|_| is_one) else { continue };
        let Some((_, value)) = typed.trim_end_matches(';').split_once(" = ") else { continue };
        constants.insert((name.to_owned(), constant.to_owned()), value.to_owned());
    }
}

/// What the page says that is not so, and what it does not say.
pub fn judge(page: &str, constants: &Constants) -> Vec<String> {
    let mut found = Vec::new();
    let mut named = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        let [_, value, constant, file] = quoted(line)[..] else { continue };
        let key = (file.to_owned(), constant.to_owned());
        match constants.get(&key) {
            Some(real) if real == value => {}
            Some(real) => found.push(format!("{PAGE}:{number}: {constant} is {real}")),
            None => found.push(format!("{PAGE}:{number}: {file} has no constant {constant}")),
        }
        named.push(key);
    }
    for key in constants.keys().filter(|(_, constant)| constant.ends_with("_MAX")) {
        if !named.contains(key) {
            found.push(format!("{}: the limit {} is missing in {PAGE}", key.0, key.1));
        }
    }
    found
}

/// The first cell of a row of the page, and what is in backticks in the others.
fn quoted(line: &str) -> Vec<&str> {
    let Some((what, rest)) = line.strip_prefix("| ").and_then(|row| row.split_once(" | ")) else {
        return Vec::new();
    };
    std::iter::once(what).chain(rest.split('`').skip(1).step_by(2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "/// At most.\npub const BYTES_MAX: usize = 1 << 20;\n\
                          const PATIENCE: Duration = Duration::from_secs(60);\n\
                          \x20   const IN: u8 = 1;\n";

    fn judged(page: &str) -> Vec<String> {
        let mut constants = Constants::new();
        learn("crates/a/src/lib.rs", SOURCE, &mut constants);
        learn("crates/a/tests/b.rs", "const OTHER_MAX: u8 = 1;", &mut constants);
        judge(page, &constants)
    }

    #[test]
    fn the_page_and_the_sources_say_the_same() {
        let bytes = "| bytes of `x` | `1 << 20` | `BYTES_MAX` in `crates/a/src/lib.rs` |";
        assert_eq!(judged(bytes), [""; 0]);
        let patience = "| wait | `Duration::from_secs(6)` | `PATIENCE` in `crates/a/src/lib.rs` |";
        let other = judged(&format!("{bytes}\n{patience}"));
        assert_eq!(other, ["docs/limits.md:2: PATIENCE is Duration::from_secs(60)"]);
        assert_eq!(
            judged("| gone | `1` | `GONE` in `crates/a/src/lib.rs` |"),
            [
                "docs/limits.md:1: crates/a/src/lib.rs has no constant GONE",
                "crates/a/src/lib.rs: the limit BYTES_MAX is missing in docs/limits.md",
            ]
        );
    }
}
