//! A DHCPv4 client (RFC 2131, 2132): asks until it has a lease, and gives the interface its
//! address.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::guest::Guest;
use crate::patience::until;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const TRANSACTION: [u8; 4] = *b"pack";

/// How long one question waits for its answer.
const ANSWER: Duration = Duration::from_millis(500);

/// What the server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// Every option by its number, as it came.
    pub options: BTreeMap<u8, Vec<u8>>,
}

impl Lease {
    /// The addresses in an option: 1 the netmask, 3 the routers, 6 the DNS servers, 54 the server.
    pub fn addresses(&self, option: u8) -> Vec<Ipv4Addr> {
        let bytes = self.options.get(&option).map_or(&[][..], Vec::as_slice);
        let address = |it: &[u8]| Ipv4Addr::new(it[0], it[1], it[2], it[3]);
        bytes.chunks_exact(4).map(address).collect()
    }

    /// The number in an option: 26 the MTU, 51 the seconds of the lease.
    pub fn number(&self, option: u8) -> Option<u32> {
        let bytes = self.options.get(&option)?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// The text in an option: 12 the host name, 15 the domain.
    pub fn text(&self, option: u8) -> Option<String> {
        self.options.get(&option).map(|it| String::from_utf8_lossy(it).into_owned())
    }
}

impl Guest {
    /// Gets a lease and gives its address to the interface.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn dhcp4(&self) -> Lease {
        let (lease, _) = until("a DHCPv4 lease", || self.try_dhcp4());
        let prefix: u32 =
            lease.addresses(1).first().map_or(32, |mask| mask.to_bits().leading_ones());
        self.add_address(&format!("{}/{prefix}", lease.address));
        lease
    }

    /// Asks once, which is twice: who gives me an address, and may I have it.
    pub fn try_dhcp4(&self) -> Option<Lease> {
        self.space.enter(|| {
            let socket = UdpSocket::bind("0.0.0.0:68").unwrap();
            socket.set_broadcast(true).unwrap();
            socket.set_read_timeout(Some(ANSWER)).unwrap();
            let offer = exchange(&socket, &self.message(1, None), 2)?;
            exchange(&socket, &self.message(3, Some(&offer)), 5)
        })
    }

    fn message(&self, kind: u8, offer: Option<&Lease>) -> Vec<u8> {
        let mac = self.mac.split(':').map(|it| u8::from_str_radix(it, 16).unwrap());
        let mut message = vec![1, 1, 6, 0];
        message.extend(TRANSACTION);
        // The answer is to be broadcast: an interface without address hears nothing else.
        message.extend([0, 0, 0x80, 0]);
        message.resize(28, 0);
        message.extend(mac);
        message.resize(236, 0);
        message.extend(COOKIE);
        message.extend([53, 1, kind, 55, 8, 1, 3, 6, 12, 15, 26, 51, 121]);
        if let Some(offer) = offer {
            message.extend([50, 4]);
            message.extend(offer.address.octets());
            message.extend([54, 4]);
            message.extend(&offer.options[&54]);
        }
        message.push(255);
        message.resize(message.len().max(300), 0);
        message
    }
}

/// Sends the message and waits for a reply of this kind.
fn exchange(socket: &UdpSocket, message: &[u8], kind: u8) -> Option<Lease> {
    // While the interface comes up there is no way yet, and the caller asks again.
    socket.send_to(message, "255.255.255.255:67").ok()?;
    let mut buffer = [0; 2048];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let lease = read(&buffer[..length]);
                if let Some(lease) = lease.filter(|it| it.options.get(&53) == Some(&vec![kind])) {
                    return Some(lease);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Reads a reply to us; none if it is something else or broken.
fn read(message: &[u8]) -> Option<Lease> {
    let ours = message.first() == Some(&2) && message.get(4..8)? == TRANSACTION;
    if !ours || message.get(236..240)? != COOKIE {
        return None;
    }
    let address = <[u8; 4]>::try_from(message.get(16..20)?).ok()?.into();
    let mut options = BTreeMap::<u8, Vec<u8>>::new();
    let mut rest = message.get(240..)?;
    while let [number, after @ ..] = rest {
        match number {
            255 => break,
            0 => rest = after,
            _ => {
                let (length, value) = after.split_first()?;
                let (value, after) = value.split_at_checked((*length).into())?;
                // A long option comes in pieces (RFC 3396).
                options.entry(*number).or_default().extend(value);
                rest = after;
            }
        }
    }
    Some(Lease { address, options })
}
