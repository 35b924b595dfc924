//! `nucleon db check`: does every stored row convert, and does every invariant hold? Names what
//! does not and how to mend it. Changes nothing.

use serde_json::Value as Json;
use sql::{Db, Tx};
use wire::attr::{Attr, Column, Resource, Source};
use wire::ctx::Ctx;
use wire::fault::Result;
use wire::types::cidr::Cidr;
use wire::types::ip::Ip;
use wire::value::Value;

use crate::KINDS;
use crate::binding;
use crate::kind::Kind;

/// Rows that are read at once.
const BATCH: usize = 1000;
/// Rows that are named for one broken invariant.
const NAMED_MAX: usize = 20;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The SQL table.
    pub table: String,
    /// Which row: its id, or what else tells it.
    pub row: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub remedy: String,
}

/// Something that always holds: a statement that finds the rows for which it does not.
struct Invariant {
    table: &'static str,
    sql: &'static str,
    problem: &'static str,
    remedy: &'static str,
}

static INVARIANTS: &[Invariant] = &[
    Invariant {
        table: "ports",
        sql: "SELECT p.id FROM ports p WHERE \
              (SELECT COUNT(*) FROM port_bindings b WHERE b.active_port = p.id) <> 1",
        problem: "the port has no active binding",
        remedy: "set binding:host_id of the port (an empty one unbinds it)",
    },
    Invariant {
        table: "ports",
        sql: "SELECT p.id FROM ports p WHERE \
              p.status NOT IN ('ACTIVE', 'DOWN', 'BUILD', 'ERROR', 'N/A')",
        problem: "the status is none of ACTIVE, DOWN, BUILD, ERROR and N/A",
        remedy: "set it to DOWN; the data plane says when the port works",
    },
    Invariant {
        table: "networks",
        sql: "SELECT n.id FROM networks n WHERE \
              n.status NOT IN ('ACTIVE', 'DOWN', 'BUILD', 'ERROR')",
        problem: "the status is none of ACTIVE, DOWN, BUILD and ERROR",
        remedy: "set it to ACTIVE",
    },
    Invariant {
        table: "port_bindings",
        sql: "SELECT b.port_id FROM port_bindings b WHERE \
              (b.status = 'ACTIVE' AND (b.active_port IS NULL OR b.active_port <> b.port_id)) \
              OR (b.status <> 'ACTIVE' AND b.active_port IS NOT NULL AND b.host <> '')",
        problem: "status and active_port of a binding disagree",
        remedy: "set active_port to the port's id where status is ACTIVE, else to null",
    },
    Invariant {
        table: "distributed_port_bindings",
        sql: "SELECT b.port_id FROM distributed_port_bindings b JOIN ports p ON p.id = b.port_id \
              WHERE b.host = '' OR b.status NOT IN ('ACTIVE', 'DOWN') \
              OR p.device_owner <> 'network:router_interface_distributed'",
        problem: "it is no binding of a distributed port to a host, ACTIVE or DOWN",
        remedy: "delete the row, or store there what it should be",
    },
    Invariant {
        table: "port_binding_levels",
        sql: "SELECT DISTINCT l.port_id FROM port_binding_levels l WHERE NOT EXISTS \
              (SELECT 1 FROM port_bindings b WHERE b.port_id = l.port_id AND b.host = l.host) \
              AND NOT EXISTS (SELECT 1 FROM distributed_port_bindings b \
              WHERE b.port_id = l.port_id AND b.host = l.host)",
        problem: "a level belongs to no binding of the port",
        remedy: "delete it from port_binding_levels",
    },
    Invariant {
        table: "ip_allocations",
        sql: "SELECT a.port_id FROM ip_allocations a JOIN subnets s ON s.id = a.subnet_id \
              JOIN ports p ON p.id = a.port_id WHERE s.network_id <> p.network_id",
        problem: "the port has an address of another network's subnet",
        remedy: "set the port's fixed_ips anew",
    },
    Invariant {
        table: "networks",
        sql: "SELECT n.id FROM networks n WHERE \
              NOT EXISTS (SELECT 1 FROM segments g WHERE g.network_id = n.id)",
        problem: "the network has no segment",
        remedy: "add one with POST /v2.0/segments, or delete the network",
    },
    Invariant {
        table: "segments",
        sql: "SELECT g.id FROM segments g WHERE g.network_type <> 'local' AND NOT EXISTS \
              (SELECT 1 FROM segment_allocations a WHERE a.segment_id = g.id \
              AND a.network_type = g.network_type \
              AND a.segmentation_id = COALESCE(g.segmentation_id, 0))",
        problem: "the segment does not hold what it says",
        remedy: "delete the segment and make it anew",
    },
    Invariant {
        table: "security_groups",
        sql: "SELECT g.id FROM security_groups g WHERE g.default_of IS NOT NULL \
              AND g.default_of <> g.project_id",
        problem: "the group is the default of another project",
        remedy: "set default_of to the group's project_id",
    },
    Invariant {
        table: "tags",
        sql: "SELECT DISTINCT t.resource_id FROM tags t WHERE \
              NOT EXISTS (SELECT 1 FROM networks n WHERE n.id = t.resource_id) \
              AND NOT EXISTS (SELECT 1 FROM subnets n WHERE n.id = t.resource_id) \
              AND NOT EXISTS (SELECT 1 FROM ports n WHERE n.id = t.resource_id) \
              AND NOT EXISTS (SELECT 1 FROM subnetpools n WHERE n.id = t.resource_id) \
              AND NOT EXISTS (SELECT 1 FROM security_groups n WHERE n.id = t.resource_id) \
              AND NOT EXISTS (SELECT 1 FROM segments n WHERE n.id = t.resource_id)",
        problem: "a tag belongs to nothing",
        remedy: "delete it from tags",
    },
    Invariant {
        table: "rbac_policies",
        sql: "SELECT r.id FROM rbac_policies r WHERE \
              NOT EXISTS (SELECT 1 FROM networks n WHERE n.id = r.object_id) \
              AND NOT EXISTS (SELECT 1 FROM subnetpools n WHERE n.id = r.object_id) \
              AND NOT EXISTS (SELECT 1 FROM address_scopes n WHERE n.id = r.object_id) \
              AND NOT EXISTS (SELECT 1 FROM security_groups n WHERE n.id = r.object_id) \
              AND NOT EXISTS (SELECT 1 FROM address_groups n WHERE n.id = r.object_id)",
        problem: "the policy shares nothing that exists",
        remedy: "delete it with DELETE /v2.0/rbac-policies/<id>",
    },
];

/// Reads the whole database and says what is wrong with it.
///
/// # Errors
/// Those of the database.
pub async fn check(db: &Db, ctx: &Ctx) -> Result<Vec<Finding>> {
    db.read(ctx, |tx| async move {
        let mut findings = Vec::new();
        for kind in KINDS {
            if kind.is_stored() {
                rows_of(&tx, kind.table(), &mut findings).await?;
            }
            counted(&tx, *kind, &mut findings).await?;
            kept(&tx, kind.table(), &mut findings).await?;
        }
        for invariant in INVARIANTS {
            holds(&tx, invariant, &mut findings).await?;
        }
        addresses(&tx, &mut findings).await?;
        bindings(&tx, "port_bindings", &[], &mut findings).await?;
        // The words of its status are others, and an invariant's.
        bindings(&tx, "distributed_port_bindings", &["status"], &mut findings).await?;
        Ok(findings)
    })
    .await
}

/// Every column of every row of a kind converts.
async fn rows_of(tx: &Tx, table: &'static Resource, findings: &mut Vec<Finding>) -> Result<()> {
    let stored: Vec<&Attr> =
        table.attrs.iter().filter(|attr| matches!(attr.verbs.source, Source::Column)).collect();
    let columns: Vec<&str> = stored.iter().map(|attr| attr.field).collect();
    let mut after = String::new();
    loop {
        let sql = format!(
            "SELECT {} FROM {} WHERE id > ? ORDER BY id LIMIT {BATCH}",
            columns.join(", "),
            table.table
        );
        let rows = tx.rows(&sql, &[Value::text(&*after)]).await?;
        for row in &rows {
            let id = row.first().and_then(Value::as_text).unwrap_or_default();
            after = id.to_owned();
            for (attr, value) in stored.iter().zip(row) {
                if !is_sound(attr, value) {
                    findings.push(Finding {
                        table: table.table.to_owned(),
                        row: id.to_owned(),
                        problem: format!("the column {} does not convert", attr.field),
                        remedy: format!("store {} there; it reads as empty now", attr.accepts),
                    });
                }
            }
        }
        if rows.len() < BATCH {
            return Ok(());
        }
    }
}

/// Every column of every binding of a port converts, but for those in `but`.
async fn bindings(
    tx: &Tx,
    table: &'static str,
    but: &[&str],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let stored = binding::TABLE.attrs.iter();
    let stored: Vec<&Attr> = stored
        .filter(|attr| matches!(attr.verbs.source, Source::Column) && !but.contains(&attr.field))
        .collect();
    let columns: Vec<&str> = stored.iter().map(|attr| attr.field).collect();
    let mut after = String::new();
    loop {
        // A port has few bindings, so that a batch of ports is no large answer.
        let sql = format!(
            "SELECT p.id, {} FROM \
             (SELECT id FROM ports WHERE id > ? ORDER BY id LIMIT {BATCH}) p \
             LEFT JOIN {table} b ON b.port_id = p.id ORDER BY p.id",
            columns.join(", ")
        );
        let rows = tx.rows(&sql, &[Value::text(&*after)]).await?;
        for row in &rows {
            let Some((port, values)) = row.split_first() else { continue };
            let port = port.as_text().unwrap_or_default();
            after = port.to_owned();
            // A port without a binding is found elsewhere.
            if values.iter().all(|value| *value == Value::Null) {
                continue;
            }
            for (attr, value) in stored.iter().zip(values) {
                if !is_sound(attr, value) {
                    findings.push(Finding {
                        table: table.to_owned(),
                        row: port.to_owned(),
                        problem: format!("the column {} does not convert", attr.field),
                        remedy: format!("store {} there; it reads as empty now", attr.accepts),
                    });
                }
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

fn is_sound(attr: &Attr, value: &Value) -> bool {
    let converted = match (attr.column, value) {
        (Column::Json, Value::Text(text)) => match serde_json::from_str::<Json>(text) {
            Ok(json) => Value::from(json),
            Err(_) => return false,
        },
        (Column::Bool, Value::Int(number)) => Value::Bool(*number != 0),
        (_, other) => other.clone(),
    };
    (attr.sound)(&converted)
}

/// The counters of a kind's quota say what is there.
async fn counted(tx: &Tx, kind: &dyn Kind, findings: &mut Vec<Finding>) -> Result<()> {
    let Some(resource) = kind.quota() else {
        return Ok(());
    };
    let sql = format!(
        "SELECT u.project_id, u.used, (SELECT COUNT(*) FROM {0} t WHERE t.project_id = u.project_id) \
         FROM quota_usage u WHERE u.resource = ? AND u.used <> \
         (SELECT COUNT(*) FROM {0} t WHERE t.project_id = u.project_id)",
        kind.table().table
    );
    for row in tx.rows(&sql, &[Value::text(resource)]).await? {
        if let [Value::Text(project), Value::Int(used), Value::Int(real)] = row.as_slice() {
            findings.push(Finding {
                table: "quota_usage".into(),
                row: format!("{project}, {resource}"),
                problem: format!("it counts {used} and there are {real}"),
                remedy: format!("set used to {real}"),
            });
        }
    }
    Ok(())
}

/// The lists that are kept in a kind's rows are those of the child tables.
async fn kept(tx: &Tx, table: &Resource, findings: &mut Vec<Finding>) -> Result<()> {
    for attr in table.attrs {
        let Source::Child(child) = attr.verbs.source else { continue };
        let Some(sql) = sql::kept::drifted(tx.dialect(), table.table, child) else { continue };
        let problem = format!("the kept list of {} is not what {} has", attr.wire, child.table);
        let remedy = format!("set {} of it anew", attr.wire);
        name(tx, &sql, (table.table, &problem, &remedy), findings).await?;
    }
    Ok(())
}

async fn holds(tx: &Tx, invariant: &Invariant, findings: &mut Vec<Finding>) -> Result<()> {
    let Invariant { table, sql, problem, remedy } = invariant;
    name(tx, sql, (table, problem, remedy), findings).await
}

/// Names the rows that a statement finds, with their table, the problem and the remedy.
async fn name(
    tx: &Tx,
    sql: &str,
    (table, problem, remedy): (&str, &str, &str),
    findings: &mut Vec<Finding>,
) -> Result<()> {
    for row in tx.rows(sql, &[]).await?.iter().take(NAMED_MAX) {
        findings.push(Finding {
            table: table.into(),
            row: row.first().and_then(Value::as_text).unwrap_or_default().to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }
    Ok(())
}

/// Every address that a port has is one of its subnet.
async fn addresses(tx: &Tx, findings: &mut Vec<Finding>) -> Result<()> {
    let rows = tx
        .rows(
            "SELECT a.port_id, a.ip_address, s.cidr FROM ip_allocations a \
             JOIN subnets s ON s.id = a.subnet_id",
            &[],
        )
        .await?;
    for row in rows {
        let [Value::Text(port), Value::Text(address), Value::Text(cidr)] = row.as_slice() else {
            continue;
        };
        let inside = Ip::read(address)
            .zip(Cidr::read(cidr))
            .is_some_and(|(address, cidr)| cidr.contains(&address));
        if !inside {
            findings.push(Finding {
                table: "ip_allocations".into(),
                row: port.clone(),
                problem: format!(
                    "{} is no address of the subnet {}",
                    wire::types::quoted(&serde_json::Value::from(address.as_str())),
                    wire::types::quoted(&serde_json::Value::from(cidr.as_str()))
                ),
                remedy: "set the port's fixed_ips anew".into(),
            });
        }
    }
    Ok(())
}
