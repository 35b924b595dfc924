//! Where the database is and the administrator's token beside it, and who may read them: their
//! owner alone. Not here: what is in the database.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use identity::{Secret, token};
use secrecy::ExposeSecret as _;
use sql::Db;

use crate::config::StorageOptions;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Storage {
    url: Secret,
    /// The file of the database, if it is one.
    file: Option<PathBuf>,
    admin_token: PathBuf,
}

impl Storage {
    /// As the options say.
    ///
    /// # Errors
    /// Nothing is said, and there is no home directory either.
    pub fn of(options: &StorageOptions) -> anyhow::Result<Self> {
        let url = match &options.database {
            Some(url) => url.clone(),
            None => {
                let file = data_folder()?.join("nucleon.db");
                Secret::from(format!("sqlite:{}", file.display()))
            }
        };
        let path = url.expose_secret().strip_prefix("sqlite:");
        let file = path.filter(|path| *path != ":memory:").map(PathBuf::from);
        let admin_token = match &file {
            Some(file) => file.with_extension("admin-token"),
            None => data_folder()?.join("nucleon.admin-token"),
        };
        Ok(Self { url, file, admin_token })
    }

    /// Opens the database; its folder and file are made if they are not there.
    ///
    /// # Errors
    /// Those of the system and of the database.
    pub async fn open(&self) -> anyhow::Result<Db> {
        if let Some(file) = &self.file {
            make_private(file)?;
        }
        let opened = Db::open(self.url.expose_secret(), model::MIGRATIONS).await;
        opened.map_err(|error| match error.fault() {
            // The type of the fault is for callers of the API.
            Some(fault) => anyhow::anyhow!("{}", fault.message),
            None => error.into(),
        })
    }

    /// Opens a database that is there already.
    ///
    /// # Errors
    /// It is not; those of the database.
    pub async fn open_existing(&self) -> anyhow::Result<Db> {
        if let Some(file) = self.file.as_ref().filter(|file| !file.exists()) {
            bail!("there is no database at {}", file.display());
        }
        self.open().await
    }

    /// The file of the administrator's token.
    pub fn admin_token_path(&self) -> &Path {
        &self.admin_token
    }

    /// The administrator's token; true if it is a new one.
    ///
    /// # Errors
    /// Its file cannot be written or read, or others may read it.
    pub fn admin_token(&self) -> anyhow::Result<(Secret, bool)> {
        let path = &self.admin_token;
        if path.exists() {
            return Ok((read_token(path)?, false));
        }
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let token = token::fresh()?;
        let is_new = write_token(path, &token)
            .with_context(|| format!("cannot write the token to {}", path.display()))?;
        Ok((if is_new { token } else { read_token(path)? }, is_new))
    }
}

/// `$XDG_DATA_HOME/nucleon` or `~/.local/share/nucleon`.
fn data_folder() -> anyhow::Result<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_DATA_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .map(|folder| folder.join("nucleon"))
        .context("there is neither XDG_DATA_HOME nor HOME to keep things in; give --database")
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// SQLite gives its other files the mode of this one.
fn make_private(file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        make_folder(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot make the database {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Writes the whole token or none; false if there is one already.
fn write_token(path: &Path, token: &Secret) -> std::io::Result<bool> {
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(format!("{}\n", token.expose_secret()).as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_token(path: &Path) -> anyhow::Result<Secret> {
    let name = path.display();
    let mode = fs::metadata(path)
        .with_context(|| format!("cannot read the token in {name}"))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        bail!(
            "others can read the administrator's token in {name} (mode {:o}); revoke it with \
             `nucleon token revoke` and remove the file for a new one, or chmod 600 it if none has",
            mode & 0o777
        );
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the token in {name}"))?;
    let token = text.trim();
    if token.len() < 32 {
        bail!("there is no token in {name}; remove the file for a new one");
    }
    Ok(Secret::from(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(folder: &Path) -> Storage {
        let url = format!("sqlite:{}/deep/n.db", folder.display());
        Storage::of(&StorageOptions { database: Some(Secret::from(url)) }).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_token_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        let (first, is_new) = storage.admin_token().unwrap();
        assert!(is_new);
        assert_eq!(storage.admin_token_path(), folder.path().join("deep/n.admin-token"));
        assert_eq!(mode(storage.admin_token_path()), 0o600);
        assert_eq!(mode(&folder.path().join("deep")), 0o700);
        let (second, is_new) = storage.admin_token().unwrap();
        assert!(!is_new);
        assert_eq!(first.expose_secret(), second.expose_secret());
        assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        storage.admin_token().unwrap();
        let path = storage.admin_token_path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        let problem = storage.admin_token().unwrap_err().to_string();
        assert!(problem.contains("644"), "{problem}");
    }

    #[test]
    fn an_empty_file_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        make_folder(&folder.path().join("deep")).unwrap();
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(storage.admin_token_path())
            .unwrap();
        assert!(storage.admin_token().unwrap_err().to_string().contains("no token"));
    }

    #[test]
    fn the_file_of_the_database_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/n.db");
        make_private(&file).unwrap();
        assert_eq!((mode(&file), mode(&folder.path().join("a"))), (0o600, 0o700));
        make_private(&file).unwrap();
    }

    #[test]
    fn a_database_in_memory_has_no_file() {
        let options = StorageOptions { database: Some(Secret::from("sqlite::memory:")) };
        assert_eq!(Storage::of(&options).unwrap().file, None);
    }
}
