//! Callers known by a Keystone, against a small one that speaks the real protocol.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use identity::caller::Refusal;
use identity::keystone::Keystone;
use identity::keystone::client::Settings;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A Keystone with one service user and the tokens it is told of.
#[derive(Default)]
struct Fake {
    tokens: HashMap<String, Value>,
    log_ins: usize,
    questions: usize,
    /// The number in our own token; raised to revoke it.
    generation: usize,
    delay: Duration,
    broken: bool,
}

type Shared = Arc<Mutex<Fake>>;

async fn answer(fake: Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let delay = fake.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let mut fake = fake.lock().unwrap();
    let reply = |status: u16, value: Value| {
        Response::builder().status(status).body(Full::from(value.to_string())).unwrap()
    };
    assert_eq!(head.uri.path(), "/v3/auth/tokens");
    if fake.broken {
        return reply(500, json!({}));
    }
    let own = format!("own-{}", fake.generation);
    if head.method == Method::POST {
        fake.log_ins += 1;
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let user = &asked["auth"]["identity"]["password"]["user"];
        if user["password"] != "secret" || user["domain"]["name"] != "Default" {
            return reply(401, json!({}));
        }
        let mut reply = reply(201, token("2099-01-01T00:00:00.000000Z", &["service"]));
        reply.headers_mut().insert("x-subject-token", own.parse().unwrap());
        return reply;
    }
    fake.questions += 1;
    if head.headers["x-auth-token"] != own.as_str() {
        return reply(401, json!({}));
    }
    let subject = head.headers["x-subject-token"].to_str().unwrap();
    let expired_too = head.uri.query().unwrap_or_default().contains("allow_expired=1");
    match fake.tokens.get(subject) {
        Some(known) if expired_too || known["token"]["expires_at"] != EXPIRED => {
            reply(200, known.clone())
        }
        _ => reply(404, json!({})),
    }
}

const EXPIRED: &str = "2020-01-01T00:00:00.000000Z";

fn token(expires_at: &str, roles: &[&str]) -> Value {
    let roles: Vec<Value> = roles.iter().map(|name| json!({"id": name, "name": name})).collect();
    json!({"token": {"user": {"id": "u1"}, "project": {"id": "p1"}, "roles": roles,
        "expires_at": expires_at}})
}

async fn serve(fake: Shared) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let fake = fake.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let fake = fake.clone();
                    async move { Ok::<_, Infallible>(answer(fake, request).await) }
                });
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

fn settings(address: SocketAddr) -> Settings {
    Settings {
        url: format!("http://{address}/v3"),
        public_url: "https://keystone.example/v3".into(),
        user: "neutron".into(),
        user_domain: "Default".into(),
        password: "secret".to_owned().into(),
        project: "service".into(),
        project_domain: "Default".into(),
        ca_file: None,
        tls12: false,
        timeout: Duration::from_secs(1),
        service_token_roles: vec!["service".into()],
        service_token_roles_required: true,
    }
}

async fn with(tokens: &[(&str, Value)]) -> (Shared, Keystone) {
    let tokens = tokens.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let fake = Arc::new(Mutex::new(Fake { tokens, ..Fake::default() }));
    let address = serve(fake.clone()).await;
    (fake, Keystone::new(settings(address)).unwrap())
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

const LATER: &str = "2099-01-01T00:00:00.000000Z";

fn is_unauthorized(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Unauthorized { www_authenticate, .. } => {
            assert_eq!(
                www_authenticate.as_deref(),
                Some(r#"Keystone uri="https://keystone.example/v3""#)
            );
            true
        }
        Refusal::Unavailable => false,
    }
}

#[tokio::test]
async fn a_valid_token_names_its_caller_and_is_asked_about_once() {
    let (fake, keystone) = with(&[("good", token(LATER, &["Member", "reader"]))]).await;
    for _ in 0..3 {
        let caller = keystone.caller(&headers(&[("x-auth-token", "good")])).await.unwrap();
        assert_eq!((caller.user_id.as_str(), caller.project_id.as_str()), ("u1", "p1"));
        assert_eq!(caller.roles, ["member", "reader"]);
        assert!(caller.service_roles.is_empty());
    }
    let fake = fake.lock().unwrap();
    assert_eq!((fake.log_ins, fake.questions), (1, 1));
}

#[tokio::test]
async fn callers_with_one_token_share_one_question() {
    let (fake, keystone) = with(&[("good", token(LATER, &["member"]))]).await;
    fake.lock().unwrap().delay = Duration::from_millis(50);
    let keystone = Arc::new(keystone);
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let keystone = keystone.clone();
            tokio::spawn(async move {
                keystone.caller(&headers(&[("x-auth-token", "good")])).await.unwrap()
            })
        })
        .collect();
    for task in asking {
        task.await.unwrap();
    }
    let fake = fake.lock().unwrap();
    assert_eq!((fake.log_ins, fake.questions), (1, 1));
}

#[tokio::test]
async fn no_token_and_an_unknown_one_are_refused_and_the_refusal_is_remembered() {
    let (fake, keystone) = with(&[]).await;
    assert!(is_unauthorized(&keystone.caller(&HeaderMap::new()).await.unwrap_err()));
    assert_eq!(fake.lock().unwrap().questions, 0);
    for _ in 0..3 {
        let refusal = keystone.caller(&headers(&[("x-auth-token", "bad")])).await.unwrap_err();
        assert!(is_unauthorized(&refusal));
    }
    assert_eq!(fake.lock().unwrap().questions, 1);
}

#[tokio::test]
async fn an_expired_token_passes_only_with_a_service_token() {
    let (_, keystone) = with(&[
        ("old", token(EXPIRED, &["member"])),
        ("nova", token(LATER, &["service"])),
        ("friend", token(LATER, &["member"])),
    ])
    .await;
    let refusal = keystone.caller(&headers(&[("x-auth-token", "old")])).await.unwrap_err();
    assert!(is_unauthorized(&refusal));
    let both = headers(&[("x-auth-token", "old"), ("x-service-token", "nova")]);
    let caller = keystone.caller(&both).await.unwrap();
    assert_eq!(
        (caller.roles, caller.service_roles),
        (vec!["member".into()], vec!["service".into()])
    );
    for service in ["friend", "unknown", "old"] {
        let both = headers(&[("x-auth-token", "old"), ("x-service-token", service)]);
        assert!(is_unauthorized(&keystone.caller(&both).await.unwrap_err()), "{service}");
    }
}

#[tokio::test]
async fn a_revoked_token_of_our_own_is_replaced() {
    let (fake, keystone) =
        with(&[("a", token(LATER, &["member"])), ("b", token(LATER, &["member"]))]).await;
    keystone.caller(&headers(&[("x-auth-token", "a")])).await.unwrap();
    fake.lock().unwrap().generation += 1;
    keystone.caller(&headers(&[("x-auth-token", "b")])).await.unwrap();
    assert_eq!(fake.lock().unwrap().log_ins, 2);
}

#[tokio::test]
async fn nobody_is_let_in_while_keystone_is_away_and_all_is_well_when_it_returns() {
    let (fake, keystone) = with(&[("good", token(LATER, &["member"]))]).await;
    let headers = headers(&[("x-auth-token", "good")]);
    fake.lock().unwrap().broken = true;
    assert_eq!(keystone.caller(&headers).await.unwrap_err(), Refusal::Unavailable);
    fake.lock().unwrap().broken = false;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    keystone.caller(&headers).await.unwrap();
}

#[tokio::test]
async fn a_keystone_that_hangs_or_listens_nowhere_is_unavailable_in_time() {
    let (fake, keystone) = with(&[("good", token(LATER, &["member"]))]).await;
    fake.lock().unwrap().delay = Duration::from_secs(30);
    let started = std::time::Instant::now();
    let asked = keystone.caller(&headers(&[("x-auth-token", "good")])).await;
    assert_eq!(asked.unwrap_err(), Refusal::Unavailable);
    assert!(started.elapsed() < Duration::from_secs(5));
    let nowhere = Keystone::new(settings("127.0.0.1:1".parse().unwrap())).unwrap();
    let asked = nowhere.caller(&headers(&[("x-auth-token", "good")])).await;
    assert_eq!(asked.unwrap_err(), Refusal::Unavailable);
}

#[tokio::test]
async fn a_wrong_password_lets_nobody_in() {
    let fake = Arc::new(Mutex::new(Fake::default()));
    let address = serve(fake).await;
    let settings = Settings { password: "wrong".to_owned().into(), ..settings(address) };
    let keystone = Keystone::new(settings).unwrap();
    let asked = keystone.caller(&headers(&[("x-auth-token", "good")])).await;
    assert_eq!(asked.unwrap_err(), Refusal::Unavailable);
}

#[test]
fn settings_show_no_password() {
    let settings = settings("127.0.0.1:1".parse().unwrap());
    assert!(!format!("{settings:?}").contains("\"secret\""));
}

#[test]
fn an_address_that_is_no_url_is_refused_at_the_start() {
    for url in ["", "ftp://x", "keystone"] {
        let settings = Settings { url: url.into(), ..settings("127.0.0.1:1".parse().unwrap()) };
        assert!(Keystone::new(settings).is_err(), "{url}");
    }
}
