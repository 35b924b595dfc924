//! The built-in tokens: made, listed and revoked here, kept as hashes in the server's own database.
//! For a server without a Keystone. Not here: where the administrator's token is written down
//! (`server`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use moka::future::Cache;
use secrecy::ExposeSecret;
use sql::Db;
use wire::ctx::Ctx;
use wire::fault::{Error, Result};
use wire::value::Value;

use crate::caller::{Caller, Refusal, auth_token, lower_case};
use crate::digest::{Digest, hex};
use crate::{Lookups, Secret};

/// Tokens that are remembered at once.
const CACHED_MAX: u64 = 10_000;
/// How long an answer of the database is believed: so long a token works that another process
/// revoked.
const TTL: Duration = Duration::from_secs(3);
/// Tokens begin with this, so that people and scanners know one when they see it.
const PREFIX: &str = "nucleon-";

/// What a new token is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What it is for, in the operator's words.
    pub name: String,
    /// Who uses it.
    pub user_id: String,
    /// The project that its requests are for.
    pub project_id: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// When it ends; never without.
    pub expires_at: Option<Timestamp>,
}

/// A token as it is listed. The token itself is known to nobody but its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// By which it is revoked.
    pub id: String,
    /// What it is for.
    pub grant: Grant,
    /// Since when.
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A token that the database knows and that was not revoked.
struct Known {
    caller: Caller,
    expires_at: Option<Timestamp>,
}

/// The built-in tokens of one database.
pub struct Tokens {
    db: Db,
    answers: Cache<Digest, Option<Arc<Known>>>,
    asked: AtomicU64,
    missed: AtomicU64,
}

impl Tokens {
    /// The tokens of this database, whose schema is in place.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            answers: Cache::builder().max_capacity(CACHED_MAX).time_to_live(TTL).build(),
            asked: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }

    /// Makes a token; it is shown this once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn create(&self, ctx: &Ctx, grant: &Grant) -> Result<Secret> {
        let token = fresh()?;
        self.adopt(ctx, &token, grant).await?;
        Ok(token)
    }

    /// Makes the given token known, unless it is or was; true if it is new.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn adopt(&self, ctx: &Ctx, token: &Secret, grant: &Grant) -> Result<bool> {
        let digest = Digest::of(token.expose_secret().as_bytes());
        let hash = Value::text(digest.hex());
        let known = "SELECT id FROM auth_tokens WHERE token_hash = ?";
        let row = stored(ctx, hash.clone(), grant);
        let is_new = self
            .db
            .write(ctx, |tx| {
                let (hash, row) = (hash.clone(), row.clone());
                async move {
                    if !tx.rows(known, &[hash]).await?.is_empty() {
                        return Ok(false);
                    }
                    tx.exec(
                        "INSERT INTO auth_tokens (id, name, token_hash, user_id, project_id, \
                         roles, created_at, expires_at, revoked_at) \
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                        row,
                    );
                    Ok(true)
                }
            })
            .await?;
        self.answers.invalidate(&digest).await;
        Ok(is_new)
    }

    /// All tokens there ever were, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(&self, ctx: &Ctx) -> Result<Vec<Listed>> {
        let sql = "SELECT id, name, user_id, project_id, roles, expires_at, created_at, revoked_at \
                   FROM auth_tokens ORDER BY created_at, id";
        let rows = self.db.read(ctx, |tx| async move { tx.rows(sql, &[]).await }).await?;
        Ok(rows.iter().filter_map(|row| listed(row)).collect())
    }

    /// Revokes a token by its id; false if there is none that is valid.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn revoke(&self, ctx: &Ctx, id: &str) -> Result<bool> {
        let find = "SELECT id FROM auth_tokens WHERE id = ? AND revoked_at IS NULL";
        let revoke = "UPDATE auth_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
        let (now, id) = (Value::text(ctx.now_text()), Value::text(id));
        let revoked = self
            .db
            .write(ctx, |tx| {
                let (now, id) = (now.clone(), id.clone());
                async move {
                    let found = !tx.rows(find, std::slice::from_ref(&id)).await?.is_empty();
                    if found {
                        tx.exec(revoke, vec![now, id]);
                    }
                    Ok(found)
                }
            })
            .await?;
        self.answers.invalidate_all();
        Ok(revoked)
    }

    /// Who sends these headers.
    ///
    /// # Errors
    /// There is no valid token, or the database does not answer.
    pub async fn caller(&self, headers: &HeaderMap) -> std::result::Result<Caller, Refusal> {
        let Some(token) = auth_token(headers) else {
            return Err(unauthorized("The request needs a token in the header X-Auth-Token."));
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let digest = Digest::of(token);
        let known =
            self.answers.try_get_with(digest, self.look_up(digest)).await.map_err(|error| {
                tracing::error!("the database cannot be asked about a token: {error}");
                Refusal::Unavailable
            })?;
        known
            .filter(|known| known.expires_at.is_none_or(|end| end > Timestamp::now()))
            .map(|known| known.caller.clone())
            .ok_or_else(|| unauthorized("The token in X-Auth-Token is not valid."))
    }

    async fn look_up(&self, digest: Digest) -> Result<Option<Arc<Known>>> {
        self.missed.fetch_add(1, Ordering::Relaxed);
        let sql = "SELECT user_id, project_id, roles, expires_at FROM auth_tokens \
                   WHERE token_hash = ? AND revoked_at IS NULL";
        let hash = Value::text(digest.hex());
        let ctx = Ctx::system(Timestamp::now());
        let rows = self
            .db
            .read(&ctx, |tx| {
                let hash = hash.clone();
                async move { tx.rows(sql, &[hash]).await }
            })
            .await?;
        Ok(rows.first().and_then(|row| known(row)).map(Arc::new))
    }

    /// How often tokens were looked up.
    pub fn lookups(&self) -> Lookups {
        Lookups {
            asked: self.asked.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }
}

/// A token that nobody can guess: 256 random bits.
///
/// # Errors
/// The system has no random numbers.
pub fn fresh() -> Result<Secret> {
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| Error::internal("the system has no random numbers"))?;
    Ok(Secret::from(format!("{PREFIX}{}", hex(&random))))
}

fn stored(ctx: &Ctx, hash: Value, grant: &Grant) -> Vec<Value> {
    let roles = lower_case(grant.roles.iter().map(String::as_str));
    vec![
        Value::text(uuid::Uuid::new_v4().to_string()),
        Value::text(&*grant.name),
        hash,
        Value::text(&*grant.user_id),
        Value::text(&*grant.project_id),
        Value::json(roles),
        Value::text(ctx.now_text()),
        grant.expires_at.map_or(Value::Null, |end| Value::text(text_of(end))),
    ]
}

fn text_of(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A stored token; `None` where the row is damaged: then it lets nobody in.
fn known(row: &[Value]) -> Option<Known> {
    let [user_id, project_id, roles, expires_at] = row else { return None };
    let expires_at = match expires_at {
        Value::Null => None,
        Value::Text(text) => Some(text.parse().ok()?),
        _ => return None,
    };
    let caller = Caller {
        user_id: user_id.as_text()?.to_owned(),
        project_id: project_id.as_text()?.to_owned(),
        roles: roles_of(roles)?,
        ..Caller::default()
    };
    Some(Known { caller, expires_at })
}

fn roles_of(stored: &Value) -> Option<Vec<String>> {
    match stored {
        Value::Json(json) => serde::Deserialize::deserialize(&**json).ok(),
        Value::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn listed(row: &[Value]) -> Option<Listed> {
    let [id, name, user_id, project_id, roles, expires_at, created_at, revoked_at] = row else {
        return None;
    };
    let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    Some(Listed {
        id: text(id),
        grant: Grant {
            name: text(name),
            user_id: text(user_id),
            project_id: text(project_id),
            roles: roles_of(roles).unwrap_or_default(),
            expires_at: expires_at.as_text().and_then(|text| text.parse().ok()),
        },
        created_at: text(created_at),
        revoked_at: revoked_at.as_text().map(str::to_owned),
    })
}

fn unauthorized(message: &str) -> Refusal {
    // PARITY: the challenge of keystonemiddleware; there is no address to send anybody to.
    Refusal::Unauthorized {
        www_authenticate: Some("Keystone".to_owned()),
        message: message.to_owned(),
    }
}
