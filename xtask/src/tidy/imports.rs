//! Who may import whom. The direction is the architecture: what is below knows nothing of what is
//! above, drivers stay in `sql`, HTTP stays in front.

/// Each crate with those of ours that it may import. A new crate gets its line here first.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("policy", &["wire"]),
    ("sql", &["wire"]),
    ("model", &["wire", "sql"]),
    ("identity", &["wire", "sql", "policy"]),
    ("ovsdb", &[]),
    ("ovn", &["wire", "sql", "model", "ovsdb"]),
    ("nova", &["wire", "sql", "model", "identity"]),
    ("api", &["wire", "sql", "policy", "model", "identity"]),
    ("server", &["wire", "sql", "policy", "model", "identity", "api", "ovsdb", "ovn", "nova"]),
    ("testkit", &["wire", "sql", "policy", "model", "identity", "api", "server"]),
    ("packets", &[]),
    ("xtask", &[]),
];

/// Libraries that belong to a layer, and the crates of that layer.
const BELONGS: &[(&[&str], &[&str])] = &[
    // Tests make and drop databases of their own.
    (&["rusqlite", "tokio-postgres", "mysql_async"], &["sql", "testkit"]),
    (
        &["axum", "http", "http-body-util", "hyper", "hyper-rustls", "hyper-util"],
        &["api", "identity", "nova", "server", "testkit", "xtask"],
    ),
    (&["tokio-rustls"], &["sql", "identity", "ovsdb", "server", "testkit"]),
    (&["testkit", "packets", "xtask"], &[]),
];

/// Judges a `Cargo.toml`. What only tests import (`[dev-dependencies]`) is free.
pub fn judge(name: &str, manifest: &str) -> Vec<String> {
    let Some(own) = crate_of(name) else { return Vec::new() };
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(it, _)| *it == own) else {
        return vec![format!("{name}: {own} is missing in MAY_IMPORT, xtask/src/tidy/imports.rs")];
    };
    let mut found = Vec::new();
    for import in dependencies(manifest) {
        let ours = MAY_IMPORT.iter().any(|(it, _)| *it == import);
        if ours && !allowed.contains(&import) {
            found.push(format!("{name}: {own} may not import {import}"));
        }
        let home = BELONGS.iter().find(|(libraries, _)| libraries.contains(&import));
        if home.is_some_and(|(_, crates)| !crates.contains(&own)) {
            found.push(format!("{name}: {import} does not belong in {own}"));
        }
    }
    found
}

/// Judges a source file, comments and literals already taken out: no name has two homes.
pub fn judge_source(name: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let Some((_, path)) = line.trim_start().split_once("pub use ") else { continue };
        let first = path.trim_start_matches("::").split(':').next().unwrap_or_default();
        let ours = MAY_IMPORT.iter().any(|(it, _)| *it == first);
        let local = code.contains(&format!("mod {first};"));
        if ours && !local {
            found.push(format!("{name}:{number}: `pub use` of {first}: let callers import it"));
        }
    }
    found
}

/// The crate that a path belongs to; none for the root.
fn crate_of(name: &str) -> Option<&str> {
    let (own, _) = name.strip_prefix("crates/").unwrap_or(name).split_once('/')?;
    Some(own)
}

/// The names in `[dependencies]`, also those of targets and `[dependencies.NAME]`.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let (head, last) = section.rsplit_once('.').unwrap_or(("", section));
            inside = last == "dependencies" || last == "build-dependencies";
            if head == "dependencies" {
                names.push(last);
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.extend(line.split(['.', '=', ' ']).next());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_against_the_direction_is_named() {
        let manifest = "[dependencies]\nwire.workspace = true\npolicy = { workspace = true }\n\
                        [dev-dependencies]\ntestkit.workspace = true\napi.workspace = true\n";
        assert_eq!(
            judge("crates/model/Cargo.toml", manifest),
            ["crates/model/Cargo.toml: model may not import policy"]
        );
        assert!(judge("crates/api/Cargo.toml", manifest).is_empty());
    }

    #[test]
    fn drivers_and_http_stay_in_their_layers() {
        let manifest = "[dependencies.rusqlite]\nversion = \"1\"\n[dependencies]\nhttp = \"1\"\n";
        assert_eq!(judge("crates/model/Cargo.toml", manifest).len(), 2);
        assert_eq!(judge("crates/sql/Cargo.toml", manifest).len(), 1);
    }

    #[test]
    fn a_crate_nobody_thought_of_is_refused_and_the_root_is_no_crate() {
        assert_eq!(judge("crates/util/Cargo.toml", "").len(), 1);
        assert!(judge("Cargo.toml", "[workspace.dependencies]\nhttp = \"1\"\n").is_empty());
    }

    #[test]
    fn a_name_of_another_crate_is_not_handed_on() {
        assert_eq!(judge_source("crates/api/src/a.rs", "pub use wire::Value;\n").len(), 1);
        assert!(
            judge_source("a.rs", "mod policy;\npub use policy::A;\npub use b::C;\n").is_empty()
        );
    }
}
