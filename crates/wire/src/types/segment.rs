//! `ProviderSegment`: how one segment of a network is carried (`segments` of a network). Not here:
//! which types there are and which ids are free (model).

use serde_json::{Map, Value as Json};

use super::list::Item;
use super::object::Object;
use super::{Text, quoted};
use crate::attr::{BAD_REQUEST, Column, INVALID_INPUT, Wire};
use crate::value::Value;

const TYPE: &str = "provider:network_type";
const PHYSICAL: &str = "provider:physical_network";
const ID: &str = "provider:segmentation_id";

/// What a caller asks of a segment; `None`: the server chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderSegment {
    /// flat, vlan, vxlan, gre, geneve, local.
    pub network_type: Option<Text<32>>,
    /// The physical network that carries it.
    pub physical_network: Option<Text<64>>,
    /// The VLAN or tunnel id.
    pub segmentation_id: Option<i64>,
}

impl Wire for ProviderSegment {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with provider:network_type, \
         provider:physical_network and provider:segmentation_id";

    fn parse(json: &Json) -> Result<Self, String> {
        let segment = Object::read(json, &[TYPE, PHYSICAL, ID])?;
        Ok(Self {
            network_type: segment.get::<Option<Text<32>>>(TYPE)?.flatten(),
            physical_network: segment.get::<Option<Text<64>>>(PHYSICAL)?.flatten(),
            segmentation_id: match segment.raw(ID) {
                // PARITY: Neutron takes whatever Python calls false for "not given".
                None | Some(Json::Null) => None,
                Some(Json::String(text)) if text.is_empty() => None,
                Some(id) => Some(
                    i64::parse(id)
                        .map_err(|_| format!("{ID} must be a whole number, not {}", quoted(id)))?,
                )
                .filter(|id| *id != 0),
            },
        })
    }
    fn store(&self) -> Value {
        let mut members = Map::new();
        let text = |text: &str| Json::from(text);
        members.insert(TYPE.into(), self.network_type.as_ref().map(|t| text(t.as_str())).into());
        members.insert(
            PHYSICAL.into(),
            self.physical_network.as_ref().map(|t| text(t.as_str())).into(),
        );
        members.insert(ID.into(), self.segmentation_id.into());
        Value::json(members)
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self::default()
    }
}

impl Item for ProviderSegment {
    const LIST: &'static str = "a list of objects with provider:network_type, \
         provider:physical_network and provider:segmentation_id";
    const NULL_IS_EMPTY: bool = false;
    fn list_fault(refused: &Json) -> (&'static str, u16) {
        // Neutron's validator converts the ids itself.
        let segments = refused.as_array().map(Vec::as_slice).unwrap_or_default();
        let id = segments.iter().find_map(|segment| segment.get(ID).filter(|id| !id.is_null()));
        if id.is_some_and(|id| i64::parse(id).is_err()) { INVALID_INPUT } else { BAD_REQUEST }
    }
    fn key(&self) -> Option<String> {
        // Two segments that leave everything to the server are asked for by repeating.
        None
    }
}
