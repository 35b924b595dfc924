//! Telling a Nova, and a Keystone beside it, that speak the real protocol and write down what they
//! hear.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use identity::keystone::client::{Client, Settings as KeystoneSettings};
use jiff::Timestamp;
use model::nova_event::{self, Event, queue};
use nova::endpoint::{Endpoint, Settings};
use nova::teller::Teller;
use serde_json::{Value as Json, json};
use sql::Db;
use tokio::net::TcpListener;
use wire::ctx::Ctx;
use wire::types::Id;

const SERVER: &str = "5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a01";

#[derive(Default)]
struct Fake {
    address: String,
    heard: Vec<Vec<Json>>,
    /// Nova is not well.
    broken: bool,
    /// Requests with an event of this port are not understood.
    absurd: Option<String>,
    /// The codes of the next events, 200 when there are no more.
    codes: Vec<u16>,
    log_ins: usize,
    revoked: bool,
}

type Shared = Arc<Mutex<Fake>>;

async fn answer(fake: Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut fake = fake.lock().unwrap();
    let reply = |status: u16, value: Json| {
        let body = Full::from(value.to_string());
        Response::builder().status(status).header("x-subject-token", "t").body(body).unwrap()
    };
    match head.uri.path() {
        "/v3/auth/tokens" => {
            fake.log_ins += 1;
            fake.revoked = false;
            reply(
                201,
                json!({"token": {"user": {"id": "u"}, "roles": [],
                "expires_at": "2099-01-01T00:00:00.000000Z"}}),
            )
        }
        "/v3/auth/catalog" => reply(
            200,
            json!({"catalog": [{"type": "compute", "endpoints": [
            {"interface": "internal", "region_id": "One",
             "url": format!("http://{}/compute", fake.address)}]}]}),
        ),
        "/compute/os-server-external-events" => {
            if fake.revoked || head.headers["x-auth-token"] != "t" {
                return reply(401, json!({}));
            }
            if fake.broken {
                return reply(503, json!({}));
            }
            let asked: Json = serde_json::from_slice(&body).unwrap();
            let mut events = asked["events"].as_array().unwrap().clone();
            if events.iter().any(|event| fake.absurd.as_deref() == event["tag"].as_str()) {
                return reply(400, json!({}));
            }
            fake.heard.push(events.clone());
            for event in &mut events {
                let code = if fake.codes.is_empty() { 200 } else { fake.codes.remove(0) };
                event["code"] = code.into();
            }
            reply(207, json!({"events": events}))
        }
        path => panic!("nobody serves {path}"),
    }
}

async fn fake() -> Shared {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let fake = Arc::new(Mutex::new(Fake { address: address.to_string(), ..Fake::default() }));
    let served = fake.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let fake = served.clone();
            let service = hyper::service::service_fn(move |request| {
                let fake = fake.clone();
                async move { Ok::<_, Infallible>(answer(fake, request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    fake
}

fn teller(fake: &Shared, db: &Db) -> Arc<Teller> {
    let url = format!("http://{}/v3", fake.lock().unwrap().address);
    let keystone = Client::new(KeystoneSettings {
        public_url: url.clone(),
        url,
        user: "neutron".into(),
        user_domain: "Default".into(),
        password: "secret".to_owned().into(),
        project: "service".into(),
        project_domain: "Default".into(),
        ca_file: None,
        tls12: false,
        timeout: Duration::from_secs(2),
        service_token_roles: Vec::new(),
        service_token_roles_required: false,
    });
    let endpoint = Endpoint::new(Settings { interface: "internal".into(), ..Settings::default() });
    Arc::new(Teller::new(db.clone(), keystone.unwrap(), endpoint.unwrap()))
}

async fn database() -> Db {
    let db = Db::open("sqlite::memory:", model::MIGRATIONS).await.unwrap();
    db.migrate().await.unwrap();
    db
}

async fn record(db: &Db, port: u128, event: Event) {
    let id = Id::read(&format!("{port:032x}")).unwrap();
    let now = Timestamp::now();
    db.write(&Ctx::system(now), |tx| async move {
        nova_event::record(&tx, now.as_millisecond(), id, ("compute:nova", SERVER), event).await
    })
    .await
    .unwrap();
}

async fn waiting(db: &Db) -> u64 {
    db.read(&Ctx::system(Timestamp::now()), |tx| async move { queue::waiting(&tx).await })
        .await
        .unwrap()
}

/// Until nothing waits any more; fails after some seconds.
async fn settled(db: &Db) {
    let begun = Instant::now();
    while waiting(db).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "events still wait");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn names(fake: &Shared) -> Vec<String> {
    let fake = fake.lock().unwrap();
    fake.heard.iter().flatten().map(|event| event["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn events_of_one_moment_are_told_in_one_request_as_nova_knows_them() {
    let (fake, db) = (fake().await, database().await);
    let _teller = tokio::spawn(teller(&fake, &db).run());
    tokio::task::yield_now().await;
    for port in 1..=5 {
        record(&db, port, Event::Plugged(true)).await;
    }
    settled(&db).await;
    let fake = fake.lock().unwrap();
    assert_eq!(fake.heard.len(), 1, "{:?}", fake.heard);
    assert_eq!(fake.heard[0].len(), 5);
    assert_eq!(
        fake.heard[0][0],
        json!({"name": "network-vif-plugged", "server_uuid": SERVER, "status": "completed",
               "tag": "00000000-0000-0000-0000-000000000001"})
    );
}

#[tokio::test]
async fn events_of_one_port_are_told_in_the_order_of_its_changes() {
    let (fake, db) = (fake().await, database().await);
    for event in [
        Event::Plugged(true),
        Event::Unplugged,
        Event::Plugged(false),
        Event::Changed,
        Event::Deleted,
    ] {
        record(&db, 1, event).await;
    }
    let _teller = tokio::spawn(teller(&fake, &db).run());
    settled(&db).await;
    let plugged = "network-vif-plugged";
    assert_eq!(
        names(&fake),
        [plugged, "network-vif-unplugged", plugged, "network-changed", "network-vif-deleted"]
    );
    assert_eq!(fake.lock().unwrap().heard[2][0]["status"], "failed");
}

#[tokio::test]
async fn what_was_recorded_before_a_restart_and_while_nova_was_away_is_told_after() {
    let (fake, db) = (fake().await, database().await);
    fake.lock().unwrap().broken = true;
    record(&db, 1, Event::Plugged(true)).await;
    let first = tokio::spawn(teller(&fake, &db).run());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    first.abort();
    assert_eq!(waiting(&db).await, 1);
    fake.lock().unwrap().broken = false;
    let _second = tokio::spawn(teller(&fake, &db).run());
    settled(&db).await;
    assert_eq!(names(&fake), ["network-vif-plugged"]);
}

#[tokio::test]
async fn an_event_that_nova_cannot_use_yet_is_told_again_and_one_it_never_will_is_not() {
    let (fake, db) = (fake().await, database().await);
    fake.lock().unwrap().codes = vec![422, 404];
    record(&db, 1, Event::Plugged(true)).await;
    record(&db, 2, Event::Unplugged).await;
    let _teller = tokio::spawn(teller(&fake, &db).run());
    settled(&db).await;
    let mut names = names(&fake);
    names.sort();
    assert_eq!(
        names.iter().filter(|name| *name == "network-vif-plugged").count()
            + names.iter().filter(|name| *name == "network-vif-unplugged").count(),
        3
    );
}

#[tokio::test]
async fn an_event_that_nova_does_not_understand_keeps_no_other_from_it() {
    let (fake, db) = (fake().await, database().await);
    let absurd = Id::read(&format!("{:032x}", 3)).unwrap().to_string();
    fake.lock().unwrap().absurd = Some(absurd.clone());
    for port in 1..=5 {
        record(&db, port, Event::Plugged(true)).await;
    }
    let _teller = tokio::spawn(teller(&fake, &db).run());
    settled(&db).await;
    let fake = fake.lock().unwrap();
    let mut tags: Vec<&str> =
        fake.heard.iter().flatten().map(|event| event["tag"].as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags.len(), 4, "{tags:?}");
    assert!(!tags.contains(&&*absurd));
}

#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let (fake, db) = (fake().await, database().await);
    let _teller = tokio::spawn(teller(&fake, &db).run());
    record(&db, 1, Event::Changed).await;
    settled(&db).await;
    fake.lock().unwrap().revoked = true;
    record(&db, 1, Event::Changed).await;
    settled(&db).await;
    assert_eq!(names(&fake).len(), 2);
    assert_eq!(fake.lock().unwrap().log_ins, 2);
}

#[tokio::test]
async fn two_processes_tell_each_event_once() {
    let (fake, db) = (fake().await, database().await);
    let _one = tokio::spawn(teller(&fake, &db).run());
    let _two = tokio::spawn(teller(&fake, &db).run());
    for port in 1..=300 {
        record(&db, port, Event::Plugged(true)).await;
    }
    settled(&db).await;
    let fake = fake.lock().unwrap();
    let mut tags: Vec<&str> =
        fake.heard.iter().flatten().map(|event| event["tag"].as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags.len(), 300);
    tags.dedup();
    assert_eq!(tags.len(), 300);
}

#[tokio::test]
async fn changes_of_one_moment_are_looked_at_once() {
    let (fake, db) = (fake().await, database().await);
    let _teller = tokio::spawn(teller(&fake, &db).run());
    tokio::task::yield_now().await;
    for port in 1..=100 {
        record(&db, port, Event::Changed).await;
    }
    settled(&db).await;
    let before = db.stats().commits;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let looked = db.stats().commits - before;
    assert!(looked <= 6, "{looked} looks where nothing is");
}
