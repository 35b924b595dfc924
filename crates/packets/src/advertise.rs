//! A router's advertisement (RFC 4861), for guests that make their addresses themselves (SLAAC).
//! Not here: a router.

use std::net::{Ipv6Addr, SocketAddrV6};

use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket, sockopt};

use crate::dhcp6::index;
use crate::guest::{Guest, interface_identifier};
use crate::patience::until;

/// All nodes of the link.
const NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// How many hops an advertisement must have left, which says that it comes from this link.
const HOPS: u32 = 255;

impl Guest {
    /// Advertises the prefix of 64 bits, as routers do again and again, until the other guest has
    /// made itself an address of it: that.
    ///
    /// # Panics
    /// If it makes none.
    pub fn advertise_to(&self, guest: &Guest, prefix: Ipv6Addr) -> Ipv6Addr {
        let address = interface_identifier(&guest.mac, prefix);
        until(&format!("address {address}"), || {
            self.advertise(prefix);
            guest.has(address.into()).then_some(address)
        })
        .0
    }

    /// Tells everybody on the link that this guest is a router and the prefix of 64 bits is here.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn advertise(&self, prefix: Ipv6Addr) {
        let scope = index(&self.space);
        let mac = self.mac.split(':').map(|it| u8::from_str_radix(it, 16).unwrap());
        // Type, code, checksum (the kernel's), hop limit, flags, lifetime, two timers.
        let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08];
        message.extend([0; 8]);
        message.extend([1, 1]);
        message.extend(mac);
        // The prefix: 64 bits, on this link and for addresses; valid and preferred for an hour.
        message.extend([3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
        message.extend(prefix.octets());
        self.space.enter(|| {
            let family = AddressFamily::INET6;
            let socket = socket(family, SocketType::RAW, Some(ipproto::ICMPV6)).unwrap();
            sockopt::set_ipv6_multicast_hops(&socket, HOPS).unwrap();
            let everybody = SocketAddrV6::new(NODES, 0, 0, scope);
            sendto(&socket, &message, SendFlags::empty(), &everybody).unwrap();
        });
    }
}
