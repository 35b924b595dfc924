//! Extra DHCP options of a port: how those of a request meet those that the port has.

use wire::fault::{self, Result};
use wire::types::dhcp_opt::DhcpOption;

/// Options that may be handed out with an empty value.
const MAY_BE_BLANK: [&str; 2] = ["router", "classless-static-route"];

fn has_value(option: &DhcpOption) -> bool {
    match option.opt_value.as_deref() {
        None => false,
        Some("") => MAY_BE_BLANK.contains(&option.opt_name.as_str()),
        Some(_) => true,
    }
}

/// The options of a port after a request. An option is named by its name and version; one without a
/// value takes away the one that the port has, and those that are not named stay.
///
/// # Errors
/// `NeutronDbObjectDuplicateEntry` for a request that gives one option two values.
pub fn merge(have: Vec<DhcpOption>, asked: Vec<DhcpOption>) -> Result<Vec<DhcpOption>> {
    let mut options = have;
    let mut new: Vec<DhcpOption> = Vec::new();
    for option in asked {
        let is = |known: &DhcpOption| {
            (&known.opt_name, known.ip_version) == (&option.opt_name, option.ip_version)
        };
        match options.iter().position(is) {
            Some(place) if option.opt_value.is_none() => drop(options.remove(place)),
            Some(place) => {
                if let (Some(known), true) = (options.get_mut(place), has_value(&option)) {
                    *known = option;
                }
            }
            None if new.iter().any(is) && has_value(&option) => {
                return Err(fault::duplicate_dhcp_option(&option.opt_name, option.ip_version));
            }
            None if has_value(&option) => new.push(option),
            None => {}
        }
    }
    options.append(&mut new);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::types::words::IpVersion;

    fn option(name: &str, value: Option<&str>, ip_version: IpVersion) -> DhcpOption {
        DhcpOption { opt_name: name.into(), opt_value: value.map(str::to_owned), ip_version }
    }

    #[test]
    fn a_value_replaces_null_removes_and_what_is_not_named_stays() {
        let have = vec![
            option("bootfile-name", Some("pxelinux.0"), IpVersion::V4),
            option("mtu", Some("1400"), IpVersion::V4),
            option("server-ip", Some("192.0.2.1"), IpVersion::V4),
        ];
        let asked = vec![
            option("bootfile-name", None, IpVersion::V4),
            option("mtu", Some("1500"), IpVersion::V4),
            option("mtu", Some("1280"), IpVersion::V6),
        ];
        assert_eq!(
            merge(have, asked).unwrap(),
            [
                option("mtu", Some("1500"), IpVersion::V4),
                option("server-ip", Some("192.0.2.1"), IpVersion::V4),
                option("mtu", Some("1280"), IpVersion::V6),
            ]
        );
    }

    #[test]
    fn only_some_options_can_be_blank() {
        let blank = vec![
            option("router", Some(""), IpVersion::V4),
            option("mtu", Some(""), IpVersion::V4),
            option("ntp-server", None, IpVersion::V4),
        ];
        let kept = merge(Vec::new(), blank).unwrap();
        assert_eq!(kept, [option("router", Some(""), IpVersion::V4)]);
    }

    #[test]
    fn an_option_has_one_value_for_each_version() {
        let twice =
            |version| vec![option("a", Some("b"), IpVersion::V4), option("a", Some("c"), version)];
        assert!(merge(Vec::new(), twice(IpVersion::V4)).is_err());
        assert_eq!(merge(Vec::new(), twice(IpVersion::V6)).unwrap().len(), 2);
    }
}
