//! The units that the data plane is brought in line with. A change of a unit, or of something that
//! its rendering reads, marks it in the same transaction. Who reads what of whom is in
//! `unit/reads.rs`, what a unit reads itself in `snapshot`.

pub mod reads;

use sql::Mark;
use wire::attr::Wire;
use wire::types::Id;

/// What can be marked. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Unit {
    /// A network and its segments.
    Network = 1,
    /// A subnet.
    Subnet = 2,
    /// A port and its bindings.
    Port = 3,
    /// A security group and its rules.
    SecurityGroup = 4,
    /// An address group.
    AddressGroup = 5,
    /// The names of a network's ports; its id is the network's.
    NetworkDns = 6,
    /// What there is once, whatever is stored; its id is nil.
    Global = 7,
}

impl Unit {
    /// Every kind of unit.
    pub const ALL: [Self; 7] = [
        Self::Network,
        Self::Subnet,
        Self::Port,
        Self::SecurityGroup,
        Self::AddressGroup,
        Self::NetworkDns,
        Self::Global,
    ];

    /// The unit with this number.
    pub fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| *unit as i16 == number)
    }

    /// The mark of the unit with this id.
    pub fn mark(self, id: Id) -> Mark {
        Mark { kind: self as i16, id }
    }

    /// The mark of what there is once.
    pub fn global() -> Mark {
        Self::Global.mark(Id::empty())
    }
}
