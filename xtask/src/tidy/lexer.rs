//! As much of Rust's lexical structure as the rules need: where comments and literals are, where
//! functions begin and end, what is compiled for tests only. No parser.

/// Replaces every character of comments and literals by a space; lines stay where they are.
pub fn without_text(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after_name = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let length = match text_length(rest, after_name) {
            0 => {
                code.push(first);
                first.len_utf8()
            }
            length => {
                let text = rest.get(..length).unwrap_or(rest);
                code.extend(text.chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
                text.len()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    code
}

/// The length of the comment or literal at the start, 0 if there is none.
fn text_length(rest: &str, after_name: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if rest.starts_with('"') {
        return string(rest);
    }
    // b"", c"", r"", br#""#: a prefix, unless these letters end a longer name.
    let letters = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    if letters == 0 || letters > 2 || after_name {
        return 0;
    }
    let (prefix, quoted) = rest.split_at(letters);
    let hashes = quoted.len() - quoted.trim_start_matches('#').len();
    if prefix.ends_with('r') && quoted.trim_start_matches('#').starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let start = letters + hashes + 1;
        let body = rest.get(start..).unwrap_or_default();
        return start + body.find(&close).map_or(body.len(), |at| at + close.len());
    }
    match quoted.chars().next() {
        Some('"') => letters + string(quoted),
        Some('\'') => letters + character(quoted),
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(here) = rest.get(position..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                break;
            }
        } else {
            position += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    position
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (position, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return position + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `'x'` and `'\u{2026}'` are characters, `'x` is a lifetime.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            rest.get(3..).and_then(|rest| rest.find('\'')).map_or(0, |at| at + 4)
        }
        Some(_) => match characters.next() {
            Some((position, '\'')) => position + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// A piece of a file, by line numbers from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first line.
    pub first: usize,
    /// The last line.
    pub last: usize,
}

impl Span {
    /// How many lines it has.
    pub fn lines(self) -> usize {
        self.last - self.first + 1
    }

    /// Is the other one inside it?
    pub fn contains(self, other: Span) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// The functions with a body, in code from [`without_text`].
pub fn functions(code: &str) -> Vec<Span> {
    blocks(code, "fn ", |before| !before.is_some_and(|it| it.is_alphanumeric() || it == '_'))
}

/// What is compiled for tests only.
pub fn test_modules(code: &str) -> Vec<Span> {
    blocks(code, "#[cfg(test)]", |_| true)
}

/// From each occurrence of the word to the end of the block that follows it, if one does before
/// the next semicolon outside of brackets.
fn blocks(code: &str, word: &str, fits: impl Fn(Option<char>) -> bool) -> Vec<Span> {
    let mut spans = Vec::new();
    for (start, _) in code.match_indices(word) {
        let (before, rest) = code.split_at(start);
        if !fits(before.chars().next_back()) {
            continue;
        }
        if let Some(length) = block_length(rest.get(word.len()..).unwrap_or_default()) {
            let first = before.matches('\n').count() + 1;
            let text = rest.get(..word.len() + length).unwrap_or(rest);
            spans.push(Span { first, last: first + text.matches('\n').count() });
        }
    }
    spans
}

fn block_length(rest: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_isize);
    for (position, character) in rest.char_indices() {
        match character {
            '{' => braces += 1,
            '}' if braces <= 1 => return (braces == 1).then_some(position + 1),
            '}' => braces -= 1,
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if braces == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_blank_and_lines_stay() {
        let source = "let a = \"fn { \\\" \"; // }\nlet b = 'x'; /* { /* */ \n } */ let c: &'a str;\n\
                      let d = r#\"\"{\"#; let e = b\"{\"; let f = '\\''; let g = var\"{\";";
        let code = without_text(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert!(!code.contains(['{', '}', 'x', '"']), "{code}");
        for name in ["let a", "let b", "let c: &'a str;", "let d", "let e", "let f", "let g"] {
            assert!(code.contains(name), "{name} in {code}");
        }
    }

    #[test]
    fn functions_are_found_with_their_length_and_declarations_are_not() {
        let code = "trait T {\n fn declared(&self, a: [u8; 4]) -> u8;\n}\n\
                    pub fn one() {}\nasync fn two(a: [u8; 4])\nwhere A: B\n{\n if x { y }\n}\n\
                    type F = fn(u8) -> u8;\n";
        assert_eq!(functions(code), [Span { first: 4, last: 4 }, Span { first: 5, last: 9 }]);
    }

    #[test]
    fn a_test_module_ends_at_its_brace_and_a_module_elsewhere_has_no_lines_here() {
        let code = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more {\n fn a() {}\n}\nfn b() {}\n";
        assert_eq!(test_modules(code), [Span { first: 3, last: 6 }]);
    }
}
