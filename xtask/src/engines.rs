//! A private PostgreSQL and a private MariaDB on loopback, for the length of one test run. They
//! write into a directory that goes away with them and take care of nothing after a crash: no
//! fsync. Which tests use them, and how, is the tests' affair.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::directory::Directory;
use crate::process::{self, free_port, installed, output};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(60);

/// Both servers, running. Dropping it ends them, less politely than [`Engines::stop`].
pub struct Engines {
    postgres: Server,
    mariadb: Server,
    directory: Directory,
}

impl Engines {
    /// Starts both, each with a new and empty data directory.
    pub async fn start() -> Result<Self> {
        let directory = Directory::new(&std::env::temp_dir(), "nucleon-engines")?;
        let began = Instant::now();
        let postgres = start_postgres(&directory.path).await.context("PostgreSQL")?;
        let mariadb = start_mariadb(&directory.path).await.context("MariaDB")?;
        println!("PostgreSQL and MariaDB answer after {:.1?}", began.elapsed());
        Ok(Engines { postgres, mariadb, directory })
    }

    /// The environment in which tests find the servers: URLs of a superuser.
    pub fn environment(&self) -> [(&'static str, &str); 2] {
        [
            ("NUCLEON_TEST_POSTGRES", self.postgres.url.as_str()),
            ("NUCLEON_TEST_MARIADB", self.mariadb.url.as_str()),
        ]
    }

    /// Ends both and removes what they wrote.
    pub async fn stop(mut self) -> Result<()> {
        self.postgres.stop().await?;
        self.mariadb.stop().await?;
        drop(self.directory);
        Ok(())
    }
}

/// One server and how to end it.
struct Server {
    child: Child,
    url: String,
    signal: &'static str,
}

impl Server {
    async fn stop(&mut self) -> Result<()> {
        process::stop(&mut self.child, self.signal).await
    }
}

/// Where PostgreSQL keeps its programs: Debian puts them beside the path, by version.
pub fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| programs_of(*version).join("initdb").is_file())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|it| it.join("initdb").is_file());
    newest.map(programs_of).or_else(on_path)
}

fn programs_of(version: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))
}

/// Is a MariaDB server installed?
pub fn has_mariadb() -> bool {
    Path::new("/usr/sbin/mariadbd").is_file() || installed("mariadbd")
}

async fn start_postgres(directory: &Path) -> Result<Server> {
    let programs = postgres_programs().context("not installed (Debian: postgresql)")?;
    let home = Home::new(directory, "postgres")?;
    let password = password()?;
    let secret = home.write("password", &password)?;
    let data = home.path.join("data");
    let mut initdb = home.command(programs.join("initdb"), "INT");
    initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&secret);
    initdb.args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--no-sync"]);
    output(initdb.args(["--locale=C"])).await?;

    let port = free_port()?;
    let mut postgres = home.command(programs.join("postgres"), "INT");
    postgres.arg("-D").arg(&data).arg("-k").arg(&home.path);
    postgres.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in [
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "max_connections=400",
        "timezone=UTC",
    ] {
        postgres.args(["-c", setting]);
    }
    let log = home.log(&mut postgres)?;
    let child = postgres.spawn()?;
    let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
    // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
    let mut server = Server { child, url, signal: "INT" };
    let ask = || {
        let mut ready = process::command(programs.join("pg_isready"));
        ready.args(["--quiet", "--host=127.0.0.1", "--port", &port.to_string()]);
        ready
    };
    answers(&mut server, &log, ask).await?;
    Ok(server)
}

async fn start_mariadb(directory: &Path) -> Result<Server> {
    if !has_mariadb() {
        bail!("not installed (Debian: mariadb-server)");
    }
    let home = Home::new(directory, "mysql")?;
    let data = home.path.join("data");
    let mut install = home.command("mariadb-install-db", "TERM");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
    install.arg("--skip-test-db").arg(format!("--datadir={}", data.display()));
    output(&mut install).await?;

    let password = password()?;
    let root = "'root'@'127.0.0.1'";
    let secret = home.write(
        "init.sql",
        &format!(
            "CREATE OR REPLACE USER {root} IDENTIFIED BY '{password}';\n\
             GRANT ALL PRIVILEGES ON *.* TO {root} WITH GRANT OPTION;\n"
        ),
    )?;
    let port = free_port()?;
    let daemon = Path::new("/usr/sbin/mariadbd");
    let daemon = if daemon.is_file() { daemon } else { Path::new("mariadbd") };
    let mut mariadbd = home.command(daemon, "TERM");
    mariadbd.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    mariadbd.arg(format!("--socket={}", home.path.join("socket").display()));
    mariadbd.arg(format!("--pid-file={}", home.path.join("pid").display()));
    mariadbd.arg(format!("--init-file={}", secret.display()));
    mariadbd.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
    mariadbd.arg(format!("--port={port}"));
    mariadbd.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]);
    mariadbd.args(["--innodb-doublewrite=0", "--innodb-fast-shutdown=2"]);
    mariadbd.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]);
    mariadbd.arg("--max-connections=400");
    let log = home.log(&mut mariadbd)?;
    let child = mariadbd.spawn()?;
    let url = format!("mysql://root:{password}@127.0.0.1:{port}/mysql");
    let mut server = Server { child, url, signal: "TERM" };
    let ask = || {
        let mut ping = process::command("mariadb-admin");
        ping.args(["--no-defaults", "--host=127.0.0.1", "--protocol=tcp", "--user=root"]);
        ping.arg(format!("--port={port}")).arg("ping").env("MYSQL_PWD", &password);
        ping
    };
    answers(&mut server, &log, ask).await?;
    Ok(server)
}

/// Asks until the server answers; its log is in the error if it ends or stays silent.
async fn answers(server: &mut Server, log: &Path, ask: impl Fn() -> Command) -> Result<()> {
    let began = Instant::now();
    loop {
        if output(&mut ask()).await.is_ok() {
            return Ok(());
        }
        let ended = server.child.try_wait()?;
        if ended.is_some() || began.elapsed() > START {
            let said = fs::read_to_string(log).unwrap_or_default();
            bail!("does not answer ({ended:?}); its log:\n{said}");
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The directory of one server and the user it runs as: servers refuse to run as root.
struct Home {
    path: PathBuf,
    user: Option<&'static str>,
}

impl Home {
    fn new(directory: &Path, user: &'static str) -> Result<Self> {
        let path = directory.join(user);
        fs::create_dir(&path)?;
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        if is_root {
            let (uid, gid) = ids(user)?;
            chown(&path, Some(uid), Some(gid))?;
        }
        Ok(Home { path, user: is_root.then_some(user) })
    }

    /// Runs as the user, and gets the signal should this process die without saying goodbye.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, signal: &str) -> Command {
        let mut command = process::command("setpriv");
        command.current_dir(&self.path).args(["--pdeathsig", signal]);
        if let Some(user) = self.user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        // Its own process group: Ctrl-C is for the tests first, the servers go after them.
        command.process_group(0).arg("--").arg(program);
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, text)?;
        if let Some(user) = self.user {
            let (uid, gid) = ids(user)?;
            chown(&path, Some(uid), Some(gid))?;
        }
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(path)
    }

    fn log(&self, command: &mut Command) -> Result<PathBuf> {
        let path = self.path.join("log");
        let file = File::create(&path)?;
        command.stdin(std::process::Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(path)
    }
}

/// The numbers of a user of this machine.
fn ids(user: &str) -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user));
    let mut fields = line.with_context(|| format!("no user {user}"))?.split(':').skip(2);
    let mut number = || fields.next().unwrap_or_default().parse::<u32>();
    Ok((number()?, number()?))
}

/// Nobody else on the machine shall be superuser of the servers meanwhile.
fn password() -> Result<String> {
    let random = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(random.trim().replace('-', ""))
}
