//! A directory that goes away with the value that stands for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Created new, removed with all that is in it when this is dropped.
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
}

impl Directory {
    /// Creates `NAME-PROCESS` in the parent.
    pub fn new(parent: &Path, name: &str) -> Result<Self> {
        let path = parent.join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(parent)?;
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Directory { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing better can be done here than to leave what remains to the system's cleaning.
        let _ = fs::remove_dir_all(&self.path);
    }
}
