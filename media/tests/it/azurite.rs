//! Azure's own emulator of Blob Storage, as a child process with an empty container.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use nix::sys::signal::Signal;
use runtime::clock::Clock;
use runtime::config::storage::{Place, StorageConfig};
use runtime::private_servers::{Child, free_port};
use sha2::Sha256;
use test_kit::Home;
use time::macros::format_description;

const ACCOUNT: &str = "devstoreaccount1";
const CONTAINER: &str = "alta-files";
const VERSION: &str = "2022-11-02";

/// The server; it ends when this is dropped or the tests do.
pub struct Azurite {
    port: u16,
    key: String,
    child: Child,
    _home: Home,
}

impl Azurite {
    /// A fresh one, with an empty container.
    pub async fn start() -> Self {
        let home = Home::new().expect("a directory");
        let port = free_port().expect("a port");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "node"])
            .arg(program())
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .args([
                "--skipApiVersionCheck",
                "--disableTelemetry",
                "--silent",
                "--location",
            ])
            .arg(home.path())
            .current_dir(home.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let child = Child::start("azurite", command).expect("node starts");
        let server = Self {
            port,
            key: emulator_key(),
            child,
            _home: home,
        };
        let made = tokio::time::timeout(Duration::from_mins(1), server.make_container());
        made.await.expect("azurite answers");
        server
    }

    /// The variables with which the service keeps its files there, under this prefix.
    pub fn variables(&self, prefix: &str) -> [(&'static str, String); 5] {
        [
            ("STORAGE_URL", format!("az://{CONTAINER}/{prefix}")),
            ("AZURE_STORAGE_ENDPOINT", self.endpoint()),
            ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", self.key.clone()),
        ]
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    async fn make_container(&self) {
        let client = reqwest::Client::new();
        let url = format!("{}/{CONTAINER}?restype=container", self.endpoint());
        loop {
            assert_eq!(self.child.status(), None, "azurite has ended");
            let format = format_description!(
                "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
            );
            let date = Clock::system().now().format(format).expect("a date");
            let request = client
                .put(&url)
                .header("x-ms-date", &date)
                .header("x-ms-version", VERSION)
                .header("content-length", "0")
                .header("authorization", self.authorization(&date));
            match request.send().await {
                Ok(answer) => return assert_eq!(answer.status(), 201, "{:?}", answer.text().await),
                Err(_not_up_yet) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn authorization(&self, date: &str) -> String {
        let signed = format!(
            "PUT{}x-ms-date:{date}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container",
            "\n".repeat(12)
        );
        let key = STANDARD.decode(&self.key).expect("a key");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(signed.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        format!("SharedKey {ACCOUNT}:{signature}")
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        self.child.signal(Signal::SIGKILL);
    }
}

/// The key that every emulator has.
fn emulator_key() -> String {
    let variables = [
        ("STORAGE_URL", "az://any"),
        ("AZURE_STORAGE_USE_EMULATOR", "true"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = runtime::config::Config::from_vars(&variables.into()).expect("a configuration");
    let StorageConfig {
        place: Place::Azure(container),
        ..
    } = config.storage
    else {
        panic!("it is of Azure");
    };
    let key = container.setting("AZURE_STORAGE_ACCOUNT_KEY");
    key.expect("a key").to_owned()
}

fn program() -> PathBuf {
    let program =
        test_kit::workspace().join("target/tools/node_modules/azurite/dist/src/blob/main.js");
    assert!(
        program.is_file(),
        "azurite is not installed at {}: `scripts/setup.sh --tests` (or `make test`) installs it",
        program.display()
    );
    program
}
