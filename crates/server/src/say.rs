//! `say`: what a person at the terminal asked to see. The log goes to stderr, by `tracing`.

use std::io::Write;

/// Writes a line to stdout. Nobody listening there is no error.
pub fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush());
}
