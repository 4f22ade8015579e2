//! From the configuration to a store: which client speaks to it, how long it waits, how often it
//! tries again. Nothing is sent yet.

use std::hash::{BuildHasher, RandomState};
use std::path::Path as DiskPath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::multipart::MultipartStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use runtime::config::storage::{Bucket, Place, StorageConfig};

use super::shared_key::SharedKey;
use super::{ObjectStorage, Signing, StoreError};

/// How long a store may take to take a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it may be silent: it must have taken a part, or give more of an object.
const SILENCE: Duration = Duration::from_secs(30);

/// What one kind of store is made of.
struct Client {
    store: Arc<dyn ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    signing: Option<Signing>,
}

impl ObjectStorage {
    /// The store that the configuration names; a directory is made when it is missing. Whether a
    /// bucket answers shows when it is first used ([`Self::health`]).
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for what cannot be used, whatever the store says.
    pub fn open(config: &StorageConfig) -> Result<Self, StoreError> {
        let (bucket, made) = match &config.place {
            Place::Directory(directory) => return Self::in_directory(directory),
            Place::S3(bucket) => (bucket, s3(bucket)),
            Place::Google(bucket) => (bucket, google(bucket, config.google_credentials.as_deref())),
            Place::Azure(container) => (container, azure(container)),
        };
        let made = made.map_err(|refusal| match refusal {
            Refusal::Setting(variable, reason) => unusable(variable, &reason),
            Refusal::Store(error) => unusable("STORAGE_URL", &error),
        })?;
        let prefix = match bucket.prefix.as_str() {
            "" => String::new(),
            words => format!("{words}/"),
        };
        Ok(Self {
            store: made.store,
            parts: Some(made.parts),
            signing: made.signing.filter(|_| config.signed_urls),
            directory: None,
            prefix: prefix.into(),
            uri: format!("{}/", config.url).into(),
            probe: probe(),
        })
    }

    /// The store that a URL alone names.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let config = StorageConfig::from_url(url);
        Self::open(&config.map_err(|error| unusable("STORAGE_URL", &error.reason))?)
    }

    fn in_directory(directory: &DiskPath) -> Result<Self, StoreError> {
        let bad = |error: &dyn std::fmt::Display| unusable("STORAGE_URL", error);
        std::fs::create_dir_all(directory).map_err(|error| bad(&error))?;
        let store = LocalFileSystem::new_with_prefix(directory).map_err(|error| bad(&error))?;
        // An event may name the object as soon as it is put: it must outlive a power failure.
        let store = store.with_automatic_cleanup(true).with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            parts: None,
            signing: None,
            directory: Some(directory.to_owned()),
            prefix: "".into(),
            uri: "local://".into(),
            probe: probe(),
        })
    }
}

/// What is wrong: a variable, or what the client's builder says.
enum Refusal {
    Setting(&'static str, String),
    Store(object_store::Error),
}

impl From<object_store::Error> for Refusal {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

fn unusable(variable: &'static str, reason: &(impl std::fmt::Display + ?Sized)) -> StoreError {
    StoreError::Unusable {
        variable,
        reason: reason.to_string().replace(['\n', '\r'], " "),
    }
}

/// Several processes may share a bucket, and process ids are the same in every container.
fn probe() -> Arc<str> {
    format!("health/{:016x}", RandomState::new().hash_one(())).into()
}

/// An outage must show within the time that somebody waits for an answer.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(10),
    }
}

/// A large object may take as long as it takes, if only something moves.
fn patience(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        .with_timeout_disabled()
        .with_allow_http(allow_http)
}

fn allows_http(bucket: &Bucket, name: &str) -> bool {
    bucket.setting(name) == Some("true")
}

fn s3(bucket: &Bucket) -> Result<Client, Refusal> {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in &bucket.settings {
        let key: AmazonS3ConfigKey = name.to_ascii_lowercase().parse()?;
        builder = builder.with_config(key, value.expose());
    }
    let store = builder
        .with_bucket_name(&bucket.name)
        .with_retry(retries())
        .with_client_options(patience(allows_http(bucket, "AWS_ALLOW_HTTP")))
        .build()?;
    let store = Arc::new(store);
    Ok(Client {
        store: store.clone(),
        parts: store.clone(),
        signing: Some(Signing::Store(store)),
    })
}

fn google(bucket: &Bucket, credentials: Option<&DiskPath>) -> Result<Client, Refusal> {
    let bad = |reason: String| Refusal::Setting("GOOGLE_APPLICATION_CREDENTIALS", reason);
    let mut builder = GoogleCloudStorageBuilder::new();
    let (mut signs, mut unencrypted) = (false, false);
    if let Some(file) = credentials {
        let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
        let key: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| bad("it is no JSON".to_owned()))?;
        // Others than an account of a service have no key to sign with.
        signs = key["type"] == "service_account";
        // Only a key file written for another server than Google's names one.
        let url = key["gcs_base_url"].as_str().unwrap_or_default();
        unencrypted = url.starts_with("http://");
        builder = if signs {
            builder.with_service_account_key(text)
        } else {
            builder.with_application_credentials(file.to_string_lossy())
        };
    }
    let store = builder
        .with_bucket_name(&bucket.name)
        .with_retry(retries())
        .with_client_options(patience(unencrypted))
        .build();
    let store = Arc::new(store.map_err(|error| match credentials {
        Some(_) => bad(error.to_string()),
        None => Refusal::Store(error),
    })?);
    Ok(Client {
        store: store.clone(),
        parts: store.clone(),
        signing: signs.then_some(Signing::Store(store)),
    })
}

fn azure(container: &Bucket) -> Result<Client, Refusal> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in &container.settings {
        let key: AzureConfigKey = name.to_ascii_lowercase().parse()?;
        builder = builder.with_config(key, value.expose());
    }
    let bad_key = || {
        let reason = "it is no account's key".to_owned();
        Refusal::Setting("AZURE_STORAGE_ACCOUNT_KEY", reason)
    };
    let signing = match container.setting("AZURE_STORAGE_ACCOUNT_KEY") {
        Some(key) => Some(SharedKey::new(container, key).ok_or_else(bad_key)?),
        None => None,
    };
    let store = builder
        .with_container_name(&container.name)
        .with_retry(retries())
        .with_client_options(patience(allows_http(container, "AZURE_ALLOW_HTTP")))
        .build()?;
    let store = Arc::new(store);
    Ok(Client {
        store: store.clone(),
        parts: store,
        signing: signing.map(|key| Signing::SharedKey(Arc::new(key))),
    })
}
