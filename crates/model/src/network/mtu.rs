//! The MTU of a network: what its segments carry at most, or less if somebody asks for less.

use wire::fault::{self, Result};

use crate::segment::Chosen;
use crate::settings::Settings;

/// The smallest MTU that IPv4 permits.
const MTU_MIN: i64 = 68;

/// The smallest MTU that IPv6 permits.
pub const MTU_MIN_IPV6: i64 = 1280;

/// The IPv4 header in front of every tunnelled packet.
const IP_HEADER: i64 = 20;
/// What VXLAN adds behind the IP header.
const VXLAN_OVERHEAD: i64 = 30;
/// What GRE adds behind the IP header.
const GRE_OVERHEAD: i64 = 22;

/// The MTU for these segments; `asked` 0: the largest.
///
/// # Errors
/// `InvalidInput` for one that they cannot carry.
pub fn of_network(settings: &Settings, segments: &[Chosen], asked: i64) -> Result<i64> {
    let most =
        segments.iter().map(|segment| of_segment(settings, segment)).filter(|m| *m > 0).min();
    let most = most.unwrap_or(0);
    if asked == 0 {
        return Ok(most);
    }
    if asked < 0 {
        return Err(fault::bad_request(format!("'mtu' must be from {MTU_MIN} on, not {asked}.")));
    }
    if asked < MTU_MIN || (most > 0 && asked > most) {
        return Err(fault::invalid_input(format!(
            "'mtu' must be from {MTU_MIN} to {most} on this network's segments, not {asked}.",
        )));
    }
    Ok(asked)
}

/// The largest MTU of one segment; 0: no limit is known.
fn of_segment(settings: &Settings, segment: &Chosen) -> i64 {
    let tunnel = |overhead: i64| {
        let paths = [settings.global_physnet_mtu, settings.path_mtu];
        let path = paths.into_iter().filter(|mtu| *mtu > 0).min().unwrap_or(0);
        (path - overhead - IP_HEADER).max(0)
    };
    match segment.network_type.as_str() {
        "geneve" => tunnel(settings.geneve_max_header_size),
        "vxlan" => tunnel(VXLAN_OVERHEAD),
        "gre" => tunnel(GRE_OVERHEAD),
        _ => segment
            .physical_network
            .as_ref()
            .and_then(|name| settings.physical_network_mtus.get(name).copied())
            .unwrap_or(settings.global_physnet_mtu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(network_type: &str) -> Chosen {
        Chosen {
            network_type: network_type.into(),
            physical_network: None,
            segmentation_id: None,
            open: false,
        }
    }

    #[test]
    fn tunnels_lose_their_headers() {
        let settings = Settings::default();
        let mtu = |kind: &str| of_network(&settings, &[segment(kind)], 0).unwrap();
        assert_eq!((mtu("geneve"), mtu("vxlan"), mtu("gre")), (1442, 1450, 1458));
        assert_eq!((mtu("vlan"), mtu("flat"), mtu("local")), (1500, 1500, 1500));
    }

    #[test]
    fn the_smallest_segment_decides_and_more_is_refused() {
        let settings = Settings::default();
        let both = [segment("vlan"), segment("geneve")];
        assert_eq!(of_network(&settings, &both, 0).unwrap(), 1442);
        assert_eq!(of_network(&settings, &both, 1400).unwrap(), 1400);
        assert!(of_network(&settings, &both, 1443).is_err());
        assert!(of_network(&settings, &both, 67).is_err());
    }
}
