//! The options about Nova.

use anyhow::bail;
use clap::{Args, ValueEnum};
use nova::endpoint::Settings;

use super::keystone::KeystoneOptions;

/// Whether and where Nova is told what happens to the ports of its servers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Nova")]
pub struct NovaOptions {
    /// Tell Nova what happens to the ports of its servers, as the service user of Keystone
    #[arg(long, env = "NUCLEON_NOTIFY_NOVA")]
    pub notify_nova: bool,

    /// Nova's address, such as https://nova.internal:8774/v2.1 [default: the one in Keystone's
    /// catalog]
    #[arg(long, env = "NUCLEON_NOVA_URL", value_name = "URL")]
    pub nova_url: Option<String>,

    /// The region of Nova in Keystone's catalog [default: the first one there]
    #[arg(long, env = "NUCLEON_NOVA_REGION", value_name = "NAME")]
    pub nova_region: Option<String>,

    /// Which of Nova's addresses in Keystone's catalog
    #[arg(long, env = "NUCLEON_NOVA_INTERFACE", value_enum, default_value_t = Interface::Public)]
    pub nova_interface: Interface,
}

/// The interfaces of a service in Keystone's catalog.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Interface {
    Public,
    Internal,
    Admin,
}

impl NovaOptions {
    /// What must be given with them.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check(&self, keystone: &KeystoneOptions, allow_plaintext: bool) -> anyhow::Result<()> {
        if self.notify_nova {
            keystone.check("--notify-nova", allow_plaintext)?;
            if !allow_plaintext && self.nova_url.as_deref().is_some_and(super::keystone::is_plain) {
                bail!(
                    "to {} a token would cross the network unencrypted; use https://, or give \
                     --allow-plaintext if the network is trusted",
                    self.nova_url.as_deref().unwrap_or_default()
                );
            }
        } else if self.nova_url.is_some() || self.nova_region.is_some() {
            bail!("--nova-url and --nova-region go with --notify-nova, which is not given");
        }
        Ok(())
    }

    /// How Nova is found.
    pub fn settings(&self) -> Settings {
        Settings {
            url: self.nova_url.clone(),
            region: self.nova_region.clone(),
            interface: match self.nova_interface {
                Interface::Public => "public",
                Interface::Internal => "internal",
                Interface::Admin => "admin",
            }
            .to_owned(),
        }
    }
}
