//! Expressions that several of the `defaults` share. Named by who passes, not by what they guard.

pub(crate) const ADMIN: &str = "rule:admin_only";
pub(crate) const ADMIN_OR_MEMBER: &str =
    "(rule:admin_only) or (role:member and project_id:%(project_id)s)";
pub(crate) const ADMIN_OR_PARENT_MANAGER: &str =
    "(rule:admin_only) or (role:manager and rule:ext_parent_owner)";
pub(crate) const ADMIN_OR_READER: &str =
    "(rule:admin_only) or (role:reader and project_id:%(project_id)s)";
pub(crate) const ADMIN_OR_MANAGER: &str =
    "(rule:admin_only) or (role:manager and project_id:%(project_id)s)";
pub(crate) const ADMIN_OR_PARENT_READER: &str =
    "(rule:admin_only) or (role:reader and rule:ext_parent_owner)";
pub(crate) const ADMIN_OR_PARENT_MEMBER: &str =
    "(rule:admin_only) or (role:member and rule:ext_parent_owner)";
pub(crate) const ADMIN_OR_SERVICE: &str = "(rule:admin_only) or (rule:service_api)";
pub(crate) const SERVICE_OR_NETWORK_MEMBER: &str =
    "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner";
pub(crate) const NETWORK_MEMBER_OR_SERVICE: &str =
    "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api";
pub(crate) const READER: &str = "role:reader";
pub(crate) const SERVICE: &str = "rule:service_api";
pub(crate) const MEMBER_OR_NETWORK_MEMBER: &str = concat!(
    "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and",
    " rule:network_owner)",
);
pub(crate) const SERVICE_OR_NETWORK_MEMBER_OR_SHARED: &str =
    "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared";
pub(crate) const MEMBER_OR_SERVICE: &str =
    "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api";
pub(crate) const ORDINARY_DEVICE: &str = concat!(
    "not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and",
    " rule:network_owner",
);
pub(crate) const MEMBER_OR_ADVSVC: &str =
    "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc";
pub(crate) const SERVICE_OR_MEMBER: &str =
    "(rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s";
pub(crate) const READER_OR_SHARED_QOS_POLICY: &str =
    "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_qos_policy";
pub(crate) const NOT_TO_ALL_BY_EITHER_NAME: &str = concat!(
    "rule:admin_only or (not field:rbac_policy:target_tenant=* and not",
    " field:rbac_policy:target_project=*)",
);
pub(crate) const NOT_TO_ALL: &str = "rule:admin_only or not field:rbac_policy:target_project=*";
pub(crate) const READER_OR_SHARED_SECURITY_GROUP: &str = concat!(
    "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or",
    " rule:shared_security_group",
);
pub(crate) const ADMIN_OR_SECURITY_GROUP_MEMBER: &str =
    "(rule:admin_only) or (role:member and rule:sg_owner)";
pub(crate) const READER_OR_SHARED_SUBNETPOOLS: &str =
    "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools";
