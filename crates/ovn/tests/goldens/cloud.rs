//! Plays a scenario on a server in the process, rendering after each call what is marked dirty, as
//! the reconciler would; and, at the end, everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::backend::{Agent, Backend, Plug, PlugAsk};
use model::settings::{Settings, VlanRange};
use model::snapshot;
use ovn::facts::{Facts, Options};
use ovn::render;
use ovn::want::Wants;
use serde_json::Value as Json;
use sql::{Db, Mark, dirty};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};
use wire::ctx::Ctx;
use wire::fault::Error;

use crate::rows::{self, Rows};
use crate::whole;

/// What a scenario left behind.
pub struct Cloud {
    /// The rows of Northbound.
    pub rows: Rows,
    /// The objects of the API: the name that calls use, and the id.
    pub names: BTreeMap<String, String>,
}

/// Open vSwitch everywhere.
struct Everywhere;

impl Backend for Everywhere {
    fn plug(&self, _ask: &PlugAsk<'_>) -> Plug {
        Plug { vif_type: "ovs", vif_details: serde_json::Map::new(), driver: "ovn" }
    }

    fn reaches(&self, _host: &str, _physical_network: Option<&str>) -> bool {
        true
    }

    fn agents(&self) -> Vec<Agent> {
        Vec::new()
    }

    fn availability_zones(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The choices of the recorded deployment.
fn settings() -> Settings {
    let range = |name: &str, ids| VlanRange { physical_network: name.into(), ids: Some(ids) };
    Settings {
        flat_networks: vec!["public".into(), "default".into()],
        vlan_ranges: vec![range("public", (100, 2000)), range("default", (100, 200))],
        dns_domain: "openstackgate.local.".into(),
        metadata_ports: true,
        ..Settings::default()
    }
}

fn facts() -> Facts {
    let options =
        Options { dns_servers: vec!["10.255.255.53".parse().unwrap()], ..Options::default() };
    Facts { settings: Arc::new(settings()), options: Arc::new(options), chassis: Vec::new() }
}

/// Plays a scenario; again where chance gave a port an address that a call names.
pub async fn play(name: &str, scenario: &Json) -> Cloud {
    for _ in 0..20 {
        if let Some(cloud) = attempt(name, scenario).await {
            return cloud;
        }
    }
    panic!("{name}: an address that a call names was given by chance 20 times");
}

async fn attempt(name: &str, scenario: &Json) -> Option<Cloud> {
    let calls = whole::bodies(scenario);
    let server = TestServer::on(Engine::Sqlite, settings(), || Box::new(Everywhere)).await;
    let who = Who::new("admin", "admin,manager,member,reader,service");
    let mut names = BTreeMap::new();
    let mut units: BTreeMap<Mark, Wants> = BTreeMap::new();
    for call in scenario["calls"].as_array().unwrap() {
        let fill = |text: &str| {
            names.iter().fold(text.to_owned(), |text: String, (name, id): (&String, &String)| {
                text.replace(&format!("${name}.id"), id)
            })
        };
        let path = fill(call["path"].as_str().unwrap());
        let body = Some(&call["body"]).filter(|body| !body.is_null());
        let body = body.map(|body| serde_json::from_str(&fill(&body.to_string())).unwrap());
        let reply = server.call(&who, call["method"].as_str().unwrap(), &path, body).await;
        assert_eq!(u64::from(reply.status), call["status"], "{name}: {path}: {}", reply.text);
        if call["method"] == "POST" && by_chance(&reply.json, &call["body"], &calls) {
            server.close().await;
            return None;
        }
        learn(&call["reply"], &reply.json, &mut names);
        work_off(server.db(), &mut units).await;
        let (marked, all) = (rows::of(units.values()), everything(server.db()).await);
        let stale: Vec<_> = all
            .keys()
            .chain(marked.keys())
            .filter(|row| marked.get(row) != all.get(row))
            .map(|row| (row, marked.get(row), all.get(row)))
            .collect();
        assert!(stale.is_empty(), "{name}: {path} left a reader unmarked: {stale:#?}");
    }
    let rows = everything(server.db()).await;
    server.close().await;
    Some(Cloud { rows, names })
}

/// True where a new port has an address that it did not ask for and that some call names.
fn by_chance(reply: &Json, body: &Json, calls: &str) -> bool {
    let asked = body["port"]["fixed_ips"].to_string();
    let addresses = reply["port"]["fixed_ips"].as_array().into_iter().flatten();
    addresses
        .map(|one| one["ip_address"].as_str().unwrap())
        .any(|address| whole::contains(calls, address) && !whole::contains(&asked, address))
}

/// The names of what a call made: those that the record has in place of ids.
fn learn(theirs: &Json, ours: &Json, names: &mut BTreeMap<String, String>) {
    let (Some(theirs), Some(ours)) = (theirs.as_object(), ours.as_object()) else { return };
    for (one, theirs) in theirs {
        let (Some(name), Some(id)) = (theirs["id"].as_str(), ours[one]["id"].as_str()) else {
            continue;
        };
        let name = match name.trim_matches(['<', '>']) {
            switch if switch.starts_with("Logical_Switch") => "n1",
            name => name,
        };
        names.insert(name.to_owned(), id.to_owned());
    }
}

/// Renders what is marked.
async fn work_off(db: &Db, units: &mut BTreeMap<Mark, Wants>) {
    let ctx = Ctx::system(jiff::Timestamp::now());
    let marks = db
        .write(&ctx, |tx| async move {
            let due = dirty::due(&tx, i64::MAX, u64::MAX >> 1).await?;
            dirty::clear_all(&tx, &due);
            Ok::<_, Error>(due.into_iter().map(|dirty| dirty.mark).collect::<Vec<Mark>>())
        })
        .await
        .unwrap();
    let snapshots = {
        let marks = &marks;
        db.read(&ctx, |tx| async move { snapshot::load(&tx, marks).await }).await.unwrap()
    };
    for mark in marks {
        units.insert(mark, render::unit(mark, &snapshots, &facts()));
    }
    let global = model::unit::Unit::global();
    units.insert(global, render::unit(global, &snapshots, &facts()));
}

/// Renders all that there is.
async fn everything(db: &Db) -> Rows {
    let ctx = Ctx::system(jiff::Timestamp::now());
    let (marks, snapshots) = db
        .read(&ctx, |tx| async move {
            let marks = snapshot::every(&tx).await?;
            let snapshots = snapshot::load(&tx, &marks).await?;
            Ok::<_, Error>((marks, snapshots))
        })
        .await
        .unwrap();
    let wants: Vec<Wants> =
        marks.iter().map(|mark| render::unit(*mark, &snapshots, &facts())).collect();
    rows::of(wants.iter())
}
