//! Where ports can be plugged in, and how.

use serde_json::{Value as Json, json};
use testkit::database::Engine;

use crate::world::{World, id, server_port};

testkit::on_each_engine!(
    each_kind_of_card_is_plugged_in_as_neutron_does_it,
    a_card_with_its_own_processor_is_found_by_its_serial_number,
    physical_networks_are_those_of_the_bridge_mappings,
    a_port_binds_by_itself_when_its_host_comes,
    a_host_that_came_while_nobody_looked_is_found_by_comparing,
    a_host_whose_agent_is_dead_takes_no_port_until_it_lives_again,
    a_bridge_that_is_mapped_later_lets_waiting_ports_in,
    a_second_binding_on_a_host_is_refused_as_such_even_where_the_host_is_away,
    what_ovn_cannot_be_told_is_refused,
);

const KINDS: [&str; 9] = [
    "normal",
    "direct",
    "direct-physical",
    "macvtap",
    "vdpa",
    "smart-nic",
    "remote-managed",
    "baremetal",
    "virtio-forwarder",
];

async fn plugged(world: &World, network: &str, host: &str, kind: &str, profile: Json) -> Json {
    let port = world
        .port(json!({
            "network_id": network, "binding:host_id": host, "binding:vnic_type": kind,
            "binding:profile": profile,
        }))
        .await;
    let socket = format!("/var/run/openvswitch/vhu{}", &id(&port)[..11]);
    let mut shown = json!([port["binding:vif_type"], port["binding:vif_details"]]);
    if shown[1]["vhostuser_socket"] == json!(socket) {
        shown[1]["vhostuser_socket"] = json!("its own");
    }
    shown
}

async fn each_kind_of_card_is_plugged_in_as_neutron_does_it(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[("datapath-type", "system")], &[("neutron:ovn-bridge", "br-x")]).await;
    let dpdk = [("datapath-type", "netdev"), ("iface-types", "dpdk,dpdkvhostuser")];
    world.host("w2", &dpdk[..1], &[]).await;
    world.host("w22", &dpdk, &[]).await;
    let network = &world.network(json!({})).await;
    let failed = json!(["binding_failed", {}]);
    let drivers = json!({"0": "ovn"});
    let ovs = |bridge: &str, datapath: &str| {
        json!(["ovs", {"port_filter": true, "connectivity": "l2", "ovs_create_tap": true,
            "bridge_name": bridge, "datapath_type": datapath, "bound_drivers": drivers}])
    };
    let forwarded = json!(["agilio_ovs", {"port_filter": true, "connectivity": "l2",
        "vhostuser_socket": "its own", "vhostuser_mode": "client", "bridge_name": "br-x",
        "datapath_type": "system", "bound_drivers": drivers}]);
    for kind in KINDS {
        let expected = match kind {
            "normal" | "vdpa" => &ovs("br-x", "system"),
            "virtio-forwarder" => &forwarded,
            _ => &failed,
        };
        assert_eq!(
            plugged(&world, network, "w1.example", kind, json!({})).await,
            *expected,
            "{kind}"
        );
    }
    let user = json!(["vhostuser", {"port_filter": false, "vhostuser_mode": "server",
        "vhostuser_ovs_plug": true, "connectivity": "l2", "vhostuser_socket": "its own",
        "bridge_name": "br-int", "datapath_type": "netdev", "bound_drivers": drivers}]);
    for kind in ["normal", "vdpa", "virtio-forwarder"] {
        assert_eq!(plugged(&world, network, "w22.example", kind, json!({})).await, user, "{kind}");
    }
    let without_sockets = plugged(&world, network, "w2.example", "normal", json!({})).await;
    assert_eq!(without_sockets, ovs("br-int", "netdev"));
    let offloaded = json!({"capabilities": ["switchdev"]});
    for kind in ["direct", "direct-physical", "macvtap", "baremetal"] {
        let shown = plugged(&world, network, "w1.example", kind, offloaded.clone()).await;
        assert_eq!(shown, ovs("br-x", "system"), "{kind} with a representor");
    }
}

async fn a_card_with_its_own_processor_is_found_by_its_serial_number(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[("datapath-type", "system")], &[]).await;
    let card = [("ovn-cms-options", "card-serial-number=AB42"), ("datapath-type", "netdev")];
    world.host("dpu", &card, &[]).await;
    let network = &world.network(json!({})).await;
    let profile = |serial: &str| {
        json!({"card_serial_number": serial, "vf_num": 1, "pf_mac_address": "00:53:00:00:00:42",
            "pci_vendor_info": "15b3:101e", "pci_slot": "0000:82:00.0", "physical_network": null})
    };
    let shown = plugged(&world, network, "w1.example", "remote-managed", profile("AB42")).await;
    assert_eq!((&shown[0], &shown[1]["datapath_type"]), (&json!("ovs"), &json!("netdev")));
    let shown = plugged(&world, network, "w1.example", "remote-managed", profile("other")).await;
    assert_eq!(shown[0], "binding_failed");
}

async fn physical_networks_are_those_of_the_bridge_mappings(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[("ovn-bridge-mappings", "physnet1:br-ex, physnet2:br-o")], &[]).await;
    for (physical_network, vif_type) in
        [("physnet1", "ovs"), ("physnet2", "ovs"), ("physnet3", "binding_failed")]
    {
        let network = json!({"provider:network_type": "flat",
            "provider:physical_network": physical_network});
        let network = world.network(network).await;
        let port = world.port(server_port(&network, "w1.example")).await;
        assert_eq!(port["binding:vif_type"], vif_type, "{physical_network}");
    }
}

async fn a_port_binds_by_itself_when_its_host_comes(engine: Engine) {
    let world = World::new(engine).await;
    let network = world.network(json!({})).await;
    let port = world.port(server_port(&network, "w1.example")).await;
    assert_eq!(port["binding:vif_type"], "binding_failed");
    assert_eq!(port["binding:host_id"], "w1.example");
    let port = id(&port);
    world.host("w1", &[("datapath-type", "system")], &[]).await;
    let bound = world.becomes(&port, "binding:vif_type", json!("ovs")).await;
    assert_eq!(bound["binding:vif_details"]["datapath_type"], "system");
    assert_eq!(bound["binding:vif_details"]["bound_drivers"], json!({"0": "ovn"}));
    assert_eq!(bound["status"], "DOWN");
}

async fn a_host_that_came_while_nobody_looked_is_found_by_comparing(engine: Engine) {
    let mut world = World::new(engine).await;
    world.blind();
    let network = world.network(json!({})).await;
    let port = id(&world.port(server_port(&network, "w1.example")).await);
    world.host("w1", &[], &[]).await;
    assert_eq!(world.shown(&port).await["binding:vif_type"], "binding_failed");
    world.watch();
    world.becomes(&port, "binding:vif_type", json!("ovs")).await;
}

async fn a_host_whose_agent_is_dead_takes_no_port_until_it_lives_again(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[], &[]).await;
    let long_ago = jiff::Timestamp::now().as_millisecond() - 100_000;
    world.reports("w1", 3, long_ago);
    world.sees(|sb| ovn::sb::named(sb, "w1").is_some_and(|(_, host)| host.nb_cfg() == 3)).await;
    let network = world.network(json!({})).await;
    let port = world.port(server_port(&network, "w1.example")).await;
    assert_eq!(port["binding:vif_type"], "binding_failed");
    world.reports("w1", 7, jiff::Timestamp::now().as_millisecond());
    world.becomes(&id(&port), "binding:vif_type", json!("ovs")).await;
}

async fn a_bridge_that_is_mapped_later_lets_waiting_ports_in(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[], &[]).await;
    let network = json!({"provider:network_type": "flat", "provider:physical_network": "p"});
    let network = world.network(network).await;
    let port = id(&world.port(server_port(&network, "w1.example")).await);
    world.southbound(&[json!({"op": "mutate", "table": "Chassis",
        "where": [["name", "==", "w1"]],
        "mutations": [["other_config", "insert", ["map", [["ovn-bridge-mappings", "p:br"]]]]]})]);
    world.becomes(&port, "binding:vif_type", json!("ovs")).await;
}

async fn what_ovn_cannot_be_told_is_refused(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[("datapath-type", "system")], &[]).await;
    let network = world.network(json!({})).await;
    let subnet = json!({"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4});
    world.ask("POST", "subnets", "subnet", subnet).await;
    let refused = async |method: &str, path: &str, port: Json| {
        let reply = world.call(method, path, Some(json!({ "port": port }))).await;
        assert_eq!(reply.status / 100, 4, "{path}: {}", reply.text);
        reply.fault().to_owned()
    };
    let pairs = |ip: &str| json!([{ "ip_address": ip }]);
    // The metadata port has the first address.
    let served = json!({"network_id": network, "allowed_address_pairs": pairs("10.0.0.2")});
    assert_eq!(refused("POST", "ports", served).await, "InvalidInput");
    let nested = json!({"parent_name": "11111111-1111-4111-8111-111111111111", "tag": 7});
    let nested = json!({"network_id": network, "binding:profile": nested});
    assert_eq!(refused("POST", "ports", nested).await, "PortNotFound");
    let shared = world.port(json!({"network_id": network})).await;
    let address = shared["fixed_ips"][0]["ip_address"].as_str().unwrap();
    let user = json!({"network_id": network, "allowed_address_pairs": pairs(address)});
    world.port(user).await;
    let path = format!("ports/{}", id(&shared));
    let taken = json!({"device_id": "vm", "device_owner": "compute:nova",
        "binding:host_id": "w1.example"});
    assert_eq!(refused("PUT", &path, taken).await, "BadRequest");
    let floating = json!({"device_owner": "network:floatingip"});
    assert_eq!(refused("PUT", &path, floating).await, "OVNPortUpdateError");
    let mut foreign = server_port(&network, "w1.example");
    foreign["allowed_address_pairs"] =
        json!([{"ip_address": "10.0.0.99", "mac_address": "02:00:00:00:00:07"}]);
    let path = format!("ports/{}", id(&world.port(foreign).await));
    let renamed = json!({"name": "x"});
    assert_eq!(refused("PUT", &path, renamed).await, "InvalidVirtualMACAddress");
}

async fn a_second_binding_on_a_host_is_refused_as_such_even_where_the_host_is_away(engine: Engine) {
    let world = World::new(engine).await;
    let network = world.network(json!({})).await;
    let port = id(&world.port(server_port(&network, "w1.example")).await);
    let refused = async |host: &str| {
        let path = format!("ports/{port}/bindings");
        let reply = world.call("POST", &path, Some(json!({"binding": {"host": host}}))).await;
        (reply.status, reply.json["NeutronError"]["type"].clone())
    };
    assert_eq!(refused("w1.example").await, (409, json!("PortBindingAlreadyExists")));
    assert_eq!(refused("w2.example").await, (500, json!("PortBindingError")));
}
