//! Promise 6: every reference × {owner, shared by RBAC, stranger, administrator}. What a stranger
//! refers to is not found, whether it exists or not.

use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};

use crate::cloud::{Cloud, OWNER, made, serve, sound};

testkit::on_each_engine!(a_reference_to_what_one_may_not_see_is_not_found);

/// With whom things are shared; policies name projects by UUID.
const FRIEND: &str = "f31e2d00-0000-4000-8000-000000000001";

/// One reference: of which kind it is made, by which attribute, to which kind, and what else the
/// create needs. `shares`: RBAC can share what is referred to.
struct Reference {
    one: &'static str,
    many: &'static str,
    attribute: &'static str,
    to: &'static str,
    list: bool,
    shares: Option<&'static str>,
}

const fn to(
    (one, many): (&'static str, &'static str),
    attribute: &'static str,
    to: &'static str,
    list: bool,
    shares: Option<&'static str>,
) -> Reference {
    Reference { one, many, attribute, to, list, shares }
}

const PORT: (&str, &str) = ("port", "ports");
const RULE: (&str, &str) = ("security_group_rule", "security_group_rules");
const SUBNET: (&str, &str) = ("subnet", "subnets");

const REFERENCES: &[Reference] = &[
    to(PORT, "network_id", "networks", false, Some("network")),
    to(PORT, "security_groups", "security_groups", true, Some("security_group")),
    to(RULE, "security_group_id", "security_groups", false, None),
    to(RULE, "remote_group_id", "security_groups", false, Some("security_group")),
    to(RULE, "remote_address_group_id", "address_groups", false, Some("address_group")),
    to(SUBNET, "network_id", "networks", false, None),
    to(SUBNET, "subnetpool_id", "subnetpools", false, Some("subnetpool")),
    to(("subnetpool", "subnetpools"), "address_scope_id", "address_scopes", false, None),
    to(("rbac_policy", "rbac_policies"), "object_id", "networks", false, None),
];

/// The caller's own things that the body needs beside the reference.
async fn body(server: &TestServer, who: &Who, reference: &Reference, target: &str) -> Json {
    let mut body = match reference.one {
        "rbac_policy" => json!({
            "object_type": "network", "action": "access_as_shared",
            "target_tenant": uuid::Uuid::new_v4().to_string(),
        }),
        "security_group_rule" => json!({"direction": "ingress"}),
        "subnet" if reference.attribute == "subnetpool_id" => {
            json!({"ip_version": 4, "prefixlen": 24})
        }
        "subnet" => json!({"ip_version": 4}),
        "subnetpool" => json!({"name": "p", "prefixes": ["10.0.0.0/8"]}),
        _ => json!({}),
    };
    let own = |many, one, ask| made(server, who, many, one, ask);
    if matches!(reference.one, "port" | "subnet") && reference.attribute != "network_id" {
        body["network_id"] = own("networks", "network", json!({})).await.into();
    }
    if reference.one == "subnet" && reference.attribute == "network_id" {
        let id = uuid::Uuid::new_v4();
        let cidr = format!("10.{}.{}.0/24", id.as_bytes()[0], id.as_bytes()[1]);
        body["cidr"] = cidr.into();
    }
    if reference.one == "security_group_rule" && reference.attribute != "security_group_id" {
        body["security_group_id"] =
            own("security_groups", "security_group", json!({})).await.into();
    }
    let value = if reference.list { json!([target]) } else { json!(target) };
    body[reference.attribute] = value;
    body
}

async fn a_reference_to_what_one_may_not_see_is_not_found(engine: Engine) {
    serve(engine, async |server| {
        let cloud = Cloud::new(server).await;
        let mut wrong = Vec::new();
        for reference in REFERENCES {
            let target = &cloud.ids[reference.to];
            if let Some(object_type) = reference.shares {
                let ask = json!({"rbac_policy": {
                    "object_type": object_type, "object_id": target,
                    "action": "access_as_shared", "target_tenant": FRIEND,
                }});
                let owner = Who::member(OWNER);
                let reply = server.call(&owner, "POST", "/v2.0/rbac-policies", Some(ask)).await;
                assert!([201, 409].contains(&reply.status), "{}", reply.text);
            }
            for (who, may) in [
                (Who::member(OWNER), true),
                (Who::member(FRIEND), reference.shares.is_some()),
                (Who::member("stranger"), false),
                (Who::admin(), true),
            ] {
                let path = format!("/v2.0/{}", reference.many.replace('_', "-"));
                let ask = body(server, &who, reference, target).await;
                let reply =
                    server.call(&who, "POST", &path, Some(json!({reference.one: ask}))).await;
                // A friend shares the network, so subnets and policies on it are 403 or 404.
                let refused = [400, 403, 404].contains(&reply.status);
                let label = format!("{} by {}", reference.attribute, who.project);
                if may == refused || reply.status >= 500 {
                    wrong.push(format!("{label} of {}: {}", reference.one, reply.text));
                }
                if who.project != "stranger" {
                    continue;
                }
                let absent = uuid::Uuid::new_v4().to_string();
                let ask = body(server, &who, reference, &absent).await;
                let nothing =
                    server.call(&who, "POST", &path, Some(json!({reference.one: ask}))).await;
                // PARITY: of what cannot be shared Neutron says so in a 400.
                let status = if reference.attribute == "object_id" { 400 } else { 404 };
                if reply.status != status || nothing.text.replace(&absent, target) != reply.text {
                    wrong.push(format!("{label}: {} and {}", reply.text, nothing.text));
                }
            }
        }
        wrong.extend(addresses(server).await);
        wrong.extend(segments(server).await);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        sound(server).await;
    })
    .await;
}

/// `fixed_ips.subnet_id`, and the references of updates.
async fn addresses(server: &TestServer) -> Vec<String> {
    let mut wrong = Vec::new();
    let (_, hidden) = crate::cloud::subnet(server, "198.51.100.0/24").await;
    let owner = &Who::member(OWNER);
    let secret = made(server, owner, "security-groups", "security_group", json!({})).await;
    let who = &Who::member("stranger");
    let network = made(server, who, "networks", "network", json!({})).await;
    let port = made(server, who, "ports", "port", json!({"network_id": network})).await;
    let absent = uuid::Uuid::new_v4().to_string();
    let create =
        |subnet: &str| json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet}]});
    let update = |subnet: &str| json!({"fixed_ips": [{"subnet_id": subnet}]});
    let group = |id: &str| json!({"security_groups": [id]});
    let path = format!("/v2.0/ports/{port}");
    for (method, path, there, not_there, id) in [
        ("POST", "/v2.0/ports", create(&hidden), create(&absent), &hidden),
        ("PUT", &path, update(&hidden), update(&absent), &hidden),
        ("PUT", &path, group(&secret), group(&absent), &secret),
    ] {
        let reply = server.call(who, method, path, Some(json!({"port": there}))).await;
        let nothing = server.call(who, method, path, Some(json!({"port": not_there}))).await;
        if reply.status != 404 || nothing.text.replace(&absent, id) != reply.text {
            wrong.push(format!("{method}: {} and {}", reply.text, nothing.text));
        }
    }
    wrong
}

/// `segment_id` of subnets, at creation and later: its network's owner may use a segment, though
/// only administrators see any; nobody else can tell one that exists from one that does not.
async fn segments(server: &TestServer) -> Vec<String> {
    let mut wrong = Vec::new();
    let (admin, owner) = (&Who::admin(), &Who::member(OWNER));
    let network = made(server, owner, "networks", "network", json!({})).await;
    let path = format!("/v2.0/segments?network_id={network}");
    let found = server.call(admin, "GET", &path, None).await;
    let segment = found.json["segments"][0]["id"].as_str().unwrap();
    let absent = &uuid::Uuid::new_v4().to_string();
    let ask = |network: &str, segment: &str| {
        json!({"subnet": {
            "network_id": network, "ip_version": 4, "cidr": "203.0.113.0/24", "segment_id": segment,
        }})
    };
    let subnets = "/v2.0/subnets";
    for (who, there) in [(&Who::member("stranger"), 404), (admin, 400)] {
        let own = made(server, who, "networks", "network", json!({})).await;
        let plain = json!({"network_id": own, "ip_version": 4, "cidr": "198.51.100.0/24"});
        let subnet = made(server, who, "subnets", "subnet", plain).await;
        let change = |segment: &str| json!({"subnet": {"segment_id": segment}});
        for (method, path, exists, does_not) in [
            ("POST", subnets, ask(&own, segment), ask(&own, absent)),
            ("PUT", &format!("{subnets}/{subnet}"), change(segment), change(absent)),
        ] {
            let reply = server.call(who, method, path, Some(exists)).await;
            let nothing = server.call(who, method, path, Some(does_not)).await;
            let alike = nothing.text.replace(absent, segment) == reply.text;
            if (reply.status, nothing.status, alike) != (there, 404, there == 404) {
                let project = &who.project;
                wrong.push(format!("{method} by {project}: {} and {}", reply.text, nothing.text));
            }
        }
    }
    let reply = server.call(owner, "POST", subnets, Some(ask(&network, segment))).await;
    if reply.status != 201 {
        wrong.push(format!("segment_id by its owner: {}", reply.text));
    }
    wrong
}
