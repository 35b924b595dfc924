//! Path → what is asked. Routes come from the tables; the few that are not collections are named
//! here.

use model::kind::Kind;

use crate::query::decode;

/// Where a request goes.
pub enum Route {
    /// `/`
    Versions,
    /// `/v2.0`
    Resources,
    /// `/v2.0/extensions` and one of them.
    Extensions(Option<String>),
    /// `/v2.0/<many>`
    Collection(&'static dyn Kind),
    /// `/v2.0/<many>/<id>`
    Member(&'static dyn Kind, String),
    /// `/v2.0/<many>/<id>/<action>`
    Action(&'static dyn Kind, String, String),
    /// `/v2.0/<many>/<id>/tags` and one of them.
    Tags(&'static dyn Kind, String, Option<String>),
    /// `/v2.0/ports/<id>/bindings`, one of them, and its activation.
    Bindings(&'static dyn Kind, String, Option<String>, bool),
    /// `/v2.0/quotas`, one project's, and what is asked of it.
    Quotas(Option<String>, Option<String>),
    /// `/v3`: the version of the identity API.
    Identity,
    /// `/v3/projects` and one of them.
    Projects(Option<String>),
    /// Nothing is there.
    Unknown,
}

/// Reads a path. A `.json` behind the last part is passed over, and so is a slash.
pub fn parse(path: &str) -> Route {
    let trimmed = path.trim_matches('/');
    if trimmed.is_empty() {
        return Route::Versions;
    }
    let mut parts = Vec::new();
    for part in trimmed.split('/') {
        // `+` is no space in paths.
        match decode(&part.replace('+', "%2B")) {
            // No name has control characters in it, and not every engine could look for a NUL.
            Ok(part) if !part.contains(char::is_control) => parts.push(part),
            _ => return Route::Unknown,
        }
    }
    if let Some(last) = parts.last_mut()
        && let Some(stem) = last.strip_suffix(".json")
    {
        *last = stem.to_owned();
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.split_first() {
        Some((&"v2.0", rest)) => below(rest),
        Some((&"v3", [])) => Route::Identity,
        Some((&"v3", ["projects"])) => Route::Projects(None),
        Some((&"v3", ["projects", id])) => Route::Projects(Some((*id).into())),
        _ => Route::Unknown,
    }
}

fn below(parts: &[&str]) -> Route {
    match parts {
        [] => Route::Resources,
        ["extensions"] => Route::Extensions(None),
        ["extensions", alias] => Route::Extensions(Some((*alias).into())),
        ["quotas"] => Route::Quotas(None, None),
        ["quotas", project] => Route::Quotas(Some((*project).into()), None),
        ["quotas", project, what] => Route::Quotas(Some((*project).into()), Some((*what).into())),
        [many, rest @ ..] => kind(many).map_or(Route::Unknown, |kind| member(kind, rest)),
    }
}

fn member(kind: &'static dyn Kind, parts: &[&str]) -> Route {
    let taggable = kind.table().taggable;
    let ports = kind.table().many == "ports";
    match parts {
        [] => Route::Collection(kind),
        [id] => Route::Member(kind, (*id).into()),
        [id, "tags"] if taggable => Route::Tags(kind, (*id).into(), None),
        [id, "tags", tag] if taggable => Route::Tags(kind, (*id).into(), Some((*tag).into())),
        [id, "bindings"] if ports => Route::Bindings(kind, (*id).into(), None, false),
        [id, "bindings", host] if ports => {
            Route::Bindings(kind, (*id).into(), Some((*host).into()), false)
        }
        [id, "bindings", host, "activate"] if ports => {
            Route::Bindings(kind, (*id).into(), Some((*host).into()), true)
        }
        [id, action] if kind.actions().contains(action) => {
            Route::Action(kind, (*id).into(), (*action).into())
        }
        _ => Route::Unknown,
    }
}

/// The kind by its name in the path. PARITY: hyphens may be written as underscores, and the other
/// way round.
fn kind(path: &str) -> Option<&'static dyn Kind> {
    let named = |path: &str| {
        model::KINDS.iter().copied().find(|kind| kind.path() == path || kind.table().many == path)
    };
    named(path).or_else(|| named(&path.replace('-', "_")))
}

/// The label of a route in metrics and logs: never an id.
pub fn label(route: &Route) -> &'static str {
    match route {
        Route::Versions => "versions",
        Route::Resources => "resources",
        Route::Extensions(_) => "extensions",
        Route::Collection(kind) | Route::Member(kind, _) | Route::Action(kind, ..) => {
            kind.table().many
        }
        Route::Tags(..) => "tags",
        Route::Bindings(..) => "bindings",
        Route::Quotas(..) => "quotas",
        Route::Identity | Route::Projects(_) => "projects",
        Route::Unknown => "unknown",
    }
}
