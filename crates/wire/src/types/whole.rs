//! Whole numbers within bounds.

use serde_json::Value as Json;

use crate::attr::{BAD_REQUEST, Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// Declares whole numbers between two bounds, both included.
macro_rules! wholes {
    ($( $(#[$doc:meta])* $name:ident = $least:literal ..= $most:literal; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl Wire for $name {
            const COLUMN: Column = Column::Int;
            const ACCEPTS: &'static str = concat!("a whole number from ", $least, " to ", $most);
            fn parse(json: &Json) -> Result<Self, String> {
                let number = i64::parse(json)?;
                if number < $least {
                    return Err(format!("{number} is too small"));
                }
                if number > $most {
                    return Err(format!("{number} is too large"));
                }
                Ok(Self(number))
            }
            fn fault(refused: &Json) -> (&'static str, u16) {
                if i64::parse(refused).is_ok() { BAD_REQUEST } else { INVALID_INPUT }
            }
            fn store(&self) -> Value {
                Value::Int(self.0)
            }
            fn load(value: &Value) -> Option<Self> {
                value.as_int().map(Self)
            }
            fn empty() -> Self {
                Self($least)
            }
        }
    )* };
}

wholes! {
    /// A number of things.
    Count = 0..=2147483647;
    /// The largest packet of a network, in octets; 0: the server chooses.
    Mtu = 0..=2147483647;
    /// How many bits the addresses of a network have in common.
    PrefixLength = 0..=128;
}
