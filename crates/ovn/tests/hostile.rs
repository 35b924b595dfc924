//! Hostile texts in every attribute that a caller can fill: what is rendered of them is read back
//! by the grammar that OVN reads it with, and means what it should, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod hostile {
    pub mod action;
}
mod units;

use std::net::Ipv4Addr;

use hostile::action::{self, Constant};
use model::settings::Settings;
use model::snapshot::Snapshots;
use model::unit::Unit;
use ovn::facts::Facts;
use ovn::nb::Table;
use ovn::render::encode::{self, Kind};
use ovn::render::unit;
use ovn::want::{Cell, Want, Wants};
use ovsdb::value::Datum;
use proptest::prelude::*;

const KINDS: [Kind; 6] =
    [Kind::Text, Kind::Ipv4, Kind::Ipv6, Kind::Routes, Kind::Number(255), Kind::Mac];

/// Texts with what has a meaning in matches, actions, lists and JSON.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\\"".to_owned()),
        Just(", server_id = 6.6.6.6".to_owned()),
        Just("); drop; next(".to_owned()),
        Just(" || 1".to_owned()),
        Just(" && ip4.src == $pg".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just("\n".to_owned()),
        Just("\0".to_owned()),
        Just("\u{2028}é".to_owned()),
        Just("10.0.0.5".to_owned()),
        "[a-z0-9.:/ -]{1,8}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn pairs<'a>(want: &'a Want, column: &str) -> Vec<(&'a str, &'a str)> {
    let cell = want.columns.iter().find(|(name, _)| *name == column).map(|(_, cell)| cell);
    match cell {
        Some(Cell::Pairs { is, .. }) => is.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        _ => Vec::new(),
    }
}

fn texts(want: &Want, column: &str) -> Vec<String> {
    let cell = want.columns.iter().find(|(name, _)| *name == column).map(|(_, cell)| cell);
    let Some(Cell::Is(datum)) = cell else { return Vec::new() };
    datum.as_set().unwrap().iter().map(|atom| atom.as_str().unwrap().to_owned()).collect()
}

/// The protocol has no NUL, and a row with one would be refused for ever.
fn has_no_nul(wants: &Wants) -> bool {
    let clean = |datum: &Datum| !datum.to_json().to_string().contains("\\u0000");
    wants.rows.iter().flat_map(|row| &row.columns).all(|(_, cell)| match cell {
        Cell::Is(datum) | Cell::Initially(datum) => clean(datum),
        Cell::Keys(keys) => keys.values().flatten().all(|text| !text.contains('\0')),
        Cell::Pairs { is, .. } => is.values().all(|text| !text.contains('\0')),
        Cell::KeysInitially(keys) => keys.values().all(|text| !text.contains('\0')),
        Cell::Refers(_) => true,
    })
}

proptest! {
    #[test]
    fn a_dhcp_option_is_one_constant_of_its_type(given in hostile_text()) {
        for kind in KINDS {
            let Some(value) = encode::dhcp_value(kind, &given) else { continue };
            let arguments = action::arguments(&format!("option = {value}, last = 1"));
            let arguments = arguments.expect("it is an action");
            prop_assert_eq!(arguments.len(), 2, "{:?} {}", kind, value);
            prop_assert_eq!(&arguments[1], &("last".to_owned(), Constant::Number(1)));
            let (_, constant) = &arguments[0];
            let fits = match kind {
                Kind::Text => matches!(constant, Constant::Text(_)),
                Kind::Number(_) => matches!(constant, Constant::Number(_)),
                Kind::Mac => matches!(constant, Constant::Mac),
                Kind::Ipv4 | Kind::Ipv6 | Kind::Routes => constant.is_addresses(),
            };
            prop_assert!(fits, "{:?}: {}", kind, value);
        }
    }

    #[test]
    fn a_text_in_quotes_is_the_text(given in hostile_text()) {
        let quoted = given.len() > 1 && given.starts_with('"') && given.ends_with('"');
        prop_assume!(!quoted && !given.contains('\0') && given.len() <= 255);
        let value = encode::dhcp_value(Kind::Text, &given).expect("every text can be written");
        let arguments = action::arguments(&format!("option = {value}")).expect("it is an action");
        prop_assert_eq!(&arguments[0].1, &Constant::Text(given));
    }

    #[test]
    fn a_port_with_hostile_texts_is_still_that_port(
        texts_of in proptest::collection::vec(hostile_text(), 12),
        name in prop_oneof!["domain-name", "router", "66", "121", "mtu", "wpad"],
    ) {
        let port = units::hostile_port(&texts_of, &name);
        let mark = Unit::Port.mark(port.id);
        let id = port.id;
        let snapshots = Snapshots { ports: [(port.id, port)].into(), ..Snapshots::default() };
        let wants = unit(mark, &snapshots, &Facts::default());
        prop_assert!(has_no_nul(&wants));
        for want in &wants.rows {
            match want.row.table {
                Table::LogicalSwitchPort => {
                    prop_assert_eq!(&want.row.key, &id.to_string());
                    for column in ["addresses", "port_security"] {
                        let all = texts(want, column);
                        prop_assert!(all.iter().all(|one| units::is_addresses(one)), "{:?}", all);
                    }
                    for (key, value) in pairs(want, "options") {
                        let commas = value.matches(',').count();
                        prop_assert!(key != "requested-chassis" || commas <= 1, "{}", value);
                    }
                }
                Table::DhcpOptions => {
                    let options = pairs(want, "options");
                    let written: Vec<String> =
                        options.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                    let arguments = action::arguments(&written.join(", "));
                    let arguments = arguments.expect("it is an action");
                    let read: Vec<&str> = arguments.iter().map(|(key, _)| &**key).collect();
                    let written: Vec<&str> = options.iter().map(|(key, _)| *key).collect();
                    prop_assert_eq!(read, written);
                }
                other => prop_assert!(false, "no row of {:?}", other),
            }
        }
        for member in &wants.members {
            let known = [units::SWITCH, units::GROUP, "neutron_pg_drop"];
            prop_assert!(known.contains(&member.parent.key.as_str()), "{:?}", member);
        }
    }

    #[test]
    fn names_of_ports_are_names_or_nothing(name in hostile_text(), domain in hostile_text()) {
        let names = units::names(&name, &domain);
        let mark = Unit::NetworkDns.mark(names.network_id);
        let dns = [(names.network_id, names)].into();
        let snapshots = Snapshots { dns, ..Snapshots::default() };
        let settings = Settings { dns_domain: "example.org".into(), ..Settings::default() };
        let facts = Facts { settings: settings.into(), ..Facts::default() };
        for want in unit(mark, &snapshots, &facts).rows {
            for (key, value) in pairs(&want, "records") {
                prop_assert!(encode::is_dns_name(key), "{}", key);
                let address = value.split(' ').all(|one| one.parse::<Ipv4Addr>().is_ok());
                let reverse = key.ends_with(".in-addr.arpa") && encode::is_dns_name(value);
                prop_assert!(address || reverse, "{} = {}", key, value);
            }
        }
    }
}
