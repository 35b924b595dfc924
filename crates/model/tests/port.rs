//! Ports against a real database: what they get, what they refuse, and what a race leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod house;

use std::collections::BTreeSet;
use std::sync::Arc;

use house::{House, admin, kind_of, member, shown};
use model::settings::Settings;
use serde_json::json;
use testkit::database::Engine;
use wire::types::Id;

const ALICE: &str = "a11ce000000000000000000000000000";
const BOB: &str = "b0b00000000000000000000000000000";

fn roomy() -> Settings {
    let mut settings = Settings::default();
    settings.quotas.insert("port".into(), -1);
    settings
}

testkit::on_each_engine!(
    a_port_gets_what_its_caller_did_not_choose,
    a_mac_address_belongs_to_one_port_of_a_network,
    a_bound_port_keeps_its_mac_address_its_card_and_its_numa_policy,
    what_a_caller_cannot_see_he_cannot_refer_to,
    groups_and_pairs_need_port_security,
    the_profile_tells_of_offload_and_trust,
    a_whole_physical_function_lends_its_mac_address,
    options_and_names_change_piece_by_piece,
    a_deleted_port_leaves_nothing_behind,
    ports_of_the_network_itself_go_with_it_and_others_hold_it,
    sixty_four_clients_share_a_24_to_the_last_address,
    a_quota_is_never_passed,
    a_network_that_goes_while_ports_come_leaves_no_orphans,
);

async fn a_port_gets_what_its_caller_did_not_choose(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let network = house.network(&alice).await;
    let body = json!({"network_id": network.to_string(), "tags": ["red", "blue"]});
    let port = house.port(&alice, body).await.unwrap();
    assert_eq!(shown(&port, "status"), "DOWN");
    assert_eq!(shown(&port, "admin_state_up"), true);
    assert_eq!(shown(&port, "port_security_enabled"), true);
    assert_eq!(shown(&port, "ip_allocation"), "immediate");
    assert_eq!(shown(&port, "binding:host_id"), "");
    assert_eq!(shown(&port, "binding:vif_type"), "unbound");
    assert_eq!(shown(&port, "binding:vnic_type"), "normal");
    assert_eq!(shown(&port, "binding:profile"), json!({}));
    assert_eq!(shown(&port, "binding:vif_details"), json!({}));
    assert_eq!(shown(&port, "allowed_address_pairs"), json!([]));
    assert_eq!(shown(&port, "extra_dhcp_opts"), json!([]));
    assert_eq!(shown(&port, "propagate_uplink_status"), true);
    assert_eq!(shown(&port, "resource_request"), json!(null));
    assert_eq!(shown(&port, "tags"), json!(["blue", "red"]));
    let mac = shown(&port, "mac_address");
    assert!(mac.as_str().unwrap().starts_with("fa:16:3e:"), "{mac}");
    let groups = shown(&port, "security_groups");
    assert_eq!(groups.as_array().unwrap().len(), 1, "the project's default group");
    let ips = shown(&port, "fixed_ips");
    let ip = ips[0]["ip_address"].as_str().unwrap();
    assert!(ip.starts_with("192.0.2."), "{ip}");
    let assigned = shown(&port, "dns_assignment");
    assert_eq!(assigned[0]["hostname"], format!("host-{}", ip.replace('.', "-")));
    assert_eq!(shown(&port, "network:project_id"), ALICE);
}

async fn a_mac_address_belongs_to_one_port_of_a_network(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let network = house.network(&alice).await.to_string();
    let body = json!({"network_id": network, "mac_address": "FA-16-3E-00-00-01"});
    let first = house.port(&alice, body.clone()).await.unwrap();
    assert_eq!(shown(&first, "mac_address"), "fa:16:3e:00:00:01");
    assert_eq!(kind_of(house.port(&alice, body.clone()).await), "MacAddressInUse");
    assert_eq!(house.count("SELECT COUNT(*) FROM ports").await, 1);
    assert_eq!(house.count("SELECT COUNT(*) FROM port_bindings").await, 1);
    assert_eq!(house.count("SELECT COUNT(*) FROM ip_allocations").await, 1);
    let used = "SELECT used FROM quota_usage WHERE resource = 'port'";
    assert_eq!(house.count(used).await, 1, "the refused port does not count");

    let second = house.port(&alice, json!({"network_id": network})).await.unwrap();
    let taken = json!({"mac_address": "fa:16:3e:00:00:01"});
    let refused = house.update(&alice, "ports", second.id(), taken).await;
    assert_eq!(kind_of(refused), "MacAddressInUse");
    let again = house.update(&alice, "ports", second.id(), json!({"mac_address": null})).await;
    let again = again.unwrap();
    assert_ne!(shown(&again, "mac_address"), shown(&second, "mac_address"));
    assert_eq!(shown(&again, "fixed_ips"), shown(&second, "fixed_ips"));

    let other = house.network(&alice).await.to_string();
    let elsewhere = json!({"network_id": other, "mac_address": "fa:16:3e:00:00:01"});
    house.port(&alice, elsewhere).await.unwrap();
}

async fn a_bound_port_keeps_its_mac_address_its_card_and_its_numa_policy(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let network = house.network(&root).await.to_string();
    let body = json!({"network_id": network, "binding:host_id": "h1"});
    let id = house.port(&root, body).await.unwrap().id();
    for (ask, fault) in [
        (json!({"mac_address": null}), "PortBound"),
        (json!({"mac_address": "fa:16:3e:00:00:01"}), "PortBound"),
        (json!({"binding:vnic_type": "direct"}), "PortInUse"),
        (json!({"numa_affinity_policy": "required"}), "PortBoundNUMAAffinityPolicy"),
    ] {
        assert_eq!(kind_of(house.update(&root, "ports", id, ask.clone()).await), fault, "{ask}");
    }
    house.update(&root, "ports", id, json!({"binding:host_id": ""})).await.unwrap();
    let free = json!({"mac_address": "fa:16:3e:00:00:01", "binding:vnic_type": "direct"});
    let port = house.update(&root, "ports", id, free).await.unwrap();
    assert_eq!(shown(&port, "mac_address"), "fa:16:3e:00:00:01");
    assert_eq!(shown(&port, "binding:vnic_type"), "direct");
    let dhcp = json!({"network_id": network, "device_owner": "network:dhcp"});
    let dhcp = house.port(&root, dhcp).await.unwrap();
    let refused = house.update(&root, "ports", dhcp.id(), json!({"mac_address": null})).await;
    assert_eq!(kind_of(refused), "UnsupportedPortDeviceOwner");
}

async fn what_a_caller_cannot_see_he_cannot_refer_to(engine: Engine) {
    let house = House::new(engine).await;
    let (alice, bob) = (member(ALICE), member(BOB));
    let hers = house.network(&alice).await.to_string();
    let his = house.network(&bob).await.to_string();
    let port = house.port(&alice, json!({"network_id": hers})).await.unwrap();
    let group = shown(&port, "security_groups")[0].clone();
    let subnet = shown(&port, "fixed_ips")[0]["subnet_id"].clone();
    let nobody = Id::random().to_string();
    for (ask, fault) in [
        (json!({"network_id": hers}), "NetworkNotFound"),
        (json!({"network_id": nobody}), "NetworkNotFound"),
        (json!({"network_id": his, "security_groups": [group]}), "SecurityGroupNotFound"),
        (json!({"network_id": his, "security_groups": [nobody]}), "SecurityGroupNotFound"),
        (json!({"network_id": his, "fixed_ips": [{"subnet_id": subnet}]}), "SubnetNotFound"),
        (json!({"network_id": his, "fixed_ips": [{"subnet_id": nobody}]}), "SubnetNotFound"),
        (json!({"network_id": his, "qos_policy_id": nobody}), "QosPolicyNotFound"),
    ] {
        assert_eq!(kind_of(house.port(&bob, ask.clone()).await), fault, "{ask}");
    }
    let mine = house.port(&bob, json!({"network_id": his})).await.unwrap();
    let refused = json!({"security_groups": [group]});
    let refused = house.update(&bob, "ports", mine.id(), refused).await;
    assert_eq!(kind_of(refused), "SecurityGroupNotFound");
    assert_eq!(kind_of(house.delete(&bob, "ports", port.id()).await), "PortNotFound");
}

async fn groups_and_pairs_need_port_security(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let network = house.network(&root).await.to_string();
    let pairs = json!([{"ip_address": "198.51.100.0/24"}]);
    let port = house.port(&root, json!({"network_id": network})).await.unwrap();
    let group = shown(&port, "security_groups")[0].clone();
    for (ask, fault) in [
        (
            json!({"port_security_enabled": false, "security_groups": [group]}),
            "PortSecurityAndIPRequiredForSecurityGroups",
        ),
        (
            json!({"device_owner": "network:dhcp", "security_groups": [group]}),
            "PortSecurityAndIPRequiredForSecurityGroups",
        ),
        (
            json!({"port_security_enabled": false, "allowed_address_pairs": pairs}),
            "AddressPairAndPortSecurityRequired",
        ),
    ] {
        let mut body = ask.clone();
        body["network_id"] = json!(network);
        assert_eq!(kind_of(house.port(&root, body).await), fault, "{ask}");
    }
    let off = json!({"port_security_enabled": false});
    let refused = house.update(&root, "ports", port.id(), off).await;
    assert_eq!(kind_of(refused), "PortSecurityPortHasSecurityGroup");
    let bare = json!({"port_security_enabled": false, "security_groups": []});
    let bare = house.update(&root, "ports", port.id(), bare).await.unwrap();
    assert_eq!(shown(&bare, "security_groups"), json!([]));
    let refused = json!({"allowed_address_pairs": pairs});
    let refused = house.update(&root, "ports", port.id(), refused).await;
    assert_eq!(kind_of(refused), "AddressPairAndPortSecurityRequired");
    let on = json!({"port_security_enabled": true, "allowed_address_pairs": pairs,
                    "security_groups": [group]});
    let on = house.update(&root, "ports", port.id(), on).await.unwrap();
    assert_eq!(shown(&on, "security_groups"), json!([group]));
    let mac = shown(&on, "mac_address");
    let want = json!([{"mac_address": mac, "ip_address": "198.51.100.0/24"}]);
    assert_eq!(shown(&on, "allowed_address_pairs"), want);
    let dhcp = json!({"network_id": network, "device_owner": "network:dhcp"});
    let dhcp = house.port(&root, dhcp).await.unwrap();
    assert_eq!(shown(&dhcp, "port_security_enabled"), false);
    assert_eq!(shown(&dhcp, "security_groups"), json!([]));
}

async fn the_profile_tells_of_offload_and_trust(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let network = house.network(&root).await.to_string();
    let body = json!({"network_id": network, "hardware_offload_type": "switchdev",
                      "trusted": true, "binding:vnic_type": "direct"});
    let port = house.port(&root, body).await.unwrap();
    let want = json!({"capabilities": ["switchdev"], "trusted": true});
    assert_eq!(shown(&port, "binding:profile"), want);
    assert_eq!(shown(&port, "hardware_offload_type"), "switchdev");
    let alone = json!({"binding:profile": {"pci_slot": "0000:00:1f.0"}, "trusted": false});
    let refused = house.update(&root, "ports", port.id(), alone).await;
    assert_eq!(kind_of(refused), "InvalidInput", "who names the slot names the rest");
    let mut want = json!({"pci_slot": "0000:00:1f.0", "pci_vendor_info": "15b3:1018",
                          "physical_network": null});
    let body = json!({"binding:profile": want, "trusted": false});
    let port = house.update(&root, "ports", port.id(), body).await.unwrap();
    want["trusted"] = json!(false);
    assert_eq!(shown(&port, "binding:profile"), want);
    let null = house.update(&root, "ports", port.id(), json!({"trusted": null})).await;
    assert_eq!(kind_of(null), "InvalidInput");
}

async fn a_whole_physical_function_lends_its_mac_address(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let network = house.network(&root).await.to_string();
    let body = json!({"network_id": network, "binding:vnic_type": "direct-physical",
                      "device_id": "vm", "device_owner": "compute:nova"});
    let port = house.port(&root, body).await.unwrap();
    let own = shown(&port, "mac_address");
    let body = json!({"binding:host_id": "h1",
                      "binding:profile": {"device_mac_address": "00:1b:21:00:00:07"}});
    let bound = house.update(&root, "ports", port.id(), body).await.unwrap();
    assert_eq!(shown(&bound, "mac_address"), "00:1b:21:00:00:07");
    let body = json!({"binding:host_id": "", "binding:profile": {}, "device_id": "",
                      "device_owner": ""});
    let free = house.update(&root, "ports", port.id(), body).await.unwrap();
    assert_ne!(shown(&free, "mac_address"), "00:1b:21:00:00:07");
    assert_ne!(shown(&free, "mac_address"), own);
}

async fn options_and_names_change_piece_by_piece(engine: Engine) {
    let house = House::with(engine, Settings { dns_domain: "example.org".into(), ..roomy() }).await;
    let alice = member(ALICE);
    let network = house.network(&alice).await.to_string();
    let body = json!({"network_id": network, "dns_name": "VM1", "name": "one",
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"},
                            {"opt_name": "server-ip", "opt_value": "192.0.2.1"}]});
    let port = house.port(&alice, body).await.unwrap();
    assert_eq!(shown(&port, "dns_name"), "vm1");
    assert_eq!(shown(&port, "dns_assignment")[0]["fqdn"], "vm1.example.org.");
    let body = json!({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": null}]});
    let port = house.update(&alice, "ports", port.id(), body).await.unwrap();
    let want = json!([{"opt_name": "server-ip", "opt_value": "192.0.2.1", "ip_version": 4}]);
    assert_eq!(shown(&port, "extra_dhcp_opts"), want);
    assert_eq!(shown(&port, "name"), "one");
    let refused = json!({"dns_name": "vm1.example.net."});
    let refused = house.update(&alice, "ports", port.id(), refused).await;
    assert_eq!(kind_of(refused), "HTTPBadRequest");
    let revision = shown(&port, "revision_number").as_i64().unwrap();
    let port = house.update(&alice, "ports", port.id(), json!({"name": "two"})).await.unwrap();
    assert_eq!(shown(&port, "revision_number"), revision + 1);
}

async fn a_deleted_port_leaves_nothing_behind(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let network = house.network(&root).await;
    let body = json!({"network_id": network.to_string(), "binding:host_id": "h1",
                      "tags": ["red"]});
    let port = house.port(&root, body).await.unwrap();
    house.delete(&root, "ports", port.id()).await.unwrap();
    for table in [
        "ports",
        "port_bindings",
        "port_binding_levels",
        "ip_allocations",
        "port_security_groups",
        "tags",
    ] {
        assert_eq!(house.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    let used = "SELECT used FROM quota_usage WHERE resource = 'port'";
    assert_eq!(house.count(used).await, 0);
}

async fn ports_of_the_network_itself_go_with_it_and_others_hold_it(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let network = house.network(&root).await;
    let owned = |owner: &str| json!({"network_id": network.to_string(), "device_owner": owner});
    house.port(&root, owned("network:dhcp")).await.unwrap();
    house.port(&root, owned("network:distributed")).await.unwrap();
    let server = house.port(&root, owned("compute:nova")).await.unwrap();
    let held = house.delete(&root, "networks", network).await;
    assert_eq!(kind_of(held), "NetworkInUse");
    assert_eq!(house.count("SELECT COUNT(*) FROM ports").await, 3, "nothing is half done");
    house.delete(&root, "ports", server.id()).await.unwrap();
    house.delete(&root, "networks", network).await.unwrap();
    assert_eq!(house.count("SELECT COUNT(*) FROM ports").await, 0);
}

async fn sixty_four_clients_share_a_24_to_the_last_address(engine: Engine) {
    let house = House::with(engine, roomy()).await;
    let alice = member(ALICE);
    let network = house.network(&alice).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let house = Arc::clone(&house);
        clients.spawn(async move {
            let alice = member(ALICE);
            let mut got = Vec::new();
            loop {
                let body = json!({"network_id": network.to_string()});
                match house.port(&alice, body).await {
                    Ok(port) => {
                        let ip = shown(&port, "fixed_ips")[0]["ip_address"].clone();
                        got.push(ip.as_str().unwrap().to_owned());
                    }
                    Err(error) => {
                        let kind = error.fault().unwrap_or_else(|| panic!("{error}")).kind;
                        assert_eq!(kind, "IpAddressGenerationFailure");
                        return got;
                    }
                }
            }
        });
    }
    let all: Vec<String> = clients.join_all().await.into_iter().flatten().collect();
    let each: BTreeSet<&String> = all.iter().collect();
    assert_eq!(all.len(), 253, "every address but the gateway's");
    assert_eq!(each.len(), 253, "each once");
    assert_eq!(house.count("SELECT COUNT(*) FROM ports").await, 253);
    assert_eq!(house.count("SELECT used FROM quota_usage WHERE resource = 'port'").await, 253);
}

async fn a_quota_is_never_passed(engine: Engine) {
    let mut settings = Settings::default();
    settings.quotas.insert("port".into(), 20);
    let house = House::with(engine, settings).await;
    let alice = member(ALICE);
    let network = house.network(&alice).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let house = Arc::clone(&house);
        clients.spawn(async move {
            let body = json!({"network_id": network.to_string()});
            house.port(&member(ALICE), body).await.map(drop)
        });
    }
    let answers = clients.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
    for refused in answers.into_iter().filter(Result::is_err) {
        assert_eq!(kind_of(refused), "OverQuota");
    }
    assert_eq!(house.count("SELECT COUNT(*) FROM ports").await, 20);
}

async fn a_network_that_goes_while_ports_come_leaves_no_orphans(engine: Engine) {
    let house = House::with(engine, roomy()).await;
    let root = admin(ALICE);
    for _ in 0..8 {
        let network = house.network(&root).await;
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let house = Arc::clone(&house);
            clients.spawn(async move {
                let body = json!({"network_id": network.to_string(),
                                  "device_owner": "network:dhcp"});
                house.port(&admin(ALICE), body).await.map(drop)
            });
        }
        let gone = house.delete(&root, "networks", network).await;
        for answer in clients.join_all().await {
            if answer.is_err() {
                assert_eq!(kind_of(answer), "NetworkNotFound");
            }
        }
        if gone.is_err() {
            assert_eq!(kind_of(gone), "NetworkInUse");
        }
    }
    let orphans = "SELECT COUNT(*) FROM ports p \
                   WHERE NOT EXISTS (SELECT 1 FROM networks n WHERE n.id = p.network_id)";
    assert_eq!(house.count(orphans).await, 0);
    let unbound = "SELECT COUNT(*) FROM ports p WHERE 1 <> \
                   (SELECT COUNT(*) FROM port_bindings b WHERE b.active_port = p.id)";
    assert_eq!(house.count(unbound).await, 0);
    let counted = "SELECT COALESCE((SELECT used FROM quota_usage WHERE resource = 'port'), 0) \
                   - (SELECT COUNT(*) FROM ports)";
    assert_eq!(house.count(counted).await, 0);
}
