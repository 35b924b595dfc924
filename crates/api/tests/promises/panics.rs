//! Promise 3: a panic in the middle of a request is a 500 for its caller and for nobody else.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use model::backend::{Agent, Backend, NoBackend, Plug, PlugAsk};
use serde_json::json;
use testkit::database::Engine;
use testkit::server::{TestServer, Who};

use crate::cloud::{count, discreet, settings, sound, subnet};

testkit::on_each_engine!(a_panic_is_a_500_and_the_server_lives);

/// A data plane that does not survive to be asked about the host `abyss`.
struct Fragile;

impl Backend for Fragile {
    fn plug(&self, ask: &PlugAsk<'_>) -> Plug {
        assert_ne!(ask.host, "abyss", "a panic that this test wants");
        NoBackend.plug(ask)
    }

    fn reaches(&self, host: &str, physical_network: Option<&str>) -> bool {
        NoBackend.reaches(host, physical_network)
    }

    fn agents(&self) -> Vec<Agent> {
        panic!("a panic that this test wants")
    }

    fn availability_zones(&self) -> Vec<String> {
        Vec::new()
    }
}

/// More than there are connections to a database: whoever panics gives his back.
const TIMES: usize = 40;

async fn falls(server: &TestServer) {
    let who = &Who::admin();
    let (network, _) = subnet(server, "192.0.2.0/24").await;
    let port = |host| json!({"port": {"network_id": network, "binding:host_id": host}});
    let before = count(server, "ip_allocations").await;
    let (abyss, ground) = (&port("abyss"), &port("ground"));
    let ask = |body| async { server.call(who, "POST", "/v2.0/ports", Some(body)).await };
    let both = join_all((0..TIMES).map(|_| async {
        let (fallen, made) = tokio::join!(ask(abyss.clone()), ask(ground.clone()));
        assert_eq!(fallen.status, 500, "{}", fallen.text);
        assert_eq!(fallen.fault(), "HTTPInternalServerError");
        let id = fallen.headers["x-openstack-request-id"].to_str().unwrap();
        assert!(fallen.text.contains(id), "{}", fallen.text);
        assert!(!fallen.text.contains("wants"), "{}", fallen.text);
        discreet(&fallen, "a panic");
        assert_eq!(made.status, 201, "others are served: {}", made.text);
    }));
    both.await;
    let times = i64::try_from(TIMES).unwrap();
    assert_eq!(count(server, "ip_allocations").await, before + times, "nothing is half-done");
    let read = server.call(who, "GET", "/v2.0/agents", None).await;
    assert_eq!(read.status, 500, "{}", read.text);
    let list = server.call(who, "GET", "/v2.0/ports", None).await;
    assert_eq!(list.json["ports"].as_array().map(Vec::len), Some(TIMES));
    sound(server).await;
}

async fn a_panic_is_a_500_and_the_server_lives(engine: Engine) {
    let server = TestServer::on(engine, settings(), || Box::new(Fragile)).await;
    let outcome = AssertUnwindSafe(falls(&server)).catch_unwind().await;
    server.close().await;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
