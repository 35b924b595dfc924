//! Allowed address pairs: the addresses that a port may use besides its own.

use wire::fault::{self, Result};
use wire::types::mac::Mac;
use wire::types::pair::AddressPair;

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
    fn there_are_not_more_pairs_than_configured() {
        let asked = (0..11).map(|host| pair(&format!("192.0.2.{host}"), None)).collect();
        assert_eq!(kind(asked), "AllowedAddressPairExhausted");
    }
}
