//! The log: text or JSON on stderr. Only our own crates are heard below `warn`: what libraries say
//! at
//! `debug` and `trace` may hold what callers sent.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, LogLevel, LogOptions};

const OURS: [&str; 11] = [
    "nucleon", "server", "api", "identity", "model", "nova", "ovn", "ovsdb", "policy", "sql",
    "wire",
];

/// Starts logging, for the life of the process.
///
/// # Errors
/// It was started already.
pub fn start(options: &LogOptions) -> anyhow::Result<()> {
    let ansi = std::io::stderr().is_terminal();
    let layer = match options.log_format {
        LogFormat::Text => fmt::layer().with_ansi(ansi).with_writer(std::io::stderr).boxed(),
        LogFormat::Json => {
            let json = fmt::layer().json().flatten_event(true).with_current_span(false);
            json.with_span_list(false).with_writer(std::io::stderr).boxed()
        }
    };
    tracing_subscriber::registry().with(layer.with_filter(heard(options.log_level))).try_init()?;
    Ok(())
}

fn heard(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(OURS.map(|name| (name, level)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_are_never_heard_below_warn() {
        let heard_at = heard(LogLevel::Trace);
        assert!(heard_at.would_enable("api::server", &Level::TRACE));
        assert!(heard_at.would_enable("hyper", &Level::WARN));
        for library in ["hyper::proto", "h2::codec", "rustls", "tokio_postgres", "mysql_async"] {
            assert!(!heard_at.would_enable(library, &Level::INFO), "{library}");
        }
        assert!(!heard(LogLevel::Error).would_enable("hyper", &Level::WARN));
        assert!(!heard(LogLevel::Off).would_enable("api", &Level::ERROR));
    }
}
