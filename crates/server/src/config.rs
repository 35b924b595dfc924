//! The configuration: flags, then `NUCLEON_…` variables, then the file, then defaults. Here are the
//! groups that several subcommands share and what must hold among them; the file is read in `file`.

pub mod file;
pub mod keystone;
pub mod network;
pub mod nova;
pub mod ovn;
pub mod ovn_hosts;
pub mod ovn_rows;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use identity::Secret;

use keystone::KeystoneOptions;
use network::NetworkOptions;
use nova::NovaOptions;
use ovn::OvnOptions;

/// Everything that `nucleon serve` can be told.
#[derive(Args, Clone, Debug)]
pub struct ServeOptions {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub listen: ListenOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub storage: StorageOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub auth: AuthOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub keystone: KeystoneOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub policy: PolicyOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub nova: NovaOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ovn: OvnOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogOptions,
}

/// Where the API is served.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub struct ListenOptions {
    /// Address and port of the API; port 0 takes a free one
    #[arg(long, env = "NUCLEON_LISTEN", default_value = "127.0.0.1:9696", value_name = "IP:PORT")]
    pub listen: SocketAddr,

    /// PEM file of the certificate and its chain; read again on SIGHUP. With it, only TLS is spoken
    #[arg(long, env = "NUCLEON_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's private key; read again on SIGHUP
    #[arg(long, env = "NUCLEON_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Speak TLS 1.2 too, to callers and to Keystone; without this only 1.3
    #[arg(long = "tls-1-2", env = "NUCLEON_TLS_1_2")]
    pub tls12: bool,

    /// Let tokens cross a network unencrypted: permits a listener off loopback without a
    /// certificate and a Keystone by http://. For trusted networks, or behind a proxy that speaks
    /// TLS
    #[arg(long, env = "NUCLEON_ALLOW_PLAINTEXT")]
    pub allow_plaintext: bool,

    /// Connections that are served at once; more wait until one ends
    #[arg(
        long,
        env = "NUCLEON_CONNECTIONS_MAX",
        default_value_t = 4096,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
    )]
    pub connections_max: u32,

    /// Bytes that the body of a request may have
    #[arg(
        long,
        env = "NUCLEON_BODY_LIMIT",
        default_value_t = 2 * 1024 * 1024,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1024..),
    )]
    pub body_limit: u32,

    /// Seconds that requests in flight have to end when the server is told to stop
    #[arg(long, env = "NUCLEON_DRAIN_SECONDS", default_value_t = 30, value_name = "SECONDS")]
    pub drain_seconds: u32,

    /// Answer /metrics to everybody; without this only on loopback and not through a proxy
    #[arg(long, env = "NUCLEON_METRICS_PUBLIC")]
    pub metrics_public: bool,
}

/// Where everything is stored.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Storage")]
pub struct StorageOptions {
    /// Database: sqlite:PATH, sqlite::memory:, postgres://USER:PASSWORD@HOST/NAME or
    /// mysql://USER:PASSWORD@HOST/NAME; a password is safer in NUCLEON_DATABASE than on the command
    /// line. Without one, a file nucleon/nucleon.db in XDG_DATA_HOME or ~/.local/share
    #[arg(long, env = "NUCLEON_DATABASE", hide_env_values = true, value_name = "URL")]
    pub database: Option<Secret>,
}

/// How callers are known.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Authentication")]
pub struct AuthOptions {
    /// How callers are known
    #[arg(long, env = "NUCLEON_AUTH", value_enum, default_value_t = Auth::Token)]
    pub auth: Auth,
}

/// How callers are known.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By tokens of this server: see `nucleon token`; one for the administrator is made at the
    /// start
    Token,
    /// By tokens of a Keystone v3
    Keystone,
    /// By X-Project-Id, X-User-Id and X-Roles, unproved; on loopback only
    None,
}

/// Who may do what.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Authorization")]
pub struct PolicyOptions {
    /// policy.yaml with rules that replace the defaults (see `nucleon policy show`)
    #[arg(long, env = "NUCLEON_POLICY_FILE", value_name = "FILE")]
    pub policy_file: Option<PathBuf>,
}

/// What is logged, to stderr.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogOptions {
    /// One line of text or one JSON object for each event
    #[arg(long, env = "NUCLEON_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// The least important events that are logged
    #[arg(long, env = "NUCLEON_LOG_LEVEL", value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,

    /// Log each request at info; without this at debug
    #[arg(long, env = "NUCLEON_LOG_REQUESTS")]
    pub log_requests: bool,
}

/// The form of the log.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

/// How much is logged.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl ListenOptions {
    /// How long a graceful stop may take.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }

    fn is_private(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

impl ServeOptions {
    /// What must hold among the options before anything is opened.
    ///
    /// # Errors
    /// The first thing that does not, and what would be accepted.
    pub fn check(&self) -> anyhow::Result<()> {
        let listen = &self.listen;
        if self.auth.auth == Auth::None && !listen.is_private() {
            bail!(
                "--auth none lets everybody do everything, so it listens on loopback only and not \
                 on {}; choose --auth token or --auth keystone, or --listen 127.0.0.1:9696",
                listen.listen
            );
        }
        if listen.tls_cert.is_some() != listen.tls_key.is_some() {
            bail!("--tls-cert and --tls-key go together; only one of them is given");
        }
        let is_plain = listen.tls_cert.is_none() && !listen.allow_plaintext;
        if is_plain && !listen.is_private() {
            bail!(
                "on {} tokens would cross the network unencrypted; give --tls-cert and --tls-key, \
                 or --allow-plaintext if the network is trusted or a proxy adds TLS",
                listen.listen
            );
        }
        if self.auth.auth == Auth::Keystone {
            self.keystone.check("--auth keystone", listen.allow_plaintext)?;
        }
        self.nova.check(&self.keystone, listen.allow_plaintext)?;
        self.ovn.check()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Cli, Command};

    fn parsed(arguments: &[&str]) -> Result<ServeOptions, String> {
        let arguments = ["nucleon", "serve"].iter().chain(arguments);
        let cli = file::parse_from(arguments.map(std::ffi::OsString::from))
            .map_err(|error| error.to_string())?;
        let Cli { command: Command::Serve(options), .. } = cli else { panic!("not serve") };
        options.check().map_err(|error| error.to_string())?;
        Ok(*options)
    }

    #[test]
    fn without_arguments_it_is_private_and_asks_for_tokens() {
        let options = parsed(&[]).unwrap();
        assert_eq!(options.listen.listen.to_string(), "127.0.0.1:9696");
        assert_eq!(options.auth.auth, Auth::Token);
        assert_eq!(options.log.log_level, LogLevel::Info);
    }

    #[test]
    fn nobody_is_served_unproved_off_loopback() {
        for address in ["0.0.0.0:9696", "192.0.2.1:9696", "[::]:9696"] {
            let problem = parsed(&["--auth", "none", "--listen", address]).unwrap_err();
            assert!(problem.contains("--auth none"), "{problem}");
            let all = ["--auth", "none", "--allow-plaintext", "--listen", address];
            assert!(parsed(&all).unwrap_err().contains("loopback"));
        }
        for address in ["127.0.0.1:0", "[::1]:9696", "127.8.0.1:1"] {
            parsed(&["--auth", "none", "--listen", address]).unwrap();
        }
    }

    #[test]
    fn tokens_cross_a_network_encrypted_unless_it_is_trusted() {
        let off = ["--listen", "0.0.0.0:9696"];
        assert!(parsed(&off).unwrap_err().contains("--tls-cert"));
        parsed(&[&off[..], &["--allow-plaintext"]].concat()).unwrap();
        parsed(&[&off[..], &["--tls-cert", "c", "--tls-key", "k"]].concat()).unwrap();
        assert!(parsed(&["--tls-cert", "c"]).is_err());
        assert!(parsed(&["--tls-key", "k"]).is_err());
    }

    #[test]
    fn a_keystone_needs_its_address_and_our_password() {
        let given = ["--auth", "keystone", "--keystone-url", "https://k.example/v3"];
        let problem = parsed(&given[..2]).unwrap_err();
        assert!(problem.contains("--keystone-url"), "{problem}");
        let problem = parsed(&given).unwrap_err();
        assert!(problem.contains("NUCLEON_KEYSTONE_PASSWORD"), "{problem}");
        let file = ["--keystone-password-file", "/dev/null"];
        parsed(&[&given[..], &file].concat()).unwrap();
        let plain = ["--auth", "keystone", "--keystone-url", "http://k.example/v3"];
        let problem = parsed(&[&plain[..], &file].concat()).unwrap_err();
        assert!(problem.contains("unencrypted"), "{problem}");
        let near = ["--auth", "keystone", "--keystone-url", "http://127.0.0.1:5000"];
        parsed(&[&near[..], &file].concat()).unwrap();
    }

    #[test]
    fn nova_is_told_by_a_user_of_keystone() {
        let problem = parsed(&["--notify-nova"]).unwrap_err();
        assert!(problem.contains("--keystone-url"), "{problem}");
        let keystone =
            ["--keystone-url", "https://k.example", "--keystone-password-file", "/dev/null"];
        parsed(&[&["--notify-nova"], &keystone[..]].concat()).unwrap();
        let plain = ["--notify-nova", "--nova-url", "http://nova.example:8774/v2.1"];
        let problem = parsed(&[&plain[..], &keystone[..]].concat()).unwrap_err();
        assert!(problem.contains("unencrypted"), "{problem}");
        assert!(parsed(&["--nova-region", "One"]).unwrap_err().contains("--notify-nova"));
    }

    #[test]
    fn both_databases_of_ovn_are_named_and_encrypted_ones_have_certificates() {
        let both = ["--ovn-nb", "unix:/n.sock,tcp:[::1]:6641", "--ovn-sb", "ssl:sb.example:6642"];
        assert!(parsed(&both[..2]).unwrap_err().contains("--ovn-sb"));
        assert!(parsed(&both).unwrap_err().contains("--ovn-ca-cert"));
        let files = ["--ovn-ca-cert", "a", "--ovn-certificate", "c", "--ovn-private-key", "k"];
        assert!(parsed(&[&both[..], &files[..2]].concat()).is_err());
        let options = parsed(&[&both[..], &files].concat()).unwrap().ovn;
        let (nb, sb) = options.remotes().unwrap();
        assert_eq!((nb.len(), sb.len(), options.tls().is_some()), (2, 1, true));
        assert!(parsed(&["--ovn-nb", "udp:x"]).unwrap_err().contains("udp:x"));
        assert!(parsed(&[]).unwrap().ovn.remotes().is_none());
    }

    #[test]
    fn a_password_is_not_taken_from_the_command_line() {
        let problem = parsed(&["--keystone-password", "hunter2"]).unwrap_err();
        assert!(problem.contains("NUCLEON_KEYSTONE_PASSWORD"), "{problem}");
        assert!(!problem.contains("hunter2"));
    }

    #[test]
    fn the_options_show_no_password_of_the_database() {
        let options = parsed(&["--database", "postgres://u:hunter2@h/n"]).unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
