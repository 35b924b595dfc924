//! The one error of this crate: a policy that cannot be loaded. Deciding never fails; it denies.

use std::fmt;

/// Why a policy was refused, and where: line (from 1) and rule, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Line of the policy text, counted from 1; `None` for a default rule.
    pub line: Option<u64>,
    /// Name of the rule at fault; `None` when the text is not even a list of rules.
    pub rule: Option<String>,
    /// What is wrong and what would be accepted.
    pub problem: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("policy")?;
        if let Some(line) = self.line {
            write!(out, ", line {line}")?;
        }
        if let Some(rule) = &self.rule {
            write!(out, ", rule \"{rule}\"")?;
        }
        write!(out, ": {}", self.problem)
    }
}

impl std::error::Error for PolicyError {}
