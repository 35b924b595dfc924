//! How a subnet comes into being: where its addresses come from, then its gateway and pools, then
//! its place on the network.

use wire::attr::Wire;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::row::{Record, Row};
use wire::types::Id;
use wire::types::cidr::{Cidr, IpRange, Prefix};
use wire::types::hint::{ServiceType, SubnetPoolId};
use wire::types::ip::Ip;
use wire::value::Value;

use super::check::Modes;
use super::{Subnets, at, auto_address, check, place, pools};
use crate::ipam::owner;
use crate::kind::Call;
use crate::network::{self, Network};
use crate::port::metadata;
use crate::standard;
use crate::subnetpool::{self, Subnetpool, allocation};

/// What is asked of a new subnet's addresses.
struct Wish {
    version: u8,
    cidr: Option<Cidr>,
    prefix_length: Option<i64>,
    /// `Some(None)`: no gateway; `None`: the usual one.
    gateway: Option<Option<Ip>>,
    pools: Option<Vec<IpRange>>,
    modes: Modes,
    enable_dhcp: bool,
}

/// Where the addresses of a subnet come from.
enum Source {
    /// The caller names them.
    Caller,
    /// A subnet pool.
    Pool(Box<Subnetpool>),
    /// An upstream router, later.
    Delegated,
}

impl Source {
    fn id(&self) -> Option<SubnetPoolId> {
        match self {
            Self::Caller => None,
            Self::Pool(pool) => Some(SubnetPoolId::Id(pool.id)),
            Self::Delegated => Some(SubnetPoolId::PrefixDelegation),
        }
    }

    fn scope(&self) -> Option<Id> {
        match self {
            Self::Pool(pool) => pool.address_scope_id,
            Self::Caller | Self::Delegated => None,
        }
    }
}

/// The addresses of a new subnet.
struct Layout {
    cidr: Cidr,
    gateway: Option<Ip>,
    pools: Vec<IpRange>,
}

/// Makes a subnet.
///
/// # Errors
/// `NetworkNotFound`, `SubnetPoolNotFound`, `BadRequest`, `InvalidInput` and the faults of `check`,
/// `pools`, `place` and of subnet pools.
pub async fn create(call: &Call<'_>, ask: &Draft) -> Result<Row> {
    let network = network::get(call, ask.or_default(at::network_id)).await?;
    let wish = Wish::of(ask);
    let source = source(call, ask, &wish).await?;
    wish.check(call, ask, &source)?;
    check::mtu(network.id, network.mtu, wish.version)?;
    let mut row = ask.complete();
    standard::born(call, &mut row);
    let neighbours = place::of_network(call, network.id).await?;
    place::affinity(&neighbours, wish.version, source.id(), source.scope())?;
    let layout = layout(call, &wish, &source, row.project_id()).await?;
    place::overlap(&neighbours, &layout.cidr, network.id)?;
    let segment = ask.or_default(at::segment_id);
    let services = ask.asked(at::service_types).unwrap_or_default();
    place::segment_of(call, network.id, segment).await?;
    place::segments(&neighbours, segment, is_routed(&services), network.id)?;
    complete(&mut row, ask, &source, layout);
    store(call, &network, &row).await?;
    if wish.modes.auto_address() {
        auto_address::give(call, network.id, row.id()).await?;
    }
    // PARITY: of other families the port gets an address when the subnet is changed.
    if wish.enable_dhcp && wish.version == 4 {
        metadata::follow(call, network.id, row.id(), true).await?;
    }
    Ok(row)
}

fn is_routed(services: &[ServiceType]) -> bool {
    services.iter().any(|service| service.0 == owner::ROUTED)
}

fn complete(row: &mut Row, ask: &Draft, source: &Source, layout: Layout) {
    row.set(at::cidr, Some(layout.cidr));
    row.set(at::gateway_ip, layout.gateway);
    row.set(at::allocation_pools, layout.pools);
    row.set(at::subnetpool_id, source.id());
    row.set(
        at::pool_id,
        source.id().and_then(|id| match id {
            SubnetPoolId::Id(id) => Some(id),
            SubnetPoolId::PrefixDelegation => None,
        }),
    );
    row.set(at::ipv6_ra_mode, ask.asked(at::ipv6_ra_mode).flatten());
    row.set(at::ipv6_address_mode, ask.asked(at::ipv6_address_mode).flatten());
    row.set(at::dns_nameservers, ask.asked(at::dns_nameservers).unwrap_or_default());
    row.set(at::host_routes, ask.asked(at::host_routes).unwrap_or_default());
    row.set(at::service_types, ask.asked(at::service_types).unwrap_or_default());
}

async fn store(call: &Call<'_>, network: &Network, row: &Row) -> Result<()> {
    network::advance(call, network);
    super::touch_network(call, network.id);
    standard::insert(call, &Subnets, row)
        .await?
        .or("fk_subnets_network", fault::network_not_found(network.id))
        .or("fk_subnets_subnetpool", Error::Retry("the subnet pool has been deleted"))
        .or("fk_subnets_segment", Error::Retry("the segment has been deleted"));
    Ok(())
}

impl Wish {
    fn of(ask: &Draft) -> Self {
        Self {
            version: ask.or_default(at::ip_version).number(),
            cidr: ask.asked(at::cidr).flatten(),
            prefix_length: ask.asked(at::prefixlen).map(|length| length.0),
            gateway: ask.asked(at::gateway_ip),
            pools: ask.asked(at::allocation_pools),
            modes: Modes {
                ra: ask.asked(at::ipv6_ra_mode).flatten(),
                address: ask.asked(at::ipv6_address_mode).flatten(),
            },
            enable_dhcp: ask.or_default(at::enable_dhcp),
        }
    }

    fn check(&self, call: &Call<'_>, ask: &Draft, source: &Source) -> Result<()> {
        let cidr = self.cidr.as_ref();
        match source {
            Source::Caller if cidr.is_none() => {
                return Err(fault::bad_subnet(
                    "A subnet needs 'cidr', 'subnetpool_id' or 'use_default_subnetpool'.",
                ));
            }
            Source::Pool(_) | Source::Delegated if cidr.is_none() && self.pools.is_some() => {
                return Err(fault::bad_subnet(
                    "'allocation_pools' can be given only together with 'cidr'.",
                ));
            }
            // PARITY: nothing else of a subnet with a prefix to come is checked.
            Source::Delegated => return check::delegated(self.version, self.modes),
            Source::Pool(pool) if pool.ip_version.number() != self.version => {
                return Err(fault::bad_subnet(format!(
                    "'ip_version' is {} and the subnet pool is of IPv{}.",
                    self.version, pool.ip_version
                )));
            }
            Source::Caller | Source::Pool(_) => {}
        }
        if let Some(cidr) = cidr {
            check::cidr(self.version, cidr, self.enable_dhcp, false)?;
        }
        if let Some(Some(gateway)) = &self.gateway {
            check::gateway(self.version, cidr, gateway)?;
        }
        let servers = ask.asked(at::dns_nameservers).unwrap_or_default();
        check::nameservers(call.settings, self.version, &servers, "a new subnet")?;
        let routes = ask.asked(at::host_routes).unwrap_or_default();
        check::host_routes(call.settings, self.version, &routes, "a new subnet")?;
        check::modes(self.version, self.modes, self.enable_dhcp, cidr)
    }
}

async fn source(call: &Call<'_>, ask: &Draft, wish: &Wish) -> Result<Source> {
    if wish.cidr.is_some() && wish.prefix_length.is_some() {
        return Err(fault::bad_subnet("'cidr' and 'prefixlen' cannot both be given."));
    }
    let named = ask.asked(at::subnetpool_id).flatten();
    let default = ask.or_default(at::use_default_subnetpool);
    match named {
        Some(_) if default => Err(fault::bad_subnet(
            "'subnetpool_id' and 'use_default_subnetpool' cannot both be given.",
        )),
        // PARITY: with a 'cidr' the word prefix_delegation means nothing.
        Some(SubnetPoolId::PrefixDelegation) if wish.cidr.is_some() => Ok(Source::Caller),
        Some(SubnetPoolId::PrefixDelegation) => Ok(Source::Delegated),
        Some(SubnetPoolId::Id(id)) => {
            let row = subnetpool::get(call, id).await?;
            Ok(Source::Pool(Box::new(Subnetpool::load(&row))))
        }
        None if default => {
            let version = wish.cidr.map_or(wish.version, |cidr| cidr.version());
            let row = subnetpool::default_of(call, version).await?.ok_or_else(|| {
                fault::bad_subnet(format!("There is no default subnet pool of IPv{version}."))
            })?;
            Ok(Source::Pool(Box::new(Subnetpool::load(&row))))
        }
        None => Ok(Source::Caller),
    }
}

async fn layout(call: &Call<'_>, wish: &Wish, source: &Source, project_id: &str) -> Result<Layout> {
    let (cidr, usual) = match (source, wish.cidr) {
        (Source::Pool(pool), Some(cidr)) => {
            allocation::take(call, pool, project_id, &cidr).await?;
            (cidr, pools::default_gateway(&cidr))
        }
        (Source::Pool(pool), None) => {
            let length = wish.prefix_length.unwrap_or(pool.default_prefixlen.0);
            let cidr = match wish.gateway.flatten() {
                Some(gateway) => {
                    let cidr = around(&gateway, length)?;
                    allocation::take(call, pool, project_id, &cidr).await?;
                    cidr
                }
                None => allocation::cut(call, pool, project_id, length).await?,
            };
            (cidr, pools::second(&cidr))
        }
        (Source::Caller, Some(cidr)) => (cidr, pools::default_gateway(&cidr)),
        (Source::Caller, None) | (Source::Delegated, _) => {
            let cidr = Cidr::read(place::PROVISIONAL_PREFIX)
                .ok_or_else(|| Error::internal("the provisional prefix does not read"))?;
            (cidr, pools::default_gateway(&cidr))
        }
    };
    let gateway = wish.gateway.unwrap_or(Some(usual));
    if let Some(gateway) = gateway.filter(|gateway| pools::is_bad_gateway(&cidr, gateway)) {
        return Err(fault::ipam_value_invalid(gateway, cidr));
    }
    let asked = wish.pools.as_deref().filter(|asked| !asked.is_empty());
    let pools = match asked {
        Some(asked) => {
            pools::check(asked, &cidr)?;
            if let Some(gateway) = &gateway {
                pools::check_gateway(asked, gateway)?;
            }
            asked.to_vec()
        }
        None => pools::default_pools(&cidr, gateway),
    };
    Ok(Layout { cidr, gateway, pools })
}

/// The network of this prefix length that the gateway is in.
fn around(gateway: &Ip, length: i64) -> Result<Cidr> {
    let prefix = Prefix::load(&Value::Text(format!("{gateway}/{length}")));
    prefix.map(|prefix| prefix.cidr()).ok_or_else(|| {
        fault::bad_subnet(format!(
            "'prefixlen' is {length}, which is no prefix length of {gateway}."
        ))
    })
}
