//! How lists are asked for: parameters read against a table.

use serde_json::json;
use wire::fault::Fault;
use wire::query::{Filter, Query};
use wire::value::Value;

use crate::table::{TABLE, at};

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn read(text: &str) -> Query {
    Query::parse(&TABLE, &pairs(text), 0).unwrap()
}

fn refused(text: &str) -> Fault {
    refused_as("HTTPBadRequest", text)
}

fn refused_as(kind: &str, text: &str) -> Fault {
    let error = Query::parse(&TABLE, &pairs(text), 0).expect_err(text);
    let fault = error.fault().expect("the caller's fault").clone();
    assert_eq!((fault.kind, fault.status), (kind, 400), "{}", fault.message);
    fault
}

#[test]
fn nothing_asks_for_everything() {
    let query = read("");
    assert!(query.filters.is_empty() && query.fields.is_empty() && query.sort.is_empty());
    assert_eq!((query.limit, query.marker, query.reverse), (None, None, false));
}

#[test]
fn one_name_several_times_is_one_filter_with_alternatives() {
    let values = vec![Value::text("a"), Value::text("b")];
    assert_eq!(read("name=a&name=b").filters, [Filter::In { attr: at::name.index, values }]);
}

#[test]
fn filters_are_read_in_the_attributes_type() {
    let one = |text: &str| match read(text).filters.as_slice() {
        [Filter::In { values, .. }] => values[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(one("admin_state_up=True"), Value::Bool(true));
    assert_eq!(one("admin_state_up=0"), Value::Bool(false));
    assert_eq!(one("mtu=1500"), Value::Int(1500));
    assert_eq!(one("mac_address=FA:16:3E:00:00:01"), Value::text("fa:16:3e:00:00:01"));
    assert_eq!(one("binding:vnic_type=direct"), Value::text("direct"));
}

#[test]
fn an_empty_filter_asks_for_the_empty_text_and_is_no_number() {
    let empty = Filter::In { attr: at::name.index, values: vec![Value::text("")] };
    assert_eq!(read("name=").filters, [empty]);
    assert!(refused_as("InvalidInput", "mtu=").message.contains("'mtu'"));
}

#[test]
fn a_filter_of_the_wrong_type_is_refused() {
    assert!(refused_as("InvalidInput", "mtu=wide").message.contains("mtu"));
    assert!(
        refused_as("InvalidInput", "admin_state_up=perhaps").message.contains("'admin_state_up'")
    );
}

#[test]
fn only_what_the_table_says_is_filtered_and_sorted_by() {
    assert!(refused("colour=red").message.contains("\"colour\""));
    assert!(refused("secret=x").message.contains("secret"));
    assert!(refused("sort_key=colour&sort_dir=asc").message.contains("\"colour\""));
    assert!(refused("sort_key=mtu&sort_dir=asc").message.contains("mtu"));
}

#[test]
fn tenant_id_filters_by_project() {
    let values = vec![Value::text("p1")];
    let wanted = [Filter::In { attr: at::project_id.index, values }];
    assert_eq!(read("tenant_id=p1").filters, wanted);
    assert_eq!(read("project_id=p1").filters, wanted);
}

#[test]
fn keys_are_sorted_by_in_the_order_given() {
    let query = read("sort_key=name&sort_key=id&sort_dir=desc&sort_dir=asc");
    assert_eq!(query.sort, [(at::name.index, true), (at::id.index, false)]);
    refused("sort_key=name");
    refused("sort_key=name&sort_dir=asc&sort_dir=desc");
    refused("sort_key=name&sort_dir=sideways");
    refused("sort_dir=asc");
}

#[test]
fn pages_are_asked_for_by_limit_and_marker() {
    let query = read("limit=2&marker=m1&page_reverse=True");
    assert_eq!(query.limit, Some(2));
    assert_eq!(query.marker.as_deref(), Some("m1"));
    assert!(query.reverse);
    assert_eq!(read("limit=0").limit, None);
    for bad in ["limit=-1", "limit=x", "limit=1.5", "limit=99999999999999999999999"] {
        refused_as("BadRequest", bad);
    }
}

#[test]
fn no_page_is_longer_than_the_servers_limit() {
    let limit = |text: &str, most| Query::parse(&TABLE, &pairs(text), most).unwrap().limit;
    assert_eq!(limit("", 100), Some(100));
    assert_eq!(limit("limit=7", 100), Some(7));
    assert_eq!(limit("limit=700", 100), Some(100));
    assert_eq!(limit("limit=0", 100), Some(100));
}

#[test]
fn child_rows_are_filtered_by_key_and_value() {
    let text = "fixed_ips=ip_address=192.0.2.7&fixed_ips=ip_address=192.0.2.8\
                &fixed_ips=subnet_id=s1&fixed_ips=ip_address_substr=192.0";
    let child = |key, values: &[&str], substring| Filter::Child {
        attr: at::fixed_ips.index,
        key,
        values: values.iter().map(|v| Value::text(*v)).collect(),
        substring,
    };
    assert_eq!(
        read(text).filters,
        [
            child("ip_address", &["192.0.2.7", "192.0.2.8"], false),
            child("subnet_id", &["s1"], false),
            child("ip_address", &["192.0"], true),
        ]
    );
    assert!(refused_as("InvalidInput", "fixed_ips=192.0.2.7").message.contains("ip_address"));
    assert!(refused_as("InvalidInput", "fixed_ips=colour=red").message.contains("subnet_id"));
}

#[test]
fn a_list_of_plain_values_is_filtered_by_value() {
    let values = vec![Value::text("g1")];
    let key = "security_group_id";
    let wanted = Filter::Child { attr: at::security_groups.index, key, values, substring: false };
    assert_eq!(read("security_groups=g1").filters, [wanted]);
}

#[test]
fn tags_are_filtered_in_four_ways() {
    let tags = |text: &str| match read(text).filters.as_slice() {
        [Filter::Tags { all, negate, tags }] => (*all, *negate, tags.join("+")),
        other => panic!("{other:?}"),
    };
    assert_eq!(tags("tags=a,b"), (true, false, "a+b".into()));
    assert_eq!(tags("tags-any=a"), (false, false, "a".into()));
    assert_eq!(tags("not-tags=a&not-tags=b"), (true, true, "a+b".into()));
    assert_eq!(tags("not-tags-any=a,b"), (false, true, "a+b".into()));
}

#[test]
fn fields_are_named_one_by_one() {
    assert_eq!(read("fields=id&fields=name&fields=").fields, ["id", "name"]);
}

#[test]
fn a_message_names_the_parameter_and_stays_json() {
    let message = refused("sort_key=\"</script>").message;
    assert_eq!(json!(message).as_str(), Some(message.as_str()));
}
