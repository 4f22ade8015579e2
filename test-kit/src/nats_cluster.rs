//! Three NATS servers with JetStream as one cluster, each to be stopped and started at will.

use std::{fs, net::TcpListener, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use runtime::{
    nats_address::{NatsAddress, NatsCredentials},
    private_servers::Child,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::home::Home;

const NODES: usize = 3;
/// Servers that find one another and elect who leads, on a machine that may be busy.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A cluster of one's own; it dies when this is dropped.
#[derive(Debug)]
pub struct TestNatsCluster {
    nodes: [Node; NODES],
    home: Home,
}

/// One server; its ports stay the same over restarts.
#[derive(Debug)]
struct Node {
    name: String,
    client: u16,
    peers: u16,
    monitor: u16,
    child: Option<Child>,
}

/// A fresh cluster of three servers, `node-0` to `node-2`, with an empty JetStream. They ask for no
/// credentials.
///
/// # Panics
/// When nats-server is not installed or the servers do not find one another: no test can go on
/// without.
pub async fn nats_cluster() -> TestNatsCluster {
    TestNatsCluster::fresh()
        .await
        .expect("three private nats-servers")
}

impl TestNatsCluster {
    async fn fresh() -> Result<Self> {
        let mut cluster = Self {
            nodes: nodes()?,
            home: Home::new()?,
        };
        cluster.start_all().await?;
        Ok(cluster)
    }

    /// All servers, with commas between, as `NATS_URL` takes them.
    pub fn url(&self) -> String {
        let urls = self.nodes.each_ref().map(|node| url(node.client));
        urls.join(",")
    }

    /// Where it is, as the service's configuration has it.
    pub fn address(&self) -> NatsAddress {
        NatsAddress {
            servers: self.url(),
            credentials: NatsCredentials::None,
        }
    }

    /// `nats://127.0.0.1:port` of one server.
    pub fn url_of(&self, node: usize) -> String {
        url(self.nodes[node].client)
    }

    /// Which server has this name, as JetStream tells of leaders and peers.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Kills one server, as a crash would, and waits until it is gone.
    pub async fn stop(&mut self, node: usize) {
        if let Some(child) = self.nodes[node].child.take() {
            child.signal(Signal::SIGKILL);
            child.wait().await;
        }
    }

    /// Starts one server again with whatever its store holds, and waits until it has caught up with
    /// the others.
    pub async fn start(&mut self, node: usize) -> Result<()> {
        if self.nodes[node].child.is_none() {
            self.launch(node)?;
        }
        self.ready(node).await
    }

    /// Kills all servers.
    pub async fn stop_all(&mut self) {
        for node in 0..NODES {
            self.stop(node).await;
        }
    }

    /// Starts those that do not run, and waits until all are one cluster again.
    pub async fn start_all(&mut self) -> Result<()> {
        for node in 0..NODES {
            if self.nodes[node].child.is_none() {
                self.launch(node)?;
            }
        }
        for node in 0..NODES {
            self.ready(node).await?;
        }
        Ok(())
    }

    /// Kills all servers and deletes JetStream's files.
    pub async fn stop_and_wipe(&mut self) -> Result<()> {
        self.stop_all().await;
        for node in 0..NODES {
            let store = self.directory(node).join("jetstream");
            if store.exists() {
                fs::remove_dir_all(&store).with_context(|| store.display().to_string())?;
            }
        }
        Ok(())
    }

    /// Sends a signal to one server: SIGSTOP for one that hangs, SIGCONT for its awakening.
    pub fn signal(&self, node: usize, signal: Signal) {
        if let Some(child) = &self.nodes[node].child {
            child.signal(signal);
        }
    }

    fn directory(&self, node: usize) -> PathBuf {
        self.home.path().join(&self.nodes[node].name)
    }

    fn launch(&mut self, node: usize) -> Result<()> {
        let directory = self.directory(node);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("nats.conf"), self.configuration(node))?;
        let mut command = Command::new("setpriv");
        command
            .args([
                "--pdeathsig",
                "KILL",
                "--",
                "nats-server",
                "-c",
                "nats.conf",
            ])
            .current_dir(&directory);
        let output = fs::File::create(directory.join("start.log"))?;
        command.stdout(output.try_clone()?).stderr(output);
        self.nodes[node].child = Some(Child::start("NATS", command)?);
        Ok(())
    }

    /// Paths in it are relative to the node's directory.
    fn configuration(&self, node: usize) -> String {
        let routes = self.nodes.each_ref().map(|node| {
            let port = node.peers;
            format!("nats-route://127.0.0.1:{port}")
        });
        let node = &self.nodes[node];
        format!(
            "listen: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\nserver_name: {}\n\
             log_file: \"nats.log\"\njetstream {{ store_dir: \"jetstream\" }}\n\
             cluster {{\n  name: alta\n  listen: \"127.0.0.1:{}\"\n  routes: [\"{}\"]\n}}\n",
            node.client,
            node.monitor,
            node.name,
            node.peers,
            routes.join("\", \""),
        )
    }

    /// Waits until a server has met the leader of JetStream's own group and is as far as that.
    async fn ready(&self, node: usize) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let Node { monitor, child, .. } = &self.nodes[node];
        while !is_healthy(*monitor).await {
            let log = self.directory(node).join("nats.log");
            if child.as_ref().is_none_or(|child| child.status().is_some()) {
                bail!(
                    "node-{node} ended: {}",
                    fs::read_to_string(log).unwrap_or_default()
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "node-{node} is not ready after {READY_WITHIN:?}: {}",
                    log.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for TestNatsCluster {
    fn drop(&mut self) {
        for node in 0..NODES {
            self.signal(node, Signal::SIGKILL);
        }
    }
}

/// All ports are held until the last is found, so that none is given twice.
fn nodes() -> Result<[Node; NODES]> {
    let mut held = Vec::new();
    let mut port = || -> Result<u16> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        held.push(listener);
        Ok(port)
    };
    let mut nodes = Vec::new();
    for index in 0..NODES {
        nodes.push(Node {
            name: format!("node-{index}"),
            client: port()?,
            peers: port()?,
            monitor: port()?,
            child: None,
        });
    }
    nodes.try_into().ok().context("there are three")
}

fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

async fn is_healthy(monitor: u16) -> bool {
    let asked = tokio::time::timeout(Duration::from_secs(2), healthz(monitor)).await;
    matches!(asked, Ok(Ok(true)))
}

async fn healthz(monitor: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", monitor)).await?;
    let request = b"GET /healthz HTTP/1.1\r\nHost: nats\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}
