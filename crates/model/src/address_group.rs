//! Address groups: sets of networks that security group rules refer to by one name.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use sql::Scope;
use wire::attr::{Child, Column, Resource, Wire};
use wire::draft::Draft;
use wire::fault::{self, Error, Fault, Result};
use wire::query::{Filter, Query};
use wire::resource;
use wire::row::Row;
use wire::show::{self, Mask};
use wire::types::cidr::{Cidr, Prefix};
use wire::types::list::{self, MOST_ENTRIES};
use wire::types::name::Name;
use wire::types::reference::Reference;
use wire::types::{Id, Text, quoted};
use wire::value::Value;

use crate::kind::{Call, Kind, Pending};
use crate::unit::Unit;
use crate::{rbac, standard};

static ADDRESSES: Child = Child {
    table: "address_group_addresses",
    parent: "address_group_id",
    keys: &[("address", Column::Text(64))],
    flat: true,
    order: "address",
    kept: None,
};

resource! {
    /// A set of networks under one name.
    AddressGroup = Resource::of("address_group", "address_groups")
        .ext("address-group").visible(rbac::visible!("address_group"));
    id: Id = ro().filter().sort();
    name: Name = rw().text("").filter().sort();
    description: Text<1024> = rw().text("").filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    addresses: Vec<Cidr> = init().unset().child(&ADDRESSES);
    shared: bool = ro().hidden().policy().sql(rbac::shared!("address_group"));
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
}

/// The kind.
pub struct AddressGroups;

impl Kind for AddressGroups {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "address-groups"
    }

    fn unit(&self) -> Option<Unit> {
        Some(Unit::AddressGroup)
    }

    fn not_found(&self, id: &str) -> Error {
        fault::address_group_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.complete();
            let addresses = ask.or_default(at::addresses);
            standard::born(call, &mut row);
            // PARITY: each address is a revision.
            row.set(at::revision_number, i64::try_from(addresses.len()).unwrap_or(i64::MAX));
            standard::insert(call, self, &row).await?;
            keep(call, row.id(), &addresses);
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            standard::remove_or(call, self, old)
                .await?
                .or("fk_security_group_rules_addresses", fault::address_group_in_use(old.id()));
            Ok(())
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        &["add_addresses", "remove_addresses"]
    }

    fn act<'a>(
        &'a self,
        call: &'a Call<'a>,
        row: &'a Row,
        action: &'a str,
        body: &'a Json,
    ) -> Pending<'a, Json> {
        Box::pin(async move {
            let named = addresses_of(body)?;
            match action {
                "add_addresses" => add(call, row, &named).await?,
                "remove_addresses" => remove(call, row, &named).await?,
                other => return Err(fault::not_found(format!("There is no action {other}."))),
            }
            answer(call, row.id()).await
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// The networks in `{"addresses": [...]}`, in one spelling, each once. PARITY: unlike a create,
/// this takes an address alone, and the same network in two spellings.
fn addresses_of(body: &Json) -> Result<BTreeSet<Cidr>> {
    let refuse = |why: String| {
        // PARITY: the type is the one of the library that reads addresses there.
        Error::from(Fault::new(
            "AddrFormatError",
            400,
            format!(
                "'addresses' must be a list of at most {MOST_ENTRIES} networks like 192.0.2.0/24: \
                 {why}."
            ),
        ))
    };
    let list = match body.get("addresses") {
        Some(Json::Array(list)) => list,
        Some(bare) if list::is_bare(bare) => &Vec::new(),
        Some(other) => return Err(refuse(format!("{} is not a list", quoted(other)))),
        None => return Err(refuse("it is missing".to_owned())),
    };
    if list.len() > MOST_ENTRIES {
        return Err(refuse(format!("it has {} entries", list.len())));
    }
    let read = |address: &Json| Prefix::parse(address).map(|prefix| prefix.cidr()).map_err(refuse);
    list.iter().map(read).collect()
}

fn names<'a>(addresses: impl Iterator<Item = &'a Cidr>) -> String {
    addresses.map(Cidr::to_string).collect::<Vec<_>>().join(", ")
}

async fn add(call: &Call<'_>, group: &Row, named: &BTreeSet<Cidr>) -> Result<()> {
    let known = group.get(at::addresses);
    let id = group.id();
    if known.iter().any(|address| named.contains(address)) {
        let twice = names(known.iter().filter(|address| named.contains(address)));
        return Err(fault::addresses_already_exist(id, twice));
    }
    keep(call, id, named);
    touch(call, id, named.len());
    Ok(())
}

/// Stores addresses that the group does not have yet.
fn keep<'a>(call: &Call<'_>, id: Id, addresses: impl IntoIterator<Item = &'a Cidr>) {
    for address in addresses {
        call.tx
            .exec(
                "INSERT INTO address_group_addresses (address_group_id, address) VALUES (?, ?)",
                vec![id.store(), address.store()],
            )
            .or("pk_address_group_addresses", fault::addresses_already_exist(id, address));
    }
}

async fn remove(call: &Call<'_>, group: &Row, named: &BTreeSet<Cidr>) -> Result<()> {
    let known: BTreeSet<Cidr> = group.get(at::addresses).into_iter().collect();
    let id = group.id();
    let missing: Vec<&Cidr> = named.difference(&known).collect();
    if !missing.is_empty() {
        return Err(fault::addresses_not_found(id, names(missing.into_iter())));
    }
    for address in named {
        call.tx
            .exec(
                "DELETE FROM address_group_addresses WHERE address_group_id = ? AND address = ?",
                vec![Value::text(id.to_string()), address.store()],
            )
            .expect(1, Error::Retry("another request removed the address"));
    }
    touch(call, id, named.len());
    Ok(())
}

/// The addresses changed: the revision goes up by their number, and the unit is dirty.
fn touch(call: &Call<'_>, id: Id, changes: usize) {
    if changes == 0 {
        return;
    }
    call.tx.exec(
        "UPDATE address_groups SET revision_number = revision_number + ?, updated_at = ? \
         WHERE id = ?",
        vec![
            Value::Int(i64::try_from(changes).unwrap_or(i64::MAX)),
            Value::Text(call.ctx.now_text()),
            Value::text(id.to_string()),
        ],
    );
    call.tx.mark(Unit::AddressGroup as i16, id);
}

/// What an action answers: the group as it is now. PARITY: with `shared`, which is not shown else.
async fn answer(call: &Call<'_>, id: Id) -> Result<Json> {
    let row = call
        .tx
        .find(&TABLE, &call.everything(), id)
        .await?
        .ok_or(Error::Retry("the address group is gone"))?;
    let mut bytes = Vec::new();
    show::object(&row, &Mask::all(&TABLE), &mut bytes);
    let mut shown: Json = serde_json::from_slice(&bytes).map_err(anyhow::Error::from)?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("shared".into(), Json::Bool(row.get(at::shared)));
    }
    Ok(json!({"address_group": shown}))
}

/// Refuses references to address groups that the project cannot use.
///
/// # Errors
/// `AddressGroupNotFound`.
pub async fn check_usable<'r>(
    call: &Call<'_>,
    project_id: &str,
    references: impl Iterator<Item = &'r Reference>,
) -> Result<()> {
    let references: BTreeSet<&Reference> = references.collect();
    if references.is_empty() {
        return Ok(());
    }
    let known = usable(call, project_id, references.iter().filter_map(|one| one.id())).await?;
    let missing = |one: &&&Reference| !one.id().is_some_and(|id| known.contains(&id));
    match references.iter().find(missing) {
        Some(missing) => Err(fault::address_group_not_found(missing)),
        None => Ok(()),
    }
}

/// Those of the groups that a project owns or that are shared with it; for administrators all that
/// there are.
async fn usable(
    call: &Call<'_>,
    project_id: &str,
    ids: impl Iterator<Item = Id>,
) -> Result<BTreeSet<Id>> {
    let values: Vec<Value> = ids.map(|id| id.store()).collect();
    if values.is_empty() {
        return Ok(BTreeSet::new());
    }
    let scope = Scope { project_id: project_id.to_owned(), all: call.ctx.is_admin };
    let query = Query {
        filters: vec![Filter::In { attr: at::id.index, values }],
        fields: vec!["id".into()],
        ..Query::default()
    };
    let found = call.tx.list(&TABLE, &scope, &query).await?;
    Ok(found.iter().map(Row::id).collect())
}
