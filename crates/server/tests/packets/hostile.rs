//! Promise 7, seen from the other end: whatever callers write, the flows that OVN makes of it are
//! those that it makes of harmless words.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, id};

/// What has a meaning in the languages of matches, actions, lists and databases.
const HOSTILE: [&str; 8] = [
    r#"" || 1 || ""#,
    r#"x"); next; drop; ("#,
    "1 || ip4 && tcp",
    r#"$as_ip4 {"a", "b"}"#,
    "\\\" , router = 6.6.6.6, \\",
    "unknown 00:00:00:00:00:66 6.6.6.6",
    "' OR 1=1 -- `reboot` $(reboot) %s {{7*7}}",
    "\u{2028}\u{7}é\u{feff}",
];

/// What `ovn-northd` made of everything.
fn flows(cloud: &Cloud) -> BTreeSet<String> {
    cloud.lab.central.settle();
    let columns = "pipeline,table_id,priority,match,actions";
    let list = format!("--format=json --columns={columns} list Logical_Flow");
    let shown = cloud.lab.central.sbctl(&list);
    let shown: Json = serde_json::from_str(&shown).unwrap();
    let rows = shown["data"].as_array().unwrap();
    rows.iter().map(Json::to_string).collect()
}

/// What a DHCP server answers is in the flow of its port and may differ.
fn without_options(flows: &BTreeSet<String>) -> BTreeSet<String> {
    flows.iter().filter(|flow| !flow.contains("put_dhcp")).cloned().collect()
}

#[test]
fn no_word_of_a_caller_changes_a_flow() {
    let cloud = Cloud::start();
    let client = cloud.client();
    let network = cloud.network();
    let subnet = id(&cloud.subnet(&network, "10.1.0.0/24"));
    let group = cloud.pingable_group();
    let remote = json!({"protocol": "tcp", "port_range_min": 7, "remote_group_id": group,
        "port_range_max": 7, "ethertype": "IPv4"});
    cloud.let_in(&group, remote);
    let addresses = json!({"name": "plain", "addresses": ["10.9.0.0/24"]});
    let addresses = id(&client.create("address_group", addresses));
    cloud.let_in(&group, json!({"remote_address_group_id": addresses, "ethertype": "IPv4"}));
    let option = |value: &str| json!([{"opt_name": "domain-name", "opt_value": value}]);
    let port = json!({"security_groups": [group], "extra_dhcp_opts": option("plain")});
    let port = cloud.port_with(&network, 0, port);
    let guest = cloud.guest(&port, 0);
    client.wait_for_status(&port.id, "ACTIVE");
    let before = flows(&cloud);
    assert!(before.len() > 100, "{}", before.len());

    let mut taken = 0;
    for text in HOSTILE {
        let named = json!({"name": text, "description": text});
        let mut device = named.clone();
        device["device_id"] = json!(text);
        device["extra_dhcp_opts"] = option(text);
        device["binding:profile"] = json!({"note": text, "os_vif_delegation": text});
        let domain = json!({"dns_domain": text});
        let asked = [
            ("networks", "network", &network, named.clone()),
            ("networks", "network", &network, domain),
            ("subnets", "subnet", &subnet, named.clone()),
            ("security-groups", "security_group", &group, named.clone()),
            ("address-groups", "address_group", &addresses, named.clone()),
            ("ports", "port", &port.id, named.clone()),
            ("ports", "port", &port.id, device),
            ("ports", "port", &port.id, json!({"dns_name": text})),
            ("ports", "port", &port.id, json!({"binding:profile": {"capabilities": [text]}})),
        ];
        for (path, one, id, body) in asked {
            let body = json!({ one: body });
            let (status, reply) = client.call("PUT", &format!("{path}/{id}"), Some(&body));
            assert!(status == 200 || status == 400, "{body}: {status} {reply}");
            taken += usize::from(status == 200);
        }
        let tag = json!({"tags": [text]});
        client.call("PUT", &format!("ports/{}/tags", port.id), Some(&tag));
        cloud.audit();
        let after = flows(&cloud);
        assert_eq!(after.len(), before.len(), "{text}");
        let (was, is) = (without_options(&before), without_options(&after));
        let news: Vec<_> = is.difference(&was).collect();
        assert!(news.is_empty(), "{text} made {news:?}");
        assert_eq!(is, was, "{text}");
        // It is still served, and the option is one text.
        let lease = guest.try_dhcp4().expect("a lease");
        assert_eq!(lease.address, port.v4());
        assert_eq!(lease.addresses(3).len(), 1, "one router, {text}");
        assert_ne!(lease.addresses(3)[0].octets(), [6, 6, 6, 6], "{text}");
    }
    // Nearly all of it is what one may call things.
    assert!(taken > 4 * HOSTILE.len(), "only {taken} were taken");
    for hypervisor in &cloud.lab.hypervisors {
        let log = std::fs::read_to_string(hypervisor.directory.join("controller.log")).unwrap();
        assert!(!log.contains("error parsing"), "{log}");
    }
    println!("{taken} hostile texts taken, {} flows as before", before.len());
}
