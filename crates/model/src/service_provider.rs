//! Providers of services: none, until a service (routers) is served that has a choice of them.

use wire::attr::Resource;
use wire::query::Query;
use wire::resource;
use wire::row::Row;
use wire::types::Text;

use crate::kind::{Call, Kind, Pending, Verbs};

resource! {
    /// Who realises a service.
    ServiceProvider = Resource::of("service_provider", "service_providers")
        .ext("service-type").visible("1=1").any_filter();
    service_type: Text<255> = ro().filter();
    name: Text<255> = ro().filter();
    default: bool = ro().filter();
}

/// The kind.
pub struct ServiceProviders;

impl Kind for ServiceProviders {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "service-providers"
    }

    fn verbs(&self) -> Verbs {
        Verbs::READ
    }

    fn is_stored(&self) -> bool {
        false
    }

    fn computed<'a>(
        &'a self,
        _call: &'a Call<'a>,
        _query: &'a Query,
    ) -> Option<Pending<'a, Vec<Row>>> {
        Some(Box::pin(async { Ok(Vec::new()) }))
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}
