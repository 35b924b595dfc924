//! Address scopes: sets of subnet pools whose prefixes do not overlap, so that they can be routed.

use wire::attr::Resource;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::Row;
use wire::types::{Id, Text, name::Name, words::IpVersion};

use crate::kind::{Call, Kind, Pending};
use crate::{rbac, standard};

resource! {
    /// A set of subnet pools that share one routable address space.
    AddressScope = Resource::of("address_scope", "address_scopes")
        .ext("address-scope").visible(rbac::visible!("address_scope"));
    id: Id = ro().filter().sort();
    name: Name = rw().text("").filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    ip_version: IpVersion = init().filter().sort();
    shared: bool = rw().flag(false).filter().sort().enforce().policy().sql(rbac::shared!("address_scope"));
}

/// The kind.
pub struct AddressScopes;

impl Kind for AddressScopes {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "address-scopes"
    }

    fn not_found(&self, id: &str) -> Error {
        fault::address_scope_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.complete();
            standard::born(call, &mut row);
            standard::insert(call, self, &row).await?;
            rbac::share(call, "address_scope", &row, ask.asked(at::shared).unwrap_or(false))
                .await?;
            Ok(row)
        })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            if let Some(shared) = ask.asked(at::shared) {
                if old.get(at::shared) && !shared {
                    return Err(fault::address_scope_update_error(
                        old.id(),
                        "'shared' cannot become false, as pools of other projects may be in it",
                    ));
                }
                rbac::set_shared(call, "address_scope", old, shared).await?;
            }
            let mut row = ask.applied(old);
            standard::changed(call, &mut row);
            standard::update(call, self, old, &row)?;
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            standard::remove_or(call, self, old)
                .await?
                .or("fk_subnetpools_address_scope", fault::address_scope_in_use(old.id()));
            Ok(())
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// The address scope, if the caller may refer to it.
///
/// # Errors
/// `AddressScopeNotFound`.
pub async fn get(call: &Call<'_>, id: Id) -> Result<Row> {
    call.find(&TABLE, id).await?.ok_or_else(|| fault::address_scope_not_found(id))
}

/// The IP version of a scope's row.
pub fn ip_version(row: &Row) -> i64 {
    row.value(at::ip_version.index).as_int().unwrap_or(4)
}
