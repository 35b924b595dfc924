//! `nucleon policy`: check a policy file, and show the rules in force.

use std::process::ExitCode;

use super::PolicyCommand;
use crate::say::say;
use crate::wiring;

/// Does it.
///
/// # Errors
/// The policy file cannot be used.
pub fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Check { policy } => {
            let rules = wiring::rules(&policy)?;
            for warning in rules.warnings() {
                say(format!("warning: {warning}"));
            }
            let overrides = rules.rules().filter(|rule| rule.is_override()).count();
            say(format!(
                "The policy can be used: {} rules, {overrides} of them from the file.",
                rules.rules().count()
            ));
        }
        PolicyCommand::Show { policy, name } => {
            let rules = wiring::rules(&policy)?;
            let name = name.unwrap_or_default();
            for rule in rules.rules().filter(|rule| rule.name().contains(&name)) {
                if rule.is_override() {
                    say("# from the policy file");
                }
                // A JSON text is a YAML text.
                let quoted = |text: &str| serde_json::Value::from(text).to_string();
                say(format!("{}: {}", quoted(rule.name()), quoted(rule.text())));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
