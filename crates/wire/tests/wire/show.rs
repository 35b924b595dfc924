//! Rows as a caller sees them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use wire::row::{Record, Row};
use wire::show::{Mask, object, write};
use wire::types::Id;
use wire::types::mac::Mac;
use wire::value::Value;

use crate::table::{Plug, TABLE, at};

const ID: &str = "3f2b1d2c-9e7a-4c0e-8a55-0d9a1f6c7b21";

fn row() -> Row {
    let mut row = Row::empty(&TABLE);
    row.set(at::id, Id::read(ID).unwrap());
    row.set(at::project_id, "p1".into());
    row.set(at::name, "a \"name\"\n".into());
    row.set(at::mtu, 1500);
    row.set(at::mac_address, Mac::read("fa:16:3e:00:00:01"));
    row.set(at::secret, "hush".into());
    row
}

fn shown(row: &Row, mask: &Mask) -> Json {
    let mut out = Vec::new();
    object(row, mask, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn keys(json: &Json) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn everything_visible_is_shown_under_its_wire_name() {
    let shown = shown(&row(), &Mask::all(&TABLE));
    assert_eq!(shown["id"], json!(ID));
    assert_eq!(shown["name"], json!("a \"name\"\n"));
    assert_eq!(shown["mtu"], json!(1500));
    assert_eq!(shown["binding:vnic_type"], Json::Null);
    assert!(shown.get("vnic_type").is_none());
}

#[test]
fn what_is_hidden_or_only_asked_is_never_shown() {
    for mask in
        [Mask::all(&TABLE), Mask::of(&TABLE, &["secret".into(), "wish".into(), "id".into()])]
    {
        let shown = shown(&row(), &mask);
        assert!(shown.get("secret").is_none() && shown.get("wish").is_none(), "{shown}");
    }
}

#[test]
fn the_project_is_shown_under_both_of_its_names() {
    let all = shown(&row(), &Mask::all(&TABLE));
    assert_eq!((&all["project_id"], &all["tenant_id"]), (&json!("p1"), &json!("p1")));
    let one = shown(&row(), &Mask::of(&TABLE, &["tenant_id".into()]));
    assert_eq!(keys(&one), ["tenant_id"]);
    let other = shown(&row(), &Mask::of(&TABLE, &["project_id".into()]));
    assert_eq!(keys(&other), ["project_id"]);
}

#[test]
fn fields_choose_what_is_shown() {
    let shown = shown(&row(), &Mask::of(&TABLE, &["name".into(), "id".into(), "colour".into()]));
    assert_eq!(keys(&shown), ["id", "name"]);
}

#[test]
fn a_mask_hides_single_attributes() {
    let mut mask = Mask::all(&TABLE);
    mask.hide(at::mtu.index);
    assert!(!mask.shows(at::mtu.index) && mask.shows(at::id.index));
    assert!(shown(&row(), &mask).get("mtu").is_none());
}

#[test]
fn a_damaged_value_reads_as_empty_and_spares_the_others() {
    let mut row = row();
    row.put(at::mac_address.index, Value::text("junk"));
    row.put(at::mtu.index, Value::text("wide"));
    let plug = Plug::load(&row);
    assert_eq!(plug.mac_address, None);
    assert_eq!(plug.mtu, 0);
    assert_eq!(plug.name.as_str(), "a \"name\"\n");
}

#[test]
fn a_record_becomes_a_row_and_a_record_again() {
    let plug = Plug::load(&row());
    let again = Plug::load(&plug.store());
    assert_eq!(format!("{plug:?}"), format!("{again:?}"));
}

proptest! {
    #[test]
    fn any_text_is_shown_as_json(text in any::<String>()) {
        let mut out = Vec::new();
        write(&Value::text(text.clone()), &mut out);
        prop_assert_eq!(serde_json::from_slice::<Json>(&out).unwrap(), json!(text));
    }
}
