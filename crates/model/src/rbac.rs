//! Sharing: entries that let other projects see and use an object. Here are the SQL conditions that the
//! tables of shareable kinds are made with, and what `shared` means; the `/rbac-policies` kind itself too.

/// The condition under which a caller sees a row of a shareable kind: his own, or shared with him.
macro_rules! visible {
    ($kind:literal) => {
        concat!("(t.project_id = :project OR ", crate::rbac::shared!($kind), ")")
    };
}
pub(crate) use visible;

/// True when a row is shared with the caller's project or with everybody.
macro_rules! shared {
    ($kind:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM rbac_policies r WHERE r.object_id = t.id AND r.object_type = '",
            $kind,
            "' AND r.action = 'access_as_shared' AND r.target_project IN (:project, '*'))"
        )
    };
}
pub(crate) use shared;
