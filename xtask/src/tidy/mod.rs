//! The rules that no compiler checks, over every file of the tree. What is looked for in a source
//! file is in `source`, who may import whom in `imports`, what the page of limits has to say in
//! `limits`; the reading of Rust in `lexer`.

mod imports;
mod lexer;
mod limits;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::args::Args;
use crate::process::root;

/// Prints every breach.
///
/// # Errors
/// If there is one.
pub fn run(args: Args) -> Result<()> {
    args.finish()?;
    let breaches = breaches()?;
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("untidy:\n{}", breaches.join("\n"))
}

/// Every breach of every rule, one line each: `path:line: what is wrong`.
fn breaches() -> Result<Vec<String>> {
    let root = root();
    let mut found = Vec::new();
    let (mut page, mut constants) = (String::new(), limits::Constants::new());
    for path in files(&root)? {
        // What is no text (an image, a recorded frame) has no lines to judge.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        found.extend(source::judge(&name, &text));
        if name.ends_with("Cargo.toml") {
            found.extend(imports::judge(&name, &text));
        }
        limits::learn(&name, &text, &mut constants);
        if name == limits::PAGE {
            page = text;
        }
    }
    found.extend(limits::judge(&page, &constants));
    Ok(found)
}

/// The files of the project: all but what is built and what is hidden (`.ci` and `.config` apart).
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut directories = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let hidden = name.to_string_lossy().starts_with('.');
            let of_ours = [".ci", ".config", ".cargo"].iter().any(|it| name == *it);
            if name == "target" || (hidden && !of_ours) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let breaches = super::breaches().unwrap();
        assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
    }
}
