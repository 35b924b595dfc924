//! Security groups, their rules and address groups against a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod house;

use std::sync::Arc;
use std::time::{Duration, Instant};

use house::{House, admin, kind, kind_of, member, shown};
use model::settings::Settings;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use wire::ctx::Ctx;
use wire::draft::Draft;
use wire::fault::Result;
use wire::query::Query;
use wire::row::Row;
use wire::types::Id;

const ALICE: &str = "a11ce000000000000000000000000000";
const BOB: &str = "b0b00000000000000000000000000000";
const GROUPS: &str = "security_groups";
const RULES: &str = "security_group_rules";
const TEMPLATES: &str = "default_security_group_rules";
const ADDRESSES: &str = "address_groups";

fn with_quota(resource: &str, limit: i64) -> Settings {
    let mut settings = Settings::default();
    settings.quotas.insert(resource.into(), limit);
    settings
}

async fn group(house: &House, ctx: &Ctx, name: &str) -> Id {
    house.create(ctx, GROUPS, json!({"name": name})).await.unwrap().id()
}

/// An ingress rule of a group, with what else it says.
fn rule(group: Id, more: Json) -> Json {
    let mut body = json!({"security_group_id": group.to_string(), "direction": "ingress"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn add_rule(house: &House, ctx: &Ctx, group: Id, more: Json) -> Result<Row> {
    house.create(ctx, RULES, rule(group, more)).await
}

async fn act(house: &House, ctx: &Ctx, id: Id, action: &str, addresses: Json) -> Result<Json> {
    let (kind, body) = (kind(ADDRESSES), &json!({"addresses": addresses}));
    house
        .world
        .db
        .write(ctx, |tx| async move {
            let call = house.world.call(&tx, ctx);
            let row = call.find(kind.table(), id).await?.expect("the group is there");
            kind.act(&call, &row, action, body).await
        })
        .await
}

async fn default_groups(house: &House, project: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM security_groups WHERE default_of = '{project}'");
    house.count(&sql).await
}

async fn default_of(house: &House, project: &str) -> Id {
    let sql = format!("SELECT id FROM security_groups WHERE default_of = '{project}'");
    Id::read(house.rows(&sql).await[0][0].as_text().unwrap()).unwrap()
}

testkit::on_each_engine!(
    a_project_has_its_default_group_as_soon_as_it_lists,
    a_project_that_an_administrator_asks_about_has_its_default_group,
    first_ports_at_the_same_time_make_one_default_group,
    the_default_group_keeps_its_name_and_only_an_administrator_deletes_it,
    a_rule_is_refused_in_every_spelling_of_one_that_is_there,
    rules_refer_only_to_what_their_project_can_use,
    rules_of_one_request_are_of_one_group_and_one_project,
    a_request_of_a_hundred_rules_is_whole_and_quick,
    rules_of_one_group_can_be_made_at_the_same_time,
    deleting_a_group_takes_its_rules_and_those_that_refer_to_it,
    a_group_of_a_port_neither_goes_nor_changes_its_state,
    a_rule_changes_its_description_and_its_group_notices,
    new_groups_begin_with_the_templates,
    the_projects_statefulness_goes_before_that_of_all,
    address_groups_take_and_give_back_addresses_whole,
    an_address_group_stays_while_a_rule_refers_to_it,
);

async fn a_project_has_its_default_group_as_soon_as_it_lists(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    for many in [GROUPS, RULES] {
        let all = Query::default();
        kind(many).prepare(&house.world, &alice, &all).unwrap().await.unwrap();
    }
    assert_eq!(default_groups(&house, ALICE).await, 1);
    let group = house.find(GROUPS, default_of(&house, ALICE).await).await.unwrap();
    assert_eq!(shown(&group, "name"), "default");
    assert_eq!(shown(&group, "description"), "Default security group");
    assert_eq!(shown(&group, "revision_number"), 1);
    assert_eq!(shown(&group, "tags"), json!([]));
    let rules = shown(&group, "security_group_rules");
    assert_eq!(rules.as_array().unwrap().len(), 4);
    for rule in rules.as_array().unwrap() {
        assert_eq!(rule["tenant_id"], ALICE);
        assert_eq!(rule["belongs_to_default_sg"], true);
        assert_eq!(rule["description"], Json::Null);
        let remote = if rule["direction"] == "ingress" {
            Json::from(group.id().to_string())
        } else {
            Json::Null
        };
        assert_eq!(rule["remote_group_id"], remote);
    }
    assert_eq!(house.used("security_group", ALICE).await, 1);
    assert_eq!(house.used("security_group_rule", ALICE).await, 4);
}

async fn a_project_that_an_administrator_asks_about_has_its_default_group(engine: Engine) {
    let house = House::new(engine).await;
    for (many, project) in [(GROUPS, "first"), (RULES, "second")] {
        let table = kind(many).table();
        let pairs = [("project_id".to_owned(), project.to_owned())];
        let query = Query::parse(table, &pairs, 1000).unwrap();
        for (who, there) in [(member(ALICE), 0), (admin(ALICE), 1)] {
            kind(many).prepare(&house.world, &who, &query).unwrap().await.unwrap();
            assert_eq!(default_groups(&house, project).await, there, "{many}");
        }
    }
    assert_eq!(default_groups(&house, ALICE).await, 1, "the member's own");
}

async fn first_ports_at_the_same_time_make_one_default_group(engine: Engine) {
    let house = House::new(engine).await;
    let owner = admin("operator");
    let network = house.network(&owner).await.to_string();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (house, network) = (Arc::clone(&house), network.clone());
        tasks.push(tokio::spawn(async move {
            let body = json!({"network_id": network, "project_id": ALICE});
            house.port(&admin("operator"), body).await.map(|port| shown(&port, "security_groups"))
        }));
    }
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap().unwrap());
    }
    assert_eq!(default_groups(&house, ALICE).await, 1);
    let only = json!([default_of(&house, ALICE).await.to_string()]);
    assert!(seen.iter().all(|groups| *groups == only), "{seen:?}");
    assert_eq!(house.used("security_group_rule", ALICE).await, 4);
}

async fn the_default_group_keeps_its_name_and_only_an_administrator_deletes_it(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    group(&house, &alice, "own").await;
    let id = default_of(&house, ALICE).await;
    let renamed = house.update(&alice, GROUPS, id, json!({"name": "other"})).await;
    assert_eq!(kind_of(renamed), "SecurityGroupCannotUpdateDefault");
    let described = house.update(&alice, GROUPS, id, json!({"description": "d"})).await.unwrap();
    assert_eq!(shown(&described, "description"), "d");
    let second = house.create(&alice, GROUPS, json!({"name": "Default"})).await;
    assert_eq!(kind_of(second), "SecurityGroupDefaultAlreadyExists");
    let deleted = house.delete(&alice, GROUPS, id).await;
    assert_eq!(kind_of(deleted), "SecurityGroupCannotRemoveDefault");
    house.delete(&admin("operator"), GROUPS, id).await.unwrap();
    assert_eq!(default_groups(&house, ALICE).await, 0);
}

async fn a_rule_is_refused_in_every_spelling_of_one_that_is_there(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let id = group(&house, &alice, "web").await;
    let first = add_rule(&house, &alice, id, json!({"protocol": "tcp"})).await.unwrap();
    assert_eq!(shown(&first, "remote_ip_prefix"), Json::Null);
    assert_eq!(shown(&first, "belongs_to_default_sg"), false);
    let spellings = [
        json!({"protocol": "6"}),
        json!({"protocol": 6}),
        json!({"protocol": "TCP", "remote_ip_prefix": "0.0.0.0/0"}),
        json!({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}),
        json!({"protocol": "tcp", "ethertype": "ipv4", "description": "other words"}),
    ];
    for spelling in spellings {
        let again = add_rule(&house, &alice, id, spelling.clone()).await;
        assert_eq!(kind_of(again), "SecurityGroupRuleExists", "{spelling}");
    }
    let egress = json!({"protocol": "tcp", "direction": "egress"});
    add_rule(&house, &alice, id, egress).await.unwrap();
    let both = [rule(id, json!({"protocol": "udp"})), rule(id, json!({"protocol": "17"}))];
    assert_eq!(
        kind_of(house.create_all(&alice, RULES, &both).await),
        "DuplicateSecurityGroupRuleInPost"
    );
    let prefix = json!({"remote_ip_prefix": "10.0.0.5/24"});
    let prefixed = add_rule(&house, &alice, id, prefix).await.unwrap();
    assert_eq!(shown(&prefixed, "remote_ip_prefix"), "10.0.0.5/24");
    assert_eq!(shown(&prefixed, "normalized_cidr"), "10.0.0.0/24");
    assert_eq!(house.used("security_group_rule", ALICE).await, 4 + 2 + 3, "refusals cost nothing");
}

async fn rules_refer_only_to_what_their_project_can_use(engine: Engine) {
    let house = House::new(engine).await;
    let (alice, bob) = (member(ALICE), member(BOB));
    let own = group(&house, &alice, "own").await;
    let other = group(&house, &bob, "other").await.to_string();
    let nobody = Id::random().to_string();
    for remote in [other.as_str(), nobody.as_str(), "bad_group_id"] {
        let refused = add_rule(&house, &alice, own, json!({"remote_group_id": remote})).await;
        assert_eq!(kind_of(refused), "SecurityGroupNotFound", "{remote}");
        let body = json!({"security_group_id": remote, "direction": "ingress"});
        assert_eq!(kind_of(house.create(&alice, RULES, body).await), "SecurityGroupNotFound");
        let addresses = json!({"remote_address_group_id": remote});
        let refused = add_rule(&house, &alice, own, addresses).await;
        assert_eq!(kind_of(refused), "AddressGroupNotFound", "{remote}");
    }
    let entry = json!({
        "object_type": "security_group", "object_id": other, "action": "access_as_shared",
        "target_tenant": ALICE,
    });
    house.create(&bob, "rbac_policies", entry).await.unwrap();
    add_rule(&house, &alice, own, json!({"remote_group_id": other})).await.unwrap();
}

async fn rules_of_one_request_are_of_one_group_and_one_project(engine: Engine) {
    let house = House::new(engine).await;
    let (alice, operator) = (member(ALICE), admin("operator"));
    let (one, two) = (group(&house, &alice, "1").await, group(&house, &alice, "2").await);
    let groups = [rule(one, json!({})), rule(two, json!({}))];
    assert_eq!(
        kind_of(house.create_all(&alice, RULES, &groups).await),
        "SecurityGroupNotSingleGroupRules"
    );
    let projects = [
        rule(one, json!({"project_id": ALICE})),
        rule(one, json!({"project_id": BOB, "protocol": "tcp"})),
    ];
    let refused = house.create_all(&operator, RULES, &projects).await;
    assert_eq!(kind_of(refused), "SecurityGroupRulesNotSingleProject");
}

async fn a_request_of_a_hundred_rules_is_whole_and_quick(engine: Engine) {
    let house = House::with(engine, with_quota("security_group_rule", 106)).await;
    let alice = member(ALICE);
    let id = group(&house, &alice, "many").await;
    let port = |port: usize| {
        rule(id, json!({"protocol": "tcp", "port_range_min": port, "port_range_max": port}))
    };
    let bodies: Vec<Json> = (1..=101).map(port).collect();
    let refused = house.create_all(&alice, RULES, &bodies).await;
    assert_eq!(kind_of(refused), "OverQuota");
    assert_eq!(house.used("security_group_rule", ALICE).await, 6);
    let started = Instant::now();
    assert_eq!(house.create_all(&alice, RULES, &bodies[..100]).await.unwrap().len(), 100);
    // Far above the promise, which a release build on a quiet machine has to keep.
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let shown_group = house.find(GROUPS, id).await.unwrap();
    assert_eq!(shown(&shown_group, "security_group_rules").as_array().unwrap().len(), 102);
    assert_eq!(shown(&shown_group, "revision_number"), 2, "one request is one revision");
    assert_eq!(house.used("security_group_rule", ALICE).await, 106);
}

async fn rules_of_one_group_can_be_made_at_the_same_time(engine: Engine) {
    let house = House::new(engine).await;
    let id = group(&house, &member(ALICE), "busy").await;
    let mut tasks = Vec::new();
    for port in 1..=16 {
        let house = Arc::clone(&house);
        tasks.push(tokio::spawn(async move {
            let ports = json!({"protocol": "tcp", "port_range_min": port, "port_range_max": port});
            add_rule(&house, &member(ALICE), id, ports).await.map(drop)
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let group = house.find(GROUPS, id).await.unwrap();
    assert_eq!(shown(&group, "revision_number"), 17);
    assert_eq!(house.used("security_group_rule", ALICE).await, 4 + 2 + 16);
}

async fn deleting_a_group_takes_its_rules_and_those_that_refer_to_it(engine: Engine) {
    let house = House::new(engine).await;
    let (alice, operator) = (member(ALICE), admin("operator"));
    let (gone, kept) = (group(&house, &alice, "gone").await, group(&house, &alice, "kept").await);
    add_rule(&house, &alice, gone, json!({"protocol": "tcp"})).await.unwrap();
    let refers = json!({"remote_group_id": gone.to_string()});
    let refers = add_rule(&house, &alice, kept, refers).await.unwrap();
    let foreign = json!({"protocol": "udp", "project_id": BOB});
    add_rule(&house, &operator, gone, foreign).await.unwrap();
    assert_eq!(house.used("security_group_rule", ALICE).await, 4 + 2 + 2 + 2);
    assert_eq!(house.used("security_group_rule", BOB).await, 1);
    house.delete(&alice, GROUPS, gone).await.unwrap();
    assert!(house.find(RULES, refers.id()).await.is_none());
    assert_eq!(house.used("security_group_rule", ALICE).await, 4 + 2);
    assert_eq!(house.used("security_group_rule", BOB).await, 0);
    assert_eq!(house.used("security_group", ALICE).await, 2);
    let kept = house.find(GROUPS, kept).await.unwrap();
    assert_eq!(shown(&kept, "revision_number"), 3);
}

async fn a_group_of_a_port_neither_goes_nor_changes_its_state(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let network = house.network(&alice).await.to_string();
    let (stateful, stateless) = (group(&house, &alice, "s").await, {
        let body = json!({"name": "l", "stateful": false});
        house.create(&alice, GROUPS, body).await.unwrap().id()
    });
    let port = |groups: &[Id]| {
        let groups: Vec<String> = groups.iter().map(Id::to_string).collect();
        json!({"network_id": network, "security_groups": groups})
    };
    let mixed = house.port(&alice, port(&[stateful, stateless])).await;
    assert_eq!(kind_of(mixed), "SecurityGroupConflict");
    let other = group(&house, &member(BOB), "b").await;
    assert_eq!(kind_of(house.port(&alice, port(&[other])).await), "SecurityGroupNotFound");
    house.port(&alice, port(&[stateful])).await.unwrap();
    assert_eq!(kind_of(house.delete(&alice, GROUPS, stateful).await), "SecurityGroupInUse");
    let changed = house.update(&alice, GROUPS, stateful, json!({"stateful": false})).await;
    assert_eq!(kind_of(changed), "SecurityGroupInUse");
    house.update(&alice, GROUPS, stateful, json!({"stateful": true, "name": "n"})).await.unwrap();
    house.update(&alice, GROUPS, stateless, json!({"stateful": true})).await.unwrap();
}

async fn a_rule_changes_its_description_and_its_group_notices(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let id = group(&house, &alice, "g").await;
    let made = add_rule(&house, &alice, id, json!({"protocol": "tcp"})).await.unwrap();
    assert_eq!(shown(&made, "revision_number"), 0);
    assert_eq!(shown(&made, "security_group:project_id"), ALICE);
    let body = json!({"description": "why"});
    let changed = house.update(&alice, RULES, made.id(), body).await.unwrap();
    assert_eq!(shown(&changed, "description"), "why");
    assert_eq!(shown(&changed, "revision_number"), 1);
    house.delete(&alice, RULES, made.id()).await.unwrap();
    let group = house.find(GROUPS, id).await.unwrap();
    assert_eq!(shown(&group, "revision_number"), 4);
    assert_eq!(house.used("security_group_rule", ALICE).await, 4 + 2);
}

async fn new_groups_begin_with_the_templates(engine: Engine) {
    let house = House::new(engine).await;
    let (alice, operator) = (member(ALICE), admin("operator"));
    let template = |remote: &str, in_default: bool, in_others: bool| {
        json!({
            "direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
            "remote_group_id": remote, "used_in_default_sg": in_default,
            "used_in_non_default_sg": in_others,
        })
    };
    let unknown = template("whatever", true, true);
    let refused = house.create(&operator, TEMPLATES, unknown).await;
    assert_eq!(kind_of(refused), "SecurityGroupNotFound");
    let parent = template("PARENT", false, true);
    let made = house.create(&operator, TEMPLATES, parent.clone()).await.unwrap();
    let again = house.create(&operator, TEMPLATES, parent).await;
    assert_eq!(kind_of(again), "DefaultSecurityGroupRuleExists");
    house.create(&operator, TEMPLATES, template("PARENT", true, false)).await.unwrap();
    let own = group(&house, &alice, "own").await;
    let rules = shown(&house.find(GROUPS, own).await.unwrap(), "security_group_rules");
    let ssh: Vec<&Json> =
        rules.as_array().unwrap().iter().filter(|rule| rule["port_range_min"] == 22).collect();
    assert_eq!(ssh.len(), 1);
    assert_eq!(ssh[0]["remote_group_id"], own.to_string());
    house.delete(&operator, TEMPLATES, made.id()).await.unwrap();
    let next = group(&house, &alice, "next").await;
    let rules = shown(&house.find(GROUPS, next).await.unwrap(), "security_group_rules");
    assert_eq!(rules.as_array().unwrap().len(), 2);
}

async fn the_projects_statefulness_goes_before_that_of_all(engine: Engine) {
    let house = House::new(engine).await;
    let (alice, operator) = (member(ALICE), admin("operator"));
    let many = "security_groups_default_statefulness";
    let stateful = async |name: &str| {
        shown(&house.create(&alice, GROUPS, json!({"name": name})).await.unwrap(), "stateful")
    };
    assert_eq!(stateful("built in").await, true);
    let everybody = json!({"project_id": null, "stateful": false});
    house.create(&operator, many, everybody.clone()).await.unwrap();
    let again = house.create(&operator, many, everybody).await;
    assert_eq!(kind_of(again), "SecurityGroupDefaultStatefulnessAlreadyExists");
    assert_eq!(stateful("of all").await, false);
    let own = json!({"project_id": ALICE, "stateful": true});
    let own = house.create(&operator, many, own).await.unwrap().id();
    assert_eq!(stateful("own").await, true);
    house.update(&operator, many, own, json!({"stateful": false})).await.unwrap();
    assert_eq!(stateful("changed").await, false);
    let asked = json!({"name": "asked", "stateful": true});
    assert_eq!(shown(&house.create(&alice, GROUPS, asked).await.unwrap(), "stateful"), true);
}

async fn address_groups_take_and_give_back_addresses_whole(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let body = json!({"name": "a", "addresses": ["10.0.0.5/32", "2001:db8::/32"]});
    let made = house.create(&alice, ADDRESSES, body).await.unwrap();
    assert_eq!(shown(&made, "addresses"), json!(["10.0.0.5/32", "2001:db8::/32"]));
    assert_eq!(shown(&made, "revision_number"), 2);
    let id = made.id();
    let twice = act(&house, &alice, id, "add_addresses", json!(["10.9.0.0/24", "10.0.0.5"])).await;
    assert_eq!(kind_of(twice), "AddressesAlreadyExist");
    let add = json!(["10.9.0.5/24", "10.9.0.0/24", "10.7.7.7"]);
    let answer = act(&house, &alice, id, "add_addresses", add).await.unwrap();
    let all = json!(["10.0.0.5/32", "10.7.7.7/32", "10.9.0.0/24", "2001:db8::/32"]);
    assert_eq!(answer["address_group"]["addresses"], all);
    assert_eq!(answer["address_group"]["revision_number"], 4);
    assert_eq!(answer["address_group"]["tenant_id"], ALICE);
    let absent = json!(["10.7.7.7/32", "10.200.0.0/16"]);
    let absent = act(&house, &alice, id, "remove_addresses", absent).await;
    assert_eq!(kind_of(absent), "AddressesNotFound");
    let bad = act(&house, &alice, id, "add_addresses", json!(["bad"])).await;
    assert_eq!(kind_of(bad), "AddrFormatError");
    let left = act(&house, &alice, id, "remove_addresses", json!(["10.9.0.0/24"])).await.unwrap();
    assert_eq!(left["address_group"]["addresses"].as_array().unwrap().len(), 3);
    let named = house.update(&alice, ADDRESSES, id, json!({"name": "b"})).await.unwrap();
    assert_eq!(shown(&named, "addresses").as_array().unwrap().len(), 3);
}

async fn an_address_group_stays_while_a_rule_refers_to_it(engine: Engine) {
    let house = House::new(engine).await;
    let alice = member(ALICE);
    let id = house.create(&alice, ADDRESSES, json!({"name": "a"})).await.unwrap().id();
    let web = group(&house, &alice, "web").await;
    let refers = json!({"remote_address_group_id": id.to_string()});
    let refers = add_rule(&house, &alice, web, refers).await.unwrap().id();
    assert_eq!(kind_of(house.delete(&alice, ADDRESSES, id).await), "AddressGroupInUse");
    house.delete(&alice, RULES, refers).await.unwrap();
    house.delete(&alice, ADDRESSES, id).await.unwrap();
    assert!(house.find(ADDRESSES, id).await.is_none());
}

#[test]
fn a_kind_whose_one_and_many_are_the_same_word_takes_one_and_a_list() {
    let table = kind("security_groups_default_statefulness").table();
    let one = json!({"security_groups_default_statefulness": {"stateful": false}});
    let (drafts, is_list) = Draft::parse_many(table, &one, 10).unwrap();
    assert_eq!((drafts.len(), is_list), (1, false));
    let list = json!({"security_groups_default_statefulness": [{"stateful": false}, {}]});
    let (drafts, is_list) = Draft::parse_many(table, &list, 10).unwrap();
    assert_eq!((drafts.len(), is_list), (2, true));
}
