//! An S3-compatible server of one's own, in this process, over a directory: it checks signatures as
//! Amazon does, and can be stopped and started again on the same port.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use runtime::config::{Config, storage::StorageConfig};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::home::Home;

const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";
const BUCKET: &str = "alta-files";

/// The server, with one empty bucket; it ends when this is dropped.
#[derive(Debug)]
pub struct TestS3 {
    address: SocketAddr,
    running: Option<JoinHandle<()>>,
    home: Home,
}

/// A fresh server with an empty bucket.
///
/// # Panics
/// When it does not start: no test can go on without.
pub async fn s3() -> TestS3 {
    TestS3::fresh().await.expect("an S3 server")
}

impl TestS3 {
    async fn fresh() -> Result<Self> {
        let home = Home::new()?;
        std::fs::create_dir(home.path().join(BUCKET))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut server = Self {
            address: listener.local_addr()?,
            running: None,
            home,
        };
        server.serve(listener)?;
        Ok(server)
    }

    /// The variables with which the service keeps its files there, under this prefix of the bucket.
    pub fn variables(&self, prefix: &str) -> [(&'static str, String); 6] {
        [
            ("STORAGE_URL", format!("s3://{BUCKET}/{prefix}")),
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// The same as a configuration has it.
    pub fn storage(&self, prefix: &str) -> StorageConfig {
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        let variables = self.variables(prefix).map(owned);
        let config = Config::from_vars(&variables.into()).expect("the variables are good");
        config.storage
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the bucket's objects lie, each as a file.
    pub fn directory(&self) -> PathBuf {
        self.home.path().join(BUCKET)
    }

    /// What it keeps of uploads in parts that were neither brought to an end nor broken off.
    pub fn parts_left(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.home.path()).into_iter().flatten();
        files
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(".upload"))
            .collect()
    }

    /// Stops it in the middle of whatever it does.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ended = running.await;
        }
    }

    /// Starts it again on the same port with what it has kept.
    pub async fn start(&mut self) -> Result<()> {
        if self.running.is_none() {
            let listener = TcpListener::bind(self.address).await;
            self.serve(listener.context("the port is in use")?)?;
        }
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) -> Result<()> {
        let files = FileSystem::new(self.home.path());
        let files = files.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        self.running = Some(tokio::spawn(accept(listener, builder.build())));
        Ok(())
    }
}

impl Drop for TestS3 {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// Connections end with the task.
async fn accept(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream, service.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(stream: TcpStream, service: S3Service) {
    let served = Builder::new(TokioExecutor::new());
    let served = served.serve_connection(TokioIo::new(stream), service);
    // A client that goes away in the middle is its own business.
    let _ = served.into_owned().await;
}
