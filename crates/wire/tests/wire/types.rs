//! What holds for every attribute type: it survives storing, is read back from what is shown, and
//! refuses nonsense with a short sentence instead of breaking down.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use wire::attr::{Column, Wire};
use wire::types::cidr::{Cidr, IpRange, Prefix};
use wire::types::dhcp_opt::DhcpOption;
use wire::types::dns::{DnsDomain, DnsName};
use wire::types::fixed_ip::{FixedIp, FixedIpAsk};
use wire::types::hint::{Hints, ServiceType, SubnetPoolId, TargetProject, Zone, Zones};
use wire::types::ip::Ip;
use wire::types::mac::{Base, Mac};
use wire::types::name::{Name, NotDefaultName, NotEmptyName};
use wire::types::pair::AddressPair;
use wire::types::port_range::PortNumber;
use wire::types::profile::Dict;
use wire::types::protocol::{NAMES, Protocol};
use wire::types::route::HostRoute;
use wire::types::segment::ProviderSegment;
use wire::types::tags::Tag;
use wire::types::whole::{Count, Mtu, PrefixLength};
use wire::types::words::{
    BindingStatus, DataPlaneStatus, Direction, Ethertype, HardwareOffloadType, IpVersion, Ipv6Mode,
    NumaPolicy, VnicType,
};
use wire::types::{Id, Raw, Text};
use wire::value::Value;

/// What a type makes of any JSON.
fn judge<T: Wire + PartialEq + Debug>(json: &Json) {
    match T::parse(json) {
        Ok(parsed) => survives(&parsed),
        Err(why) => {
            assert!(!why.is_empty() && why.len() < 1000, "a sentence of {} bytes", why.len());
            assert!(!why.contains(char::is_control), "{why:?} has control characters");
            assert!(!why.ends_with('.'), "{why:?} ends with a dot, which the draft adds");
            let (kind, status) = T::fault(json);
            assert!(!kind.is_empty() && [400, 409].contains(&status));
        }
    }
    if let Json::String(text) = json {
        T::filter(text);
    }
    let _ = T::load(&Value::from(json.clone()));
}

/// `load ∘ store` and `parse ∘ show` change nothing, and the stored form fits the column.
fn survives<T: Wire + PartialEq + Debug>(one: &T) {
    let stored = one.store();
    let fits = match (&stored, T::COLUMN) {
        (Value::Null, _) | (Value::Bool(_), Column::Bool) | (Value::Int(_), Column::Int) => true,
        (Value::Text(text), Column::Text(most)) => text.chars().count() <= usize::from(most),
        (Value::Json(_), Column::Json) => true,
        _ => false,
    };
    assert!(fits, "{stored:?} does not fit a column of {:?}", T::COLUMN);
    assert_eq!(T::load(&stored).as_ref(), Some(one), "stored as {stored:?}");
    assert_eq!(T::parse(&stored.to_json()).as_ref(), Ok(one), "shown as {}", stored.to_json());
}

/// One line per type: its name, and what it makes of any JSON.
macro_rules! types {
    ($( $name:ty ),* $(,)?) => {
        const TYPES: &[(&str, fn(&Json))] = &[ $( (stringify!($name), judge::<$name>) ),* ];

        #[test]
        fn every_type_says_what_it_accepts_and_has_an_empty_value() {
            $(
                assert!(!<$name>::ACCEPTS.is_empty(), stringify!($name));
                assert!(!<$name>::ACCEPTS.ends_with('.'), stringify!($name));
                let empty = <$name>::empty();
                assert_eq!(<$name>::load(&empty.store()), Some(empty), stringify!($name));
            )*
        }
    };
}

types!(
    bool,
    i64,
    Id,
    Text<255>,
    Mac,
    Ip,
    Cidr,
    Prefix,
    IpRange,
    Name,
    NotEmptyName,
    NotDefaultName,
    DnsName,
    DnsDomain,
    FixedIp,
    FixedIpAsk,
    AddressPair,
    HostRoute,
    Dict,
    Tag,
    Zone,
    Zones,
    Hints,
    ServiceType,
    SubnetPoolId,
    TargetProject,
    ProviderSegment,
    Protocol,
    PortNumber,
    Count,
    Mtu,
    PrefixLength,
    Direction,
    Ethertype,
    IpVersion,
    Ipv6Mode,
    VnicType,
    NumaPolicy,
    HardwareOffloadType,
    BindingStatus,
    DataPlaneStatus,
    Vec<Id>,
    Vec<Ip>,
    Vec<Cidr>,
    Vec<Tag>,
    Vec<Zone>,
    Vec<ServiceType>,
    Vec<FixedIp>,
    Vec<FixedIpAsk>,
    Vec<IpRange>,
    Vec<HostRoute>,
    Vec<AddressPair>,
    Vec<DhcpOption>,
    Vec<ProviderSegment>,
    Vec<Text<9>>,
    Vec<i64>,
    Option<bool>,
    Option<Mac>,
    Option<Prefix>,
    Option<Protocol>,
    Option<Vec<DhcpOption>>,
    Option<Dict>,
    Option<PortNumber>,
);

/// Texts in which types look for something.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9a-fA-F:.-]{0,45}",
        "[0-9.]{1,15}(/[0-9.]{0,15})?",
        "([0-9a-f]{0,4}:){1,7}[0-9a-f]{0,4}(/[0-9]{0,3})?",
        "[a-zA-Z0-9.<>_-]{0,80}",
        "(network|compute|neutron):[a-z_]{0,20}",
        "[A-Za-z0-9-]{1,12}(\n|\0| )?",
        Just("x".repeat(70_000)),
    ]
}

/// JSON of any kind; objects often have keys that some type knows.
fn anything() -> impl Strategy<Value = Json> {
    let keys = prop_oneof![
        Just("ip_address".to_owned()),
        Just("subnet_id".to_owned()),
        Just("mac_address".to_owned()),
        Just("start".to_owned()),
        Just("end".to_owned()),
        Just("destination".to_owned()),
        Just("nexthop".to_owned()),
        Just("opt_name".to_owned()),
        Just("opt_value".to_owned()),
        Just("ip_version".to_owned()),
        Just("openvswitch".to_owned()),
        Just("other_config".to_owned()),
        Just("provider:segmentation_id".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-9i64..70_000).prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        texts().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((keys.clone(), inner), 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn ips() -> impl Strategy<Value = Ip> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|bits| Ip(IpAddr::from(Ipv4Addr::from(bits)))),
        any::<[u8; 16]>().prop_map(|bits| Ip(IpAddr::from(Ipv6Addr::from(bits)))),
        // Many zeros: that is where the short forms are.
        (any::<u32>(), 0u32..128).prop_map(|(bits, shift)| {
            Ip(IpAddr::from(Ipv6Addr::from(u128::from(bits).rotate_left(shift))))
        }),
    ]
}

fn prefixes() -> impl Strategy<Value = Prefix> {
    (ips(), any::<u8>()).prop_map(|(ip, length)| {
        let most = if ip.version() == 4 { 32 } else { 128 };
        Prefix(IpNet::new(ip.0, length % (most + 1)).unwrap())
    })
}

fn ids() -> impl Strategy<Value = Id> {
    any::<u128>().prop_map(|bits| Id(uuid::Uuid::from_u128(bits)))
}

/// Addresses that an interface can have.
fn macs() -> impl Strategy<Value = Mac> {
    (1u64..0xffff_ffff_ffff).prop_map(|bits| Mac::from_bits(bits & 0xfeff_ffff_ffff | 2))
}

/// Twice the same one counts once.
fn distinct<T: PartialEq + Debug>(items: Vec<T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        if !list.contains(&item) {
            list.push(item);
        }
    }
    list
}

fn list<T: PartialEq + Debug>(items: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(items, 0..8).prop_map(distinct)
}

proptest! {
    #[test]
    fn no_json_breaks_a_type(json in anything()) {
        for (name, judge) in TYPES {
            let judged = std::panic::catch_unwind(|| judge(&json));
            prop_assert!(judged.is_ok(), "{} breaks on {}", name, json);
        }
    }

    #[test]
    fn addresses_survive(ip in ips(), prefix in prefixes(), mac in macs(), id in ids()) {
        survives(&ip);
        survives(&prefix);
        survives(&prefix.cidr());
        survives(&mac);
        survives(&id);
        survives(&Some(mac));
        survives(&SubnetPoolId::Id(id));
        survives(&HostRouteOf(prefix, ip).route());
    }

    #[test]
    fn lists_survive(ips in list(ips()), ids in list(ids()), nets in list(prefixes())) {
        survives(&ips);
        survives(&ids);
        survives(&distinct(nets.iter().map(Prefix::cidr).collect()));
        survives(&ids.iter().map(|id| FixedIpAsk { subnet_id: Some(*id), ip_address: None })
            .collect::<Vec<_>>());
        survives(&ips.iter().map(|ip| FixedIpAsk { subnet_id: None, ip_address: Some(*ip) })
            .collect::<Vec<_>>());
        survives(&ips.iter().zip(&ids).map(|(ip, id)| FixedIp { subnet_id: *id, ip_address: *ip })
            .collect::<Vec<_>>());
        survives(&ips.iter().map(|ip| IpRange { start: *ip, end: *ip }).collect::<Vec<_>>());
    }

    #[test]
    fn pairs_survive(ip in ips(), prefix in prefixes(), mac in prop::option::of(macs())) {
        if !ip.is_multicast() {
            survives(&AddressPair { ip_address: ip.to_string(), mac_address: mac });
        }
        if !prefix.cidr().is_multicast() {
            survives(&vec![AddressPair { ip_address: prefix.to_string(), mac_address: mac }]);
        }
    }

    #[test]
    fn options_survive(
        opt_name in "[a-z-]{1,64}",
        opt_value in prop::option::of("[!-~]{1,255}"),
        six in any::<bool>(),
    ) {
        let ip_version = if six { IpVersion::V6 } else { IpVersion::V4 };
        survives(&vec![DhcpOption { opt_name, opt_value, ip_version }]);
    }

    #[test]
    fn a_mac_is_read_in_every_usual_form(mac in macs()) {
        let Mac([a, b, c, d, e, f]) = mac;
        for text in [
            format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"),
            format!("{a:x}-{b:x}-{c:x}-{d:x}-{e:x}-{f:x}"),
            format!("{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{f:02x}"),
            format!("{a:02x}{b:02x}{c:02x}-{d:02x}{e:02x}{f:02x}"),
            format!("{:012x}", mac.bits()),
        ] {
            prop_assert_eq!(Mac::parse(&json!(text)), Ok(mac));
        }
    }

    #[test]
    fn a_chosen_mac_begins_as_its_base(dice in any::<u32>()) {
        let short = Base::read("fa:16:3e:00:00:00").unwrap();
        let long = Base::read("fa:16:3e:4f:00:00").unwrap();
        prop_assert!(Mac::random(&short, dice).to_string().starts_with("fa:16:3e:"));
        prop_assert!(Mac::random(&long, dice).to_string().starts_with("fa:16:3e:4f:"));
        prop_assert_eq!(Mac::random(&short, dice).bits() & 0xff_ffff, u64::from(dice) & 0xff_ffff);
    }

    #[test]
    fn a_network_has_its_first_and_last_address_and_none_beyond(prefix in prefixes()) {
        let cidr = prefix.cidr();
        prop_assert!(cidr.contains(&cidr.first()) && cidr.contains(&cidr.last()));
        prop_assert!(cidr.contains(&Ip(prefix.0.addr())));
        prop_assert_eq!(cidr.nth(0), Some(cidr.first()));
        prop_assert_eq!(cidr.nth(cidr.last().bits() - cidr.first().bits()), Some(cidr.last()));
        if cidr.size() < u128::MAX {
            prop_assert_eq!(cidr.nth(cidr.size()), None);
            prop_assert_eq!(cidr.last().bits() - cidr.first().bits() + 1, cidr.size());
        }
    }

    #[test]
    fn networks_overlap_where_one_has_the_others_first_address(a in prefixes(), b in prefixes()) {
        let (a, b) = (a.cidr(), b.cidr());
        let shared = a.contains(&b.first()) || b.contains(&a.first());
        prop_assert_eq!(a.overlaps(&b), shared);
        prop_assert_eq!(b.overlaps(&a), shared);
    }

    #[test]
    fn ranges_overlap_where_they_share_an_address(
        a in 0u32..40, b in 0u32..40, c in 0u32..40, d in 0u32..40,
    ) {
        let range = |start: u32, end: u32| IpRange {
            start: Ip(Ipv4Addr::from(start.min(end)).into()),
            end: Ip(Ipv4Addr::from(start.max(end)).into()),
        };
        let (one, two) = (range(a, b), range(c, d));
        let share = (0..40).map(|n| Ip(Ipv4Addr::from(n).into()))
            .any(|ip| one.contains(&ip) && two.contains(&ip));
        prop_assert_eq!(one.overlaps(&two), share);
        prop_assert_eq!(one.nth(one.size() - 1), Some(one.end));
        prop_assert_eq!(one.nth(one.size()), None);
    }
}

/// A network and a way to it, as long as a route may lead there.
struct HostRouteOf(Prefix, Ip);

impl HostRouteOf {
    fn route(&self) -> HostRoute {
        let cidr = self.0.cidr();
        let destination = match cidr.first().0.is_loopback() {
            true => Cidr::read("10.0.0.0/8").unwrap(),
            false => cidr,
        };
        HostRoute { destination, nexthop: self.1 }
    }
}

fn refused<T: Wire + Debug>(json: Json) -> String {
    T::parse(&json).expect_err("refused")
}

#[test]
fn a_list_of_more_than_a_thousand_is_refused_with_its_length() {
    let ids: Vec<String> = (0..1001).map(|_| Id::random().to_string()).collect();
    assert!(Vec::<Id>::parse(&json!(ids[..1000])).is_ok());
    let why = refused::<Vec<Id>>(json!(ids));
    assert!(why.contains("1001") && why.contains("1000"), "{why}");
    // The other types' entries may even be empty, so their number alone refuses them.
    assert!(refused::<Vec<Raw>>(json!(vec![json!(1); 1001])).contains("1001"));
}

#[test]
fn a_bad_entry_is_named_by_its_place() {
    let why = refused::<Vec<Ip>>(json!(["192.0.2.1", "192.0.2.2", "192.0.2.300"]));
    assert!(why.contains("entry 3") && why.contains("192.0.2.300"), "{why}");
    let why = refused::<Vec<Ip>>(json!(["192.0.2.1", "192.0.2.1"]));
    assert!(why.contains("entry 2") && why.contains("repetition"), "{why}");
}

#[test]
fn a_bad_member_is_named_by_its_key() {
    let why = refused::<Vec<IpRange>>(json!([{"start": "192.0.2.1", "end": "x"}]));
    assert!(why.contains("end") && why.contains("\"x\""), "{why}");
    let why = refused::<Vec<IpRange>>(json!([{"start": "192.0.2.1"}]));
    assert!(why.contains("end") && why.contains("missing"), "{why}");
    let why = refused::<Vec<IpRange>>(json!([{"start": "192.0.2.1", "stop": 1}]));
    assert!(why.contains("\"stop\""), "{why}");
}

#[test]
fn a_profile_is_bounded_in_length_and_depth() {
    assert!(Dict::parse(&json!({"a": "x".repeat(4087)})).is_ok());
    assert!(refused::<Dict>(json!({"a": "x".repeat(4088)})).contains("4096"));
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert!(Dict::parse(&nested(15)).is_ok());
    assert!(refused::<Dict>(nested(16)).contains("deep"));
}

#[test]
fn every_protocol_is_found_by_name_in_any_case_and_by_number() {
    for (name, number) in NAMES {
        let named = Protocol::parse(&json!(name.to_uppercase())).unwrap();
        assert_eq!((named.to_string().as_str(), named.number()), (name, number));
        let numbered = Protocol::parse(&json!(number)).unwrap();
        assert_eq!(numbered.to_string(), number.to_string());
        assert!(numbered.aliases().contains(&name.to_owned()));
        assert_eq!(named.aliases(), numbered.aliases());
    }
    assert_eq!(Protocol::read("icmpv6").unwrap().aliases(), ["58", "icmpv6", "ipv6-icmp"]);
}

#[test]
fn any_protocol_is_none() {
    assert_eq!(Option::<Protocol>::parse(&json!("any")), Ok(None));
    assert_eq!(Option::<Protocol>::parse(&json!(null)), Ok(None));
    assert_eq!(Option::<Prefix>::parse(&json!("")), Ok(None));
}

#[test]
fn what_is_no_value_of_its_type_is_no_filter_of_rules() {
    for text in ["x", "", "-1", "70000"] {
        assert_eq!(Ethertype::filter(text), None, "{text}");
        assert_eq!(Protocol::filter(text), None, "{text}");
        assert_eq!(PortNumber::filter(text), None, "{text}");
    }
    assert_eq!(Prefix::filter("x"), None);
    assert_eq!(Ethertype::filter("ipv4"), Some(Value::text("IPv4")));
    assert_eq!(Protocol::filter("Any"), Some(Value::Null));
    assert_eq!(Protocol::filter("TCP"), Some(Value::text("tcp")));
    assert_eq!(PortNumber::filter("22"), Some(Value::Int(22)));
}

#[test]
fn some_lists_are_also_empty_in_other_forms() {
    assert_eq!(Vec::<Ip>::parse(&json!("")), Ok(Vec::new()));
    assert_eq!(Vec::<ServiceType>::parse(&json!({})), Ok(Vec::new()));
    refused::<Vec<Ip>>(json!({}));
    refused::<Vec<ServiceType>>(json!("x"));
    refused::<Vec<Cidr>>(json!(""));
}

#[test]
fn slaac_addresses_end_in_the_mac_turned_round() {
    // The example of RFC 4291, appendix A.
    let mac = Mac::read("34:56:78:9a:bc:de").unwrap();
    assert_eq!(mac.interface_id(), 0x3656_78ff_fe9a_bcde);
}

#[test]
fn hints_are_read_for_their_queues() {
    let hints = json!({"openvswitch": {"other_config": {"tx-steering": "hash"}}});
    assert_eq!(Hints::parse(&hints).unwrap().tx_steering().unwrap().as_str(), "hash");
    assert_eq!(Hints::parse(&json!({})).unwrap().tx_steering(), None);
}

#[test]
fn the_name_default_is_the_projects_own_groups() {
    let kind = NotDefaultName::fault(&json!("Default"));
    assert_eq!(kind, ("SecurityGroupDefaultAlreadyExists", 409));
    assert_eq!(NotDefaultName::fault(&json!(7)).0, "HTTPBadRequest");
}
