//! `Caller`: somebody who is known, and `Refusal`: why somebody is not. Not here: how it was found
//! out.

use http::header::{HeaderMap, HeaderName};

/// A token that is longer than this is none; Keystone's have some 250 bytes.
const TOKEN_BYTES_MAX: usize = 8192;

static AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
static SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");

/// Somebody who is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: String,
    /// The project the token is scoped to; empty without project scope.
    pub project_id: String,
    /// The domain that a domain-scoped token is for.
    pub domain_id: Option<String>,
    /// `all` for a system-scoped token.
    pub system_scope: Option<String>,
    /// The roles of the token, lower case.
    pub roles: Vec<String>,
    /// The roles of the service that passes the request on, lower case.
    pub service_roles: Vec<String>,
}

/// Why a caller is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401: there is no token, or it is not valid.
    Unauthorized {
        /// The value of the `WWW-Authenticate` header: where to get a token.
        www_authenticate: Option<String>,
        /// What is missing, for the caller.
        message: String,
    },
    /// 503: whoever could tell does not answer.
    Unavailable,
}

/// The caller's token, if a plausible one is given.
pub(crate) fn auth_token(headers: &HeaderMap) -> Option<&[u8]> {
    token(headers, &AUTH_TOKEN)
}

/// The token of the service that passes the request on, if a plausible one is given.
pub(crate) fn service_token(headers: &HeaderMap) -> Option<&[u8]> {
    token(headers, &SERVICE_TOKEN)
}

fn token<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let token = headers.get(name)?.as_bytes().trim_ascii();
    (!token.is_empty() && token.len() <= TOKEN_BYTES_MAX).then_some(token)
}

/// Role names as the policy compares them.
pub(crate) fn lower_case<'a>(roles: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut roles: Vec<String> = roles
        .into_iter()
        .map(|role| role.trim().to_lowercase())
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// All the roles that an administrator has through Keystone's implications.
pub fn admin_roles() -> Vec<String> {
    ["admin", "manager", "member", "reader"].map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_trimmed_and_an_empty_or_huge_one_is_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(auth_token(&headers), None);
        for (given, wanted) in [("  abc ", Some(&b"abc"[..])), ("", None), ("   ", None)] {
            headers.insert("X-Auth-Token", HeaderValue::from_static(given));
            assert_eq!(auth_token(&headers), wanted);
        }
        let huge = "a".repeat(TOKEN_BYTES_MAX + 1);
        headers.insert("X-Auth-Token", HeaderValue::from_str(&huge).unwrap());
        assert_eq!(auth_token(&headers), None);
    }

    #[test]
    fn roles_are_lower_case_and_each_is_there_once() {
        assert_eq!(lower_case(["Admin", " reader", "admin", ""]), ["admin", "reader"]);
    }
}
