//! The words after the name of a task: options with a value, flags, and nothing left over.

use anyhow::{Context, Result, bail};

/// The words that no one has taken yet.
pub struct Args {
    words: Vec<String>,
}

impl Args {
    /// Takes the words as the shell gave them.
    pub fn new(words: impl Iterator<Item = String>) -> Self {
        Args { words: words.collect() }
    }

    /// Takes `--name` if it is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes the value of `--name VALUE` or `--name=VALUE`; of several, the first.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        let is_it = |word: &String| {
            word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let Some(position) = self.words.iter().position(is_it) else { return Ok(None) };
        let word = self.words.remove(position);
        if let Some((_, value)) = word.split_once('=') {
            return Ok(Some(value.to_owned()));
        }
        if position >= self.words.len() {
            bail!("{name} wants a value");
        }
        Ok(Some(self.words.remove(position)))
    }

    /// Takes the values of every `--name VALUE`, in their order.
    pub fn options(&mut self, name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        while let Some(value) = self.option(name)? {
            values.push(value);
        }
        Ok(values)
    }

    /// Takes a whole number, or the default if the option is not there.
    pub fn number(&mut self, name: &str, default: usize) -> Result<usize> {
        match self.option(name)? {
            None => Ok(default),
            Some(text) => {
                text.parse().with_context(|| format!("{name} wants a whole number, not {text:?}"))
            }
        }
    }

    /// Everything left, to be passed on to another program.
    pub fn rest(self) -> Vec<String> {
        self.words
    }

    /// Refuses what no one has taken.
    pub fn finish(self) -> Result<()> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => bail!("nothing here is called {word:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_taken_in_both_spellings_and_the_rest_is_refused() {
        let mut args = args("--clients 8 --header A:b --header=C:d --quick odd");
        assert_eq!(args.number("--clients", 32).unwrap(), 8);
        assert_eq!(args.number("--seconds", 10).unwrap(), 10);
        assert_eq!(args.options("--header").unwrap(), ["A:b", "C:d"]);
        assert!(args.flag("--quick") && !args.flag("--quick"));
        assert!(args.finish().unwrap_err().to_string().contains("odd"));
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        assert!(args("--json").option("--json").is_err());
        assert!(args("--clients many").number("--clients", 1).is_err());
    }
}
