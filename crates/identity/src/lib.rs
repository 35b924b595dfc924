//! Who asks. Built-in tokens kept as hashes, tokens of a Keystone, or plain headers on loopback.
//! Not here: what the caller may do (`policy`), the reply to one who is refused (`api`).

pub mod caller;
pub mod digest;
pub mod header;
pub mod keystone;
pub mod token;

use http::HeaderMap;

use caller::{Caller, Refusal};
use keystone::Keystone;
use token::Tokens;

/// A text that is never shown: its `Debug` is redacted and its memory is wiped.
pub type Secret = secrecy::SecretString;

/// The table of the built-in tokens, in portable DDL; one step of the schema.
pub const SCHEMA: &str = include_str!("../schema.sql");

/// How callers are known. One for the life of the process.
pub enum Identity {
    /// By the built-in tokens of this server's database.
    Token(Tokens),
    /// By tokens that a Keystone vouches for.
    Keystone(Box<Keystone>),
    /// By what the headers say, unproved: only for loopback and tests.
    Header,
}

impl Identity {
    /// Who sends these headers.
    ///
    /// # Errors [`Refusal::Unauthorized`]: there is no valid token. [`Refusal::Unavailable`]:
    /// nobody can tell now.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        match self {
            Self::Token(tokens) => tokens.caller(headers).await,
            Self::Keystone(keystone) => keystone.caller(headers).await,
            Self::Header => Ok(header::caller(headers)),
        }
    }

    /// Answers from the cache and all answers so far, for the metrics.
    pub fn lookups(&self) -> Lookups {
        match self {
            Self::Token(tokens) => tokens.lookups(),
            Self::Keystone(keystone) => keystone.lookups(),
            Self::Header => Lookups::default(),
        }
    }
}

/// How often tokens were looked up since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// All of them.
    pub asked: u64,
    /// Those that the cache could not answer.
    pub missed: u64,
}
