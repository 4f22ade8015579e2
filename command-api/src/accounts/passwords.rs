//! Passwords: what may be one, and hashing them (argon2id, 19 MiB, 2 passes, 1 lane) on a few threads of
//! their own, each in its own memory, so that a burst of sign-ins exhausts neither threads nor memory:
//! allocated for each hash, it stays with the allocator in pieces, half a gigabyte after some hundreds.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use http_kit::ApiError;
use serde::{Deserialize, Deserializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use zeroize::Zeroizing;

use super::common_passwords::is_common;
use crate::checks::Checks;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(15);

/// A password on its way in; overwritten when dropped.
pub(crate) type Password = Zeroizing<String>;

/// What a thread that hashes is given to do.
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// What a thread hashes in.
type Memory = Vec<Block>;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// To as many threads as there are turns.
    jobs: mpsc::Sender<Job>,
    /// The hash of a password that nobody has: checked where there is no account, so that the
    /// answer takes the same time.
    nobodys: Arc<str>,
}

/// Reads a secret so that it is overwritten when dropped.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// Complains about what may not be a new password.
pub(crate) fn acceptable(checks: &mut Checks, field: &str, password: &str, email: Option<&str>) {
    let length = password.chars().count();
    if !(8..=128).contains(&length) {
        checks.refuse(field, "must have 8 to 128 characters");
    }
    let as_address = email.is_some_and(|email| email.eq_ignore_ascii_case(password));
    if as_address || is_common(password) {
        checks.refuse(field, "is too easy to guess");
    }
}

impl Passwords {
    /// # Errors
    /// When hashing does not work at all.
    pub fn new() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let at_once = cores.clamp(2, 4);
        let nobody: Password = runtime::secret::random_hex(16).expose().to_owned().into();
        Ok(Self {
            turns: Arc::new(Semaphore::new(at_once)),
            jobs: threads(at_once)?,
            nobodys: hash(&nobody, &mut vec![]).map_err(io::Error::other)?.into(),
        })
    }

    /// The password's hash as a PHC string.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn hash(&self, password: Password) -> Result<String, ApiError> {
        let hashed = self.done(move |memory| hash(&password, memory)).await?;
        hashed.map_err(|error| ApiError::internal(&error))
    }

    /// Whether the password belongs to the hash; never, but after the same time, without a hash.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, ApiError> {
        let nobodys = Arc::clone(&self.nobodys);
        self.done(move |memory| {
            let matches = matches_hash(&password, hash.as_deref().unwrap_or(&nobodys), memory);
            matches && hash.is_some()
        })
        .await
    }

    /// What comes of this on one of the threads.
    async fn done<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.turn().await?;
        let (told, answer) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            let _turn = turn;
            let _ = told.send(work(memory));
        });
        let taken = self.jobs.send(job);
        taken.map_err(|error| ApiError::internal(&error))?;
        answer.await.map_err(|error| ApiError::internal(&error))
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(ApiError::unavailable(5)),
        }
    }
}

/// Starts so many threads, which end with the last sender.
fn threads(count: usize) -> io::Result<mpsc::Sender<Job>> {
    let (jobs, waiting) = mpsc::channel::<Job>();
    let waiting = Arc::new(Mutex::new(waiting));
    for n in 0..count {
        let waiting = Arc::clone(&waiting);
        let next = move || {
            let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.recv().ok()
        };
        let named = thread::Builder::new().name(format!("passwords-{n}"));
        named.spawn(move || {
            let mut memory = vec![];
            while let Some(job) = next() {
                // One that panics takes no other with it; whoever waits for it is told.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
            }
        })?;
    }
    Ok(jobs)
}

fn hash(password: &Password, memory: &mut Memory) -> Result<String, password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    let (algorithm, version, salt) = (Algorithm::Argon2id, Version::V0x13, Salt::generate());
    let parameters = ParamsString::try_from(&params)?;
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(algorithm, version, params);
    fill(&argon2, password, &salt, &mut out, memory)?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: parameters,
        salt: Some(salt),
        hash: Some(Output::new(&out)?),
    };
    Ok(hash.to_string())
}

fn matches_hash(password: &Password, hash: &str, memory: &mut Memory) -> bool {
    let mut matches = || {
        let hash = PasswordHash::new(hash)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(password_hash::Error::PasswordInvalid);
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
        let version = hash.version.map(Version::try_from).transpose()?;
        let params = Params::try_from(&hash)?;
        let argon2 = Argon2::new(algorithm, version.unwrap_or_default(), params);
        let mut out = vec![0; expected.len()];
        fill(&argon2, password, salt, &mut out, memory)?;
        // Compared in constant time.
        Ok(Output::new(&out)? == *expected)
    };
    matches().unwrap_or(false)
}

fn fill(
    argon2: &Argon2<'_>,
    password: &Password,
    salt: &Salt,
    out: &mut [u8],
    memory: &mut Memory,
) -> Result<(), argon2::Error> {
    memory.resize(argon2.params().block_count(), Block::default());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    fn password(text: &str) -> Password {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_belongs_to_a_hash() {
        let passwords = Passwords::new().expect("hashing works");
        let hash = passwords
            .hash(password("correct horse 7"))
            .await
            .expect("hashed");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let verify = |text: &str, hash: Option<&str>| {
            let (passwords, text, hash) =
                (passwords.clone(), password(text), hash.map(str::to_owned));
            async move { passwords.verify(text, hash).await.expect("checked") }
        };
        assert!(verify("correct horse 7", Some(&hash)).await);
        assert!(!verify("correct horse 8", Some(&hash)).await);
        assert!(!verify("correct horse 7", None).await);
        assert!(!verify("correct horse 7", Some("rubbish")).await);
        // As the reference makes and reads it, and in memory that was used before.
        let reference = Argon2::default();
        let theirs = reference.hash_password(b"correct horse 9").expect("hashed");
        assert!(verify("correct horse 9", Some(&theirs.to_string())).await);
        let ours = PasswordHash::new(&hash).expect("a PHC string");
        assert!(reference.verify_password(b"correct horse 7", &ours).is_ok());
        assert!(
            reference
                .verify_password(b"correct horse 8", &ours)
                .is_err()
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_once_are_hashed_on_a_few_threads_and_one_that_panics_harms_no_other() {
        let passwords = Passwords::new().expect("hashing works");
        let names = (0..40).map(|n| {
            let passwords = passwords.clone();
            async move {
                let name = move |_: &mut Memory| {
                    assert_ne!(n, 20, "for the test");
                    thread::current().name().map(str::to_owned)
                };
                passwords.done(name).await.ok().flatten()
            }
        });
        let names = futures::future::join_all(names).await;
        assert_eq!(names.iter().flatten().count(), 39);
        let different: std::collections::BTreeSet<_> = names.into_iter().flatten().collect();
        assert!(different.len() <= 4, "{different:?}");
        assert!(different.iter().all(|name| name.starts_with("passwords-")));
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        let refused = |text: &str| {
            let mut checks = Checks::default();
            acceptable(&mut checks, "password", text, Some("somebody@example.org"));
            checks.finish().is_err()
        };
        for bad in [
            "",
            "seven77",
            "Password123",
            "Somebody@example.org",
            &"a".repeat(129),
        ] {
            assert!(refused(bad), "{bad}");
        }
        for good in ["ünicode!", "SecurePass123!", &"ab".repeat(64)] {
            assert!(!refused(good), "{good}");
        }
    }
}
