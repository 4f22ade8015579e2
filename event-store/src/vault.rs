//! Seals personal values before they are stored and opens them after.
//! Every subject has a random key of its own, wrapped by a master key; destroying the row destroys
//! the values. XChaCha20-Poly1305 with random nonces; a value cannot be moved to another event or
//! field, because where it stands is authenticated with it.

use crate::{MasterKeys, StoreError, notify::Heads, sealing};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use moka::future::Cache;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;
use zeroize::Zeroizing;

const CACHED_KEYS: u64 = 100_000;
const CACHED_FOR: Duration = Duration::from_mins(1);

/// A subject's key, or the knowledge that it was destroyed.
#[derive(Clone)]
pub(crate) enum SubjectKey {
    Present(Arc<Zeroizing<[u8; 32]>>),
    Erased,
}

/// A key made for a new subject, to be stored in the statement that first uses it.
pub(crate) struct NewKey {
    pub subject_id: Uuid,
    pub wrapped: Vec<u8>,
    pub wrapped_by: String,
}

/// The keys of some subjects; a subject that is not in it has none.
pub(crate) type Keys = HashMap<Uuid, SubjectKey>;

/// Seals and opens.
#[derive(Clone)]
pub struct Vault {
    pool: PgPool,
    masters: MasterKeys,
    cache: Cache<Uuid, SubjectKey>,
    /// How many erasures were heard of: what was read before one is not kept after it.
    erasures: Arc<AtomicU64>,
}

impl Vault {
    /// A vault over `vault.subject_keys`, whose rows are wrapped by one of `masters`.
    pub fn new(pool: PgPool, masters: impl Into<MasterKeys>) -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHED_KEYS)
            .time_to_live(CACHED_FOR)
            .build();
        Self {
            pool,
            masters: masters.into(),
            cache,
            erasures: Arc::default(),
        }
    }

    /// Forgets all keys whenever another process tells of an erasure, until the runtime ends. Who
    /// hears nothing forgets them a minute later at the latest.
    #[must_use]
    pub fn forgetting(self, heads: &Heads) -> Self {
        let (vault, mut erased) = (self.clone(), heads.watch_erasures());
        tokio::spawn(async move {
            while erased.changed().await.is_ok() {
                vault.forget_all();
            }
        });
        self
    }

    /// The keys of `subjects`, as far as they have any.
    pub(crate) async fn keys(&self, subjects: &HashSet<Uuid>) -> Result<Keys, StoreError> {
        let mut keys = Keys::new();
        let mut missing = vec![];
        for subject in subjects {
            match self.cache.get(subject).await {
                Some(key) => {
                    keys.insert(*subject, key);
                }
                None => missing.push(*subject),
            }
        }
        if missing.is_empty() {
            return Ok(keys);
        }
        let erasures = self.erasures.load(Ordering::SeqCst);
        let rows = sqlx::query!(
            "SELECT subject_id, wrapped_key, wrapped_by FROM vault.subject_keys
             WHERE subject_id = ANY($1)",
            &missing
        )
        .fetch_all(&self.pool)
        .await?;
        for row in rows {
            let key = match row.wrapped_key {
                Some(wrapped) => {
                    self.unwrap(row.subject_id, &wrapped, row.wrapped_by.as_deref())?
                }
                None => SubjectKey::Erased,
            };
            self.cache.insert(row.subject_id, key.clone()).await;
            keys.insert(row.subject_id, key);
        }
        if self.erasures.load(Ordering::SeqCst) != erasures {
            for subject in &missing {
                self.cache.invalidate(subject).await;
            }
        }
        Ok(keys)
    }

    /// A new key, and its row-to-be.
    pub(crate) fn new_key(&self, subject_id: Uuid) -> Result<(SubjectKey, NewKey), StoreError> {
        let key: [u8; 32] = rand::random();
        let row = NewKey {
            subject_id,
            wrapped: self.masters.wrap(subject_id, &key)?,
            wrapped_by: self.masters.current().to_owned(),
        };
        let key = SubjectKey::Present(Arc::new(Zeroizing::new(key)));
        Ok((key, row))
    }

    /// Remembers keys that were stored just now.
    pub(crate) async fn remember(&self, subject_id: Uuid, key: SubjectKey) {
        self.cache.insert(subject_id, key).await;
    }

    /// Forgets what was cached of a subject: its row is newer than what we knew.
    pub(crate) async fn forget(&self, subject_id: Uuid) {
        self.cache.invalidate(&subject_id).await;
    }

    /// How many erasures were heard of.
    pub(crate) fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::SeqCst)
    }

    /// Forgets everything: keys were destroyed.
    pub(crate) fn forget_all(&self) {
        self.erasures.fetch_add(1, Ordering::SeqCst);
        self.cache.invalidate_all();
    }

    fn unwrap(
        &self,
        subject_id: Uuid,
        wrapped: &[u8],
        wrapped_by: Option<&str>,
    ) -> Result<SubjectKey, StoreError> {
        let key = self.masters.unwrap(subject_id, wrapped, wrapped_by);
        if let Err(StoreError::UnknownMasterKey(_)) = &key {
            metrics::counter!("alta_vault_unknown_master_key_total").increment(1);
        }
        Ok(SubjectKey::Present(Arc::new(key?)))
    }
}

/// Where a sealed value stands; authenticated with it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub aggregate_type: &'a str,
    pub aggregate_id: &'a str,
    pub sequence: i64,
}

impl Place<'_> {
    fn bind(&self, field: &str) -> Vec<u8> {
        format!(
            "{}|{}|{}|{field}",
            self.aggregate_type, self.aggregate_id, self.sequence
        )
        .into_bytes()
    }
}

pub(crate) const CLEAR: &str = "$personal";
const SEALED: &str = "$sealed";
pub(crate) const ERASED: &str = "$erased";

/// The subject of a marked value under `marker`, if `value` is one.
pub(crate) fn marked(value: &Value, marker: &str) -> Option<Uuid> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    serde_json::from_value(object.get(marker)?.get("subject")?.clone()).ok()
}

/// The fields that may hold a personal value: those of the event's variant, or of the metadata.
/// Nothing below them is looked at, so nothing that a client made up can pass for a marker.
fn fields(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

pub(crate) fn subjects_to_seal(object: &Value) -> impl Iterator<Item = Uuid> {
    fields(object).filter_map(|(_, value)| marked(value, CLEAR))
}

/// Those of what is sealed, and of what stood in clear in an old shape and must not be shown once its
/// subject was erased.
pub(crate) fn subjects_to_open(object: &Value) -> impl Iterator<Item = Uuid> {
    fields(object).filter_map(|(_, value)| marked(value, SEALED).or_else(|| marked(value, CLEAR)))
}

/// Seals every personal value directly under `object`. A subject whose key was destroyed gets
/// nothing new stored.
pub(crate) fn seal(object: &mut Value, place: Place<'_>, keys: &Keys) -> Result<(), StoreError> {
    for (field, value) in object.as_object_mut().into_iter().flatten() {
        let Some(subject) = marked(value, CLEAR) else {
            continue;
        };
        *value = match keys.get(&subject) {
            Some(SubjectKey::Present(key)) => {
                let clear = Zeroizing::new(serde_json::to_vec(&value[CLEAR]["value"])?);
                let data = sealing::seal(key, &clear, &place.bind(field))?;
                json!({ SEALED: { "subject": subject, "data": BASE64.encode(data) } })
            }
            Some(SubjectKey::Erased) => json!({ ERASED: { "subject": subject } }),
            None => return Err(StoreError::Vault("a subject has no key")),
        };
    }
    Ok(())
}

/// Makes every personal value directly under `object` read as erased that is not under one of these
/// names.
pub(crate) fn close_but(object: Option<&mut Value>, names: &[&str]) {
    let fields = object.and_then(Value::as_object_mut).into_iter().flatten();
    for (field, value) in fields {
        let subject = marked(value, SEALED).or_else(|| marked(value, CLEAR));
        if let Some(subject) = subject.filter(|_| !names.contains(&field.as_str())) {
            *value = json!({ ERASED: { "subject": subject } });
        }
    }
}

/// Opens every sealed value directly under `object`; without its key it reads as erased, and so does
/// one that stood in clear once, of a subject that was erased.
pub(crate) fn open(object: &mut Value, place: Place<'_>, keys: &Keys) -> Result<(), StoreError> {
    for (field, value) in object.as_object_mut().into_iter().flatten() {
        if let Some(subject) = marked(value, CLEAR)
            && matches!(keys.get(&subject), Some(SubjectKey::Erased))
        {
            *value = json!({ ERASED: { "subject": subject } });
        }
        let Some(subject) = marked(value, SEALED) else {
            continue;
        };
        *value = match keys.get(&subject) {
            Some(SubjectKey::Present(key)) => {
                let data = value[SEALED]["data"].as_str().unwrap_or_default();
                let data = BASE64
                    .decode(data)
                    .map_err(|_| StoreError::Vault("a sealed value is not base64"))?;
                let clear = Zeroizing::new(sealing::open(key, &data, &place.bind(field))?);
                let clear: Value = serde_json::from_slice(&clear)?;
                json!({ CLEAR: { "subject": subject, "value": clear } })
            }
            Some(SubjectKey::Erased) | None => json!({ ERASED: { "subject": subject } }),
        };
    }
    Ok(())
}
