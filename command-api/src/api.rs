//! What every use case stands on, made once at start.

use std::{path::PathBuf, sync::Arc};

use event_store::{EventStore, Log};
use http_kit::AccessTokens;
use media::ObjectStorage;
use runtime::{
    clock::Clock, config::limits::LimitsConfig, ids::Ids, secret::SecretKey,
    signed_token::SignedTokens,
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{accounts::passwords::Passwords, review::attempts::Attempts};

/// The key that fingerprints of requests are made with: a request may hold a password.
const FINGERPRINTS: &str = "idempotency-fingerprint";
/// The key that kept answers with tokens in them are encrypted under.
const ANSWERS: &str = "idempotency-answer";

/// How many uploads are looked into at a time.
const PROBES: usize = 2;

/// What the command side is made of.
pub struct Parts {
    /// Where commands go.
    pub store: EventStore,
    /// The numbered events.
    pub log: Log,
    /// Where files go.
    pub storage: ObjectStorage,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// The service's key.
    pub secret: SecretKey,
    /// The largest things that are taken.
    pub limits: LimitsConfig,
    /// A directory for files on their way in; made when missing.
    pub spool: PathBuf,
}

/// The command side. Cloning is cheap.
#[derive(Clone)]
pub struct CommandApi(Arc<Inner>);

/// What every use case stands on.
pub struct Inner {
    pub(crate) store: EventStore,
    pub(crate) log: Log,
    pub(crate) storage: ObjectStorage,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) access: AccessTokens,
    pub(crate) signed: SignedTokens,
    pub(crate) passwords: Passwords,
    pub(crate) limits: LimitsConfig,
    pub(crate) spool: PathBuf,
    pub(crate) probes: Semaphore,
    pub(crate) attempts: Attempts,
    pub(crate) fingerprint_key: Zeroizing<[u8; 32]>,
    pub(crate) answer_key: Zeroizing<[u8; 32]>,
}

impl CommandApi {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the spool directory cannot be made, or the password hasher does not work.
    pub fn new(parts: Parts) -> std::io::Result<Self> {
        std::fs::create_dir_all(&parts.spool)?;
        let passwords = Passwords::new()?;
        Ok(Self(Arc::new(Inner {
            access: AccessTokens::new(&parts.secret, parts.clock.clone()),
            signed: SignedTokens::new(&parts.secret),
            fingerprint_key: Zeroizing::new(parts.secret.derive(FINGERPRINTS)),
            answer_key: Zeroizing::new(parts.secret.derive(ANSWERS)),
            passwords,
            store: parts.store,
            log: parts.log,
            storage: parts.storage,
            clock: parts.clock,
            ids: parts.ids,
            limits: parts.limits,
            spool: parts.spool,
            probes: Semaphore::new(PROBES),
            attempts: Attempts::default(),
        })))
    }
}

impl std::ops::Deref for CommandApi {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
