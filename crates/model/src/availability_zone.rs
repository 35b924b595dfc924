//! Availability zones, as the data plane knows them.

use wire::attr::Resource;
use wire::fault;
use wire::query::Query;
use wire::resource;
use wire::row::Row;
use wire::types::Text;

use crate::kind::{Call, Kind, Pending, Verbs};

resource! {
    /// A part of the cloud that fails on its own.
    AvailabilityZone = Resource::of("availability_zone", "availability_zones")
        .ext("availability_zone").visible("1=1");
    name: Text<255> = ro().filter();
    resource: Text<255> = ro().filter();
    state: Text<255> = ro().filter();
}

/// The kind.
pub struct AvailabilityZones;

impl Kind for AvailabilityZones {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn verbs(&self) -> Verbs {
        Verbs::READ
    }

    fn is_stored(&self) -> bool {
        false
    }

    fn computed<'a>(
        &'a self,
        call: &'a Call<'a>,
        query: &'a Query,
    ) -> Option<Pending<'a, Vec<Row>>> {
        Some(Box::pin(async move {
            // PARITY: filtering is an extension of its own, which is not there with OVN.
            if !query.filters.is_empty() {
                return Err(fault::invalid_input(
                    "Availability zones cannot be filtered: the extension \
                     availability_zone_filter is not served.",
                ));
            }
            let zones = call.backend.availability_zones();
            let rows = zones.iter().map(|name| {
                let mut row = Row::empty(&TABLE);
                row.set(at::name, name.as_str().into());
                // PARITY: zones are of gateways, so of routers, though networks name them too.
                row.set(at::resource, "router".into());
                row.set(at::state, "available".into());
                row
            });
            Ok(rows.collect())
        }))
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}
