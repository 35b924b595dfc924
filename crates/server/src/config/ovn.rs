//! The options about OVN.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use ovn::reconcile::Settings;
use ovsdb::remote::Remote;
use ovsdb::tls::TlsFiles;

use super::ovn_hosts::OvnHostOptions;
use super::ovn_rows::OvnRowOptions;

/// Where OVN is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "OVN")]
pub struct OvnOptions {
    /// OVN's Northbound database: unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT, the members of a
    /// cluster separated by commas. Without one there is no data plane
    #[arg(long, env = "NUCLEON_OVN_NB", value_name = "REMOTES", value_parser = Remotes::parse)]
    pub ovn_nb: Option<Remotes>,

    /// OVN's Southbound database, as for --ovn-nb
    #[arg(long, env = "NUCLEON_OVN_SB", value_name = "REMOTES", value_parser = Remotes::parse)]
    pub ovn_sb: Option<Remotes>,

    /// PEM file of the certificates that vouch for OVN's databases (ssl:); read for each connection
    #[arg(long, env = "NUCLEON_OVN_CA_CERT", value_name = "FILE")]
    pub ovn_ca_cert: Option<PathBuf>,

    /// PEM file of our certificate towards OVN's databases (ssl:); read for each connection
    #[arg(long, env = "NUCLEON_OVN_CERTIFICATE", value_name = "FILE")]
    pub ovn_certificate: Option<PathBuf>,

    /// PEM file of its private key (ssl:); read for each connection
    #[arg(long, env = "NUCLEON_OVN_PRIVATE_KEY", value_name = "FILE")]
    pub ovn_private_key: Option<PathBuf>,

    /// Milliseconds that a request waits at most until OVN has what it changed; it is answered in
    /// any case
    #[arg(long, env = "NUCLEON_OVN_WAIT_MS", default_value_t = 500, value_name = "NUMBER")]
    pub ovn_wait_ms: u32,

    /// Seconds between two comparisons of everything with OVN
    #[arg(
        long,
        env = "NUCLEON_OVN_AUDIT_SECONDS",
        default_value_t = 24 * 3600,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(10..),
    )]
    pub ovn_audit_seconds: u32,

    /// What is written there.
    #[command(flatten)]
    pub rows: OvnRowOptions,

    /// How hosts are judged and used.
    #[command(flatten)]
    pub hosts: OvnHostOptions,
}

/// The servers of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remotes(pub Vec<Remote>);

impl Remotes {
    fn parse(text: &str) -> Result<Self, String> {
        Remote::parse_list(text).map(Self)
    }

    fn are_encrypted(&self) -> bool {
        self.0.iter().any(|remote| matches!(remote, Remote::Ssl(..)))
    }
}

impl OvnOptions {
    /// What must hold among them.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.ovn_nb.is_some() != self.ovn_sb.is_some() {
            bail!("--ovn-nb and --ovn-sb go together; only one of them is given");
        }
        let files = [&self.ovn_ca_cert, &self.ovn_certificate, &self.ovn_private_key];
        let given = files.iter().filter(|file| file.is_some()).count();
        let encrypted =
            [&self.ovn_nb, &self.ovn_sb].into_iter().flatten().any(Remotes::are_encrypted);
        if given != 0 && given != files.len() || encrypted && given == 0 {
            bail!(
                "for ssl: remotes, --ovn-ca-cert, --ovn-certificate and --ovn-private-key go \
                 together; {given} of them are given"
            );
        }
        Ok(())
    }

    /// The Northbound and the Southbound database, if there is a data plane.
    pub fn remotes(&self) -> Option<(Vec<Remote>, Vec<Remote>)> {
        let (nb, sb) = (self.ovn_nb.as_ref()?, self.ovn_sb.as_ref()?);
        Some((nb.0.clone(), sb.0.clone()))
    }

    /// Who we are towards its servers, and who they are.
    pub fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            ca: self.ovn_ca_cert.clone()?,
            certificate: self.ovn_certificate.clone()?,
            key: self.ovn_private_key.clone()?,
        })
    }

    /// How it is brought in line.
    pub fn settings(&self) -> Settings {
        Settings {
            wait: Duration::from_millis(self.ovn_wait_ms.into()),
            audit_every: Duration::from_secs(self.ovn_audit_seconds.into()),
            ..Settings::default()
        }
    }
}
