//! The names of a network's ports: for each one its address, and for each address its full name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::port::dns::Namer;
use model::snapshot::DnsSnapshot;

use super::network::word;
use super::{encode, external_ids as ids};
use crate::facts::Facts;
use crate::nb;
use crate::want::{Wants, row_named};

pub fn render(network: &DnsSnapshot, facts: &Facts, wants: &mut Wants) {
    let records = records(network, facts);
    if records.is_empty() {
        return;
    }
    let names = nb::dns(network.network_id);
    wants.row(
        row_named(&names)
            .keys("external_ids", [(ids::SWITCH_NAME, names.key.as_str())])
            .pairs("records", records, &[])
            .keys("options", [("ovn-owned", word(facts.options.dns_records_ovn_owned))]),
    );
    wants.member(nb::switch(network.network_id), "dns_records", names);
}

/// A name that is no name in the DNS, which only a damaged row can hold, is left out.
fn records(network: &DnsSnapshot, facts: &Facts) -> BTreeMap<String, String> {
    let domain = network.dns_domain.trim_end_matches('.');
    let mut forward: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    let mut records = BTreeMap::new();
    let namer = Namer::of(&facts.settings);
    for port in &network.ports {
        for ip in &port.addresses {
            let address = ip.to_string();
            let named = namer.named(&port.dns_name, &address);
            let hostname = &*named.hostname;
            let fqdn = named.fqdn.trim_end_matches('.');
            let in_domain = format!("{hostname}.{domain}");
            let alias = Some(&*in_domain).filter(|name| !domain.is_empty() && *name != fqdn);
            for name in [Some(hostname), alias, Some(fqdn)].into_iter().flatten() {
                let known = forward.entry(name.to_owned()).or_default();
                if !known.contains(&ip.0) {
                    known.push(ip.0);
                }
            }
            if encode::is_dns_name(fqdn) {
                records.insert(encode::reverse_name(ip.0), fqdn.to_owned());
            }
        }
    }
    forward.retain(|name, _| encode::is_dns_name(name));
    records.extend(forward.into_iter().map(|(name, addresses)| {
        let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        (name, addresses.join(" "))
    }));
    records
}
