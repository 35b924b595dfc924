//! Subnet pools and address scopes.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use testkit::database::Engine;
use wire::types::Id;

use crate::cloud::{Cloud, kind, shown};

async fn pool(cloud: &Cloud, body: Json) -> Id {
    let mut body = body;
    body["name"] = "pool".into();
    cloud.make("subnetpools", body).await.unwrap().id()
}

async fn cut(cloud: &Cloud, pool: Id, more: Json) -> wire::fault::Result<Json> {
    let mut body = json!({"ip_version": 4, "subnetpool_id": pool.to_string()});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let network = cloud.network().await;
    let row = cloud.subnet(network, body).await?;
    Ok(json!([shown(&row, "cidr"), shown(&row, "gateway_ip")]))
}

testkit::on_each_engine!(
    a_pool_has_compact_prefixes_and_the_usual_bounds,
    subnets_are_cut_by_length_or_taken_by_name,
    networks_cut_at_once_are_different_until_the_pool_is_empty,
    a_project_gets_its_share_of_a_pool_and_no_more,
    there_is_one_default_pool_of_a_family,
    prefixes_come_and_go_but_for_those_in_use,
    subnets_of_a_network_become_the_pools,
    pools_of_an_address_scope_do_not_overlap,
    a_shared_address_scope_stays_shared,
);

async fn a_pool_has_compact_prefixes_and_the_usual_bounds(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"name": "p", "prefixes": ["10.0.1.0/24", "10.0.0.0/24", "10.0.0.0/25"]});
    let row = cloud.make("subnetpools", body).await.unwrap();
    assert_eq!(shown(&row, "prefixes"), json!(["10.0.0.0/23"]));
    let shown_bounds = ["min_prefixlen", "max_prefixlen", "default_prefixlen", "ip_version"]
        .map(|name| shown(&row, name));
    assert_eq!(shown_bounds, [json!(8), json!(32), json!(8), json!(4)]);
    assert_eq!(shown(&row, "default_quota"), Json::Null);
    for (body, expected) in [
        (json!({"prefixes": []}), "EmptySubnetPoolPrefixList"),
        (json!({"prefixes": ["10.0.0.0/8", "fd00::/8"]}), "PrefixVersionMismatch"),
        (json!({"prefixes": ["10.0.0.0/8"], "max_prefixlen": 33}), "IllegalSubnetPoolPrefixBounds"),
    ] {
        let mut body = body;
        body["name"] = "p".into();
        assert_eq!(kind(cloud.make("subnetpools", body).await), expected);
    }
}

async fn subnets_are_cut_by_length_or_taken_by_name(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "min_prefixlen": 20});
    let pool = pool(&cloud, body).await;
    let first = cut(&cloud, pool, json!({})).await.unwrap();
    assert_eq!(first, json!(["10.0.0.0/24", "10.0.0.1"]));
    let second = cut(&cloud, pool, json!({"prefixlen": 26})).await.unwrap();
    assert_eq!(second, json!(["10.0.1.0/26", "10.0.1.1"]));
    let named = json!({"cidr": "10.0.9.0/24", "gateway_ip": null});
    assert_eq!(cut(&cloud, pool, named.clone()).await.unwrap(), json!(["10.0.9.0/24", null]));
    assert_eq!(kind(cut(&cloud, pool, named).await), "SubnetAllocationError");
    let gateway = json!({"gateway_ip": "10.0.10.254"});
    assert_eq!(cut(&cloud, pool, gateway).await.unwrap(), json!(["10.0.10.0/24", "10.0.10.254"]));
    let other = json!({"cidr": "10.1.0.0/24"});
    assert_eq!(kind(cut(&cloud, pool, other).await), "SubnetAllocationError");
    let short = json!({"prefixlen": 19});
    assert_eq!(kind(cut(&cloud, pool, short).await), "MinPrefixSubnetAllocationError");
    let long = json!({"prefixlen": 33});
    assert_eq!(kind(cut(&cloud, pool, long).await), "MaxPrefixSubnetAllocationError");
    assert_eq!(kind(cloud.delete("subnetpools", pool).await), "SubnetPoolDeleteError");
}

async fn networks_cut_at_once_are_different_until_the_pool_is_empty(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"prefixes": ["10.0.0.0/24"], "default_prefixlen": 28});
    let pool = pool(&cloud, body).await;
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let cloud = cloud.clone();
            tokio::spawn(async move { cut(&cloud, pool, json!({})).await })
        })
        .collect();
    let mut given = BTreeSet::new();
    let mut refused = 0;
    for client in clients {
        match client.await.unwrap() {
            Ok(shown) => assert!(given.insert(shown.to_string())),
            Err(error) => {
                assert_eq!(error.fault().unwrap().kind, "SubnetAllocationError");
                refused += 1;
            }
        }
    }
    assert_eq!((given.len(), refused), (16, 4));
}

async fn a_project_gets_its_share_of_a_pool_and_no_more(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"prefixes": ["10.0.0.0/16"], "default_quota": 512});
    let pool_id = pool(&cloud, body).await;
    for _ in 0..2 {
        cut(&cloud, pool_id, json!({"prefixlen": 24})).await.unwrap();
    }
    assert_eq!(
        kind(cut(&cloud, pool_id, json!({"prefixlen": 32})).await),
        "SubnetPoolQuotaExceeded"
    );
}

async fn there_is_one_default_pool_of_a_family(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"prefixes": ["10.0.0.0/16"], "is_default": true, "default_prefixlen": 24});
    let first = pool(&cloud, body.clone()).await;
    let mut second = body;
    second["name"] = "second".into();
    assert_eq!(kind(cloud.make("subnetpools", second).await), "InvalidInput");
    let network = cloud.network().await;
    let asked = json!({"ip_version": 4, "use_default_subnetpool": true});
    let subnet = cloud.subnet(network, asked).await.unwrap();
    assert_eq!(shown(&subnet, "subnetpool_id"), first.to_string());
    let plain = cloud.subnet(network, json!({"cidr": "192.168.0.0/24"})).await;
    assert_eq!(kind(plain), "NetworkSubnetPoolAffinityError");
    cloud.change("subnetpools", first, json!({"is_default": false})).await.unwrap();
    pool(&cloud, json!({"prefixes": ["10.0.0.0/16"], "is_default": true})).await;
}

async fn prefixes_come_and_go_but_for_those_in_use(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"prefixes": ["10.0.0.0/24"], "default_prefixlen": 26});
    let pool = pool(&cloud, body).await;
    cut(&cloud, pool, json!({})).await.unwrap();
    let added = cloud.act(pool, "add_prefixes", json!({"prefixes": ["10.0.1.0/24"]})).await;
    assert_eq!(added.unwrap(), json!({"prefixes": ["10.0.0.0/23"]}));
    let used = cloud.act(pool, "remove_prefixes", json!({"prefixes": ["10.0.0.0/24"]})).await;
    assert_eq!(kind(used), "IllegalSubnetPoolPrefixUpdate");
    let gone = cloud.act(pool, "remove_prefixes", json!({"prefixes": ["10.0.0.128/25"]})).await;
    assert_eq!(gone.unwrap(), json!({"prefixes": ["10.0.0.0/25", "10.0.1.0/24"]}));
    let empty = cloud.act(pool, "add_prefixes", json!({"prefixes": []})).await;
    assert_eq!(kind(empty), "HTTPBadRequest");
    for less in [json!(["10.0.1.0/24"]), json!([]), json!(["fd00::/8"])] {
        let less = cloud.change("subnetpools", pool, json!({"prefixes": less})).await;
        assert_eq!(kind(less), "IllegalSubnetPoolPrefixUpdate");
    }
    let null = cloud.change("subnetpools", pool, json!({"default_quota": null})).await;
    assert_eq!(kind(null), "InvalidInput");
    let more = json!({"prefixes": ["10.0.0.0/24", "10.0.1.0/24"], "min_prefixlen": 9});
    let grown = cloud.change("subnetpools", pool, more).await.unwrap();
    assert_eq!(shown(&grown, "prefixes"), json!(["10.0.0.0/23"]));
    assert_eq!(shown(&grown, "min_prefixlen"), 9);
}

async fn subnets_of_a_network_become_the_pools(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let pool = pool(&cloud, json!({"prefixes": ["10.0.0.0/24"]})).await;
    let network = cloud.network().await;
    let subnet = cloud.subnet(network, json!({"cidr": "192.168.0.0/24"})).await.unwrap().id();
    let body = json!({"network_id": network.to_string()});
    let answer = cloud.act(pool, "onboard_network_subnets", body.clone()).await.unwrap();
    assert_eq!(answer, json!([{"id": subnet.to_string(), "cidr": "192.168.0.0/24"}]));
    let row = cloud.read("subnets", subnet).await.unwrap();
    assert_eq!(shown(&row, "subnetpool_id"), pool.to_string());
    let row = cloud.read("subnetpools", pool).await.unwrap();
    assert_eq!(shown(&row, "prefixes"), json!(["10.0.0.0/24", "192.168.0.0/24"]));
    let again = cloud.act(pool, "onboard_network_subnets", body).await;
    assert_eq!(kind(again), "IllegalSubnetPoolUpdate");
    let unknown = json!({"network_id": Id::random().to_string()});
    let unknown = cloud.act(pool, "onboard_network_subnets", unknown).await;
    assert_eq!(kind(unknown), "NetworkNotFound");
}

async fn pools_of_an_address_scope_do_not_overlap(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let scope = cloud.make("address_scopes", json!({"name": "s", "ip_version": 4})).await.unwrap();
    let scope_id = scope.id().to_string();
    let first = json!({"prefixes": ["10.0.0.0/16"], "address_scope_id": scope_id});
    let first = pool(&cloud, first).await;
    let body =
        |prefix: &str| json!({"name": "p", "prefixes": [prefix], "address_scope_id": scope_id});
    let overlapping = cloud.make("subnetpools", body("10.0.4.0/24")).await;
    assert_eq!(kind(overlapping), "AddressScopePrefixConflict");
    let six = cloud.make("subnetpools", body("fd00::/48")).await;
    assert_eq!(kind(six), "IllegalSubnetPoolIpVersionAssociationToAddressScope");
    let hidden = cloud.member("stranger").make("subnetpools", body("10.7.0.0/16")).await;
    assert_eq!(kind(hidden), "AddressScopeNotFound");
    assert_eq!(kind(cloud.delete("address_scopes", scope.id()).await), "AddressScopeInUse");
    cloud.delete("subnetpools", first).await.unwrap();
    cloud.delete("address_scopes", scope.id()).await.unwrap();
}

async fn a_shared_address_scope_stays_shared(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let body = json!({"name": "s", "ip_version": 4, "shared": true});
    let scope = cloud.make("address_scopes", body).await.unwrap();
    assert_eq!(shown(&scope, "shared"), true);
    let hide = cloud.change("address_scopes", scope.id(), json!({"shared": false})).await;
    assert_eq!(kind(hide), "AddressScopeUpdateError");
    let renamed = cloud.change("address_scopes", scope.id(), json!({"name": "t"})).await.unwrap();
    assert_eq!(shown(&renamed, "name"), "t");
    let plain = cloud.make("address_scopes", json!({"name": "u", "ip_version": 4})).await.unwrap();
    let share = cloud.change("address_scopes", plain.id(), json!({"shared": true})).await.unwrap();
    assert_eq!(shown(&share, "shared"), true);
}
