//! A private NATS server with JetStream: 127.0.0.1 only, with a token.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;

use super::{
    Child, OnOurDeath, ServerError, binaries,
    keeper::Server,
    last_words, ports, previous,
    run_as::{RunAs, death_signal},
};
use crate::{
    nats_address::{NatsAddress, NatsCredentials},
    secret::{SecretString, random_hex},
};

const NAME: &str = "NATS";

/// How a private NATS server is run.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// Where it keeps everything; made when it is not there. JetStream's files are in `jetstream`
    /// below it.
    pub directory: PathBuf,
    /// Whether clients must know a token.
    pub token: bool,
    /// What becomes of it when we die.
    pub on_our_death: OnOurDeath,
}

/// A private NATS server that has been set up and can be started.
#[derive(Debug)]
pub struct Nats {
    options: NatsOptions,
    program: PathBuf,
    version: (u32, u32),
    run_as: RunAs,
    token: Option<SecretString>,
    port: u16,
}

impl Nats {
    /// Sets a server up: makes its files, waits for what an earlier run left behind, chooses a
    /// port. Blocks.
    pub fn prepare(options: NatsOptions) -> Result<Self, ServerError> {
        let directory = options.directory.as_path();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(ServerError::file(directory))?;
        let (program, version) = binaries::nats()?;
        let token = options.token.then(|| token(&directory.join("token")));
        let run_as = RunAs::ourselves()?;
        let mut server = Self {
            options,
            program,
            version,
            run_as,
            token,
            port: 0,
        };
        server.settle()?;
        server.port = ports::remembered(&server.file("port"))?;
        server.write_configuration()?;
        Ok(server)
    }

    /// Where it is and how to sign in.
    pub fn address(&self) -> NatsAddress {
        let credentials = self
            .token
            .clone()
            .map_or(NatsCredentials::None, NatsCredentials::Token);
        NatsAddress {
            servers: format!("nats://127.0.0.1:{}", self.port),
            credentials,
        }
    }

    /// Where the server is that another process keeps in `directory`; none when there has never
    /// been one.
    pub fn address_of_running(directory: &Path) -> Option<NatsAddress> {
        let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
        let (token, port) = (SecretString::new(read("token")?.trim()), read("port")?);
        let port: u16 = port.trim().parse().ok()?;
        let servers = format!("nats://127.0.0.1:{port}");
        Some(NatsAddress {
            servers,
            credentials: NatsCredentials::Token(token),
        })
    }

    /// The directory with JetStream's files.
    pub fn store(&self) -> PathBuf {
        self.file("jetstream")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    fn settle(&self) -> Result<(), ServerError> {
        previous::settle(
            NAME,
            &self.file("nats.pid"),
            &self.options.directory,
            Signal::SIGTERM,
        )
    }

    /// Paths in it are relative to its directory, in which the server is started.
    fn write_configuration(&self) -> Result<(), ServerError> {
        let token = self.token.as_ref().map_or(String::new(), |token| {
            format!("authorization {{ token: \"{}\" }}\n", token.expose())
        });
        // Older servers refuse the setting and sync every two minutes.
        let sync = if self.version >= (2, 10) {
            "  sync_interval: always\n"
        } else {
            ""
        };
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nserver_name: alta\npid_file: \"nats.pid\"\n\
             log_file: \"nats.log\"\nlogfile_size_limit: 10MB\n\
             jetstream {{\n  store_dir: \"jetstream\"\n{sync}}}\n{token}",
            self.port
        );
        let path = self.file("nats.conf");
        write_private(&path, &text).map_err(ServerError::file(&path))
    }
}

impl Server for Nats {
    fn name(&self) -> &'static str {
        NAME
    }

    fn launch(&self) -> Result<Child, ServerError> {
        self.settle()?;
        let log = self.file("start.log");
        let file = fs::File::create(&log).map_err(ServerError::file(&log))?;
        let signal = death_signal(self.options.on_our_death, "TERM");
        let mut command = self.run_as.command(&self.program, signal);
        command
            .arg("-c")
            .arg(self.file("nats.conf"))
            .current_dir(&self.options.directory);
        command
            .stdout(file.try_clone().map_err(ServerError::file(&log))?)
            .stderr(file);
        Child::start(NAME, command).map_err(|source| ServerError::Run {
            program: "nats-server".to_owned(),
            source,
        })
    }

    /// It greets whoever connects, which it does only when JetStream is up.
    fn is_ready(&self, _child: &Child) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let greeted = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
            stream.set_read_timeout(Some(Duration::from_millis(500)))?;
            let mut greeting = [0; 5];
            stream.read_exact(&mut greeting)?;
            Ok(&greeting == b"INFO ")
        };
        greeted().unwrap_or(false)
    }

    fn failure(&self) -> ServerError {
        let said =
            last_words(&self.file("start.log")).or_else(|| last_words(&self.file("nats.log")));
        ServerError::Start {
            name: NAME,
            reason: said.unwrap_or_else(|| "it says nothing".to_owned()),
        }
    }

    fn move_to_another_port(&mut self) -> Result<(), ServerError> {
        self.port = ports::another(&self.file("port"))?;
        self.write_configuration()
    }

    fn stop_signals(&self) -> [Signal; 2] {
        [Signal::SIGTERM, Signal::SIGKILL]
    }
}

/// The token, made once. One that cannot be kept is made anew for this run.
fn token(file: &Path) -> SecretString {
    match fs::read_to_string(file) {
        Ok(text) if text.trim().len() >= 32 => SecretString::new(text.trim()),
        _ => {
            let token = random_hex(24);
            if let Err(error) = write_private(file, token.expose()) {
                tracing::warn!(%error, "the token of NATS is not kept: {error}");
            }
            token
        }
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
