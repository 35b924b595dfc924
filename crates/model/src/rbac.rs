//! Sharing: entries that let other projects see and use an object. Here are the SQL conditions that
//! the tables of shareable kinds are made with, and what `shared` means; the `/rbac-policies` kind
//! itself too.

mod object_type;

use wire::attr::Resource;
use wire::draft::Draft;
use wire::fault::{self, Error, Fault, Result};
use wire::resource;
use wire::row::Row;
use wire::types::hint::TargetProject;
use wire::types::{Id, Text};
use wire::value::Value;

use self::object_type::ObjectType;
use crate::kind::{Call, Kind, Pending};
use crate::quota;
use crate::standard;

/// The condition under which a caller sees a row of a shareable kind: his own, or shared with him.
macro_rules! visible {
    ($kind:literal) => {
        concat!("(t.project_id = :project OR ", crate::rbac::shared!($kind), ")")
    };
}
pub(crate) use visible;

/// True when a row is shared with the caller's project or with everybody.
macro_rules! shared {
    ($kind:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM rbac_policies r WHERE r.object_id = t.id AND r.object_type = '",
            $kind,
            "' AND r.action = 'access_as_shared' AND r.target_project IN (:project, '*'))"
        )
    };
}
pub(crate) use shared;

resource! {
    /// One entry: a project, or everybody, may use an object in some way.
    RbacPolicy = Resource::of("rbac_policy", "rbac_policies").ext("rbac-policies");
    id: Id = ro().filter();
    project_id: Text<255> = init().filter().policy();
    object_type: ObjectType = init().filter().enforce();
    object_id: Id = init().filter().enforce();
    action: Text<64> = init().filter().enforce();
    /// A project, or `*` for all of them.
    target_project: TargetProject = rw().filter().enforce().policy().wire("target_tenant");
}

/// Other projects may use the object.
pub const SHARED: &str = "access_as_shared";
/// Other projects may use the network as a way outside.
pub const EXTERNAL: &str = "access_as_external";

/// A shareable kind: its name in entries, its collection, and who uses one through being shared
/// with.
struct Shareable {
    object_type: &'static str,
    many: &'static str,
    actions: &'static [&'static str],
    users: &'static str,
}

static SHAREABLE: &[Shareable] = &[
    Shareable {
        object_type: "network",
        many: "networks",
        actions: &[SHARED, EXTERNAL],
        users: "SELECT DISTINCT project_id FROM ports WHERE network_id = ?",
    },
    Shareable {
        object_type: "subnetpool",
        many: "subnetpools",
        actions: &[SHARED],
        users: "SELECT DISTINCT project_id FROM subnets WHERE subnetpool_id = ?",
    },
    Shareable {
        object_type: "address_scope",
        many: "address_scopes",
        actions: &[SHARED],
        users: "SELECT DISTINCT project_id FROM subnetpools WHERE address_scope_id = ?",
    },
    Shareable {
        object_type: "security_group",
        many: "security_groups",
        actions: &[SHARED],
        users: "SELECT DISTINCT p.project_id FROM port_security_groups g \
                JOIN ports p ON p.id = g.port_id WHERE g.security_group_id = ?",
    },
    Shareable {
        object_type: "address_group",
        many: "address_groups",
        actions: &[SHARED],
        users: "SELECT DISTINCT project_id FROM security_group_rules \
                WHERE remote_address_group_id = ?",
    },
];

/// The name of its quota, which counts the entries that `shared` makes as well.
const QUOTA: &str = "rbac_policy";

/// True for kinds whose objects can be shared.
pub fn is_shareable(object_type: &str) -> bool {
    SHAREABLE.iter().any(|kind| kind.object_type == object_type)
}

fn shareable(object_type: &str) -> Result<&'static Shareable> {
    SHAREABLE.iter().find(|kind| kind.object_type == object_type).ok_or_else(|| {
        let known: Vec<&str> = SHAREABLE.iter().map(|kind| kind.object_type).collect();
        fault::invalid_input(format!(
            "'object_type' must be one of {}, not {}.",
            known.join(", "),
            wire::types::quoted(&serde_json::Value::from(object_type))
        ))
    })
}

/// The kind.
pub struct RbacPolicies;

impl Kind for RbacPolicies {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "rbac-policies"
    }

    fn quota(&self) -> Option<&'static str> {
        Some(QUOTA)
    }

    fn not_found(&self, id: &str) -> Error {
        fault::rbac_policy_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let object = object(call, ask).await?;
            let mut row = ask.complete();
            standard::born(call, &mut row);
            standard::insert(call, self, &row).await?.or(
                "uq_rbac_policies_entry",
                fault::duplicate_rbac_policy(object.id(), row.get(at::target_project).0),
            );
            became_external(call, &row);
            Ok(row)
        })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = old.clone();
            let policy = RbacPolicy::load_of(old);
            let Some(target) = ask.asked(at::target_project) else {
                return Err(nothing_asked(&policy));
            };
            if target != policy.target_project && !target.is_all() {
                may_withdraw(call, &policy, Some(&target.0)).await?;
            }
            call.tx
                .exec(
                    "UPDATE rbac_policies SET target_project = ? WHERE id = ?",
                    vec![Value::text(&*target.0), Value::text(policy.id.to_string())],
                )
                .or(
                    "uq_rbac_policies_entry",
                    fault::duplicate_rbac_policy(policy.object_id, &target.0),
                );
            row.set(at::target_project, target);
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            let policy = RbacPolicy::load_of(old);
            may_withdraw(call, &policy, None).await?;
            standard::remove(call, self, old).await?;
            no_longer_external(call, &policy);
            Ok(())
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

impl RbacPolicy {
    fn load_of(row: &Row) -> Self {
        <Self as wire::row::Record>::load(row)
    }
}

/// PARITY: an update that says nothing is refused as one that strands somebody.
fn nothing_asked(policy: &RbacPolicy) -> Error {
    let why = format!("The update of RBAC policy {} must give 'target_tenant'.", policy.id);
    Fault::new("RbacPolicyInUse", 409, why).into()
}

/// The object to share: one of the caller's own, or any for an administrator.
async fn object(call: &Call<'_>, ask: &Draft) -> Result<Row> {
    let kind = shareable(ask.or_default(at::object_type).as_str())?;
    let action = ask.or_default(at::action);
    if !kind.actions.contains(&action.as_str()) {
        let asked = wire::types::quoted_text(action.as_str());
        let known = kind.actions.join(", ");
        return Err(fault::invalid_action_for_type(asked, kind.object_type, known));
    }
    let id = ask.or_default(at::object_id);
    let not_found = || fault::rbac_object_not_found(kind.object_type, id);
    let table = crate::kind(kind.many).map(Kind::table).ok_or_else(not_found)?;
    let object = call.find(table, id).await?.ok_or_else(not_found)?;
    if !call.ctx.is_admin && object.project_id() != call.ctx.project_id {
        return Err(fault::invalid_input(format!(
            "'object_id' must be an object of the project itself; {id} belongs to another.",
        )));
    }
    Ok(object)
}

/// Refuses to withdraw an entry through which other projects still use the object.
async fn may_withdraw(call: &Call<'_>, policy: &RbacPolicy, instead: Option<&str>) -> Result<()> {
    if policy.action.as_str() != SHARED {
        return Ok(());
    }
    let kind = shareable(policy.object_type.as_str())?;
    let Some(table) = crate::kind(kind.many).map(Kind::table) else {
        return Ok(());
    };
    let Some(object) = call.tx.find(table, &call.everything(), policy.object_id).await? else {
        return Ok(());
    };
    let left = stranded(call, kind, &object, &policy.target_project.0, instead).await?;
    if left.is_empty() {
        return Ok(());
    }
    Err(fault::rbac_policy_in_use(policy.object_id, left.join(", ")))
}

/// The projects that use an object and could no longer if it were not shared with `target`.
async fn stranded(
    call: &Call<'_>,
    kind: &Shareable,
    object: &Row,
    target: &str,
    instead: Option<&str>,
) -> Result<Vec<String>> {
    let id = Value::text(object.id().to_string());
    let entries = call
        .tx
        .rows(
            "SELECT target_project FROM rbac_policies \
             WHERE object_id = ? AND object_type = ? AND action = ?",
            &[id.clone(), Value::text(kind.object_type), Value::text(SHARED)],
        )
        .await?;
    let mut others: Vec<&str> = entries
        .iter()
        .filter_map(|row| row.first().and_then(Value::as_text))
        .filter(|other| *other != target)
        .collect();
    others.extend(instead);
    if others.contains(&"*") {
        return Ok(Vec::new());
    }
    let users = call.tx.rows(kind.users, &[id]).await?;
    Ok(users
        .iter()
        .filter_map(|row| row.first().and_then(Value::as_text))
        .filter(|user| target == "*" || *user == target)
        .filter(|user| !user.is_empty() && *user != object.project_id() && !others.contains(user))
        .map(str::to_owned)
        .collect())
}

/// Shares a new object with everybody, if that was asked.
///
/// # Errors
/// Those of the database.
pub async fn share(call: &Call<'_>, object_type: &str, object: &Row, asked: bool) -> Result<()> {
    if asked {
        entry(call, object_type, object, SHARED).await?;
    }
    Ok(())
}

/// Makes the entry for everybody, unless it is there. Counted, but not limited.
///
/// # Errors
/// Those of the database.
pub async fn entry(call: &Call<'_>, object_type: &str, object: &Row, action: &str) -> Result<()> {
    let id = object.id().to_string();
    let there = call
        .tx
        .rows(
            "SELECT 1 FROM rbac_policies WHERE object_id = ? AND object_type = ? AND action = ? \
             AND target_project = '*'",
            &[Value::text(&*id), Value::text(object_type), Value::text(action)],
        )
        .await?;
    if !there.is_empty() {
        return Ok(());
    }
    quota::count(call, QUOTA, object.project_id(), 1);
    call.tx
        .exec(
            "INSERT INTO rbac_policies \
             (id, project_id, object_type, object_id, action, target_project) \
             VALUES (?, ?, ?, ?, ?, '*')",
            vec![
                Value::text(call.ctx.new_id().to_string()),
                Value::text(object.project_id()),
                Value::text(object_type),
                Value::text(id),
                Value::text(action),
            ],
        )
        .or("uq_rbac_policies_entry", Error::Retry("somebody else shared the object"));
    Ok(())
}

/// Removes the entries for which a condition holds, and gives back their share of the quotas.
///
/// # Errors
/// Those of the database.
pub async fn remove_entries(
    call: &Call<'_>,
    condition: &'static str,
    params: Vec<Value>,
) -> Result<()> {
    let sql = format!(
        "SELECT project_id, COUNT(*) FROM rbac_policies WHERE {condition} GROUP BY project_id"
    );
    let mut all = 0;
    for row in call.tx.rows(&sql, &params).await? {
        if let [Value::Text(project), Value::Int(count)] = row.as_slice() {
            quota::release(call, QUOTA, project, *count);
            all += u64::try_from(*count).unwrap_or(0);
        }
    }
    call.tx
        .exec(format!("DELETE FROM rbac_policies WHERE {condition}"), params)
        .expect(all, Error::Retry("the sharing of the object changed"));
    Ok(())
}

/// Sets whether an object is shared with everybody.
///
/// # Errors
/// `RbacPolicyInUse`; for networks `InvalidSharedSetting`.
pub async fn set_shared(
    call: &Call<'_>,
    object_type: &str,
    object: &Row,
    shared: bool,
) -> Result<()> {
    if shared {
        return entry(call, object_type, object, SHARED).await;
    }
    let kind = shareable(object_type)?;
    let left = stranded(call, kind, object, "*", None).await?;
    if !left.is_empty() {
        return Err(if object_type == "network" {
            fault::invalid_shared_setting(object.id())
        } else {
            fault::rbac_policy_in_use(object.id(), left.join(", "))
        });
    }
    remove_entries(
        call,
        "object_id = ? AND object_type = ? AND action = ? AND target_project = '*'",
        vec![Value::text(object.id().to_string()), Value::text(object_type), Value::text(SHARED)],
    )
    .await
}

/// PARITY: the first `access_as_external` entry of a network makes it external.
fn became_external(call: &Call<'_>, row: &Row) {
    if row.get(at::action).as_str() == EXTERNAL {
        call.tx.exec(
            "UPDATE networks SET router_external = ? WHERE id = ?",
            vec![Value::Bool(true), Value::text(row.get(at::object_id).to_string())],
        );
        call.tx.mark(crate::unit::Unit::Network as i16, row.get(at::object_id));
    }
}

/// PARITY: without any such entry it is external no longer.
fn no_longer_external(call: &Call<'_>, policy: &RbacPolicy) {
    if policy.action.as_str() == EXTERNAL {
        let id = policy.object_id.to_string();
        call.tx.exec(
            "UPDATE networks SET router_external = ? WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM rbac_policies r WHERE r.object_id = ? AND r.action = ?)",
            vec![Value::Bool(false), Value::text(&*id), Value::text(&*id), Value::text(EXTERNAL)],
        );
        call.tx.mark(crate::unit::Unit::Network as i16, policy.object_id);
    }
}
