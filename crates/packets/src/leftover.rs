//! What killed tests left behind: their processes, their directories. Namespaces and interfaces go
//! with the processes. Nobody else's process is touched: one is named by its id and its birth.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::program::{STARTED, attempt, birth};

/// How the directories of all laboratories begin.
pub const PREFIX: &str = "nucleon-packets-";

/// The file in which a laboratory says whose it is.
const OWNER: &str = "owner";

/// How long the logs of a failed test are kept.
const KEPT: Duration = Duration::from_secs(3600);

/// Says that the directory belongs to this process.
///
/// # Panics
/// If it cannot be written.
pub fn claim(directory: &Path) {
    let own = std::process::id();
    fs::write(directory.join(OWNER), format!("{own} {}", birth(own).unwrap())).unwrap();
}

/// Ends the processes of laboratories whose test is gone, and removes old directories.
pub fn reap() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let directory = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && lives(&directory.join(OWNER)).is_none() {
            reap_one(&directory);
        }
    }
}

fn reap_one(directory: &Path) {
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == STARTED)
                && let Some(id) = lives(&path)
            {
                // It may have ended by itself in this moment.
                let _ = attempt(&["kill", "-KILL", &id.to_string()]);
            }
        }
    }
    let changed = fs::metadata(directory).and_then(|it| it.modified());
    let age = changed.ok().and_then(|it| SystemTime::now().duration_since(it).ok());
    if age.is_none_or(|age| age > KEPT) {
        let _ = fs::remove_dir_all(directory);
    }
}

/// The process that the file names, if it is still that one.
fn lives(file: &Path) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    let (id, born) = text.split_once(' ')?;
    let id = id.parse().ok()?;
    (birth(id)? == born).then_some(id)
}
