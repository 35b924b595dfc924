//! Extra DHCP options of a port: how those of a request meet those that the port has.

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
pub fn merge(have: Vec<DhcpOption>, asked: Vec<DhcpOption>) -> Vec<DhcpOption> {
    let mut options = have;
    for option in asked {
        let place = options.iter().position(|known| {
            (&known.opt_name, known.ip_version) == (&option.opt_name, option.ip_version)
        });
        match place {
            Some(place) if option.opt_value.is_none() => drop(options.remove(place)),
            Some(place) => {
                if let (Some(known), true) = (options.get_mut(place), has_value(&option)) {
                    *known = option;
                }
            }
            None if has_value(&option) => options.push(option),
            None => {}
        }
    }
    options
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
            merge(have, asked),
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
        assert_eq!(merge(Vec::new(), blank), [option("router", Some(""), IpVersion::V4)]);
    }
}
