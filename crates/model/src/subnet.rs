//! Subnets: the addresses of a network, and what its hosts are told about them. The rules are in
//! `subnet/`; which port has which address is in `ipam`.

pub mod auto_address;
mod change;
pub mod check;
mod create;
pub mod place;
pub mod pools;
mod removal;

use wire::attr::{Resource, Wire};
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::Row;
use wire::types::cidr::{Cidr, IpRange};
use wire::types::hint::{ServiceType, SubnetPoolId};
use wire::types::ip::Ip;
use wire::types::name::Name;
use wire::types::route::HostRoute;
use wire::types::whole::Count;
use wire::types::words::{IpVersion, Ipv6Mode};
use wire::types::{Id, Text};

use crate::kind::{Call, Kind, Pending};
use crate::standard;
use crate::unit::Unit;

resource! {
    /// Some addresses of a network.
    Subnet = Resource::of("subnet", "subnets").taggable().visible(concat!(
        // PARITY: a network that is shared with a project, or is a way outside for it, shows its
        // subnets.
        "(t.project_id = :project OR EXISTS (SELECT 1 FROM rbac_policies r ",
        "WHERE r.object_id = t.network_id AND r.object_type = 'network' ",
        "AND r.target_project IN (:project, '*')))"
    ));
    id: Id = ro().filter().sort();
    name: Name = rw().text("").filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    network_id: Id = init().filter().sort().policy();
    ip_version: IpVersion = init().filter().sort();
    prefixlen: Count = init().unset().ask();
    cidr: Option<Cidr> = init().unset().filter().sort();
    gateway_ip: Option<Ip> = rw().unset().filter().sort();
    allocation_pools: Vec<IpRange> = rw().unset();
    dns_nameservers: Vec<Ip> = rw().unset();
    host_routes: Vec<HostRoute> = rw().unset();
    enable_dhcp: bool = rw().flag(true).filter().sort();
    ipv6_ra_mode: Option<Ipv6Mode> = init().unset().filter().sort();
    ipv6_address_mode: Option<Ipv6Mode> = init().unset().filter().sort();
    subnetpool_id: Option<SubnetPoolId> = init().unset().filter().sort();
    use_default_subnetpool: bool = init().flag(false).ask().ext("default-subnetpools");
    segment_id: Option<Id> = rw().null().filter().sort().ext("segment");
    service_types: Vec<ServiceType> = rw().unset().ext("subnet-service-types");
    dns_publish_fixed_ip: bool = rw().flag(false).ext("subnet-dns-publish-fixed-ip");
    description: Text<255> = rw().text("").filter();
    router_external: bool = ro().filter().enforce().policy()
        .wire("router:external").ext("subnet-external-network")
        .sql("(SELECT n.router_external FROM networks n WHERE n.id = t.network_id)");
    shared: bool = ro().hidden().filter().enforce().policy().sql(concat!(
        "EXISTS (SELECT 1 FROM rbac_policies r WHERE r.object_id = t.network_id ",
        "AND r.object_type = 'network' AND r.action = 'access_as_shared' ",
        "AND r.target_project IN (:project, '*'))"
    ));
    tags: Vec<Text<255>> = ro().child(&standard::TAGS);
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    /// The owner of the network, who may act on its subnets.
    network_project_id: Text<255> = ro().hidden().policy().wire("network:project_id")
        .sql("(SELECT n.project_id FROM networks n WHERE n.id = t.network_id)");
    /// The subnet pool as a reference; null for delegated prefixes.
    pool_id: Option<Id> = ro().hidden();
}

/// The kind.
pub struct Subnets;

impl Kind for Subnets {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn quota(&self) -> Option<&'static str> {
        Some("subnet")
    }

    fn unit(&self) -> Option<Unit> {
        Some(Unit::Subnet)
    }

    fn parent(&self) -> Option<(&'static str, &'static str)> {
        Some(("network", "network_id"))
    }

    fn not_found(&self, id: &str) -> Error {
        fault::subnet_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(create::create(call, ask))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(change::update(call, old, ask))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(removal::remove(call, old))
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// The subnet, if the caller may refer to it.
///
/// # Errors
/// `SubnetNotFound`.
pub async fn get(call: &Call<'_>, id: Id) -> Result<Row> {
    call.find(&TABLE, id).await?.ok_or_else(|| fault::subnet_not_found(id))
}

/// PARITY: a change of a subnet is a new revision of its network.
fn touch_network(call: &Call<'_>, network_id: Id) {
    call.tx.exec(
        "UPDATE networks SET revision_number = revision_number + 1 WHERE id = ?",
        vec![network_id.store()],
    );
    call.tx.mark(Unit::Network as i16, network_id);
}
