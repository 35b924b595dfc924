//! Cards that no switch of their host serves: the gateways of the moment answer for them, and who
//! that is follows the hypervisors.

use std::time::Duration;

use packets::patience::within;
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, id};

/// Longer than it takes to see that the hypervisors have changed and to gather what follows.
const WHILE: Duration = Duration::from_secs(20);

/// The chassis that answer for a port, by their rank.
fn answering(cloud: &Cloud, port: &str) -> Vec<String> {
    let groups = "--format=json --columns=ha_chassis_group find Logical_Switch_Port";
    let rows = cloud.lab.central.nbctl(&format!("{groups} name={port}"));
    let rows: Json = serde_json::from_str(&rows).unwrap();
    let Some(group) = rows["data"][0][0][1].as_str() else { return Vec::new() };
    let lines = cloud
        .lab
        .central
        .nbctl(&format!("--format=json --columns=ha_chassis list HA_Chassis_Group {group}"));
    let group: Json = serde_json::from_str(&lines).unwrap();
    let members = group["data"][0][0].to_string();
    let columns = "_uuid,chassis_name,priority";
    let all = format!("--format=json --columns={columns} list HA_Chassis");
    let all = cloud.lab.central.nbctl(&all);
    let all: Json = serde_json::from_str(&all).unwrap();
    let rows = all["data"].as_array().unwrap().iter();
    let mut ranked: Vec<(i64, String)> = rows
        .filter(|row| members.contains(row[0][1].as_str().unwrap()))
        .map(|row| (-row[2].as_i64().unwrap(), row[1].as_str().unwrap().to_owned()))
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// A network that every hypervisor reaches, and a port on it that needs a gateway.
fn external_port(cloud: &Cloud, zones: &[&str]) -> String {
    let provider = if zones.is_empty() { ("flat", json!(null)) } else { ("vlan", json!(7)) };
    let mut network = json!({"provider:network_type": provider.0,
        "provider:physical_network": "physnet1", "availability_zone_hints": zones});
    if !provider.1.is_null() {
        network["provider:segmentation_id"] = provider.1;
    }
    let network = id(&cloud.client().create("network", network));
    let body = json!({"network_id": network, "binding:vnic_type": "direct"});
    let port = id(&cloud.client().create("port", body));
    let kind = cloud.lab.central.nbctl(&format!("lsp-get-type {port}"));
    assert_eq!(kind.trim(), "external");
    port
}

fn offer(cloud: &Cloud, hypervisor: usize, options: &str) {
    let line = format!(r#"set open_vswitch . external_ids:ovn-cms-options='"{options}"'"#);
    cloud.lab.hypervisors[hypervisor].vsctl(&line);
}

fn becomes(cloud: &Cloud, port: &str, what: &str, wanted: impl Fn(&[String]) -> bool) {
    let now = || Some(answering(cloud, port)).filter(|now| wanted(now));
    within(WHILE, what, now);
}

#[test]
fn gateways_that_come_and_go_answer_for_external_ports() {
    let mut cloud = Cloud::start();
    let port = external_port(&cloud, &[]);
    offer(&cloud, 0, "enable-chassis-as-gw");
    becomes(&cloud, &port, "the first gateway", |now| now == ["hv1"]);
    offer(&cloud, 1, "enable-chassis-as-gw");
    becomes(&cloud, &port, "a second gateway", |now| now.len() == 2);
    cloud.lab.hypervisors[0].stop_controller();
    becomes(&cloud, &port, "the first gateway left", |now| now == ["hv2"]);
    cloud.lab.hypervisors[0].start_controller();
    becomes(&cloud, &port, "the first gateway came back", |now| now.len() == 2);

    // One with zones is for those who ask for them.
    offer(&cloud, 1, "enable-chassis-as-gw,availability-zones=one:two");
    becomes(&cloud, &port, "the second gateway is in a zone", |now| now == ["hv1"]);
    let zones = cloud.client().list("availability_zones");
    let names: Vec<&str> = zones.iter().map(|zone| zone["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two"]);
    let zoned = external_port(&cloud, &["two"]);
    becomes(&cloud, &zoned, "the gateway of the zone", |now| now == ["hv2"]);
    println!("{}", cloud.audit());
}
