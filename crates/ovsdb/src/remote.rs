//! Where a server listens, as Open vSwitch writes it: `unix:/path`, `tcp:host:port`,
//! `ssl:host:port`. Not here: connecting (`connection`).

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A host, by name or address, and a port; no encryption.
    Tcp(String, u16),
    /// A host, by name or address, and a port; TLS with certificates on both sides.
    Ssl(String, u16),
}

impl Remote {
    /// Reads a list separated by commas; blanks around a member do not count.
    ///
    /// # Errors
    /// Which member is no remote, and what is accepted.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(|member| Self::parse(member.trim())).collect()
    }

    /// Reads one remote. A host that is an IPv6 address is in brackets: `tcp:[::1]:6641`.
    ///
    /// # Errors
    /// What is wrong, and what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is none of unix:PATH, tcp:HOST:PORT, ssl:HOST:PORT");
        match text.split_once(':').ok_or_else(wrong)? {
            ("unix", path) if !path.is_empty() => Ok(Self::Unix(PathBuf::from(path))),
            ("tcp", rest) => host_and_port(rest).map(|(h, p)| Self::Tcp(h, p)).ok_or_else(wrong),
            ("ssl", rest) => host_and_port(rest).map(|(h, p)| Self::Ssl(h, p)).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match bare {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '[', ']']),
    };
    let host = bare.unwrap_or(host);
    Some((host.to_owned(), port.parse().ok()?)).filter(|(_, port)| fits && *port != 0)
}

impl fmt::Display for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Unix(path) => return write!(out, "unix:{}", path.display()),
            Self::Tcp(host, port) => ("tcp", host, port),
            Self::Ssl(host, port) => ("ssl", host, port),
        };
        if host.contains(':') {
            write!(out, "{scheme}:[{host}]:{port}")
        } else {
            write!(out, "{scheme}:{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_remotes_is_read_and_printed_the_same() {
        let text = "unix:/run/nb.sock,tcp:127.0.0.1:6641,ssl:[fd00::1]:6641,ssl:nb.example:6641";
        let remotes = Remote::parse_list(text).unwrap();
        assert_eq!(remotes[2], Remote::Ssl("fd00::1".to_owned(), 6641));
        let printed: Vec<String> = remotes.iter().map(ToString::to_string).collect();
        assert_eq!(printed.join(","), text);
    }

    #[test]
    fn what_is_no_remote_is_refused_with_its_text() {
        for text in [
            "",
            "tcp",
            "unix:",
            "tcp::1",
            "tcp:host",
            "tcp:host:0",
            "tcp:::1:5",
            "udp:a:1",
            "tcp:[a:b]:1",
        ] {
            let error = Remote::parse_list(&format!("tcp:a:1, {text}")).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
