//! Which dependencies came in: their licences, and that none is banned. The lists are in
//! `deny.toml`. With cargo-deny it also asks for known weaknesses, if the list of them can be
//! fetched; without it this file reads the same lists and says that weaknesses were not asked for.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::process::{self, Signals, command, installed, output, root};

/// Checks the dependencies of the whole workspace.
///
/// # Errors
/// Names every dependency that may not be here.
pub async fn run(signals: &mut Signals) -> Result<()> {
    if installed("cargo-deny") {
        return with_cargo_deny(signals).await;
    }
    let rules = fs::read_to_string(root().join("deny.toml"))?;
    let mut tree = command("cargo");
    tree.args(["tree", "--workspace", "--edges", "all", "--prefix", "none"]);
    let tree = output(tree.args(["--format", "{p}|{l}"])).await?;
    let wrong = judge(&tree, &Rules::read(&rules)?);
    if !wrong.is_empty() {
        bail!("dependencies that may not be here:\n  {}", wrong.join("\n  "));
    }
    println!("audit: licences and bans are in order; known weaknesses need cargo-deny, not asked");
    Ok(())
}

async fn with_cargo_deny(signals: &mut Signals) -> Result<()> {
    let mut deny = command("cargo");
    deny.args(["deny", "check", "licenses", "bans", "sources"]);
    process::run(signals, &mut deny).await?;
    match output(command("cargo").args(["deny", "check", "advisories"])).await {
        Ok(_) => println!("audit: no known weakness"),
        Err(error) if format!("{error:#}").contains("failed to fetch") => {
            println!("audit: the list of known weaknesses cannot be fetched here, not asked");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What `deny.toml` says, as far as this file reads it.
struct Rules {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
}

impl Rules {
    fn read(text: &str) -> Result<Self> {
        let list = |name: &str| {
            let (_, rest) = text.split_once(&format!("\n{name} = ["))?;
            let (list, _) = rest.split_once("\n]")?;
            // Every second piece stands between quotation marks.
            Some(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
        };
        Ok(Rules {
            licences: list("allow").context("deny.toml: no list `allow`")?,
            banned: list("deny").context("deny.toml: no list `deny`")?,
        })
    }
}

/// Lines are `NAME vVERSION …|LICENCE`, perhaps marked `(*)` as seen before.
fn judge(tree: &str, rules: &Rules) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    for line in tree.lines().map(|line| line.trim_end_matches("(*)").trim()) {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let name = package.split(' ').next().unwrap_or_default();
        if rules.banned.contains(name) {
            wrong.insert(format!("{package} is banned"));
        }
        if !allows(licence, &rules.licences) {
            wrong.insert(format!("{package} has the licence {licence:?}"));
        }
    }
    wrong.into_iter().collect()
}

/// Does a licence expression hold with only these licences? `AND` binds closer than `OR`.
fn allows(expression: &str, licences: &BTreeSet<String>) -> bool {
    // Old packages write a slash for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let holds = either(&mut words, licences);
    holds && words.is_empty()
}

fn either(words: &mut Vec<&str>, licences: &BTreeSet<String>) -> bool {
    let mut holds = both(words, licences);
    while words.pop_if(|word| *word == "OR").is_some() {
        holds |= both(words, licences);
    }
    holds
}

fn both(words: &mut Vec<&str>, licences: &BTreeSet<String>) -> bool {
    let mut holds = one(words, licences);
    while words.pop_if(|word| *word == "AND").is_some() {
        holds &= one(words, licences);
    }
    holds
}

fn one(words: &mut Vec<&str>, licences: &BTreeSet<String>) -> bool {
    let Some(word) = words.pop() else { return false };
    if word == "(" {
        let holds = either(words, licences);
        return words.pop_if(|word| *word == ")").is_some() && holds;
    }
    if words.pop_if(|word| *word == "WITH").is_some() {
        let exception = words.pop().unwrap_or_default();
        return licences.contains(&format!("{word} WITH {exception}")) || licences.contains(word);
    }
    licences.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "[licenses]\nallow = [\n \"MIT\",\n \"Apache-2.0\",\n \"ISC\",\n]\n\
                         [bans]\ndeny = [\n { crate = \"ring\" },\n]\n";

    #[test]
    fn a_licence_expression_holds_if_some_allowed_choice_satisfies_it() {
        let licences = Rules::read(RULES).unwrap().licences;
        for good in ["MIT", "GPL-2.0 OR MIT", "MIT/Unlicense", "(GPL-3.0 OR MIT) AND ISC"] {
            assert!(allows(good, &licences), "{good}");
        }
        assert!(allows("Apache-2.0 WITH LLVM-exception OR GPL-2.0", &licences));
        for bad in ["", "GPL-2.0", "MIT AND GPL-2.0", "GPL-2.0 OR MIT AND GPL-3.0", "(MIT"] {
            assert!(!allows(bad, &licences), "{bad}");
        }
    }

    #[test]
    fn a_banned_or_unlicensed_dependency_is_named() {
        let rules = Rules::read(RULES).unwrap();
        let tree = "a v1.0.0|MIT\nring v0.17.0|ISC (*)\n\nb v2.0.0|\n";
        let wrong = judge(tree, &rules);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong.iter().any(|it| it.starts_with("ring v0.17.0 is banned")));
        assert!(wrong.iter().any(|it| it.starts_with("b v2.0.0 has the licence")));
    }

    #[test]
    fn the_lists_of_the_project_can_be_read() {
        let rules = fs::read_to_string(root().join("deny.toml")).unwrap();
        let rules = Rules::read(&rules).unwrap();
        assert!(rules.licences.contains("Apache-2.0") && rules.banned.contains("ring"));
    }
}
