//! Security groups: sets of rules that filter the traffic of ports. Each project has a default
//! group, which comes into being when it is first needed. Not here: the rules
//! (`security_group_rule`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use sql::Scope;
use wire::attr::{Child, Column, Resource};
use wire::ctx::Ctx;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::query::{Filter, Query};
use wire::resource;
use wire::row::Row;
use wire::types::name::NotDefaultName;
use wire::types::reference::Reference;
use wire::types::{Id, Raw, Text};
use wire::value::Value;

use crate::backend::Backend;
use crate::kind::{Call, Kind, Pending, World};
use crate::security_group_rule::{self as rule, QUOTA as RULES};
use crate::settings::Settings;
use crate::unit::Unit;
use crate::{default_security_group_rule, default_statefulness, quota, rbac, standard};

/// The rules of a group; what is missing here is added by `fill`.
static RULE_LIST: Child = Child {
    table: "security_group_rules",
    parent: "security_group_id",
    keys: &[
        ("id", Column::Text(36)),
        ("project_id", Column::Text(255)),
        ("security_group_id", Column::Text(36)),
        ("ethertype", Column::Text(10)),
        ("direction", Column::Text(10)),
        ("protocol", Column::Text(40)),
        ("port_range_min", Column::Int),
        ("port_range_max", Column::Int),
        ("remote_ip_prefix", Column::Text(64)),
        ("remote_address_group_id", Column::Text(36)),
        ("normalized_cidr", Column::Text(64)),
        ("remote_group_id", Column::Text(36)),
        ("description", Column::Text(255)),
        ("revision_number", Column::Int),
        ("created_at", Column::Text(20)),
        ("updated_at", Column::Text(20)),
    ],
    flat: false,
    order: "id",
    kept: None,
};

resource! {
    /// A set of rules that permit traffic of ports; what no rule permits is dropped.
    SecurityGroup = Resource::of("security_group", "security_groups")
        .ext("security-group").taggable().visible(rbac::visible!("security_group"));
    id: Id = ro().filter().sort();
    name: NotDefaultName = rw().text("").filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    security_group_rules: Vec<Raw> = ro().child(&RULE_LIST);
    description: Text<255> = rw().text("").filter();
    stateful: bool = rw().flag(true).filter().ext("stateful-security-group");
    shared: bool = ro().filter().enforce().policy()
        .ext("security-groups-shared-filtering").sql(rbac::shared!("security_group"));
    tags: Vec<Text<255>> = ro().child(&standard::TAGS);
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    /// The project whose default group this is; null: of none.
    default_of: Option<Text<255>> = ro().hidden().policy();
}

/// The name of a project's own group.
const DEFAULT: &str = "default";

/// The kind.
pub struct SecurityGroups;

impl Kind for SecurityGroups {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "security-groups"
    }

    fn quota(&self) -> Option<&'static str> {
        Some("security_group")
    }

    fn unit(&self) -> Option<Unit> {
        Some(Unit::SecurityGroup)
    }

    fn not_found(&self, id: &str) -> Error {
        fault::security_group_not_found(id)
    }

    fn prepare<'a>(
        &'a self,
        world: &'a World,
        ctx: &'a Ctx,
        query: &'a Query,
    ) -> Option<Pending<'a, ()>> {
        prepare(world, ctx, query.first(at::project_id.index))
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.complete();
            default_group(call, row.project_id()).await?;
            // PARITY: the table's default is true; a project's default holds where nothing is
            // asked.
            if !ask.names(at::stateful) {
                row.set(at::stateful, default_statefulness::of(call, row.project_id()).await?);
            }
            make(call, row, false).await
        })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let id = old.id();
            if is_default(old) && ask.names(at::name) {
                return Err(fault::security_group_cannot_update_default());
            }
            let mut row = ask.applied(old);
            if row.get(at::stateful) != old.get(at::stateful) && is_used(call, id).await? {
                return Err(fault::security_group_in_use(id));
            }
            standard::changed(call, &mut row);
            standard::update(call, self, old, &row)?;
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            let id = old.id();
            if is_used(call, id).await? {
                return Err(fault::security_group_in_use(id));
            }
            if is_default(old) && !call.ctx.is_admin {
                return Err(fault::security_group_cannot_remove_default());
            }
            remove_rules(call, id).await?;
            standard::remove_or(call, self, old)
                .await?
                .or("fk_port_security_groups_group", fault::security_group_in_use(id))
                .or("fk_security_group_rules_group", Error::Retry("a rule was added"))
                .or("fk_security_group_rules_remote", Error::Retry("a rule refers to the group"));
            Ok(())
        })
    }

    fn fill(&self, _settings: &Settings, _backend: &dyn Backend, rows: &mut [Row]) {
        rows.iter_mut().for_each(complete_rules);
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

fn is_default(group: &Row) -> bool {
    group.get(at::default_of).is_some()
}

/// The rules of a group as Neutron shows them there: with the project under both names, with tags,
/// which rules cannot have, and with what they have from their group.
fn complete_rules(group: &mut Row) {
    let is_default = Json::Bool(is_default(group));
    let Some(Value::Json(rules)) = group.values.get_mut(at::security_group_rules.index) else {
        return;
    };
    let Some(rules) = rules.as_array_mut() else { return };
    for rule in rules.iter_mut().filter_map(Json::as_object_mut) {
        let project = rule.get("project_id").cloned().unwrap_or(Json::Null);
        rule.insert("tenant_id".into(), project);
        rule.insert("belongs_to_default_sg".into(), is_default.clone());
        rule.insert("tags".into(), Json::Array(Vec::new()));
    }
}

/// Before groups or rules are listed: the caller's project has its default group, and so has the
/// one that an administrator asks about.
pub fn prepare<'a>(
    world: &'a World,
    ctx: &'a Ctx,
    asked: Option<&'a Value>,
) -> Option<Pending<'a, ()>> {
    let other = asked.and_then(Value::as_text).filter(|_| ctx.is_admin);
    let project_id = other.unwrap_or(&ctx.project_id);
    // What no project is called matches nothing, and gets no group.
    if project_id.is_empty() || project_id.len() > 255 || project_id.contains(char::is_control) {
        return None;
    }
    Some(Box::pin(async move {
        let known = world
            .db
            .read(ctx, |tx| async move { find_default(&world.call(&tx, ctx), project_id).await })
            .await?;
        if known.is_some() {
            return Ok(());
        }
        world
            .db
            .write(ctx, |tx| async move {
                default_group(&world.call(&tx, ctx), project_id).await.map(drop)
            })
            .await
    }))
}

/// The security groups of a port of this project: those that are asked for, or the default one,
/// which is made where there is none yet.
///
/// # Errors
/// `SecurityGroupNotFound` for groups that the project cannot use, `SecurityGroupConflict` for
/// stateful and stateless ones together, and the quota's.
pub async fn for_port(call: &Call<'_>, project_id: &str, asked: Option<&[Id]>) -> Result<Vec<Id>> {
    let Some(asked) = asked else {
        return Ok(vec![default_group(call, project_id).await?]);
    };
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = asked.iter().map(Id::to_string).collect();
    let found = usable(call, project_id, &wanted).await?;
    let known: BTreeSet<Id> = found.iter().map(Row::id).collect();
    let missing: Vec<String> =
        asked.iter().filter(|id| !known.contains(id)).map(Id::to_string).collect();
    if !missing.is_empty() {
        return Err(fault::security_group_not_found(missing.join(", ")));
    }
    let stateful: BTreeSet<bool> = found.iter().map(|group| group.get(at::stateful)).collect();
    if stateful.len() > 1 {
        return Err(fault::security_group_conflict(
            "'security_groups' of one port must be all stateful or all stateless.",
        ));
    }
    Ok(asked.to_vec())
}

/// Refuses references to groups that the project cannot use.
///
/// # Errors
/// `SecurityGroupNotFound`.
pub async fn check_usable<'r>(
    call: &Call<'_>,
    project_id: &str,
    references: impl Iterator<Item = &'r Reference>,
) -> Result<()> {
    let references: Vec<&Reference> = references.collect();
    let wanted: BTreeSet<String> =
        references.iter().filter_map(|one| one.id()).map(|id| id.to_string()).collect();
    let found = usable(call, project_id, &wanted).await?;
    let known: BTreeSet<Id> = found.iter().map(Row::id).collect();
    let missing = |one: &&&Reference| !one.id().is_some_and(|id| known.contains(&id));
    match references.iter().find(missing) {
        Some(missing) => Err(fault::security_group_not_found(missing)),
        None => Ok(()),
    }
}

/// Those of the groups that a project owns or that are shared with it; for administrators all that
/// there are. Only the id and the statefulness are read.
async fn usable(call: &Call<'_>, project_id: &str, ids: &BTreeSet<String>) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let scope = Scope { project_id: project_id.to_owned(), all: call.ctx.is_admin };
    let query = Query {
        filters: vec![Filter::In {
            attr: at::id.index,
            values: ids.iter().map(|id| Value::text(&**id)).collect(),
        }],
        fields: vec!["id".into(), "stateful".into()],
        ..Query::default()
    };
    call.tx.list(&TABLE, &scope, &query).await
}

async fn find_default(call: &Call<'_>, project_id: &str) -> Result<Option<Id>> {
    let found = call
        .tx
        .rows("SELECT id FROM security_groups WHERE default_of = ?", &[Value::text(project_id)])
        .await?;
    Ok(found.first().and_then(|row| row.first()).and_then(Value::as_text).and_then(Id::read))
}

/// The default group of a project, made if there is none. One read where there is one.
///
/// # Errors
/// `OverQuota` of its rules; those of the database.
pub async fn default_group(call: &Call<'_>, project_id: &str) -> Result<Id> {
    if let Some(known) = find_default(call, project_id).await? {
        return Ok(known);
    }
    let mut row = Draft::blank(&TABLE, wire::draft::Verb::Create).complete();
    row.set(at::name, DEFAULT.into());
    row.set(at::project_id, project_id.into());
    row.set(at::description, "Default security group".into());
    row.set(at::default_of, Some(project_id.into()));
    make(call, row, true).await.map(|row| row.id())
}

/// Stores a new group with the rules that the templates say.
async fn make(call: &Call<'_>, mut row: Row, is_default: bool) -> Result<Row> {
    let templates = default_security_group_rule::templates(call, is_default).await?;
    let count = i64::try_from(templates.len()).unwrap_or(i64::MAX);
    if count > 0 {
        quota::take(call, RULES, row.project_id(), count).await?;
    }
    standard::born(call, &mut row);
    // PARITY: the first rules are the first revision.
    row.set(at::revision_number, i64::from(count > 0));
    if is_default {
        // PARITY: the project's own group counts, but is not refused for its quota.
        quota::count(call, "security_group", row.project_id(), 1);
        call.tx.mark(Unit::SecurityGroup as i16, row.id());
        call.tx.insert(&row)?.or(
            "uq_security_groups_default",
            Error::Retry("another request made the default security group"),
        );
    } else {
        row.set(at::default_of, None);
        standard::insert(call, &SecurityGroups, &row).await?;
    }
    let (group, project) = (Reference::from(row.id()), row.get(at::project_id));
    for terms in templates {
        rule::insert(call, &group, &project, terms.in_group(&group), None)?;
    }
    Ok(row)
}

async fn is_used(call: &Call<'_>, id: Id) -> Result<bool> {
    let found = call
        .tx
        .rows(
            "SELECT 1 FROM port_security_groups WHERE security_group_id = ? LIMIT 1",
            &[Value::text(id.to_string())],
        )
        .await?;
    Ok(!found.is_empty())
}

/// Removes the rules of a group, and those of other groups that refer to it, and gives back their
/// quota.
async fn remove_rules(call: &Call<'_>, id: Id) -> Result<()> {
    let key = vec![Value::text(id.to_string()), Value::text(id.to_string())];
    let rules = call
        .tx
        .rows(
            "SELECT project_id, security_group_id FROM security_group_rules \
             WHERE security_group_id = ? OR remote_group_id = ?",
            &key,
        )
        .await?;
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    let mut groups: BTreeSet<&str> = BTreeSet::new();
    for rule in &rules {
        let text = |column: usize| rule.get(column).and_then(Value::as_text).unwrap_or("");
        *counts.entry(text(0)).or_default() += 1;
        groups.insert(text(1));
    }
    call.tx
        .exec(
            "DELETE FROM security_group_rules WHERE security_group_id = ? OR remote_group_id = ?",
            key,
        )
        .expect(rules.len() as u64, Error::Retry("the group's rules changed"));
    for (project, count) in counts {
        quota::release(call, RULES, project, count);
    }
    let own = id.to_string();
    groups.into_iter().filter(|group| *group != own).for_each(|group| rule::touch(call, group));
    Ok(())
}
