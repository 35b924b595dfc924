//! The units that the data plane is brought in line with, and who reads what of whom. A change of a
//! unit, or of something that its rendering reads, marks it in the same transaction.

/// What can be marked. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
}
