//! The subcommands. Each is one file; here is what they are called and take.

pub mod database;
pub mod ovn;
pub mod policy;
pub mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::network::NetworkOptions;
use crate::config::ovn::OvnOptions;
use crate::config::{LogOptions, PolicyOptions, ServeOptions, StorageOptions};
use token::NewTokenOptions;

/// The exit status of a server that was told twice to stop.
pub const EXIT_INTERRUPTED: i32 = 130;

/// OpenStack Networking: the Neutron API v2.0 in one program.
///
/// `nucleon serve` needs no configuration: it keeps everything in a file of yours, listens on
/// 127.0.0.1:9696 and prints what the `openstack` client needs.
#[derive(Parser, Debug)]
#[command(name = "nucleon", version, arg_required_else_help = true)]
pub struct Cli {
    /// Configuration file: TOML with the names of the flags as keys (listen = "127.0.0.1:9696").
    /// Flags go before NUCLEON_ variables, those before the file
    #[arg(long, env = "NUCLEON_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve the API until SIGTERM or SIGINT
    Serve(Box<ServeOptions>),

    /// Care for the database
    #[command(subcommand)]
    Db(DatabaseCommand),

    /// Look at the rules of who may do what
    #[command(subcommand)]
    Policy(PolicyCommand),

    /// Compare OVN with what is stored
    #[command(subcommand)]
    Ovn(OvnCommand),

    /// Make, list and revoke the tokens of --auth token
    #[command(subcommand)]
    Token(TokenCommand),

    /// Print the version
    Version,
}

/// Care for the database.
#[derive(Subcommand, Debug)]
pub enum DatabaseCommand {
    /// Bring the schema up to this version; `serve` does it too
    Migrate {
        #[command(flatten)]
        #[allow(missing_docs)]
        storage: StorageOptions,
        #[command(flatten)]
        #[allow(missing_docs)]
        log: LogOptions,
    },
    /// Read everything and name what is damaged or contradicts itself, and how to mend it. Changes
    /// nothing; exit status 1 when something is found
    Check {
        #[command(flatten)]
        #[allow(missing_docs)]
        storage: StorageOptions,
        #[command(flatten)]
        #[allow(missing_docs)]
        log: LogOptions,
    },
}

/// Compare OVN with what is stored. Nothing is changed: a running server mends what differs.
#[derive(Subcommand, Debug)]
pub enum OvnCommand {
    /// Print each difference; exit status 1 when there is one
    Diff(Box<OvnLook>),
    /// Say whether a difference is left; exit status 1 when there is one
    Audit(Box<OvnLook>),
}

/// What is compared. Give the options that the server has: they are part of what OVN should hold.
#[derive(Args, Debug)]
pub struct OvnLook {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub storage: StorageOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ovn: OvnOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogOptions,
}

/// Look at the rules.
#[derive(Subcommand, Debug)]
pub enum PolicyCommand {
    /// Say whether the policy file can be used, and what in it is surely not meant
    Check {
        #[command(flatten)]
        #[allow(missing_docs)]
        policy: PolicyOptions,
    },
    /// Print the rules in force, as a policy.yaml
    Show {
        #[command(flatten)]
        #[allow(missing_docs)]
        policy: PolicyOptions,
        /// Only rules whose name contains this
        name: Option<String>,
    },
}

/// Care for the built-in tokens.
#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Make a token and print it, this once
    Create {
        #[command(flatten)]
        #[allow(missing_docs)]
        storage: StorageOptions,
        #[command(flatten)]
        #[allow(missing_docs)]
        token: NewTokenOptions,
    },
    /// List the tokens: what they are for, not the tokens themselves
    List {
        #[command(flatten)]
        #[allow(missing_docs)]
        storage: StorageOptions,
    },
    /// Revoke a token; a running server knows within seconds
    Revoke {
        #[command(flatten)]
        #[allow(missing_docs)]
        storage: StorageOptions,
        /// The id of the token, from `nucleon token list`
        id: String,
    },
}
