//! What Keystone says about a token, as JSON, and what it means here. Not here: asking it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::caller::{Caller, lower_case};

/// A valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Whose it is; without service roles.
    pub caller: Caller,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Document {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    user: Named,
    #[serde(default)]
    project: Option<Named>,
    #[serde(default)]
    domain: Option<Named>,
    #[serde(default)]
    system: Option<System>,
    #[serde(default)]
    roles: Vec<Role>,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct System {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

/// Reads the body of `GET /v3/auth/tokens`.
///
/// # Errors
/// It is not one.
pub fn read(body: &[u8]) -> Result<Granted, serde_json::Error> {
    let Document { token } = serde_json::from_slice(body)?;
    Ok(Granted {
        caller: Caller {
            user_id: token.user.id,
            project_id: token.project.map(|project| project.id).unwrap_or_default(),
            domain_id: token.domain.map(|domain| domain.id),
            system_scope: token.system.filter(|system| system.all).map(|_| "all".to_owned()),
            roles: lower_case(token.roles.iter().map(|role| role.name.as_str())),
            service_roles: Vec::new(),
        },
        expires_at: token.expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(scope: &str) -> Granted {
        let body = format!(
            r#"{{"token": {{"user": {{"id": "u", "name": "n", "domain": {{"id": "default"}}}},
            "roles": [{{"id": "1", "name": "Admin"}}, {{"id": "2", "name": "reader"}}],
            "expires_at": "2026-11-21T17:45:24.000000Z", "audit_ids": ["x"] {scope}}}}}"#
        );
        read(body.as_bytes()).unwrap()
    }

    #[test]
    fn each_scope_is_told_from_the_others() {
        let project = granted(r#", "project": {"id": "p", "domain": {"id": "d"}}"#).caller;
        assert_eq!((project.project_id.as_str(), project.domain_id), ("p", None));
        let domain = granted(r#", "domain": {"id": "d", "name": "D"}"#).caller;
        assert_eq!((domain.project_id.as_str(), domain.domain_id.as_deref()), ("", Some("d")));
        let system = granted(r#", "system": {"all": true}"#).caller;
        assert_eq!(system.system_scope.as_deref(), Some("all"));
        assert_eq!(granted("").caller.system_scope, None);
    }

    #[test]
    fn roles_and_the_end_are_read() {
        let granted = granted("");
        assert_eq!(granted.caller.roles, ["admin", "reader"]);
        assert_eq!(granted.expires_at, "2026-11-21T17:45:24Z".parse().unwrap());
    }

    #[test]
    fn what_is_no_token_document_is_an_error() {
        for body in ["", "{}", r#"{"token": {"roles": []}}"#, "[1]"] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
