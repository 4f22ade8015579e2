//! The real `alta` binary as a child: started, asked, drained, killed, started again.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runtime::private_servers::{Child, free_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{home::Home, workspace};

/// The first start sets up PostgreSQL and migrates, on a machine that may be busy.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// `alta up` with a data directory of its own. It dies with the test process.
#[derive(Debug)]
pub struct AltaProcess {
    home: Home,
    port: u16,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    child: Option<Child>,
}

impl AltaProcess {
    /// Sets up what is needed; nothing runs yet. Rate limits are off.
    pub fn new() -> Result<Self> {
        let (home, port) = (Home::new()?, free_port()?);
        let data_dir = home.path().join("data").display().to_string();
        let environment = [
            ("ALTA_DATA_DIR", data_dir),
            ("PORT", port.to_string()),
            ("RATE_LIMIT_ENABLED", "false".to_owned()),
            ("LOG_FORMAT", "pretty".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        Ok(Self {
            home,
            port,
            arguments: vec!["up".to_owned()],
            environment: environment.into(),
            child: None,
        })
    }

    /// Runs `alta` with these arguments instead of `up`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        self
    }

    /// Sets an environment variable for the next start.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `ALTA_DATA_DIR`.
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The URL of its private database, once it has been started.
    pub fn database_url(&self) -> Result<String> {
        let directory = self.data_dir().join("postgres");
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        Ok(format!(
            "postgres://alta:{}@127.0.0.1:{}/alta",
            read("password")?.trim(),
            read("port")?
        ))
    }

    /// Starts it and waits until it says that it is ready.
    pub async fn start(&mut self) -> Result<()> {
        self.launch()?;
        let deadline = Instant::now() + READY_WITHIN;
        while !self.is_ready().await {
            if let Some(status) = self.ended() {
                bail!("alta ended with {status}:\n{}", self.output());
            }
            if Instant::now() > deadline {
                bail!(
                    "alta is not ready after {READY_WITHIN:?}:\n{}",
                    self.output()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Starts it and waits for nothing.
    pub fn launch(&mut self) -> Result<()> {
        let output = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.output_file())?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(binary()?)
            .args(&self.arguments);
        command.env_clear().envs(&self.environment);
        for name in [
            "PATH",
            "HOME",
            "USER",
            "LANG",
            "TMPDIR",
            "RUST_LOG",
            "RUST_BACKTRACE",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .current_dir(self.home.path())
            .stdout(output.try_clone()?)
            .stderr(output);
        self.child = Some(Child::start("alta", command)?);
        Ok(())
    }

    /// Everything that it has written to standard output and standard error over all starts.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_file()).unwrap_or_default()).into_owned()
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// How it ended, if it has ended by itself; nothing when it runs or was never started.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.as_ref().and_then(Child::status)
    }

    /// Kills it alone (SIGKILL), as the kernel would, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL);
        self.wait().await.map(drop)
    }

    /// Waits until it has ended by itself, at most a minute.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let child = self.child.take().context("it has not been started")?;
        let ended = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
        ended.with_context(|| format!("alta does not end:\n{}", self.output()))
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.wait().await
    }

    /// Kills it and all its descendants (SIGKILL), as a power failure would, and waits until they
    /// are gone.
    pub async fn kill_tree(&mut self) -> Result<()> {
        let child = self.child.take().context("it has not been started")?;
        let tree = descendants(child.pid());
        for &pid in &tree {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        child.wait().await;
        all_gone(&tree).await
    }

    /// The processes of the tree: it and its descendants.
    pub fn tree(&self) -> Vec<i32> {
        self.child
            .as_ref()
            .map_or_else(Vec::new, |child| descendants(child.pid()))
    }

    /// Whether it says that it can serve.
    pub async fn is_ready(&self) -> bool {
        let asked = tokio::time::timeout(Duration::from_secs(5), self.ask_for_readiness()).await;
        matches!(asked, Ok(Ok(true)))
    }

    async fn ask_for_readiness(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = b"GET /api/health/ready HTTP/1.1\r\nHost: alta\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.starts_with("HTTP/1.1 200 "))
    }

    fn output_file(&self) -> PathBuf {
        self.home.path().join("output.log")
    }
}

impl Drop for AltaProcess {
    fn drop(&mut self) {
        for pid in self.tree() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Waits until none of these processes runs, at most 30 seconds. A zombie that nobody has collected
/// yet counts as gone.
pub async fn all_gone(processes: &[i32]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while processes.iter().any(|&pid| is_running(pid)) {
        if Instant::now() > deadline {
            bail!("not all of these processes end: {processes:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// `ALTA_BIN`, else the binary beside the tests of this build, built when it is not there.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ALTA_BIN") {
        return Ok(path.into());
    }
    let this = std::env::current_exe()?;
    let beside = this.parent().context("every program lies somewhere")?;
    // Tests lie in target/*/deps, programs beside the binary.
    let directory = match beside.file_name() {
        Some(name) if name == "deps" => beside.parent().context("deps lies in target/*")?,
        _ => beside,
    };
    let path = directory.join("alta");
    if !path.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "-p", "alta"]).current_dir(workspace());
        if !build.status()?.success() {
            bail!("alta does not build");
        }
    }
    Ok(path)
}

/// `root` and all below it, by the process table.
pub fn descendants(root: i32) -> Vec<i32> {
    let processes: Vec<(i32, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(&pid) = tree.get(at) {
        tree.extend(
            processes
                .iter()
                .filter(|(_, parent)| *parent == pid)
                .map(|(child, _)| *child),
        );
        at += 1;
    }
    tree
}

/// The fields after the process's name, which may itself hold spaces and brackets.
fn after_name(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned())
}

fn parent(pid: i32) -> Option<i32> {
    after_name(pid)?.split(' ').nth(1)?.parse().ok()
}

fn is_running(pid: i32) -> bool {
    after_name(pid).is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}
