//! A DHCPv6 client (RFC 8415) that asks for an address, and what else there is.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use crate::guest::Guest;
use crate::namespace::Namespace;
use crate::patience::until;

const TRANSACTION: [u8; 3] = *b"six";

/// All servers and relays of the link.
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// How long one question waits for its answer.
const ANSWER: Duration = Duration::from_millis(500);

const SOLICIT: u8 = 1;
const ADVERTISE: u8 = 2;
const REQUEST: u8 = 3;
const REPLY: u8 = 7;

const CLIENT: u16 = 1;
const SERVER: u16 = 2;
const ADDRESSES: u16 = 3;
const ADDRESS: u16 = 5;

/// The option with the DNS servers.
pub const DNS_SERVERS: u16 = 23;

/// What the server gave: its options by their numbers, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(BTreeMap<u16, Vec<u8>>);

impl Reply {
    /// The address, if one was asked for and given.
    pub fn address(&self) -> Option<Ipv6Addr> {
        let association = read(self.0.get(&ADDRESSES)?.get(12..)?)?;
        octets(association.get(&ADDRESS)?)
    }

    /// The DNS servers.
    pub fn dns_servers(&self) -> Vec<Ipv6Addr> {
        let bytes = self.0.get(&DNS_SERVERS).map_or(&[][..], Vec::as_slice);
        bytes.chunks_exact(16).filter_map(octets).collect()
    }
}

impl Guest {
    /// Gets an address from the server and gives it to the interface.
    ///
    /// # Panics
    /// If nobody gives one.
    pub fn dhcp6(&self) -> Reply {
        let ask = || {
            let offer = self.ask6(SOLICIT, &self.request(None), ADVERTISE)?;
            let reply = self.ask6(REQUEST, &self.request(Some(&offer)), REPLY)?;
            reply.address().map(|address| (reply, address))
        };
        let ((reply, address), _) = until("a DHCPv6 address", ask);
        // The prefix is said by a router, not by DHCP; in these tests it has 64 bits.
        self.add_address(&format!("{address}/64"));
        reply
    }

    fn ask6(&self, kind: u8, options: &[u8], answer: u8) -> Option<Reply> {
        let message = [&[kind], &TRANSACTION[..], options].concat();
        let scope = index(&self.space);
        self.space.enter(|| {
            let own = SocketAddrV6::new(self.link_local(), 546, 0, scope);
            // The address is not there at once when the interface comes up; the caller asks again.
            let socket = UdpSocket::bind(own).ok()?;
            socket.set_read_timeout(Some(ANSWER)).unwrap();
            socket.send_to(&message, SocketAddrV6::new(SERVERS, 547, 0, scope)).ok()?;
            let mut buffer = [0; 2048];
            loop {
                let length = socket.recv(&mut buffer).ok()?;
                let reply = &buffer[..length];
                if reply.first() == Some(&answer) && reply.get(1..4) == Some(&TRANSACTION) {
                    return read(&reply[4..]).map(Reply);
                }
            }
        })
    }

    /// Who asks, for how long already, and what he wants to know.
    fn identity(&self) -> Vec<u8> {
        let mac = self.mac.split(':').map(|it| u8::from_str_radix(it, 16).unwrap());
        let link_layer: Vec<u8> = [0, 3, 0, 1].into_iter().chain(mac).collect();
        let wanted = [0, 23, 0, 24];
        [option(CLIENT, &link_layer), option(8, &[0, 0]), option(6, &wanted)].concat()
    }

    fn request(&self, offer: Option<&Reply>) -> Vec<u8> {
        let mut association = vec![0, 0, 0, 1];
        association.resize(12, 0);
        let mut request = self.identity();
        if let Some(offer) = offer {
            request.extend(option(SERVER, &offer.0[&SERVER]));
            association.extend(&offer.0[&ADDRESSES][12..]);
        }
        request.extend(option(ADDRESSES, &association));
        request
    }
}

/// The number of the guest's interface, which an address of the link needs beside it.
pub(crate) fn index(space: &Namespace) -> u32 {
    let shown = space.ip(&format!("-o link show {}", crate::guest::INTERFACE));
    shown.split(':').next().unwrap().parse().unwrap()
}

fn option(number: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [&number.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

/// Reads a row of options; none if it is broken.
fn read(mut rest: &[u8]) -> Option<BTreeMap<u16, Vec<u8>>> {
    let mut found = BTreeMap::new();
    while let [n1, n2, l1, l2, after @ ..] = rest {
        let length = u16::from_be_bytes([*l1, *l2]);
        let (value, after) = after.split_at_checked(length.into())?;
        found.insert(u16::from_be_bytes([*n1, *n2]), value.to_vec());
        rest = after;
    }
    Some(found)
}

fn octets(bytes: impl AsRef<[u8]>) -> Option<Ipv6Addr> {
    Some(<[u8; 16]>::try_from(bytes.as_ref().get(..16)?).ok()?.into())
}
