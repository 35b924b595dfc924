//! What is asked: bodies read against a table.

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use wire::ctx::Ctx;
use wire::draft::{Draft, Verb};
use wire::fault::{Error, Fault};
use wire::types::Id;
use wire::types::mac::Mac;
use wire::value::Value;

use crate::table::{TABLE, at};

const NETWORK: &str = "3f2b1d2c-9e7a-4c0e-8a55-0d9a1f6c7b21";

fn create(members: Json) -> Result<Draft, Error> {
    Draft::parse_one(&TABLE, Verb::Create, &json!({ "plug": members }))
}

fn update(members: Json) -> Result<Draft, Error> {
    Draft::parse_one(&TABLE, Verb::Update, &json!({ "plug": members }))
}

fn refused(result: Result<Draft, Error>) -> Fault {
    result.expect_err("the draft is refused").fault().expect("the caller's fault").clone()
}

/// Asserts that a fault is a 400 whose message has all of these words.
fn assert_says(fault: &Fault, words: &[&str]) {
    assert_eq!((fault.kind, fault.status), ("HTTPBadRequest", 400), "{}", fault.message);
    for word in words {
        assert!(fault.message.contains(word), "{word:?} is not in {:?}", fault.message);
    }
}

#[test]
fn a_create_fills_in_defaults_and_leaves_the_models_choices_missing() {
    let draft = create(json!({"network_id": NETWORK})).unwrap();
    let row = draft.complete();
    assert_eq!(row.named("name"), Some(&Value::text("")));
    assert_eq!(row.named("admin_state_up"), Some(&Value::Bool(true)));
    assert_eq!(row.named("mtu"), Some(&Value::Int(1500)));
    assert_eq!(row.named("security_groups"), Some(&Value::json(json!([]))));
    assert_eq!(row.named("mac_address"), Some(&Value::Missing));
    assert_eq!(row.named("status"), Some(&Value::Missing));
    assert!(!draft.names(at::name));
}

#[test]
fn what_is_only_asked_is_not_stored() {
    let draft = create(json!({"network_id": NETWORK, "wish": "soon"})).unwrap();
    assert_eq!(draft.asked(at::wish).unwrap().as_str(), "soon");
    assert_eq!(draft.complete().named("wish"), Some(&Value::Missing));
}

#[test]
fn a_missing_attribute_is_named_with_what_is_accepted() {
    assert_says(&refused(create(json!({}))), &["network_id", "a UUID"]);
}

#[test]
fn a_bad_value_is_named_with_its_attribute_and_what_is_accepted() {
    let fault = refused(create(json!({"network_id": NETWORK, "mac_address": "junk"})));
    assert_says(&fault, &["'mac_address'", "\"junk\"", "a MAC address"]);
}

#[test]
fn the_first_bad_attribute_in_the_tables_order_is_reported() {
    let body = json!({"mac_address": "junk", "name": 7, "network_id": "junk"});
    assert_says(&refused(create(body)), &["'name'"]);
}

#[test]
fn an_unknown_attribute_is_refused_by_name() {
    let fault = refused(create(json!({"network_id": NETWORK, "colour": "red"})));
    assert_says(&fault, &["\"colour\""]);
}

#[test]
fn many_long_unknown_attributes_make_a_short_message() {
    let members: serde_json::Map<String, Json> =
        (0..500).map(|n| (format!("{n}{}", "x".repeat(10_000)), json!(1))).collect();
    assert!(refused(create(Json::Object(members))).message.len() < 1200);
}

#[test]
fn an_unknown_name_cannot_write_lines_into_the_message() {
    let fault = refused(create(json!({"a\nb\u{1b}[31m": 1})));
    assert!(!fault.message.contains(['\n', '\u{1b}']), "{:?}", fault.message);
}

#[test]
fn what_the_server_sets_cannot_be_given() {
    let fault = refused(create(json!({"network_id": NETWORK, "status": "ACTIVE"})));
    assert_says(&fault, &["'status'"]);
    assert_says(&refused(create(json!({"network_id": NETWORK, "id": NETWORK}))), &["'id'"]);
}

#[test]
fn what_is_given_at_creation_cannot_be_changed() {
    assert_says(&refused(update(json!({"network_id": NETWORK}))), &["'network_id'"]);
    assert!(update(json!({"name": "b"})).is_ok());
}

#[test]
fn an_update_changes_only_what_it_names() {
    let mut row =
        create(json!({"network_id": NETWORK, "name": "a", "mtu": 9000})).unwrap().complete();
    row.put(at::status.index, Value::text("ACTIVE"));
    let new = update(json!({"name": "b", "mac_address": null})).unwrap().applied(&row);
    assert_eq!(new.named("name"), Some(&Value::text("b")));
    assert_eq!(new.named("mac_address"), Some(&Value::Null));
    assert_eq!(new.named("mtu"), Some(&Value::Int(9000)));
    assert_eq!(new.named("status"), Some(&Value::text("ACTIVE")));
}

#[test]
fn a_wire_name_may_differ_from_the_fields() {
    let draft = create(json!({"network_id": NETWORK, "binding:vnic_type": "direct"})).unwrap();
    assert_eq!(draft.asked(at::vnic_type).unwrap().as_str(), "direct");
    let fault = refused(create(json!({"network_id": NETWORK, "vnic_type": "direct"})));
    assert_says(&fault, &["\"vnic_type\""]);
}

#[test]
fn a_tenant_is_a_project() {
    let draft = create(json!({"network_id": NETWORK, "tenant_id": "p1"})).unwrap();
    assert_eq!(draft.asked(at::project_id).unwrap().as_str(), "p1");
    let both = json!({"network_id": NETWORK, "tenant_id": "p1", "project_id": "p1"});
    assert!(create(both).is_ok());
    let two = json!({"network_id": NETWORK, "tenant_id": "p1", "project_id": "p2"});
    assert_says(&refused(create(two)), &["project_id", "tenant_id"]);
}

#[test]
fn a_create_without_a_project_is_for_the_callers_own() {
    let mut ctx = Ctx::system(Timestamp::UNIX_EPOCH);
    ctx.project_id = "mine".into();
    let mut draft = create(json!({"network_id": NETWORK})).unwrap();
    draft.own(&ctx).unwrap();
    assert_eq!(draft.asked(at::project_id).unwrap().as_str(), "mine");

    let mut other = create(json!({"network_id": NETWORK, "project_id": "theirs"})).unwrap();
    other.own(&ctx).unwrap();
    assert_eq!(other.asked(at::project_id).unwrap().as_str(), "theirs");
}

#[test]
fn a_caller_without_a_project_has_to_name_one() {
    let mut ctx = Ctx::system(Timestamp::UNIX_EPOCH);
    ctx.is_admin = false;
    let mut draft = create(json!({"network_id": NETWORK})).unwrap();
    assert_eq!(draft.own(&ctx).unwrap_err().fault().unwrap().status, 400);
}

#[test]
fn a_body_of_another_shape_is_refused() {
    for body in [json!(null), json!([]), json!("plug"), json!({}), json!({"port": {}})] {
        assert_says(&refused(Draft::parse_one(&TABLE, Verb::Create, &body)), &["'plug'"]);
    }
    for inner in [json!(null), json!([]), json!(7), json!("x")] {
        assert_says(&refused(create(inner)), &["'plug' must be an object"]);
    }
}

#[test]
fn several_are_created_from_a_list() {
    let one = json!({"network_id": NETWORK});
    let body = json!({"plugs": [one, {"plug": one}]});
    let (drafts, was_list) = Draft::parse_many(&TABLE, &body, 10).unwrap();
    assert_eq!((drafts.len(), was_list), (2, true));
    let (drafts, was_list) = Draft::parse_many(&TABLE, &json!({ "plug": one }), 10).unwrap();
    assert_eq!((drafts.len(), was_list), (1, false));
}

#[test]
fn a_list_of_none_or_too_many_is_refused() {
    let one = json!({"network_id": NETWORK});
    for list in [json!([]), json!([one, one, one]), json!(null), json!({"plug": one})] {
        let error = Draft::parse_many(&TABLE, &json!({ "plugs": list }), 2).unwrap_err();
        assert_says(error.fault().unwrap(), &["'plugs'"]);
    }
}

#[test]
fn one_bad_entry_refuses_the_whole_list() {
    let body = json!({"plugs": [{"network_id": NETWORK}, {"network_id": 7}]});
    assert!(Draft::parse_many(&TABLE, &body, 10).is_err());
}

#[test]
fn a_draft_of_the_servers_own_is_asked_for_like_a_callers() {
    let mut draft = Draft::blank(&TABLE, Verb::Create);
    assert_eq!(draft.given().count(), 0);
    draft.ask(at::mac_address, Mac::read("fa:16:3e:00:00:01"));
    draft.ask(at::network_id, Id::read(NETWORK).unwrap());
    let given: Vec<&str> = draft.given().map(|(attr, _)| attr.wire).collect();
    assert_eq!(given, ["network_id", "mac_address"]);
    draft.forget(at::mac_address);
    assert_eq!(draft.asked(at::mac_address), None);
    assert_eq!(draft.or_default(at::mtu), 1500);
}

#[test]
fn a_refused_value_is_answered_with_its_types_fault() {
    let fault = refused(create(json!({"network_id": NETWORK, "mtu": "wide"})));
    assert_eq!((fault.kind, fault.status), ("InvalidInput", 400));
}
