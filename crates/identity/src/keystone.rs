//! Callers that a Keystone v3 vouches for, remembered by the hash of their token. Not here: the
//! HTTP (`client`) and the JSON (`document`) of Keystone.

pub mod client;
pub mod document;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use jiff::Timestamp;
use moka::Expiry;
use moka::future::Cache;

use crate::Lookups;
use crate::caller::{Caller, Refusal, auth_token, service_token};
use crate::digest::Digest;
use client::{Client, Settings};
use document::Granted;

/// Tokens that are remembered at once.
const CACHED_MAX: u64 = 10_000;
/// How long a valid token is believed, and so how long a revoked one may still work.
const TTL: Duration = Duration::from_secs(300);
/// How long a token that is not valid is not asked about again.
const TTL_UNKNOWN: Duration = Duration::from_secs(10);

/// A token, and whether it may have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(Digest, bool);

/// `None`: Keystone does not know the token.
type Answer = Option<Arc<Granted>>;

struct Lifetime;

impl Expiry<Key, Answer> for Lifetime {
    fn expire_after_create(&self, key: &Key, answer: &Answer, _: Instant) -> Option<Duration> {
        Some(match answer {
            None => TTL_UNKNOWN,
            Some(_) if key.1 => TTL,
            Some(granted) => left(granted).min(TTL),
        })
    }
}

/// How long the token is still valid.
fn left(granted: &Granted) -> Duration {
    let left = granted.expires_at.duration_since(Timestamp::now());
    Duration::try_from(left).unwrap_or_default()
}

/// Callers known by a Keystone.
pub struct Keystone {
    client: Client,
    answers: Cache<Key, Answer>,
    asked: AtomicU64,
    missed: AtomicU64,
}

impl Keystone {
    /// Asks Keystone on the first request, not before.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(settings)?,
            answers: Cache::builder().max_capacity(CACHED_MAX).expire_after(Lifetime).build(),
            asked: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        })
    }

    /// Who sends these headers.
    ///
    /// PARITY: keystonemiddleware's `auth_token`: a service token that is not valid refuses the
    /// request, one with a service role lets an expired token of the user pass.
    ///
    /// # Errors
    /// There is no valid token, or Keystone does not answer.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = auth_token(headers).ok_or_else(|| {
            self.unauthorized("The request needs a token in the header X-Auth-Token.")
        })?;
        let mut service_roles = Vec::new();
        let mut allow_expired = false;
        if let Some(service) = service_token(headers) {
            let refused = || self.unauthorized("The token in X-Service-Token is not valid.");
            let granted = self.granted(service, false).await?.ok_or_else(refused)?;
            let settings = self.client.settings();
            service_roles.clone_from(&granted.caller.roles);
            allow_expired =
                service_roles.iter().any(|role| settings.service_token_roles.contains(role));
            if settings.service_token_roles_required && !allow_expired {
                return Err(refused());
            }
        }
        let granted = self.granted(token, allow_expired).await?.ok_or_else(|| {
            self.unauthorized("The token in X-Auth-Token is not valid; ask Keystone for a new one.")
        })?;
        Ok(Caller { service_roles, ..granted.caller.clone() })
    }

    /// What the cache or Keystone knows; all who ask for one token at once share one question.
    async fn granted(&self, token: &[u8], allow_expired: bool) -> Result<Answer, Refusal> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let key = Key(Digest::of(token), allow_expired);
        let answer = self
            .answers
            .try_get_with(key, async {
                self.missed.fetch_add(1, Ordering::Relaxed);
                match self.client.validate(token, allow_expired).await {
                    Ok(granted) => Ok(granted.map(Arc::new)),
                    Err(error) => {
                        tracing::error!("Keystone cannot be asked about a token: {error:#}");
                        Err(Refusal::Unavailable)
                    }
                }
            })
            .await
            .map_err(|refusal| (*refusal).clone())?;
        Ok(answer.filter(|granted| allow_expired || granted.expires_at > Timestamp::now()))
    }

    fn unauthorized(&self, message: &str) -> Refusal {
        Refusal::Unauthorized {
            www_authenticate: Some(format!(
                "Keystone uri=\"{}\"",
                self.client.settings().public_url
            )),
            message: message.to_owned(),
        }
    }

    /// How often tokens were looked up.
    pub fn lookups(&self) -> Lookups {
        Lookups {
            asked: self.asked.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }
}
