//! Callers who say who they are: `X-User-Id`, `X-Project-Id`, `X-Roles`. Nothing is proved, so the
//! program permits this on loopback only.

use http::HeaderMap;

use crate::caller::{Caller, admin_roles, lower_case};

/// Who a caller is when he does not say.
const NOBODY_ELSE: &str = "admin";

/// The caller that the headers name; the administrator where they name no roles.
pub fn caller(headers: &HeaderMap) -> Caller {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let roles = |name: &str| text(name).map(|list| lower_case(list.split(',')));
    let given = roles("x-roles");
    let default = if given.is_none() { NOBODY_ELSE } else { "" };
    Caller {
        user_id: text("x-user-id").unwrap_or_else(|| default.to_owned()),
        project_id: text("x-project-id").unwrap_or_else(|| default.to_owned()),
        domain_id: text("x-domain-id"),
        system_scope: text("openstack-system-scope"),
        roles: given.unwrap_or_else(admin_roles),
        service_roles: roles("x-service-roles").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn who_says_nothing_is_the_administrator() {
        let caller = caller(&HeaderMap::new());
        assert_eq!(caller.roles, admin_roles());
        assert_eq!(caller.project_id, "admin");
    }

    #[test]
    fn who_names_a_role_has_that_role_only() {
        let mut headers = HeaderMap::new();
        headers.insert("X-Roles", HeaderValue::from_static("Member, reader"));
        headers.insert("X-Project-Id", HeaderValue::from_static("p1"));
        let caller = caller(&headers);
        assert_eq!(caller.roles, ["member", "reader"]);
        assert_eq!((caller.project_id.as_str(), caller.user_id.as_str()), ("p1", ""));
    }
}
