//! What a subnet may be: the rules that need nothing but what is asked. Not here: its neighbours on
//! the network (`subnet/place`), its pools and gateway (`subnet/pools`).

use wire::fault::{self, Result};
use wire::types::cidr::Cidr;
use wire::types::ip::Ip;
use wire::types::route::HostRoute;
use wire::types::words::Ipv6Mode;

use super::pools;
use crate::settings::Settings;

/// How hosts of an IPv6 subnet learn of their router and their addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// `ipv6_ra_mode`: who announces the router.
    pub ra: Option<Ipv6Mode>,
    /// `ipv6_address_mode`: where addresses come from.
    pub address: Option<Ipv6Mode>,
}

impl Modes {
    /// True where hosts make their addresses themselves.
    pub fn auto_address(&self) -> bool {
        let auto =
            |mode: Option<Ipv6Mode>| matches!(mode, Some(Ipv6Mode::Slaac | Ipv6Mode::Stateless));
        auto(self.ra) || auto(self.address)
    }

    fn any(&self) -> bool {
        self.ra.is_some() || self.address.is_some()
    }
}

/// Checks an address of the subnet's IP version.
///
/// # Errors
/// `InvalidInput`.
pub fn version(version: u8, ip: &Ip, name: &str) -> Result<()> {
    if ip.version() == version {
        return Ok(());
    }
    Err(fault::invalid_input(format!(
        "'{name}' must be of 'ip_version' {version}, and {ip} is not."
    )))
}

/// Checks the network's addresses; `serves`: DHCP is about to be enabled.
///
/// # Errors
/// `InvalidInput`.
pub fn cidr(ip_version: u8, cidr: &Cidr, serves: bool, delegated: bool) -> Result<()> {
    version(ip_version, &cidr.first(), "cidr")?;
    let refuse = |why: &str| Err(fault::invalid_input(format!("'cidr' is {cidr}: {why}.")));
    if ip_version == 6 && cidr.first().bits() == 0 && !delegated {
        return refuse("a subnet cannot begin at ::");
    }
    if !serves {
        return Ok(());
    }
    let longest = if ip_version == 4 { 30 } else { 126 };
    if cidr.prefix_length() > longest {
        return refuse(&format!("with 'enable_dhcp' the prefix length must be at most {longest}"));
    }
    if cidr.is_multicast() {
        return refuse("addresses of groups cannot be given with 'enable_dhcp'");
    }
    if cidr.first().0.is_loopback() {
        return refuse("addresses of the host itself cannot be given with 'enable_dhcp'");
    }
    if ip_version == 4 && cidr.first().bits() == 0 {
        return refuse("0.0.0.0 cannot be given with 'enable_dhcp'");
    }
    Ok(())
}

/// Checks an asked gateway; `cidr`: not known when a pool chooses it.
///
/// # Errors
/// `InvalidInput`.
pub fn gateway(ip_version: u8, cidr: Option<&Cidr>, gateway: &Ip) -> Result<()> {
    version(ip_version, gateway, "gateway_ip")?;
    match cidr.filter(|cidr| pools::is_bad_gateway(cidr, gateway)) {
        Some(cidr) => Err(fault::invalid_input(format!(
            "'gateway_ip' is {gateway}, which is the network's or the broadcast address of {cidr}."
        ))),
        None => Ok(()),
    }
}

/// Checks name servers; `subnet`: how the subnet is called in messages.
///
/// # Errors
/// `DNSNameServersExhausted`, `InvalidInput`.
pub fn nameservers(
    settings: &Settings,
    ip_version: u8,
    servers: &[Ip],
    subnet: &str,
) -> Result<()> {
    if servers.len() > settings.max_dns_nameservers {
        return Err(fault::dns_name_servers_exhausted(subnet, settings.max_dns_nameservers));
    }
    servers.iter().try_for_each(|server| version(ip_version, server, "dns_nameservers"))
}

/// Checks host routes; `subnet`: how the subnet is called in messages.
///
/// # Errors
/// `HostRoutesExhausted`, `InvalidInput`.
pub fn host_routes(
    settings: &Settings,
    ip_version: u8,
    routes: &[HostRoute],
    subnet: &str,
) -> Result<()> {
    if routes.len() > settings.max_subnet_host_routes {
        return Err(fault::host_routes_exhausted(subnet, settings.max_subnet_host_routes));
    }
    routes.iter().try_for_each(|route| {
        version(ip_version, &route.nexthop, "host_routes nexthop")?;
        version(ip_version, &route.destination.first(), "host_routes destination")
    })
}

/// Checks the IPv6 modes of a new subnet.
///
/// # Errors
/// `InvalidInput`.
pub fn modes(ip_version: u8, modes: Modes, enable_dhcp: bool, cidr: Option<&Cidr>) -> Result<()> {
    if !modes.any() {
        return Ok(());
    }
    if ip_version == 4 {
        return Err(fault::invalid_input(
            "'ipv6_ra_mode' and 'ipv6_address_mode' are for subnets of 'ip_version' 6.",
        ));
    }
    if !enable_dhcp {
        return Err(fault::invalid_input(
            "'ipv6_ra_mode' and 'ipv6_address_mode' need 'enable_dhcp' true.",
        ));
    }
    if let (Some(ra), Some(address)) = (modes.ra, modes.address)
        && ra != address
    {
        return Err(fault::invalid_input(format!(
            "'ipv6_ra_mode' is {ra} and 'ipv6_address_mode' {address}; where both are given they \
             must be equal."
        )));
    }
    match cidr.filter(|cidr| modes.auto_address() && cidr.prefix_length() != 64) {
        Some(cidr) => Err(fault::invalid_input(format!(
            "'cidr' is {cidr}; where hosts make their addresses the prefix length must be 64."
        ))),
        None => Ok(()),
    }
}

/// Checks a subnet whose prefix an upstream router will delegate.
///
/// # Errors
/// `BadRequest`.
pub fn delegated(ip_version: u8, modes: Modes) -> Result<()> {
    let auto = |mode| matches!(mode, Some(Ipv6Mode::Slaac | Ipv6Mode::Stateless));
    if ip_version == 6 && auto(modes.ra) && auto(modes.address) {
        return Ok(());
    }
    Err(fault::bad_subnet(
        "A subnet of the pool prefix_delegation must be of 'ip_version' 6, its 'ipv6_ra_mode' and \
         'ipv6_address_mode' slaac or dhcpv6-stateless.",
    ))
}

/// Checks that DHCP is not disabled where the modes need it.
///
/// # Errors
/// `InvalidInput`.
pub fn disable_dhcp(modes: Modes) -> Result<()> {
    if modes.any() {
        return Err(fault::invalid_input(
            "'enable_dhcp' cannot become false, as the subnet has an IPv6 mode.",
        ));
    }
    Ok(())
}

/// Checks that the network's packets are large enough for the subnet's version of IP.
///
/// # Errors
/// `NetworkMTUSubnetConflict`.
pub fn mtu(network: impl std::fmt::Display, mtu: i64, ip_version: u8) -> Result<()> {
    let least = if ip_version == 6 { 1280 } else { 68 };
    if mtu > 0 && mtu < least {
        return Err(fault::network_mtu_subnet_conflict(network, least));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;

    fn net(text: &str) -> Cidr {
        Cidr::read(text).unwrap()
    }

    #[test]
    fn dhcp_needs_room_and_ordinary_addresses() {
        for text in ["10.0.0.0/31", "224.0.0.0/24", "127.0.0.0/24", "0.0.0.0/8"] {
            assert!(cidr(4, &net(text), true, false).is_err(), "{text}");
            assert!(cidr(4, &net(text), false, false).is_ok(), "{text}");
        }
        for text in ["2001:db8::/127", "ff00::/64"] {
            assert!(cidr(6, &net(text), true, false).is_err(), "{text}");
        }
        assert!(cidr(6, &net("::/64"), false, false).is_err());
        assert!(cidr(6, &net("::/64"), true, true).is_ok());
        assert!(cidr(4, &net("2001:db8::/64"), false, false).is_err());
    }

    #[test]
    fn modes_agree_and_need_a_prefix_of_64_where_hosts_make_addresses() {
        let slaac = Modes { ra: Some(Ipv6Mode::Slaac), address: Some(Ipv6Mode::Slaac) };
        let mixed = Modes { ra: Some(Ipv6Mode::Slaac), address: Some(Ipv6Mode::Stateful) };
        let stateful = Modes { ra: None, address: Some(Ipv6Mode::Stateful) };
        let (good, long) = (net("2001:db8::/64"), net("2001:db8::/80"));
        assert!(modes(6, slaac, true, Some(&good)).is_ok());
        assert!(modes(6, slaac, true, Some(&long)).is_err());
        assert!(modes(6, stateful, true, Some(&long)).is_ok());
        assert!(modes(6, mixed, true, Some(&good)).is_err());
        assert!(modes(6, slaac, false, Some(&good)).is_err());
        assert!(modes(4, stateful, true, None).is_err());
        assert!(disable_dhcp(stateful).is_err() && disable_dhcp(Modes::default()).is_ok());
    }

    #[test]
    fn small_packets_exclude_ipv6() {
        assert!(mtu("n", 1000, 4).is_ok() && mtu("n", 1000, 6).is_err());
        assert!(mtu("n", 67, 4).is_err() && mtu("n", 0, 6).is_ok());
    }
}
