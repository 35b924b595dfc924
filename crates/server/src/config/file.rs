//! The configuration file: TOML with the names of the flags as keys. Its values become the defaults
//! of the flags, so that flags and variables go before it and the same checks hold for all three.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use toml::{Table, Value};

use crate::command::Cli;

/// Options that are secrets: their values would be visible to every user of the machine.
const SECRETS: [(&str, &str); 1] = [("keystone_password", "NUCLEON_KEYSTONE_PASSWORD")];

/// Reads the arguments, the environment and the file that one of them names.
///
/// # Errors Whatever is wrong, in words for the person at the terminal. Asking for help is a
/// `clap::Error`, too.
pub fn parse_from(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Cli> {
    let arguments: Vec<OsString> = arguments.collect();
    let plain = Cli::command().try_get_matches_from(&arguments)?;
    refuse_secrets(&plain)?;
    let matches = match plain.get_one::<PathBuf>("config") {
        None => plain,
        Some(path) => {
            let command = with_file(Cli::command(), path)?;
            let said = || format!("with the configuration file {}", path.display());
            command.try_get_matches_from(&arguments).with_context(said)?
        }
    };
    Ok(Cli::from_arg_matches(&matches)?)
}

/// A secret given as an argument is refused without repeating it.
fn refuse_secrets(matches: &ArgMatches) -> anyhow::Result<()> {
    let mut level = Some(matches);
    while let Some(matches) = level {
        for (id, variable) in SECRETS {
            let is_known = matches.try_contains_id(id).unwrap_or(false);
            if is_known && matches.value_source(id) == Some(ValueSource::CommandLine) {
                bail!(
                    "a password on the command line is visible to every user of this machine; put \
                     it into {variable} or into a file"
                );
            }
        }
        level = matches.subcommand().map(|(_, matches)| matches);
    }
    Ok(())
}

/// The command with the file's values as its defaults.
fn with_file(command: Command, path: &Path) -> anyhow::Result<Command> {
    let read = || format!("cannot read the configuration file {}", path.display());
    let text = std::fs::read_to_string(path).with_context(read)?;
    // What is wrong is told without the line itself, which may hold a password.
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
        });
        anyhow::anyhow!("{}, line {line}: {}", path.display(), error.message())
    })?;
    let mut command = command;
    for (key, value) in &table {
        let id = key.replace('-', "_");
        if !is_option(&command, &id) {
            bail!(
                "{}: there is no option {key}; `nucleon serve --help` lists them",
                path.display()
            );
        }
        let values = texts(value).with_context(|| {
            format!(
                "{}: {key} takes a text, a number, true or false, or a list of them",
                path.display()
            )
        })?;
        command = with_default(command, &id, &values);
    }
    Ok(command)
}

/// True for an option of `serve`, which has those of all subcommands.
fn is_option(command: &Command, id: &str) -> bool {
    id != "config"
        && command
            .find_subcommand("serve")
            .is_some_and(|serve| serve.get_arguments().any(|argument| argument.get_id() == id))
}

/// Sets the default of an option in every subcommand that has it.
fn with_default(command: Command, id: &str, values: &[String]) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut command = command;
    if command.get_arguments().any(|argument| argument.get_id() == id) {
        command = command.mut_arg(id, |argument| argument.default_values(values.to_vec()));
    }
    for name in names {
        command = command.mut_subcommand(name, |inner| with_default(inner, id, values));
    }
    command
}

/// The value as it would be written on the command line; a table is a list of `key=value`.
fn texts(value: &Value) -> anyhow::Result<Vec<String>> {
    Ok(match value {
        Value::Array(items) => items.iter().map(text).collect::<anyhow::Result<_>>()?,
        Value::Table(table) => table
            .iter()
            .map(|(key, value)| Ok(format!("{key}={}", text(value)?)))
            .collect::<anyhow::Result<_>>()?,
        one => vec![text(one)?],
    })
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        _ => bail!("a value of this kind is not accepted"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command as Asked;
    use crate::config::{Auth, ServeOptions};

    fn with(text: &str, arguments: &[&str]) -> Result<ServeOptions, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let start = ["nucleon".into(), "serve".into(), "--config".into(), file.path().into()];
        let all = start.into_iter().chain(arguments.iter().map(OsString::from));
        match parse_from(all).map_err(|error| format!("{error:#}"))?.command {
            Asked::Serve(options) => Ok(*options),
            _ => panic!("not serve"),
        }
    }

    #[test]
    fn the_file_gives_values_and_a_flag_goes_before_it() {
        let text = "listen = '127.0.0.1:1'\nauth = 'none'\nvlan-ranges = ['a:1:2', 'b']\n\
                    allow_plaintext = true\npath-mtu = 1450\n[quota]\nport = 7\n";
        let options = with(text, &["--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(options.listen.listen.port(), 2);
        assert_eq!(options.auth.auth, Auth::None);
        assert!(options.listen.allow_plaintext);
        let settings = options.network.settings();
        assert_eq!((settings.vlan_ranges.len(), settings.path_mtu), (2, 1450));
        assert_eq!((settings.quota("port"), settings.quota("network")), (7, 100));
    }

    #[test]
    fn an_unknown_key_is_named() {
        for key in ["lisen", "config", "help"] {
            let problem = with(&format!("{key} = 'x'"), &[]).unwrap_err();
            assert!(problem.contains(key), "{problem}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_as_on_the_command_line() {
        let problem = with("auth = 'nobody'", &[]).unwrap_err();
        assert!(problem.contains("nobody") && problem.contains("keystone"), "{problem}");
        assert!(with("path-mtu = 1.5", &[]).unwrap_err().contains("path-mtu"));
    }

    #[test]
    fn every_option_is_a_variable_and_a_key_of_the_file_too() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let mut count = 0;
        for argument in command.get_subcommands().flat_map(Command::get_arguments) {
            let Some(long) = argument.get_long().filter(|long| *long != "help") else { continue };
            let id = argument.get_id().as_str();
            let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
            let named = format!("NUCLEON_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(variable, Some(named), "--{long}");
            count += usize::from(serve.get_arguments().any(|argument| argument.get_id() == id));
            assert!(id == "config" || is_option(&command, id), "--{long}");
        }
        assert!(count > 30, "only {count} options were looked at");
    }

    #[test]
    fn a_damaged_file_is_told_by_line_and_not_by_its_text() {
        let problem = with("auth = 'none'\nkeystone-password = hunter2\n", &[]).unwrap_err();
        assert!(problem.contains("line 2") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn without_a_file_the_defaults_are_those_of_the_model() {
        let arguments = ["nucleon", "serve"].map(OsString::from);
        let Asked::Serve(options) = parse_from(arguments.into_iter()).unwrap().command else {
            panic!("not serve");
        };
        let (ours, theirs) = (options.network.settings(), model::settings::Settings::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
