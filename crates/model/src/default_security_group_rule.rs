//! Default security group rules: the templates of the rules that new security groups begin with.

use wire::attr::Resource;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::query::{Filter, Query};
use wire::resource;
use wire::row::Row;
use wire::types::cidr::Prefix;
use wire::types::port_range::PortNumber;
use wire::types::protocol::Protocol;
use wire::types::reference::Reference;
use wire::types::words::{Direction, Ethertype};
use wire::types::{Id, Text};
use wire::value::Value;

use crate::kind::{Call, Kind, Pending, Verbs};
use crate::security_group_rule::terms::Terms;
use crate::{address_group, security_group, standard};

resource! {
    /// A rule that new security groups begin with.
    DefaultSecurityGroupRule =
        Resource::of("default_security_group_rule", "default_security_group_rules")
            .ext("security-groups-default-rules").visible("1=1");
    id: Id = ro().filter().sort();
    /// PARITY: accepted and forgotten.
    project_id: Text<255> = init().ask();
    description: Text<255> = rw().text("").filter();
    /// `PARENT`: the group that the rule is made in.
    remote_group_id: Option<Reference> = init().null().filter().sort();
    remote_address_group_id: Option<Reference> = init().null().filter().sort();
    direction: Direction = init().filter().sort();
    protocol: Option<Protocol> = init().null().filter().sort();
    port_range_min: Option<PortNumber> = init().null().filter().sort();
    port_range_max: Option<PortNumber> = init().null().filter().sort();
    ethertype: Ethertype = init().text("IPv4").filter().sort();
    remote_ip_prefix: Option<Prefix> = init().null().filter().sort();
    used_in_default_sg: bool = init().filter();
    used_in_non_default_sg: bool = init().filter();
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    meaning_in_default: Option<Text<255>> = ro().hidden();
    meaning_in_non_default: Option<Text<255>> = ro().hidden();
}

/// What a template says for the group that the rule is made in.
const PARENT: &str = "PARENT";

/// The kind.
pub struct DefaultSecurityGroupRules;

impl Kind for DefaultSecurityGroupRules {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "default-security-group-rules"
    }

    fn verbs(&self) -> Verbs {
        Verbs { update: false, ..Verbs::ALL }
    }

    fn not_found(&self, id: &str) -> Error {
        fault::default_security_group_rule_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.complete();
            let terms = terms_of(&row).checked()?;
            check_references(call, &terms).await?;
            let meaning = |used: bool| used.then(|| Text(terms.meaning()));
            row.set(at::meaning_in_default, meaning(row.get(at::used_in_default_sg)));
            row.set(at::meaning_in_non_default, meaning(row.get(at::used_in_non_default_sg)));
            row.set(at::protocol, terms.protocol);
            row.set(at::port_range_min, terms.port_range_min);
            row.set(at::port_range_max, terms.port_range_max);
            standard::born(call, &mut row);
            let exists = fault::default_security_group_rule_exists;
            standard::insert(call, self, &row)
                .await?
                .or("uq_default_security_group_rules_default", exists())
                .or("uq_default_security_group_rules_non_default", exists());
            Ok(row)
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

fn terms_of(row: &Row) -> Terms {
    Terms {
        direction: row.get(at::direction),
        ethertype: row.get(at::ethertype),
        protocol: row.get(at::protocol),
        port_range_min: row.get(at::port_range_min),
        port_range_max: row.get(at::port_range_max),
        remote_group_id: row.get(at::remote_group_id),
        remote_address_group_id: row.get(at::remote_address_group_id),
        remote_ip_prefix: row.get(at::remote_ip_prefix),
    }
}

/// What a template refers to must be there: Neutron takes any text, and then fails to make groups.
async fn check_references(call: &Call<'_>, terms: &Terms) -> Result<()> {
    let remote = terms.remote_group_id.iter().filter(|group| group.as_str() != PARENT);
    security_group::check_usable(call, &call.ctx.project_id, remote).await?;
    let remote = terms.remote_address_group_id.iter();
    address_group::check_usable(call, &call.ctx.project_id, remote).await
}

/// A template, to be made a rule of.
pub struct Template(Terms);

impl Template {
    /// What it permits in a group.
    pub fn in_group(self, group: &Reference) -> Terms {
        let mut terms = self.0;
        if terms.remote_group_id.as_ref().is_some_and(|remote| remote.as_str() == PARENT) {
            terms.remote_group_id = Some(group.clone());
        }
        terms
    }
}

/// The templates for default groups, or for the others.
///
/// # Errors
/// Those of the database.
pub async fn templates(call: &Call<'_>, of_default: bool) -> Result<Vec<Template>> {
    let used = if of_default { at::used_in_default_sg } else { at::used_in_non_default_sg };
    let filter = Filter::In { attr: used.index, values: vec![Value::Bool(true)] };
    let query = Query { filters: vec![filter], ..Query::default() };
    let rows = call.all(&TABLE, &query).await?;
    Ok(rows.iter().map(|row| Template(terms_of(row))).collect())
}
