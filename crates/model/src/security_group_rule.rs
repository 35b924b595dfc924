//! Rules of security groups: which traffic the ports of a group may send or receive. What a rule
//! may say is in `security_group_rule/terms.rs`.

pub mod terms;

use std::collections::BTreeSet;

use wire::attr::Resource;
use wire::ctx::Ctx;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::query::Query;
use wire::resource;
use wire::row::Row;
use wire::types::cidr::{Cidr, Prefix};
use wire::types::port_range::PortNumber;
use wire::types::protocol::Protocol;
use wire::types::reference::Reference;
use wire::types::words::{Direction, Ethertype};
use wire::types::{Id, Text};
use wire::value::Value;

use self::terms::Terms;
use crate::kind::{Call, Kind, Pending, World};
use crate::unit::Unit;
use crate::{address_group, quota, security_group, standard};

resource! {
    /// Traffic that is permitted to the ports of a group.
    SecurityGroupRule = Resource::of("security_group_rule", "security_group_rules")
        .ext("security-group").visible(concat!(
            "(t.project_id = :project OR EXISTS (SELECT 1 FROM security_groups g ",
            "WHERE g.id = t.security_group_id AND g.project_id = :project))"
        ));
    id: Id = ro().filter().sort();
    security_group_id: Reference = init().filter().sort().policy();
    remote_group_id: Option<Reference> = init().null().filter().sort();
    direction: Direction = init().filter().sort();
    protocol: Option<Protocol> = init().null().filter().sort();
    port_range_min: Option<PortNumber> = init().null().filter().sort();
    port_range_max: Option<PortNumber> = init().null().filter().sort();
    ethertype: Ethertype = init().text("IPv4").filter().sort();
    remote_ip_prefix: Option<Prefix> = init().null().filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    remote_address_group_id: Option<Reference> =
        init().null().filter().sort().ext("security-groups-remote-address-group");
    normalized_cidr: Option<Cidr> = ro().filter().sort().ext("security-groups-normalized-cidr");
    belongs_to_default_sg: bool = ro().filter().policy()
        .ext("security-groups-rules-belongs-to-default-sg").sql(concat!(
            "EXISTS (SELECT 1 FROM security_groups g ",
            "WHERE g.id = t.security_group_id AND g.default_of IS NOT NULL)"
        ));
    /// Null in rules made from a template.
    description: Option<Text<255>> = rw().never_null().text("").filter();
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    /// The group's owner, who decides about its rules.
    group_project_id: Text<255> = ro().hidden().policy().wire("security_group:project_id")
        .sql("(SELECT g.project_id FROM security_groups g WHERE g.id = t.security_group_id)");
    /// What it permits, written in one way (`Terms::meaning`).
    meaning: Text<255> = ro().hidden();
}

/// The name of the quota.
pub const QUOTA: &str = "security_group_rule";

/// The kind.
pub struct SecurityGroupRules;

impl Kind for SecurityGroupRules {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "security-group-rules"
    }

    fn quota(&self) -> Option<&'static str> {
        Some(QUOTA)
    }

    fn parent(&self) -> Option<(&'static str, &'static str)> {
        Some(("security_group", "security_group_id"))
    }

    fn not_found(&self, id: &str) -> Error {
        fault::security_group_rule_not_found(id)
    }

    fn prepare<'a>(
        &'a self,
        world: &'a World,
        ctx: &'a Ctx,
        query: &'a Query,
    ) -> Option<Pending<'a, ()>> {
        security_group::prepare(world, ctx, query.first(at::project_id.index))
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let made = create(call, std::slice::from_ref(ask)).await?;
            made.into_iter().next().ok_or_else(|| Error::internal("a rule was not made"))
        })
    }

    fn create_all<'a>(&'a self, call: &'a Call<'a>, asks: &'a [Draft]) -> Pending<'a, Vec<Row>> {
        Box::pin(create(call, asks))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.applied(old);
            standard::changed(call, &mut row);
            standard::update(call, self, old, &row)?;
            // PARITY: Neutron offers this and answers 500.
            touch(call, old.get(at::security_group_id).as_str());
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            touch(call, old.get(at::security_group_id).as_str());
            standard::remove(call, self, old).await
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// A rule changed its group: the group's revision goes up, and its unit is dirty.
pub fn touch(call: &Call<'_>, group: &str) {
    call.tx.exec(
        "UPDATE security_groups SET revision_number = revision_number + 1, updated_at = ? \
         WHERE id = ?",
        vec![Value::Text(call.ctx.now_text()), Value::text(group)],
    );
    if let Some(id) = Id::read(group) {
        call.tx.mark(Unit::SecurityGroup as i16, id);
    }
}

/// Makes rules, all of one group and one project, with a constant number of reads.
async fn create(call: &Call<'_>, asks: &[Draft]) -> Result<Vec<Row>> {
    let Some(first) = asks.first() else {
        return Ok(Vec::new());
    };
    same_group_and_project(asks)?;
    let mut meanings = BTreeSet::new();
    let mut rules = Vec::with_capacity(asks.len());
    for ask in asks {
        let terms = terms_of(ask).checked()?;
        rules.push((ask.or_default(at::description), terms));
    }
    let group = first.or_default(at::security_group_id);
    let project = first.or_default(at::project_id);
    check_references(call, project.as_str(), &group, &rules).await?;
    for (place, (_, terms)) in rules.iter().enumerate() {
        if !meanings.insert(terms.meaning()) {
            return Err(fault::duplicate_security_group_rule_in_post(place + 1));
        }
    }
    let count = i64::try_from(rules.len()).unwrap_or(i64::MAX);
    quota::take(call, QUOTA, project.as_str(), count).await?;
    // The group's row first: requests for one group then wait for each other here, and never
    // deadlock between the foreign key of a rule and this.
    touch(call, group.as_str());
    rules
        .into_iter()
        .map(|(description, terms)| insert(call, &group, &project, terms, description))
        .collect()
}

fn same_group_and_project(asks: &[Draft]) -> Result<()> {
    let distinct =
        |of: &dyn Fn(&Draft) -> String| asks.iter().map(of).collect::<BTreeSet<_>>().len();
    if distinct(&|ask| ask.or_default(at::security_group_id).0) > 1 {
        return Err(fault::security_group_not_single_group_rules());
    }
    if distinct(&|ask| ask.or_default(at::project_id).0) > 1 {
        return Err(fault::security_group_rules_not_single_project());
    }
    Ok(())
}

fn terms_of(ask: &Draft) -> Terms {
    Terms {
        direction: ask.or_default(at::direction),
        ethertype: ask.or_default(at::ethertype),
        protocol: ask.or_default(at::protocol),
        port_range_min: ask.or_default(at::port_range_min),
        port_range_max: ask.or_default(at::port_range_max),
        remote_group_id: ask.or_default(at::remote_group_id),
        remote_address_group_id: ask.or_default(at::remote_address_group_id),
        remote_ip_prefix: ask.or_default(at::remote_ip_prefix),
    }
}

/// The remote groups, the address groups and the group itself must be the project's to use.
async fn check_references(
    call: &Call<'_>,
    project: &str,
    group: &Reference,
    rules: &[(Option<Text<255>>, Terms)],
) -> Result<()> {
    let remotes = rules.iter().filter_map(|(_, terms)| terms.remote_group_id.as_ref());
    security_group::check_usable(call, project, remotes.chain([group])).await?;
    let remotes = rules.iter().filter_map(|(_, terms)| terms.remote_address_group_id.as_ref());
    address_group::check_usable(call, project, remotes).await
}

/// Stores one rule of a group. The quota is the caller's.
///
/// # Errors
/// Those of the database when they surface; `SecurityGroupRuleExists`, and the not-found faults of
/// what it refers to.
pub fn insert(
    call: &Call<'_>,
    group: &Reference,
    project: &Text<255>,
    terms: Terms,
    description: Option<Text<255>>,
) -> Result<Row> {
    let remote = named(&terms.remote_group_id);
    let addresses = named(&terms.remote_address_group_id);
    let mut row = Row::empty(&TABLE);
    standard::born(call, &mut row);
    row.set(at::security_group_id, group.clone());
    row.set(at::project_id, project.clone());
    row.set(at::description, description);
    row.set(at::meaning, Text(terms.meaning()));
    row.set(at::normalized_cidr, terms.remote_ip_prefix.map(|prefix| prefix.cidr()));
    row.set(at::direction, terms.direction);
    row.set(at::ethertype, terms.ethertype);
    row.set(at::protocol, terms.protocol);
    row.set(at::port_range_min, terms.port_range_min);
    row.set(at::port_range_max, terms.port_range_max);
    row.set(at::remote_ip_prefix, terms.remote_ip_prefix);
    row.set(at::remote_group_id, terms.remote_group_id);
    row.set(at::remote_address_group_id, terms.remote_address_group_id);
    call.tx
        .insert(&row)?
        .or("uq_security_group_rules_meaning", fault::security_group_rule_exists(group))
        .or("fk_security_group_rules_group", fault::security_group_not_found(group))
        .or("fk_security_group_rules_remote", fault::security_group_not_found(remote))
        .or("fk_security_group_rules_addresses", fault::address_group_not_found(addresses));
    Ok(row)
}

fn named(reference: &Option<Reference>) -> String {
    reference.as_ref().map_or_else(String::new, Reference::to_string)
}
