//! Our types beside Neutron's validators and converters: the same values accepted, shown alike,
//! refused with the same fault. What Neutron says was recorded by `reference/validators.py`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use wire::attr::Wire;
use wire::types::cidr::{Cidr, IpRange, Prefix};
use wire::types::dhcp_opt::DhcpOption;
use wire::types::dns::{DnsDomain, DnsName};
use wire::types::fixed_ip::FixedIpAsk;
use wire::types::hint::{Hints, ServiceType, SubnetPoolId, TargetProject, Zones};
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::types::name::{Name, NotDefaultName, NotEmptyName};
use wire::types::pair::AddressPair;
use wire::types::port_range::PortNumber;
use wire::types::profile::Dict;
use wire::types::protocol::Protocol;
use wire::types::route::HostRoute;
use wire::types::segment::ProviderSegment;
use wire::types::tags::Tag;
use wire::types::whole::Count;
use wire::types::words::{Direction, Ethertype, IpVersion, Ipv6Mode, NumaPolicy, VnicType};
use wire::types::{Id, Text};

/// What is shown, or the fault's wire type and status.
type Answer = Result<Json, String>;

/// By type: the value given, whether Neutron accepts it, what it shows, its fault.
type Record = BTreeMap<String, Vec<(Json, bool, Json, Option<String>)>>;

fn ours<T: Wire>(json: &Json) -> Answer {
    match T::parse(json) {
        Ok(parsed) => Ok(parsed.store().to_json()),
        Err(_) => {
            let (kind, status) = T::fault(json);
            Err(format!("{kind} {status}"))
        }
    }
}

/// One line per type: its name in the record, and our answer.
macro_rules! types {
    ($( $name:ty ),* $(,)?) => {
        const TYPES: &[(&str, fn(&Json) -> Answer)] = &[
            $( (stringify!($name), ours::<$name>) ),*
        ];
    };
}

types!(
    bool,
    Count,
    Mac,
    Ip,
    Option<Ip>,
    Cidr,
    Option<Prefix>,
    Name,
    Option<Name>,
    NotEmptyName,
    NotDefaultName,
    Text<255>,
    DnsName,
    DnsDomain,
    Vec<Ip>,
    Vec<Id>,
    Vec<Cidr>,
    Vec<Tag>,
    Zones,
    Vec<ServiceType>,
    Vec<FixedIpAsk>,
    Vec<IpRange>,
    Vec<HostRoute>,
    Vec<AddressPair>,
    Option<Vec<DhcpOption>>,
    Vec<ProviderSegment>,
    Option<Dict>,
    Option<Hints>,
    Option<Protocol>,
    Option<PortNumber>,
    Direction,
    Ethertype,
    IpVersion,
    Option<Ipv6Mode>,
    VnicType,
    Option<NumaPolicy>,
    Id,
    Option<SubnetPoolId>,
    TargetProject,
);

/// Why we differ, and for which types and values.
type Difference = (&'static str, &'static [(&'static str, &'static [&'static str])]);

/// Where we differ on purpose.
const DIFFERENCES: &[Difference] = &[
    (
        "Numbers with a fraction, with underscores, or too large are mistakes, not other numbers.",
        &[
            ("Count", &["1.5", "1e+30", "7.9", "\"1_0\""]),
            ("Option<PortNumber>", &["1.5", "80.5", "\"8_0\""]),
            ("IpVersion", &["4.5"]),
            ("Option<Protocol>", &["1.5", "2.0", "\"1_0\"", "\"-0\"", "\"\u{666}\""]),
        ],
    ),
    (
        "A number or a truth value is not an address, nor a protocol's name.",
        &[
            ("Mac", &["true", "1"]),
            ("Ip", &["1e+30"]),
            ("Option<Ip>", &["1e+30"]),
            ("Option<Protocol>", &["true", "false"]),
        ],
    ),
    (
        "A prefix length is digits.",
        &[
            ("Cidr", SLOPPY_LENGTHS),
            ("Option<Prefix>", SLOPPY_LENGTHS),
            (
                "Vec<HostRoute>",
                &[
                    r#"[{"destination":"192.0.2.0/+24","nexthop":"192.0.2.1"}]"#,
                    r#"[{"destination":"192.0.2.0/2_4","nexthop":"192.0.2.1"}]"#,
                ],
            ),
        ],
    ),
    (
        "What Python calls false is not null, nor an empty list.",
        &[
            ("Option<Prefix>", &["false", "0", "[]", "{}"]),
            ("Vec<Ip>", &["{}"]),
            ("Vec<ServiceType>", &["false", "0"]),
            ("Vec<IpRange>", &["\"\"", "{}"]),
            ("Vec<ProviderSegment>", &["\"\"", "{}"]),
        ],
    ),
    ("No list is shown as an empty one.", &[("Vec<ServiceType>", &["null", "\"\"", "{}"])]),
    (
        "Control characters, and a line's end, are no part of a name or text.",
        &[
            ("Name", &["\"a\\n\""]),
            ("Option<Name>", &["\"a\\n\""]),
            ("NotEmptyName", &["\"a\\n\""]),
            ("NotDefaultName", CONTROL_CHARACTERS),
            ("Text<255>", CONTROL_CHARACTERS),
            ("DnsName", &["\"a\\n\"", "\"a.b\\n\""]),
            ("Option<Vec<DhcpOption>>", &[r#"[{"opt_name":"mtu","opt_value":"a\n"}]"#]),
        ],
    ),
    (
        "The same thing written twice in different ways is twice in the list.",
        &[
            (
                "Vec<Id>",
                &[concat!(
                    r#"["3f2b1d2c-9e7a-4c0e-8a55-0d9a1f6c7b21","#,
                    r#""3F2B1D2C-9E7A-4C0E-8A55-0D9A1F6C7B21"]"#
                )],
            ),
            ("Vec<Cidr>", &[r#"["10.0.0.0/8","10.0.0.5/8"]"#]),
        ],
    ),
    (
        "An unknown key is a mistake.",
        &[(
            "Vec<FixedIpAsk>",
            &[r#"[{"subnet_id":"3f2b1d2c-9e7a-4c0e-8a55-0d9a1f6c7b21","color":"red"}]"#],
        )],
    ),
    (
        "A protocol is kept in one form; any, in any case, is null.",
        &[("Option<Protocol>", &["\"06\"", "\" 6\"", "\"6 \"", "\"+6\"", "\"ANY\""])],
    ),
];

const SLOPPY_LENGTHS: &[&str] = &[
    "\"192.0.2.0/ 24\"",
    "\"192.0.2.0/24 \"",
    "\"192.0.2.0/24\\n\"",
    "\"192.0.2.0/+24\"",
    "\"192.0.2.0/2_4\"",
];

const CONTROL_CHARACTERS: &[&str] = &["\"a\\u0000b\"", "\"a\u{85}b\"", "\"a\\u001fb\""];

/// MAC addresses are kept in one form, also in address pairs, where Neutron keeps what was given.
fn is_another_form_of_mac(name: &str, given: &Json) -> bool {
    let mac = given.get(0).and_then(|pair| pair.get("mac_address")).and_then(Json::as_str);
    name == "Vec<AddressPair>"
        && mac.and_then(Mac::read).is_some_and(|m| Some(m.to_string().as_str()) != mac)
}

fn is_listed(name: &str, given: &Json) -> bool {
    let text = given.to_string();
    DIFFERENCES
        .iter()
        .flat_map(|(_, types)| *types)
        .any(|(listed, values)| *listed == name && values.contains(&text.as_str()))
}

#[test]
fn types_answer_as_neutron_does() {
    let record = include_str!("../reference/validators.json");
    let record: Record = serde_json::from_str(record).unwrap();
    let (mut wrong, mut listed) = (Vec::new(), 0);
    for (name, answer) in TYPES {
        for (given, accepted, shown, fault) in &record[*name] {
            let ours = answer(given);
            let same = match (&ours, accepted, fault.as_deref()) {
                (Ok(ours), true, None) => ours == shown,
                // Where Neutron breaks down we refuse, with whichever fault.
                (Err(_), _, Some("crash")) => true,
                (Err(ours), false, Some(theirs)) => ours == theirs,
                _ => false,
            };
            if is_listed(name, given) {
                assert!(!same, "{name} {given} is listed as different and is not");
                listed += 1;
            } else if !same && !is_another_form_of_mac(name, given) {
                wrong.push(format!(
                    "{name} {given}: we {ours:?}, Neutron {accepted} {shown} {fault:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(record.len(), TYPES.len(), "a recorded type is not compared");
    let differences = DIFFERENCES.iter().flat_map(|(_, types)| *types);
    let differences: usize = differences.map(|(_, values)| values.len()).sum();
    assert_eq!(listed, differences, "a listed difference was not recorded");
}
