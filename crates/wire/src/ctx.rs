//! `Ctx`: who asks, with which roles, under which request id, until when; and the clock and the
//! dice, so that everything below is deterministic where a test wants it.

use std::time::Instant;

use jiff::Timestamp;

use crate::types::Id;

/// One caller's request.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// `req-` and a UUID; answered in `X-Openstack-Request-Id` and logged with everything.
    pub request_id: String,
    /// The user, empty for the built-in admin token.
    pub user_id: String,
    /// The project the token is scoped to, empty without project scope.
    pub project_id: String,
    /// The domain that a domain-scoped token is for.
    pub domain_id: Option<String>,
    /// `all` for a system-scoped token.
    pub system_scope: Option<String>,
    /// The roles of the token, lower case.
    pub roles: Vec<String>,
    /// The roles of the service token in `X-Service-Token`, lower case.
    pub service_roles: Vec<String>,
    /// What the rule `context_is_admin` said.
    pub is_admin: bool,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// The time of the request.
    pub now: Timestamp,
}

impl Ctx {
    /// The server itself, acting for nobody: administrator of everything.
    pub fn system(now: Timestamp) -> Self {
        Self {
            request_id: "req-system".into(),
            user_id: String::new(),
            project_id: String::new(),
            domain_id: None,
            system_scope: Some("all".into()),
            roles: vec!["admin".into(), "manager".into(), "member".into(), "reader".into()],
            service_roles: Vec::new(),
            is_admin: true,
            deadline: None,
            now,
        }
    }

    /// True for callers whose reads and references are not limited to one project.
    /// PARITY: `neutron_lib.context`: administrators, advanced services and service users.
    pub fn sees_all(&self) -> bool {
        self.is_admin || self.roles.iter().any(|role| role == "service" || role == "advsvc")
    }

    /// A new random id.
    pub fn new_id(&self) -> Id {
        Id::random()
    }

    /// The time of the request as Neutron writes it: `2026-11-21T06:33:00Z`.
    pub fn now_text(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
