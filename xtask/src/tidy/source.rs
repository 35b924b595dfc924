//! The rules for one file: how long, how wide, how it opens, what it must not contain.

use super::imports;
use super::lexer::{functions, test_modules, without_text};

/// The aim is 500 lines; a noun that needs a few more is not torn apart for them.
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

/// What people write by hand and read in an editor. Data and prose keep their own width.
const NARROW: [&str; 3] = [".rs", ".py", ".sh"];

/// Every breach in this file. `name` is its path from the root.
pub fn judge(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for what in line_breaches(name, line) {
            found.push(format!("{name}:{number}: {what}"));
        }
    }
    if name == "Cargo.lock" {
        found.extend(foreign_sources(text));
    }
    if name.ends_with(".rs") {
        found.extend(rust_breaches(name, text));
    }
    found
}

fn line_breaches(name: &str, line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let width = width(line);
    if width > COLUMNS && NARROW.iter().any(|end| name.ends_with(end)) {
        found.push(format!("{width} columns; {COLUMNS} are readable"));
    }
    // Spelt in two pieces, or this file would find itself.
    for place in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sha", "red/")] {
        if line.contains(place) {
            found.push(format!("{place} is a place on somebody's machine"));
        }
    }
    for mark in [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")] {
        if words(line).any(|word| word == mark) {
            found.push(format!("{mark}: do it, or open an issue"));
        }
    }
    found
}

/// The columns of a line. A message that fills the rest of it stays whole, so that it can be
/// searched for; it counts as nothing.
fn width(line: &str) -> usize {
    let all = line.chars().count();
    let Some((start, rest)) = line.split_once('"') else { return all };
    let message = rest.rfind('"').map_or(rest, |end| rest.get(..end).unwrap_or(rest));
    if start.contains("//") { all } else { all - message.chars().count() }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|it: char| !it.is_alphanumeric() && it != '_')
}

fn foreign_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter(|line| line.starts_with("source = "));
    let ours = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let foreign = sources.filter(|line| *line != ours);
    foreign.map(|line| format!("Cargo.lock: {line}: only crates.io is a source")).collect()
}

fn rust_breaches(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!("{name}:1: opens without `//!`: say what is here and what is not"));
    }
    let code = without_text(text);
    let tests = test_modules(&code);
    let is_test = |name: &str| {
        let directories = ["/tests/", "/benches/", "/examples/"];
        directories.iter().any(|it| name.contains(it)) || name.ends_with("/tests.rs")
    };
    for macro_name in [concat!("to", "do!"), concat!("unimple", "mented!")] {
        for (position, _) in code.match_indices(macro_name) {
            let line = code.get(..position).unwrap_or_default().matches('\n').count() + 1;
            found.push(format!("{name}:{line}: {macro_name} is a stub"));
        }
    }
    found.extend(imports::judge_source(name, &code));
    if is_test(name) {
        return found;
    }
    let of_tests: usize = tests.iter().map(|span| span.lines()).sum();
    let lines = text.lines().count().saturating_sub(of_tests);
    if lines > FILE_LINES {
        found.push(format!("{name}: {lines} lines without its tests; {FILE_LINES} are the most"));
    }
    for function in functions(&code) {
        let lines = function.lines();
        if lines > FUNCTION_LINES && !tests.iter().any(|span| span.contains(function)) {
            let first = function.first;
            found.push(format!("{name}:{first}: a function of {lines} lines fits no screen"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(text: &str) -> Vec<String> {
        judge("crates/wire/src/a.rs", text)
    }

    #[test]
    fn a_file_in_order_has_no_breach() {
        assert!(breaches("//! A noun.\n\npub use self::a::B;\nfn a() {}\n").is_empty());
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_named() {
        assert_eq!(breaches("fn a() {}\n").len(), 1);
    }

    #[test]
    fn long_functions_and_files_are_named_but_not_those_of_tests() {
        let long = format!("fn a() {{\n{}}}\n", "    b();\n".repeat(69));
        assert_eq!(breaches(&format!("//! A.\n{long}")).len(), 1);
        let tests = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", long.repeat(10));
        assert!(breaches(&tests).is_empty());
        assert_eq!(breaches(&format!("//! A.\n{}", "\n".repeat(600))).len(), 1);
        assert!(judge("crates/a/tests/b.rs", &format!("//! A.\n{long}")).is_empty());
    }

    #[test]
    fn wide_lines_stubs_and_machine_paths_are_named_with_their_line() {
        let wide = format!("//! A.\n// {}\n", "…".repeat(98));
        assert_eq!(breaches(&wide), ["crates/wire/src/a.rs:2: 101 columns; 100 are readable"]);
        let message = format!("//! A.\nfn a() {{ b(\"{}\") }}\n", "word ".repeat(30));
        assert!(breaches(&message).is_empty());
        let stub = format!("//! A.\nfn a() {{ {}() }}\n", concat!("to", "do!"));
        assert_eq!(breaches(&stub).len(), 1);
        let place = format!("//! A.\n// {}\n", concat!("/ro", "ot/x"));
        assert_eq!(breaches(&place).len(), 1);
    }

    #[test]
    fn a_lock_file_that_names_another_registry_is_refused() {
        let lock = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        assert!(judge("Cargo.lock", lock).is_empty());
        assert_eq!(judge("Cargo.lock", "source = \"registry+https://mirror/\"\n").len(), 1);
    }
}
