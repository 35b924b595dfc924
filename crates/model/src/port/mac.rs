//! Which MAC address a port gets. Not here: whether it is free, which the unique key
//! `uq_ports_mac_address` decides when the port is stored.

use sql::Write;
use wire::fault::{self, Error};
use wire::types::Id;
use wire::types::mac::{Base, Mac};

use crate::kind::Call;

/// An address, and whether the caller or the server chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The caller's: a conflict is his.
    Given(Mac),
    /// The server's: after a conflict another one is thrown.
    Thrown(Mac),
}

impl Choice {
    /// What was asked, where null and nothing ask for any address.
    pub fn of(call: &Call<'_>, asked: Option<Mac>) -> Self {
        asked.map_or_else(|| Self::Thrown(throw(call)), Self::Given)
    }

    /// The address.
    pub fn mac(&self) -> Mac {
        match self {
            Self::Given(mac) | Self::Thrown(mac) => *mac,
        }
    }

    /// Says what it means when another port of the network has the address.
    pub fn conflicts(&self, write: Write, network_id: Id) -> Write {
        let fault = match self {
            Self::Given(mac) => fault::mac_address_in_use(network_id, mac),
            Self::Thrown(_) => Error::Retry("a generated MAC address is taken"),
        };
        write.or("uq_ports_mac_address", fault)
    }
}

/// An address at random, behind the configured base.
pub fn throw(call: &Call<'_>) -> Mac {
    let base = Base::read(&Mac(call.settings.base_mac).to_string()).unwrap_or_default();
    // The last 32 bits of a version 4 UUID are all random.
    let [.., a, b, c, d] = *call.ctx.new_id().0.as_bytes();
    Mac::random(&base, u32::from_be_bytes([a, b, c, d]))
}
