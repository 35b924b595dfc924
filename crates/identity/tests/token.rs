//! The built-in tokens in a database of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use http::{HeaderMap, HeaderValue};
use identity::caller::Refusal;
use identity::token::{Grant, Tokens};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use sql::{Db, Migration};
use wire::ctx::Ctx;
use wire::value::Value;

static MIGRATIONS: &[Migration] =
    &[Migration { number: 1, name: "auth_tokens", sql: identity::SCHEMA, fill: None }];

fn ctx() -> Ctx {
    Ctx::system(Timestamp::now())
}

async fn database() -> Db {
    let db = Db::open("sqlite::memory:", MIGRATIONS).await.unwrap();
    db.migrate().await.unwrap();
    db
}

fn grant() -> Grant {
    Grant {
        name: "for a test".into(),
        user_id: "u1".into(),
        project_id: "p1".into(),
        roles: vec!["Member".into(), "reader".into()],
        expires_at: None,
    }
}

fn headers(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-auth-token", HeaderValue::from_str(token).unwrap());
    headers
}

fn is_unauthorized(asked: Result<identity::caller::Caller, Refusal>) -> bool {
    matches!(asked, Err(Refusal::Unauthorized { .. }))
}

#[tokio::test]
async fn a_token_names_its_caller_until_it_is_revoked() {
    let tokens = Tokens::new(database().await);
    let token = tokens.create(&ctx(), &grant()).await.unwrap();
    let headers = headers(token.expose_secret());
    for _ in 0..2 {
        let caller = tokens.caller(&headers).await.unwrap();
        assert_eq!((caller.user_id.as_str(), caller.project_id.as_str()), ("u1", "p1"));
        assert_eq!(caller.roles, ["member", "reader"]);
    }
    assert_eq!((tokens.lookups().asked, tokens.lookups().missed), (2, 1));
    let id = tokens.list(&ctx()).await.unwrap().remove(0).id;
    assert!(tokens.revoke(&ctx(), &id).await.unwrap());
    assert!(is_unauthorized(tokens.caller(&headers).await));
    assert!(!tokens.revoke(&ctx(), &id).await.unwrap(), "once is enough");
}

#[tokio::test]
async fn nobody_is_known_without_a_token_or_by_a_wrong_one() {
    let tokens = Tokens::new(database().await);
    tokens.create(&ctx(), &grant()).await.unwrap();
    assert!(is_unauthorized(tokens.caller(&HeaderMap::new()).await));
    for wrong in ["nucleon-", "' OR 1=1 --", "%"] {
        assert!(is_unauthorized(tokens.caller(&headers(wrong)).await), "{wrong}");
    }
}

#[tokio::test]
async fn a_token_ends_when_it_was_said_to() {
    let tokens = Tokens::new(database().await);
    let ends = Timestamp::now() + SignedDuration::from_secs(2);
    let grant = Grant { expires_at: Some(ends), ..grant() };
    let token = tokens.create(&ctx(), &grant).await.unwrap();
    let headers = headers(token.expose_secret());
    tokens.caller(&headers).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert!(is_unauthorized(tokens.caller(&headers).await), "the cache does not prolong it");
}

#[tokio::test]
async fn the_database_holds_no_token_only_its_hash() {
    let db = database().await;
    let tokens = Tokens::new(db.clone());
    let token = tokens.create(&ctx(), &grant()).await.unwrap();
    let sql = "SELECT id, name, token_hash, user_id, project_id, roles FROM auth_tokens";
    let rows = db.read(&ctx(), |tx| async move { tx.rows(sql, &[]).await }).await.unwrap();
    let stored = format!("{rows:?}");
    let random = token.expose_secret().strip_prefix("nucleon-").unwrap();
    assert_eq!(random.len(), 64);
    assert!(!stored.contains(random));
    assert_eq!(format!("{token:?}").matches(random).count(), 0);
}

#[tokio::test]
async fn a_given_token_is_adopted_once_and_never_again_after_it_was_revoked() {
    let tokens = Tokens::new(database().await);
    let token = identity::token::fresh().unwrap();
    assert!(tokens.adopt(&ctx(), &token, &grant()).await.unwrap());
    assert!(!tokens.adopt(&ctx(), &token, &grant()).await.unwrap());
    let list = tokens.list(&ctx()).await.unwrap();
    assert_eq!(list.len(), 1);
    tokens.revoke(&ctx(), &list[0].id).await.unwrap();
    assert!(!tokens.adopt(&ctx(), &token, &grant()).await.unwrap());
    assert!(is_unauthorized(tokens.caller(&headers(token.expose_secret())).await));
}

#[tokio::test]
async fn a_damaged_row_lets_nobody_in() {
    let db = database().await;
    let tokens = Tokens::new(db.clone());
    for (column, value) in [("roles", "no json"), ("roles", "{}"), ("expires_at", "tomorrow")] {
        let token = tokens.create(&ctx(), &grant()).await.unwrap();
        let sql = format!("UPDATE auth_tokens SET {column} = ?");
        db.write(&ctx(), |tx| {
            let sql = sql.clone();
            async move {
                tx.exec(sql, vec![Value::text(value)]);
                Ok(())
            }
        })
        .await
        .unwrap();
        let asked = tokens.caller(&headers(token.expose_secret())).await;
        assert!(is_unauthorized(asked), "{column} = {value}");
    }
}
