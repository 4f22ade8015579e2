//! A private PostgreSQL: TCP on 127.0.0.1 only, with a password, no sockets, no trust.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use nix::sys::signal::Signal;

use super::{
    Child, OnOurDeath, ServerError, binaries,
    keeper::Server,
    last_words, ports, previous,
    run_as::{RunAs, death_signal},
};
use crate::secret::{SecretString, random_hex};

const NAME: &str = "PostgreSQL";
const SUPERUSER: &str = "alta";
const DATABASE: &str = "alta";

/// How a private PostgreSQL is run.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Where it keeps everything; made when it is not there.
    pub directory: PathBuf,
    /// Whether what is committed must survive a power failure. Only tests do without.
    pub durable: bool,
    /// What becomes of it when we die.
    pub on_our_death: OnOurDeath,
}

/// A private PostgreSQL that has been set up and can be started.
#[derive(Debug)]
pub struct Postgres {
    options: PostgresOptions,
    programs: PathBuf,
    run_as: RunAs,
    password: SecretString,
    port: u16,
}

impl Postgres {
    /// Sets a server up: makes its files when they are not there, waits for what an earlier run
    /// left behind, chooses a port. Blocks, for seconds the first time.
    pub fn prepare(options: PostgresOptions) -> Result<Self, ServerError> {
        let directory = options.directory.as_path();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(ServerError::file(directory))?;
        let run_as = RunAs::not_root(directory)?;
        let programs = binaries::postgres(version_of(&directory.join("data"))?)?;
        let password = password(&directory.join("password"), &run_as)?;
        let mut server = Self {
            options,
            programs,
            run_as,
            password,
            port: 0,
        };
        if !server.data().exists() {
            server.initialise()?;
        }
        server.settle()?;
        server.port = ports::remembered(&server.file("port"))?;
        Ok(server)
    }

    /// Where the service's database is, with the password of its owner.
    pub fn url(&self) -> SecretString {
        self.url_of(DATABASE)
    }

    /// Where the database `name` is, with the password of the superuser.
    pub fn url_of(&self, name: &str) -> SecretString {
        let password = self.password.expose();
        SecretString::new(format!(
            "postgres://{SUPERUSER}:{password}@127.0.0.1:{}/{name}",
            self.port
        ))
    }

    /// Where the service's database is on a server that another process keeps in `directory`; none
    /// when there has never been one.
    pub fn url_of_running(directory: &Path) -> Option<SecretString> {
        let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
        let (password, port) = (SecretString::new(read("password")?.trim()), read("port")?);
        let port: u16 = port.trim().parse().ok()?;
        let password = password.expose();
        Some(SecretString::new(format!(
            "postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{DATABASE}"
        )))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    fn data(&self) -> PathBuf {
        self.file("data")
    }

    fn settle(&self) -> Result<(), ServerError> {
        previous::settle(
            NAME,
            &self.data().join("postmaster.pid"),
            &self.data(),
            Signal::SIGINT,
        )
    }

    /// Makes the data directory under another name first, so that it is there whole or not at all.
    fn initialise(&self) -> Result<(), ServerError> {
        let new = self.file("data.new");
        if new.exists() {
            fs::remove_dir_all(&new).map_err(ServerError::file(&new))?;
        }
        let mut command = self.program("initdb");
        command
            .arg("--pgdata")
            .arg(&new)
            .arg("--pwfile")
            .arg(self.file("password"));
        command.args(["--username", SUPERUSER, "--auth", "scram-sha-256"]);
        command.args(["--encoding", "UTF8", "--locale", "C.UTF-8"]);
        if !self.options.durable {
            command.arg("--no-sync");
        }
        check("initdb", &run(command, "")?)?;
        let mut command = self.program("postgres");
        command.arg("--single").arg("-D").arg(&new).arg("postgres");
        check(
            "postgres --single",
            &run(command, &format!("CREATE DATABASE {DATABASE};\n"))?,
        )?;
        fs::rename(&new, self.data()).map_err(ServerError::file(&new))?;
        sync(&self.options.directory)
    }

    fn program(&self, name: &str) -> Command {
        self.run_as.command(&self.programs.join(name), "KILL")
    }

    fn settings(&self) -> Vec<String> {
        let durable = if self.options.durable { "on" } else { "off" };
        let buffers = if self.options.durable {
            "256MB"
        } else {
            "64MB"
        };
        vec![
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "max_connections=200".to_owned(),
            format!("shared_buffers={buffers}"),
            "wal_level=replica".to_owned(),
            format!("fsync={durable}"),
            format!("full_page_writes={durable}"),
            format!("synchronous_commit={durable}"),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "logging_collector=on".to_owned(),
            "log_directory=log".to_owned(),
            "log_filename=postgresql-%a.log".to_owned(),
            "log_truncate_on_rotation=on".to_owned(),
            "log_rotation_age=1d".to_owned(),
            "log_rotation_size=0".to_owned(),
        ]
    }

    /// What it said last, before or after its own log was open.
    fn last_words(&self) -> String {
        let started = last_words(&self.file("start.log"));
        started.unwrap_or_else(|| format!("see the logs in {}", self.data().join("log").display()))
    }
}

impl Server for Postgres {
    fn name(&self) -> &'static str {
        NAME
    }

    fn launch(&self) -> Result<Child, ServerError> {
        self.settle()?;
        let log = self.file("start.log");
        let file = fs::File::create(&log).map_err(ServerError::file(&log))?;
        let signal = death_signal(self.options.on_our_death, "INT");
        let mut command = self.run_as.command(&self.programs.join("postgres"), signal);
        command.arg("-D").arg(self.data());
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        command
            .stdout(file.try_clone().map_err(ServerError::file(&log))?)
            .stderr(file);
        Child::start(NAME, command).map_err(|source| ServerError::Run {
            program: "postgres".to_owned(),
            source,
        })
    }

    /// The server says so itself: the eighth line of its id file.
    fn is_ready(&self, child: &Child) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(child.pid().to_string().as_str()) && lines.nth(6) == Some("ready")
    }

    fn failure(&self) -> ServerError {
        ServerError::Start {
            name: NAME,
            reason: self.last_words(),
        }
    }

    fn move_to_another_port(&mut self) -> Result<(), ServerError> {
        self.port = ports::another(&self.file("port"))?;
        Ok(())
    }

    fn stop_signals(&self) -> [Signal; 2] {
        [Signal::SIGINT, Signal::SIGQUIT]
    }
}

/// The version that made the data directory; none when there is no such directory.
fn version_of(data: &Path) -> Result<Option<u32>, ServerError> {
    let file = data.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ServerError::file(&file)(error)),
    }
}

/// The superuser's password, made once. The server's account must be able to read it when the
/// data directory is made.
fn password(file: &Path, run_as: &RunAs) -> Result<SecretString, ServerError> {
    if let Ok(text) = fs::read_to_string(file)
        && text.trim().len() >= 32
    {
        return Ok(SecretString::new(text.trim()));
    }
    let password = random_hex(24);
    let new = file.with_extension("new");
    let mut written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(ServerError::file(&new))?;
    written
        .write_all(password.expose().as_bytes())
        .map_err(ServerError::file(&new))?;
    written.sync_all().map_err(ServerError::file(&new))?;
    run_as.give(&new)?;
    fs::rename(&new, file).map_err(ServerError::file(file))?;
    Ok(password)
}

fn run(mut command: Command, input: &str) -> Result<Output, ServerError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| ServerError::Run {
            program: "setpriv".to_owned(),
            source,
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not want its input says why by its own exit status.
        drop(stdin.write_all(input.as_bytes()));
    }
    child.wait_with_output().map_err(|source| ServerError::Run {
        program: NAME.to_owned(),
        source,
    })
}

fn check(program: &str, output: &Output) -> Result<(), ServerError> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it says nothing");
    let reason = format!("{program} ended with {}: {last}", output.status);
    Err(ServerError::Start { name: NAME, reason })
}

fn sync(directory: &Path) -> Result<(), ServerError> {
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(ServerError::file(directory))
}
