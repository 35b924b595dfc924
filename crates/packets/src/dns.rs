//! A DNS client (RFC 1035) that asks one question once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::guest::Guest;

/// How long the question waits for its answer.
const ANSWER: Duration = Duration::from_millis(500);

const QUERY: [u8; 2] = *b"dn";

/// What can be asked for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// An IPv4 address.
    A = 1,
    /// An IPv6 address.
    Aaaa = 28,
}

impl Guest {
    /// The addresses of a name, asked of this server. None at all if nobody answers.
    ///
    /// # Panics
    /// If the guest has no way to the server.
    pub fn resolve(&self, server: IpAddr, name: &str, record: Record) -> Option<Vec<IpAddr>> {
        let any = match server {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.space.enter(|| {
            let socket = UdpSocket::bind(SocketAddr::new(any, 0)).unwrap();
            socket.set_read_timeout(Some(ANSWER)).unwrap();
            socket.connect(SocketAddr::new(server, 53)).unwrap();
            socket.send(&question(name, record)).unwrap();
            let mut buffer = [0; 2048];
            let length = socket.recv(&mut buffer).ok()?;
            read(&buffer[..length], record)
        })
    }
}

fn question(name: &str, record: Record) -> Vec<u8> {
    let mut message = QUERY.to_vec();
    // Recursion is wanted; one question and nothing else.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, record as u8, 0, 1]);
    message
}

/// The addresses in a reply to our question; none if it is broken or not ours.
fn read(message: &[u8], record: Record) -> Option<Vec<IpAddr>> {
    let (head, mut rest) = message.split_at_checked(12)?;
    if head[..2] != QUERY || head[2] & 0x80 == 0 {
        return None;
    }
    rest = after_name(rest)?.get(4..)?;
    let mut found = Vec::new();
    for _ in 0..u16::from_be_bytes([head[6], head[7]]) {
        let (answer, value) = after_name(rest)?.split_at_checked(10)?;
        let length = u16::from_be_bytes([answer[8], answer[9]]);
        let (value, after) = value.split_at_checked(length.into())?;
        if answer[..2] == [0, record as u8] {
            found.push(match record {
                Record::A => IpAddr::from(<[u8; 4]>::try_from(value).ok()?),
                Record::Aaaa => IpAddr::from(<[u8; 16]>::try_from(value).ok()?),
            });
        }
        rest = after;
    }
    Some(found)
}

/// What follows the name, which ends with an empty label or refers to another name.
fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, after) = rest.split_first()?;
        match length {
            0 => return Some(after),
            0xc0.. => return after.get(1..),
            _ => rest = after.get((*length).into()..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_a_reply_are_read_whether_its_names_are_short_or_long() {
        let mut reply = question("a.example", Record::A);
        reply[2] |= 0x80;
        reply[7] = 2;
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]);
        reply.extend([1, b'b', 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 2]);
        let expected: Vec<IpAddr> = vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        assert_eq!(read(&reply, Record::A), Some(expected));
        assert_eq!(read(&reply, Record::Aaaa), Some(Vec::new()));
        assert_eq!(read(&reply[..reply.len() - 1], Record::A), None);
    }
}
