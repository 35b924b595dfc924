//! Default statefulness: whether new security groups of a project, or of all projects, are stateful
//! when nobody says.

use wire::attr::{Resource, Wire};
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::Row;
use wire::types::{Id, Text};
use wire::value::Value;

use crate::kind::{Call, Kind, Pending};
use crate::standard;

resource! {
    /// Whether new security groups are stateful.
    DefaultStatefulness =
        Resource::of("security_groups_default_statefulness", "security_groups_default_statefulness")
            .ext("security-groups-default-statefulness");
    id: Id = ro().filter().sort();
    /// Null: all projects without their own.
    project_id: Option<Text<255>> = init().null().filter().sort().policy();
    stateful: bool = rw().flag(true).filter().sort();
    /// The project, empty for all: the key that lets each have one.
    scope: Text<255> = ro().hidden();
}

/// The kind.
pub struct DefaultStatefulnesses;

impl Kind for DefaultStatefulnesses {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "security-groups-default-statefulness"
    }

    fn not_found(&self, id: &str) -> Error {
        fault::default_statefulness_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.complete();
            standard::born(call, &mut row);
            let project = row.get(at::project_id);
            let whom = match &project {
                Some(project) => format!("the project {project}"),
                None => "all projects".to_owned(),
            };
            row.set(at::scope, project.unwrap_or_default());
            standard::insert(call, self, &row).await?.or(
                "uq_security_groups_default_statefulness_scope",
                fault::default_statefulness_exists(whom),
            );
            Ok(row)
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// Whether a new group of a project is stateful: as the project's setting says, else that of all
/// projects; else it is.
///
/// # Errors
/// Those of the database.
pub async fn of(call: &Call<'_>, project_id: &str) -> Result<bool> {
    let found = call
        .tx
        .rows(
            "SELECT stateful FROM security_groups_default_statefulness \
             WHERE scope = ? OR scope = '' ORDER BY scope DESC",
            &[Value::text(project_id)],
        )
        .await?;
    Ok(found.first().and_then(|row| row.first()).and_then(bool::load).unwrap_or(true))
}
