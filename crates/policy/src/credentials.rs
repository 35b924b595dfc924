//! Who asks, as rules see it: the attributes that Neutron's request context offers to oslo.policy.
//! How a token becomes these is not here but in `identity`.

/// The caller. Absent texts are `""` or `None`; a rule sees both as `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Roles of the token, in any case.
    pub roles: &'a [String],
    /// Roles of the service token that came along.
    pub service_roles: &'a [String],
    /// Who the token belongs to.
    pub user_id: &'a str,
    /// What the token is scoped to; `""` for tokens of a system, a domain or nothing.
    pub project_id: &'a str,
    /// The domain the token is scoped to, not the user's.
    pub domain_id: Option<&'a str>,
    /// `all` for a system-scoped token.
    pub system_scope: Option<&'a str>,
    /// Whether `context_is_admin` holds; decided by the caller with that very rule.
    pub is_admin: bool,
    /// Whether `context_with_global_access` holds.
    pub has_global_access: bool,
    /// Whether `context_can_set_project_id` holds.
    pub can_set_project_id: bool,
    /// Keystone's admin project; `None` when the token does not say, which counts as yes.
    pub is_admin_project: Option<bool>,
    /// Display name of the user.
    pub user_name: Option<&'a str>,
    /// Where the user lives.
    pub user_domain_id: Option<&'a str>,
    /// Display name of the project.
    pub project_name: Option<&'a str>,
    /// Where the project lives.
    pub project_domain_id: Option<&'a str>,
    /// User of the service token.
    pub service_user_id: Option<&'a str>,
    /// Domain of the user of the service token.
    pub service_user_domain_id: Option<&'a str>,
    /// Project of the service token.
    pub service_project_id: Option<&'a str>,
    /// Domain of the project of the service token.
    pub service_project_domain_id: Option<&'a str>,
}

/// Value of a credential: a rule matches a list when it matches one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute<'a> {
    /// As Python prints it: `True`, `False`, `None` or the text.
    Text(&'a str),
    /// Roles.
    List(&'a [String]),
}

/// What a token is scoped to, in oslo.policy's order of precedence: system, domain, project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A project, and everything that is neither of the others.
    Project,
    /// A domain.
    Domain,
    /// The whole cloud.
    System,
}

macro_rules! credential_keys {
    ($($key:ident = $($name:literal)|+;)*) => {
        /// An attribute of the caller, named once when loading.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Key { $($key),* }

        impl Key {
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $($($name)|+ => Some(Self::$key),)*
                    _ => None,
                }
            }
        }
    };
}

credential_keys! {
    Roles = "roles";
    ServiceRoles = "service_roles";
    UserId = "user_id" | "user";
    UserName = "user_name";
    UserDomainId = "user_domain_id" | "user_domain";
    ProjectId = "project_id";
    ProjectName = "project_name";
    ProjectDomainId = "project_domain_id" | "project_domain";
    DomainId = "domain_id" | "domain";
    SystemScope = "system_scope";
    System = "system";
    IsAdmin = "is_admin";
    IsAdminProject = "is_admin_project";
    HasGlobalAccess = "has_global_access";
    CanSetProjectId = "can_set_project_id";
    ServiceUserId = "service_user_id";
    ServiceUserDomainId = "service_user_domain_id";
    ServiceProjectId = "service_project_id";
    ServiceProjectDomainId = "service_project_domain_id";
}

impl<'a> Credentials<'a> {
    /// The attribute under the name rules use (`user_id`, `roles`, `system_scope`, …).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Attribute<'a>> {
        Key::named(name).and_then(|key| self.value(key))
    }

    /// What the token is scoped to.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let is_set = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        if is_set(self.system_scope) {
            Scope::System
        } else if is_set(self.domain_id) {
            Scope::Domain
        } else {
            Scope::Project
        }
    }

    pub(crate) fn value(&self, key: Key) -> Option<Attribute<'a>> {
        let text = |value: Option<&'a str>| match value {
            None | Some("") => Attribute::Text("None"),
            Some(value) => Attribute::Text(value),
        };
        let flag = |value: bool| Attribute::Text(if value { "True" } else { "False" });
        Some(match key {
            Key::Roles => Attribute::List(self.roles),
            Key::ServiceRoles => Attribute::List(self.service_roles),
            Key::UserId => text(Some(self.user_id)),
            Key::UserName => text(self.user_name),
            Key::UserDomainId => text(self.user_domain_id),
            Key::ProjectId => text(Some(self.project_id)),
            Key::ProjectName => text(self.project_name),
            Key::ProjectDomainId => text(self.project_domain_id),
            Key::DomainId => text(self.domain_id),
            Key::SystemScope => text(self.system_scope),
            // PARITY: the short name exists for system-scoped tokens only.
            Key::System => Attribute::Text(self.system_scope.filter(|scope| !scope.is_empty())?),
            Key::IsAdmin => flag(self.is_admin),
            Key::IsAdminProject => flag(self.is_admin_project.unwrap_or(true)),
            Key::HasGlobalAccess => flag(self.has_global_access),
            Key::CanSetProjectId => flag(self.can_set_project_id),
            Key::ServiceUserId => text(self.service_user_id),
            Key::ServiceUserDomainId => text(self.service_user_domain_id),
            Key::ServiceProjectId => text(self.service_project_id),
            Key::ServiceProjectDomainId => text(self.service_project_domain_id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_attributes_read_none_but_system_is_missing() {
        let nobody = Credentials::default();
        assert_eq!(nobody.get("project_id"), Some(Attribute::Text("None")));
        assert_eq!(nobody.get("system_scope"), Some(Attribute::Text("None")));
        assert_eq!(nobody.get("system"), None);
        assert_eq!(nobody.get("tenant_id"), None);
    }

    #[test]
    fn a_system_scope_wins_over_a_domain_and_a_domain_over_a_project() {
        let mut who = Credentials { project_id: "p", ..Credentials::default() };
        assert_eq!(who.scope(), Scope::Project);
        who.domain_id = Some("d");
        assert_eq!(who.scope(), Scope::Domain);
        who.system_scope = Some("all");
        assert_eq!(who.scope(), Scope::System);
    }
}
