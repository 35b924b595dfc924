//! Allowed address pairs: the addresses that a port may use besides its own.

use wire::attr::Wire;
use wire::fault::{self, Result};
use wire::types::Id;
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::types::pair::AddressPair;
use wire::value::Value;

use crate::kind::Call;
use crate::settings::Settings;

/// The asked pairs as they are stored: those without a MAC address get the port's.
/// PARITY: they keep it when the port's own changes later.
///
/// # Errors
/// `AllowedAddressPairExhausted`, `DuplicateAddressPairInRequest`.
pub fn complete(
    settings: &Settings,
    asked: Vec<AddressPair>,
    mac: Mac,
) -> Result<Vec<AddressPair>> {
    let most = settings.max_allowed_address_pair;
    if asked.len() > most {
        return Err(fault::allowed_address_pair_exhausted(most));
    }
    let mut pairs: Vec<AddressPair> = Vec::with_capacity(asked.len());
    for pair in asked {
        let pair = AddressPair { mac_address: pair.mac_address.or(Some(mac)), ..pair };
        if pairs.contains(&pair) {
            let mac = pair.mac_address.unwrap_or(mac);
            return Err(fault::duplicate_address_pair_in_request(mac, &pair.ip_address));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Refuses single addresses that the network's metadata port has: guests would take them for their
/// neighbour's.
///
/// # Errors
/// `InvalidInput`.
pub async fn refuse_served(call: &Call<'_>, network_id: Id, pairs: &[AddressPair]) -> Result<()> {
    let single: Vec<Value> =
        pairs.iter().filter_map(|pair| Ip::read(&pair.ip_address)).map(|ip| ip.store()).collect();
    if single.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT a.ip_address FROM ip_allocations a JOIN ports p ON p.id = a.port_id \
         WHERE p.network_id = ? AND p.device_owner = 'network:distributed' \
         AND a.ip_address IN ({})",
        vec!["?"; single.len()].join(", ")
    );
    let mut params = vec![network_id.store()];
    params.extend(single);
    let found = call.tx.rows(&sql, &params).await?;
    match found.first().and_then(|row| row.first()).and_then(Ip::load) {
        Some(ip) => Err(fault::invalid_input(format!(
            "'allowed_address_pairs' cannot have {ip}: the network's own port, owned by \
             network:distributed, has this address."
        ))),
        None => Ok(()),
    }
}

/// Refuses other MAC addresses than the port's, but for those of virtual routers.
/// PARITY: only ports that OVN has plugged in are looked at, and only when they are changed.
///
/// # Errors
/// `InvalidVirtualMACAddress`.
pub fn refuse_foreign(pairs: &[AddressPair], own: Mac) -> Result<()> {
    for pair in pairs {
        let Some(mac) = pair.mac_address.filter(|mac| *mac != own) else { continue };
        let family = if pair.ip_address.contains(':') { 2 } else { 1 };
        if !mac.0.starts_with(&[0, 0, 0x5e, 0, family]) {
            return Err(fault::invalid_virtual_mac_address(mac));
        }
    }
    Ok(())
}

/// True when other ports may use an address of this one: then it is where they are, and nowhere
/// itself.
///
/// # Errors
/// Those of the database.
pub async fn are_shared(call: &Call<'_>, port_id: Id, network_id: Id) -> Result<bool> {
    let sql = "SELECT 1 FROM ip_allocations a JOIN port_address_pairs q \
               ON q.network_id = ? AND q.ip_address = a.ip_address AND q.port_id <> a.port_id \
               WHERE a.port_id = ? AND EXISTS (SELECT 1 FROM ip_allocations o \
               WHERE o.port_id = q.port_id AND o.subnet_id = a.subnet_id)";
    Ok(!call.tx.rows(sql, &[network_id.store(), port_id.store()]).await?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = Mac([0xfa, 0x16, 0x3e, 0, 0, 1]);

    fn pair(ip: &str, mac: Option<Mac>) -> AddressPair {
        AddressPair { ip_address: ip.into(), mac_address: mac }
    }

    fn kind(asked: Vec<AddressPair>) -> &'static str {
        complete(&Settings::default(), asked, OWN).unwrap_err().fault().unwrap().kind
    }

    #[test]
    fn a_pair_without_a_mac_address_has_the_ports() {
        let other = Mac([0xfa, 0x16, 0x3e, 0, 0, 2]);
        let asked = vec![pair("192.0.2.0/24", None), pair("192.0.2.9", Some(other))];
        let pairs = complete(&Settings::default(), asked, OWN).unwrap();
        assert_eq!(pairs, [pair("192.0.2.0/24", Some(OWN)), pair("192.0.2.9", Some(other))]);
    }

    #[test]
    fn one_pair_named_in_two_ways_is_a_repetition() {
        let asked = vec![pair("192.0.2.9", None), pair("192.0.2.9", Some(OWN))];
        assert_eq!(kind(asked), "DuplicateAddressPairInRequest");
    }

    #[test]
    fn only_virtual_routers_have_mac_addresses_of_their_own() {
        let vrrp = |family| Some(Mac([0, 0, 0x5e, 0, family, 7]));
        let refused = |ip: &str, mac| {
            refuse_foreign(&[pair(ip, mac)], OWN).is_err_and(|error| {
                error.fault().is_some_and(|fault| fault.kind == "InvalidVirtualMACAddress")
            })
        };
        assert!(!refused("192.0.2.9", Some(OWN)));
        assert!(!refused("192.0.2.9", vrrp(1)));
        assert!(!refused("2001:db8::9", vrrp(2)));
        assert!(refused("192.0.2.9", vrrp(2)));
        assert!(refused("192.0.2.9", Some(Mac([2, 0, 0, 0, 0, 1]))));
    }

    #[test]
    fn there_are_not_more_pairs_than_configured() {
        let asked = (0..11).map(|host| pair(&format!("192.0.2.{host}"), None)).collect();
        assert_eq!(kind(asked), "AllowedAddressPairExhausted");
    }
}
