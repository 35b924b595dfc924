//! What there is once: the group of all filtered ports, which drops what no rule permits, and the
//! options of the whole database.

use super::network::word;
use crate::facts::Facts;
use crate::nb::{self, DROPS, Table};
use crate::want::{Cell, RowName, Wants, row, row_named};

const PRIORITY: i64 = 1000;

pub fn render(facts: &Facts, wants: &mut Wants) {
    let group = nb::drop_group();
    let drops = DROPS.map(|matching| RowName::new(Table::Acl, matching));
    wants
        .row(row_named(&group).text("name", &group.key).cell("acls", Cell::Refers(drops.to_vec())));
    for acl in &drops {
        let direction = if acl.key.starts_with("inport") { "from-lport" } else { "to-lport" };
        wants.row(
            row_named(acl)
                .text("action", "drop")
                .text("direction", direction)
                .text("match", &acl.key)
                .one("priority", PRIORITY),
        );
    }
    let options = &facts.options;
    wants.row(row(Table::NbGlobal, "").keys(
        "options",
        [
            ("ignore_lsp_down", word(options.ignore_lsp_down)),
            ("fdb_removal_limit", options.fdb_removal_limit.to_string()),
            ("mac_binding_removal_limit", options.mac_binding_removal_limit.to_string()),
        ],
    ));
}
