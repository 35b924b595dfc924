//! The options about Keystone.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use http::Uri;
use identity::Secret;
use identity::keystone::client::Settings;

/// Which Keystone, and who this server is there. Read with `--auth keystone` and `--notify-nova`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keystone (with --auth keystone or --notify-nova)")]
pub struct KeystoneOptions {
    /// Keystone's address for this server, such as https://keystone.internal:5000/v3
    #[arg(long, env = "NUCLEON_KEYSTONE_URL", value_name = "URL")]
    pub keystone_url: Option<String>,

    /// Keystone's address for callers, shown to who has no token [default: that for this server]
    #[arg(long, env = "NUCLEON_KEYSTONE_PUBLIC_URL", value_name = "URL")]
    pub keystone_public_url: Option<String>,

    /// The service user that asks about tokens
    #[arg(long, env = "NUCLEON_KEYSTONE_USER", default_value = "neutron", value_name = "NAME")]
    pub keystone_user: String,

    /// File with the service user's password in its first line. Instead, the password can be in
    /// NUCLEON_KEYSTONE_PASSWORD or in the configuration file; never on the command line
    #[arg(long, env = "NUCLEON_KEYSTONE_PASSWORD_FILE", value_name = "FILE")]
    pub keystone_password_file: Option<PathBuf>,

    #[arg(long, env = "NUCLEON_KEYSTONE_PASSWORD", hide = true)]
    #[allow(missing_docs)]
    pub keystone_password: Option<Secret>,

    /// The service user's project
    #[arg(long, env = "NUCLEON_KEYSTONE_PROJECT", default_value = "service", value_name = "NAME")]
    pub keystone_project: String,

    /// The domain of the service user
    #[arg(
        long,
        env = "NUCLEON_KEYSTONE_USER_DOMAIN",
        default_value = "Default",
        value_name = "NAME"
    )]
    pub keystone_user_domain: String,

    /// The domain of the service user's project
    #[arg(
        long,
        env = "NUCLEON_KEYSTONE_PROJECT_DOMAIN",
        default_value = "Default",
        value_name = "NAME"
    )]
    pub keystone_project_domain: String,

    /// PEM file of the authorities that Keystone's certificate may come from [default: the
    /// system's]
    #[arg(long, env = "NUCLEON_KEYSTONE_CA_FILE", value_name = "FILE")]
    pub keystone_ca_file: Option<PathBuf>,

    /// Seconds that Keystone has for an answer; then the caller gets 503
    #[arg(
        long,
        env = "NUCLEON_KEYSTONE_TIMEOUT_SECONDS",
        default_value_t = 10,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=600),
    )]
    pub keystone_timeout_seconds: u32,

    /// Roles of a token in X-Service-Token with which the user's token may have expired
    #[arg(
        long,
        env = "NUCLEON_KEYSTONE_SERVICE_TOKEN_ROLES",
        default_value = "service",
        value_delimiter = ',',
        value_name = "ROLE"
    )]
    pub keystone_service_token_roles: Vec<String>,

    /// Refuse requests whose X-Service-Token has none of those roles
    #[arg(long, env = "NUCLEON_KEYSTONE_SERVICE_TOKEN_ROLES_REQUIRED")]
    pub keystone_service_token_roles_required: bool,
}

impl KeystoneOptions {
    /// What must be given for `option`, which needs a Keystone.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check(&self, option: &str, allow_plaintext: bool) -> anyhow::Result<()> {
        let Some(url) = &self.keystone_url else {
            bail!("{option} needs --keystone-url, such as https://keystone.internal:5000/v3");
        };
        if self.keystone_password_file.is_none() && self.keystone_password.is_none() {
            bail!(
                "{option} needs the password of {}: in NUCLEON_KEYSTONE_PASSWORD, or in a \
                 file that --keystone-password-file names",
                self.keystone_user
            );
        }
        if !allow_plaintext && is_plain(url) {
            bail!(
                "at {url} tokens and a password would cross the network unencrypted; use https://, \
                 or give --allow-plaintext if the network is trusted"
            );
        }
        Ok(())
    }

    /// For the client, with the password.
    ///
    /// # Errors
    /// The file of the password cannot be read.
    pub fn settings(&self, tls12: bool) -> anyhow::Result<Settings> {
        let url = self.keystone_url.clone().unwrap_or_default();
        Ok(Settings {
            public_url: self.keystone_public_url.clone().unwrap_or_else(|| url.clone()),
            url,
            user: self.keystone_user.clone(),
            user_domain: self.keystone_user_domain.clone(),
            password: self.password()?,
            project: self.keystone_project.clone(),
            project_domain: self.keystone_project_domain.clone(),
            ca_file: self.keystone_ca_file.clone(),
            tls12,
            timeout: Duration::from_secs(self.keystone_timeout_seconds.into()),
            service_token_roles: self
                .keystone_service_token_roles
                .iter()
                .map(|role| role.to_lowercase())
                .collect(),
            service_token_roles_required: self.keystone_service_token_roles_required,
        })
    }

    fn password(&self) -> anyhow::Result<Secret> {
        let Some(path) = &self.keystone_password_file else {
            return Ok(self.keystone_password.clone().unwrap_or_default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the password in {}", path.display()))?;
        let first = text.lines().next().unwrap_or_default();
        if first.is_empty() {
            bail!("there is no password in the first line of {}", path.display());
        }
        Ok(Secret::from(first))
    }
}

/// True for `http://` to another machine.
pub fn is_plain(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_near = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && !is_near
}
