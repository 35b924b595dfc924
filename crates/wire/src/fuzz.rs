//! Entry points for fuzzers: whatever the bytes, nothing here panics and what is accepted is sound.
//! The tests below run them over the corpus and over random bytes.

use serde_json::Value as Json;

use crate::attr::{Child, Column, Resource};
use crate::draft::{Draft, Verb};
use crate::fault::Result;
use crate::query::{Filter, Query};
use crate::show::{Mask, object};
use crate::types::cidr::{Cidr, IpRange, Prefix};
use crate::types::dhcp_opt::DhcpOption;
use crate::types::dns::{DnsDomain, DnsName};
use crate::types::fixed_ip::FixedIpAsk;
use crate::types::hint::{Hints, ServiceType, SubnetPoolId, TargetProject, Zones};
use crate::types::ip::Ip;
use crate::types::mac::Mac;
use crate::types::name::{Name, NotDefaultName};
use crate::types::pair::AddressPair;
use crate::types::port_range::PortNumber;
use crate::types::profile::Dict;
use crate::types::protocol::Protocol;
use crate::types::route::HostRoute;
use crate::types::segment::ProviderSegment;
use crate::types::tags::Tag;
use crate::types::whole::Count;
use crate::types::words::{Direction, Ethertype, IpVersion, Ipv6Mode, VnicType};
use crate::types::{Id, Text};

static FIXED_IPS: Child = Child {
    table: "sample_fixed_ips",
    parent: "sample_id",
    keys: &[("subnet_id", Column::Text(36)), ("ip_address", Column::Text(45))],
    flat: false,
    order: "position",
    kept: None,
};

crate::resource! {
    /// A kind with an attribute of each type.
    Sample = Resource::of("sample", "samples").taggable();
    id: Id = ro().filter().sort();
    project_id: Text<255> = init().filter().sort();
    name: Name = rw().text("").filter().sort();
    group: NotDefaultName = rw().text("").filter();
    network_id: Option<Id> = init().null().filter();
    admin_state_up: bool = rw().flag(true).filter();
    mtu: Count = rw().int(0).filter();
    mac_address: Option<Mac> = rw().unset().filter().sort();
    gateway_ip: Option<Ip> = rw().unset().filter();
    cidr: Option<Cidr> = rw().unset().filter();
    remote_ip_prefix: Option<Prefix> = rw().null().filter();
    allocation_pools: Vec<IpRange> = rw().unset();
    fixed_ips: Vec<FixedIpAsk> = rw().unset().filter().child(&FIXED_IPS);
    allowed_address_pairs: Vec<AddressPair> = rw().list();
    host_routes: Vec<HostRoute> = rw().list();
    extra_dhcp_opts: Option<Vec<DhcpOption>> = rw().null();
    segments: Vec<ProviderSegment> = rw().unset();
    security_groups: Vec<Id> = rw().list().filter();
    dns_name: DnsName = rw().text("").filter();
    dns_domain: DnsDomain = rw().text("").filter();
    binding_profile: Dict = rw().unset().wire("binding:profile");
    hints: Option<Hints> = rw().null();
    availability_zone_hints: Zones = rw().list();
    service_types: Vec<ServiceType> = rw().list();
    subnetpool_id: Option<SubnetPoolId> = rw().unset().filter();
    target_tenant: TargetProject = rw().text("*").filter();
    tags: Vec<Tag> = init().list();
    protocol: Option<Protocol> = rw().null().filter();
    port_range_min: Option<PortNumber> = rw().null().filter();
    direction: Direction = rw().text("ingress").filter();
    ethertype: Ethertype = rw().text("IPv4").filter();
    ip_version: IpVersion = rw().int(4).filter();
    ipv6_ra_mode: Option<Ipv6Mode> = rw().null().filter();
    vnic_type: VnicType = rw().text("normal").wire("binding:vnic_type").filter();
    revision_number: i64 = ro().filter().sort();
}

/// Reads the bytes as the body of a create, of several creates, and of an update.
///
/// # Panics
/// Where what was accepted is not sound: then the fuzzer has found something.
pub fn fuzz_body(data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Json>(data) else {
        return;
    };
    for verb in [Verb::Create, Verb::Update] {
        judge(Draft::parse_one(&TABLE, verb, &body).map(|draft| vec![draft]));
    }
    judge(Draft::parse_many(&TABLE, &body, 100).map(|(drafts, _)| drafts));
}

/// Reads the bytes as `name=value` pairs separated by `&`.
///
/// # Panics
/// Where what was accepted is not sound: then the fuzzer has found something.
pub fn fuzz_query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    let pairs: Vec<_> = text.split('&').map(pair).collect();
    match Query::parse(&TABLE, &pairs, 1000) {
        Err(error) => assert_speakable(&error),
        Ok(query) => {
            assert!(query.limit.is_some_and(|limit| (1..=1000).contains(&limit)));
            for filter in &query.filters {
                let (Filter::In { attr, .. } | Filter::Child { attr, .. }) = filter else {
                    continue;
                };
                assert!(TABLE.attrs.get(*attr).is_some_and(|attr| attr.verbs.filter));
            }
            let sortable = |(index, _): &(usize, bool)| {
                TABLE.attrs.get(*index).is_some_and(|attr| attr.verbs.sort)
            };
            assert!(query.sort.iter().all(sortable));
            shown(&Draft::blank(&TABLE, Verb::Create), &Mask::of(&TABLE, &query.fields));
        }
    }
}

fn judge(drafts: Result<Vec<Draft>>) {
    match drafts {
        Err(error) => assert_speakable(&error),
        Ok(drafts) => drafts.iter().for_each(|draft| {
            for (attr, value) in draft.given() {
                assert!((attr.sound)(value), "{} was taken and does not load", attr.wire);
                let again = (attr.parse)(&value.to_json());
                assert_eq!(again.as_ref(), Ok(value), "{} is not read back", attr.wire);
            }
            shown(draft, &Mask::all(&TABLE));
        }),
    }
}

/// What is shown is JSON.
fn shown(draft: &Draft, mask: &Mask) {
    let mut out = Vec::new();
    object(&draft.complete(), mask, &mut out);
    let parsed: std::result::Result<Json, _> = serde_json::from_slice(&out);
    assert!(parsed.is_ok_and(|json| json.is_object()));
}

/// The error is the caller's, and its message is a line that can be shown and logged.
fn assert_speakable(error: &crate::fault::Error) {
    let message = error.fault().map(|fault| fault.message.as_str()).unwrap_or_default();
    assert!(!message.is_empty(), "an error that is not the caller's");
    assert!(message.len() < 4096, "a message of {} bytes", message.len());
    assert!(!message.contains(char::is_control), "{message:?} has control characters");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn corpus(kind: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(kind);
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    #[test]
    fn the_corpus_of_bodies_is_taken_or_refused_in_peace() {
        let bodies = corpus("body");
        assert!(bodies.len() >= 10);
        bodies.iter().for_each(|body| fuzz_body(body));
    }

    #[test]
    fn the_corpus_of_queries_is_taken_or_refused_in_peace() {
        let queries = corpus("query");
        assert!(queries.len() >= 8);
        queries.iter().for_each(|query| fuzz_query(query));
    }

    #[test]
    fn the_first_body_of_the_corpus_is_accepted_whole() {
        let body: Json = serde_json::from_slice(&corpus("body")[0]).unwrap();
        let draft = Draft::parse_one(&TABLE, Verb::Create, &body).unwrap();
        let writable = TABLE.attrs.iter().filter(|attr| attr.verbs.post).count();
        assert_eq!(draft.given().count(), writable, "it has every attribute that may be given");
    }

    /// A file of the corpus with some bytes replaced, cut out or doubled.
    fn mutants(kind: &str) -> impl Strategy<Value = Vec<u8>> {
        let edits =
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 0..8);
        (prop::sample::select(corpus(kind)), edits).prop_map(|(mut bytes, edits)| {
            for (place, byte, edit) in edits {
                if bytes.is_empty() {
                    break;
                }
                let at = place.index(bytes.len());
                match edit {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => drop(bytes.remove(at)),
                    _ => bytes.extend_from_within(at..(at + usize::from(byte)).min(bytes.len())),
                }
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn random_bytes_are_taken_or_refused_in_peace(bytes in any::<Vec<u8>>()) {
            fuzz_body(&bytes);
            fuzz_query(&bytes);
        }

        #[test]
        fn damaged_bodies_are_taken_or_refused_in_peace(bytes in mutants("body")) {
            fuzz_body(&bytes);
        }

        #[test]
        fn damaged_queries_are_taken_or_refused_in_peace(bytes in mutants("query")) {
            fuzz_query(&bytes);
        }
    }
}
