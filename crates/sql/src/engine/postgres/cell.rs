//! Values on their way to and from PostgreSQL's binary format. Not here: when they travel.

use std::error::Error as StdError;

use bytes::{Buf as _, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use wire::value::Value;

use crate::engine::{Cells, json_text};

type Converted<T> = Result<T, Box<dyn StdError + Sync + Send>>;

/// A value as a parameter: the type of the place where it stands decides how it is written.
#[derive(Debug)]
pub struct Param<'a>(pub &'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, place: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        match (self.0, place) {
            (Value::Missing | Value::Null, _) => Ok(IsNull::Yes),
            (Value::Bool(truth), &Type::BOOL) => truth.to_sql(place, out),
            (Value::Int(number), &Type::BOOL) => (*number != 0).to_sql(place, out),
            (Value::Bool(truth), _) => number(i64::from(*truth), place, out),
            (Value::Int(value), _) => number(*value, place, out),
            (Value::Text(value), _) => text(value, place, out),
            (Value::Json(json), _) => text(&json_text(json), place, out),
            (Value::Written(value), _) => text(value, place, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn number(value: i64, place: &Type, out: &mut BytesMut) -> Converted<IsNull> {
    match *place {
        Type::INT8 => value.to_sql(place, out),
        Type::INT4 => i32::try_from(value)?.to_sql(place, out),
        Type::INT2 => i16::try_from(value)?.to_sql(place, out),
        Type::TEXT | Type::VARCHAR => value.to_string().to_sql(place, out),
        _ => Err(format!("a number cannot stand where {place} is wanted").into()),
    }
}

fn text(value: &str, place: &Type, out: &mut BytesMut) -> Converted<IsNull> {
    match *place {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            value.to_sql(place, out)
        }
        _ => Err(format!("a text cannot stand where {place} is wanted").into()),
    }
}

/// A value that was read; `Missing` for a type that none of our columns has.
struct Cell(Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Converted<Self> {
        Ok(Self(match *kind {
            Type::BOOL => Value::Int(i64::from(bool::from_sql(kind, raw)?)),
            Type::INT8 => Value::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Int(i64::from(i32::from_sql(kind, raw)?)),
            Type::INT2 => Value::Int(i64::from(i16::from_sql(kind, raw)?)),
            Type::NUMERIC => numeric(raw).map_or(Value::Missing, Value::Int),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
                Value::Text(std::str::from_utf8(raw)?.to_owned())
            }
            Type::VOID => Value::Null,
            _ => Value::Missing,
        }))
    }

    fn from_sql_null(_: &Type) -> Converted<Self> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A whole number out of `numeric`, the type of `SUM(bigint)`: groups of four decimal digits.
fn numeric(mut raw: &[u8]) -> Option<i64> {
    if raw.len() < 8 {
        return None;
    }
    let (digits, weight, sign, _scale) =
        (raw.get_i16(), raw.get_i16(), raw.get_u16(), raw.get_u16());
    let mut value: i64 = 0;
    for place in 0..=weight {
        let group = if place < digits && raw.len() >= 2 { i64::from(raw.get_i16()) } else { 0 };
        value = value.checked_mul(10_000)?.checked_add(group)?;
    }
    match sign {
        0x0000 => Some(value),
        0x4000 => Some(-value),
        _ => None,
    }
}

/// The cells of an answer.
pub fn cells(rows: &[Row]) -> Result<Cells, tokio_postgres::Error> {
    let read = |row: &Row| {
        (0..row.len()).map(|column| row.try_get::<_, Cell>(column).map(|cell| cell.0)).collect()
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::numeric;

    #[test]
    fn whole_numbers_are_read_out_of_numeric() {
        let of = |digits: &[i16], weight: i16, sign: u16| {
            let mut raw = Vec::new();
            raw.extend(i16::try_from(digits.len()).unwrap().to_be_bytes());
            raw.extend(weight.to_be_bytes());
            raw.extend(sign.to_be_bytes());
            raw.extend(0_u16.to_be_bytes());
            digits.iter().for_each(|digit| raw.extend(digit.to_be_bytes()));
            numeric(&raw)
        };
        assert_eq!(of(&[], 0, 0), Some(0));
        assert_eq!(of(&[12], 0, 0), Some(12));
        assert_eq!(of(&[1, 2345], 1, 0x4000), Some(-12345));
        assert_eq!(of(&[3], 1, 0), Some(30_000));
        assert_eq!(of(&[9999, 9999, 9999, 9999, 9999], 4, 0), None);
        assert_eq!(of(&[], 0, 0xC000), None);
    }
}
