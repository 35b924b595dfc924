//! Ports: a connection point for attaching one device to one network. Its parts have a file each:
//! MAC addresses in `port/mac.rs`, port security in `port/security.rs`, names in `port/dns.rs`,
//! address pairs in `port/pairs.rs`, DHCP options in `port/dhcp.rs`. Where a port is plugged in is
//! in `binding`, its addresses are in `ipam`.

pub mod change;
pub mod create;
pub mod dhcp;
pub mod dns;
pub mod mac;
pub mod metadata;
pub mod pairs;
pub mod profile;
pub mod security;
pub mod status;

use serde_json::{Value as Json, json};
use sql::Tx;
use wire::attr::{Child, Column, Resource};
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::Row;
use wire::types::dhcp_opt::DhcpOption;
use wire::types::dns::{DnsDomain, DnsName};
use wire::types::fixed_ip::FixedIpAsk;
use wire::types::hint::Hints;
use wire::types::mac::Mac;
use wire::types::name::Name;
use wire::types::pair::AddressPair;
use wire::types::profile::Dict;
use wire::types::tags::Tag;
use wire::types::words::{DataPlaneStatus, HardwareOffloadType, NumaPolicy, VnicType};
use wire::types::{Id, Raw, Text};
use wire::value::Value;

use crate::backend::Backend;
use crate::binding::plug;
use crate::kind::{Call, Kind, Pending};
use crate::settings::Settings;
use crate::unit::Unit;
use crate::unit::reads::{self, Seen};
use crate::{ipam, nova_event, standard};

/// The addresses of a port, in the order in which it got them.
static FIXED_IPS: Child = Child {
    table: "ip_allocations",
    parent: "port_id",
    keys: &[("subnet_id", Column::Text(36)), ("ip_address", Column::Text(64))],
    flat: false,
    order: "place",
    kept: Some("fixed_ips_list"),
};

/// The security groups of a port.
static SECURITY_GROUPS: Child = Child {
    table: "port_security_groups",
    parent: "port_id",
    keys: &[("security_group_id", Column::Text(36))],
    flat: true,
    order: "security_group_id",
    kept: Some("security_groups_list"),
};

/// True when the port's network is shared with the caller.
const NETWORK_SHARED: &str = "EXISTS (SELECT 1 FROM rbac_policies r \
     WHERE r.object_id = t.network_id AND r.object_type = 'network' \
     AND r.action = 'access_as_shared' AND r.target_project IN (:project, '*'))";

/// Has these lists kept in the ports' rows, where the engine is one that keeps lists.
///
/// # Errors
/// Those of the database.
pub async fn keep_lists(tx: &Tx) -> Result<()> {
    for child in [&FIXED_IPS, &SECURITY_GROUPS] {
        sql::kept::keep(tx, "ports", child).await?;
    }
    Ok(())
}

resource! {
    /// A connection point for attaching one device to one network.
    Port = Resource::of("port", "ports").taggable()
        .join("JOIN networks n ON n.id = t.network_id \
               LEFT JOIN port_bindings b ON b.active_port = t.id")
        .visible("(t.project_id = :project OR t.network_id IN \
                  (SELECT o.id FROM networks o WHERE o.project_id = :project))");
    id: Id = ro().filter().sort();
    name: Name = rw().text("").filter().sort();
    network_id: Id = init().filter().sort().policy();
    project_id: Text<255> = init().filter().sort().policy();
    admin_state_up: bool = rw().flag(true).filter().sort();
    status: Text<16> = ro().filter().sort();
    mac_address: Option<Mac> =
        rw().unset().filter().sort().enforce().ext("port-mac-address-regenerate");
    fixed_ips: Vec<FixedIpAsk> = rw().unset().filter().enforce().child(&FIXED_IPS);
    device_id: Text<255> = rw().text("").filter().sort().enforce();
    device_owner: Text<255> = rw().text("").filter().sort().enforce().policy();
    description: Text<255> = rw().text("").filter();
    allowed_address_pairs: Vec<AddressPair> =
        rw().unset().enforce().ext("allowed-address-pairs");
    extra_dhcp_opts: Vec<DhcpOption> = rw().null().ext("extra_dhcp_opt");
    security_groups: Vec<Id> =
        rw().unset().filter().child(&SECURITY_GROUPS).ext("security-group");
    port_security_enabled: bool = rw().unset().enforce().ext("port-security");
    host_id: Option<Text<255>> = rw().unset().filter().enforce().ext("binding")
        .wire("binding:host_id").sql("b.host");
    vnic_type: VnicType = rw().text("normal").enforce().ext("binding")
        .wire("binding:vnic_type").sql("b.vnic_type");
    profile: Dict = rw().unset().enforce().ext("binding")
        .wire("binding:profile").sql("b.profile");
    vif_type: Text<64> = ro().enforce().ext("binding")
        .wire("binding:vif_type").sql("b.vif_type");
    vif_details: Dict = ro().enforce().ext("binding")
        .wire("binding:vif_details").sql("b.vif_details");
    dns_name: DnsName = rw().text("").ext("dns-integration");
    dns_domain: DnsDomain = rw().text("").ext("dns-domain-ports");
    dns_assignment: Vec<Raw> = ro().computed().ext("dns-integration");
    ip_allocation: Text<16> = ro().filter().sort().ext("ip_allocation");
    data_plane_status: Option<DataPlaneStatus> = put().enforce().ext("data-plane-status");
    propagate_uplink_status: bool = rw().flag(true).ext("uplink-status-propagation");
    numa_affinity_policy: Option<NumaPolicy> = rw().null().ext("port-numa-affinity-policy");
    hints: Option<Hints> = rw().null().enforce().ext("port-hints");
    device_profile: Option<Text<255>> = init().null().ext("port-device-profile");
    hardware_offload_type: Option<HardwareOffloadType> =
        init().never_null().unset().enforce().ext("port-hardware-offload-type");
    trusted: Option<bool> = rw().never_null().unset().enforce().ext("port-trusted-vif");
    qos_policy_id: Option<Id> = rw().null().enforce().ext("qos");
    qos_network_policy_id: Option<Id> = ro().null().computed().ext("qos-port-network-policy");
    resource_request: Option<Raw> = ro().computed().ext("port-resource-request");
    tags: Vec<Tag> = init().list().filter().child(&standard::TAGS);
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    /// Who owns the port's network, which rules ask for.
    network_project_id: Text<255> = ro().hidden().policy()
        .wire("network:project_id").sql("n.project_id");
    /// Whether the port's network is shared with the caller, which rules ask for.
    network_shared: bool = ro().hidden().wire("network:shared").sql(NETWORK_SHARED);
}

/// The kind.
pub struct Ports;

impl Kind for Ports {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn quota(&self) -> Option<&'static str> {
        Some("port")
    }

    fn unit(&self) -> Option<Unit> {
        Some(Unit::Port)
    }

    fn parent(&self) -> Option<(&'static str, &'static str)> {
        Some(("network", "network_id"))
    }

    fn not_found(&self, id: &str) -> Error {
        fault::port_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(create::create(call, ask))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(change::change(call, old, ask))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            // PARITY: a router's port can be deleted directly once the router is gone; there are no
            // routers yet. Bindings, addresses and group memberships go with the row.
            ipam::release(call, old.id()).await;
            standard::remove(call, self, old).await?;
            let network_id = old.get(at::network_id);
            reads::port(call, network_id, &Seen::of(old), &Seen::default()).await?;
            nova_event::deleted(call, old).await
        })
    }

    fn fill(&self, settings: &Settings, _backend: &dyn Backend, rows: &mut [Row]) {
        let namer = dns::Namer::of(settings);
        for row in rows {
            fill(&namer, row);
        }
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// What is shown of a port and not stored.
fn fill(namer: &dns::Namer, row: &mut Row) {
    let name = row.value(at::dns_name.index).as_text().unwrap_or_default();
    let assignment = match row.value(at::fixed_ips.index).as_json() {
        Some(fixed_ips) => namer.assignment(name, fixed_ips),
        None => Value::json(json!([])),
    };
    row.put(at::dns_assignment.index, assignment);
    row.put(at::resource_request.index, Value::Null);
    row.put(at::qos_network_policy_id.index, Value::Null);
    let owner = row.value(at::device_owner.index).as_text();
    if owner == Some(plug::DISTRIBUTED_OWNER) {
        row.put(at::host_id.index, Value::text(""));
        row.put(at::vif_type.index, Value::text(plug::DISTRIBUTED));
        row.put(at::vif_details.index, Value::json(json!({})));
    }
    // PARITY: what the port says about trust appears in its profile.
    if let Some(trusted) = row.value(at::trusted.index).as_bool()
        && let Some(profile) = row.value(at::profile.index).as_json().and_then(Json::as_object)
    {
        let mut profile = profile.clone();
        profile.insert("trusted".into(), trusted.into());
        row.put(at::profile.index, Value::json(profile));
    }
}

/// Devices whose ports go with the network or subnet that they are on.
const AUTODELETED: &str =
    "('network:dhcp', 'network:distributed', 'network:floatingip_agent_gateway')";

/// Removes the ports that go with their network.
///
/// # Errors
/// Those of the database.
pub async fn remove_autodelete(call: &Call<'_>, network_id: Id) -> Result<()> {
    let sql =
        format!("SELECT id FROM ports WHERE network_id = ? AND device_owner IN {AUTODELETED}");
    let found = call.tx.rows(&sql, &[Value::text(network_id.to_string())]).await?;
    for id in found.iter().filter_map(|row| row.first()?.as_text().and_then(Id::read)) {
        if let Some(port) = call.tx.find(&TABLE, &call.everything(), id).await? {
            Ports.delete(call, &port).await?;
        }
    }
    Ok(())
}

/// How many ports a network has.
///
/// # Errors
/// Those of the database.
pub async fn count_on_network(call: &Call<'_>, network_id: Id) -> Result<i64> {
    let found = call
        .tx
        .rows(
            "SELECT COUNT(*) FROM ports WHERE network_id = ?",
            &[Value::text(network_id.to_string())],
        )
        .await?;
    Ok(found.first().and_then(|row| row.first()).and_then(Value::as_int).unwrap_or(0))
}

/// Refuses what no port can be asked for.
///
/// # Errors
/// `QosPolicyNotFound`.
fn refuse(ask: &Draft) -> Result<()> {
    if let Some(Some(policy)) = ask.asked(at::qos_policy_id) {
        // There are no QoS policies yet, so nobody can see one.
        return Err(fault::qos_policy_not_found(policy));
    }
    Ok(())
}

/// PARITY: hints and a device profile that say nothing are null.
fn forget_empty(port: &mut Row) {
    if port.get(at::hints) == Some(Hints::default()) {
        port.set(at::hints, None);
    }
    if port.get(at::device_profile).is_some_and(|name| name.as_str().is_empty()) {
        port.set(at::device_profile, None);
    }
}
