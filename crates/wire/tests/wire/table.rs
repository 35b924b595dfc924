//! A kind of thing that uses the whole language, for the other tests.

use wire::attr::{Child, Column, Resource};
use wire::resource;
use wire::types::fixed_ip::FixedIpAsk;
use wire::types::mac::Mac;
use wire::types::name::Name;
use wire::types::tags::Tag;
use wire::types::words::VnicType;
use wire::types::{Id, Text};

/// The addresses of a plug.
pub static FIXED_IPS: Child = Child {
    table: "plug_fixed_ips",
    parent: "plug_id",
    keys: &[("subnet_id", Column::Text(36)), ("ip_address", Column::Text(45))],
    flat: false,
    order: "position",
    kept: None,
};

/// The groups of a plug, shown as plain ids.
pub static GROUPS: Child = Child {
    table: "plug_groups",
    parent: "plug_id",
    keys: &[("security_group_id", Column::Text(36))],
    flat: true,
    order: "security_group_id",
    kept: None,
};

resource! {
    /// What is plugged in.
    Plug = Resource::of("plug", "plugs").taggable();
    id: Id = ro().filter().sort();
    project_id: Text<255> = init().filter().sort();
    name: Name = rw().text("").filter().sort();
    network_id: Id = init().filter();
    admin_state_up: bool = rw().flag(true).filter();
    mac_address: Option<Mac> = rw().unset().filter().sort();
    mtu: i64 = rw().int(1500).filter();
    fixed_ips: Vec<FixedIpAsk> = rw().unset().filter().child(&FIXED_IPS);
    security_groups: Vec<Id> = rw().list().filter().child(&GROUPS);
    vnic_type: VnicType = rw().text("normal").wire("binding:vnic_type").filter();
    tags: Vec<Tag> = init().list();
    secret: Text<16> = rw().text("").hidden();
    wish: Text<16> = init().null().ask();
    status: Text<16> = ro().filter();
    revision_number: i64 = ro().filter().sort();
}
