//! Requests that may be sent twice: what tells two of them apart, and under whose name an answer is
//! kept. What is kept of it is in [`kept`].

mod kept;

pub(crate) use kept::{Fill, keep, keep_sealed};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, request::Parts},
};
use event_store::{FirstAnswerError, IdempotencyKey, remember_answer};
use hmac::{Hmac, KeyInit, Mac};
use http_kit::{ApiError, Client, JsonOrForm, extract, headers::IDEMPOTENCY_KEY};
use serde::de::DeserializeOwned;
use sha2::Sha256;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
};

const LONGEST_KEY: usize = 255;

/// A caller's key with what it was sent for.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    key: String,
    fingerprint: [u8; 32],
}

/// A request with a JSON body. What is wrong with the body is for the use case to say, once it knows
/// that the caller may send it at all.
pub(crate) struct Sent<T> {
    pub body: Result<T, ApiError>,
    pub key: Option<Key>,
    pub client: Client,
}

/// A request that may have a JSON body.
pub(crate) struct PerhapsSent<T> {
    pub body: Option<T>,
    pub key: Option<Key>,
}

/// A request with a body that is JSON or an HTML form.
pub(crate) struct SentForm<T> {
    pub body: T,
    pub key: Option<Key>,
}

/// A request without a body, or with one that the use case reads itself.
pub(crate) struct Bare {
    pub key: Option<Key>,
}

/// The fingerprint of a request in the making.
pub(crate) struct Fingerprint(Hmac<Sha256>);

impl Fingerprint {
    fn start(api: &CommandApi, parts: &Parts) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(api.fingerprint_key.as_slice());
        let mut fingerprint = Self(mac.expect("HMAC takes keys of any length"));
        // `uri` has no base path: /api and /api/v1 are the same router.
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        fingerprint.add(parts.method.as_str().as_bytes());
        fingerprint.add(target.as_bytes());
        fingerprint
    }

    /// One more piece; its length keeps it apart from the next.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(&(piece.len() as u64).to_be_bytes());
        self.0.update(piece);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// The caller's key, if there is one.
fn given(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        let words = "must be given once";
        return Err(ApiError::bad_parameter("Idempotency-Key", words));
    }
    let text = value.to_str().unwrap_or_default();
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > LONGEST_KEY || !visible {
        let words = "must have 1 to 255 visible ASCII characters";
        return Err(ApiError::bad_parameter("Idempotency-Key", words));
    }
    Ok(Some(text.to_owned()))
}

impl<T: DeserializeOwned> FromRequest<CommandApi> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &CommandApi) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let key = given(&parts.headers)?;
        let client = Client::of(&parts);
        let mut fingerprint = Fingerprint::start(api, &parts);
        let bytes = extract::json_bytes(Request::from_parts(parts, body)).await?;
        fingerprint.add(&bytes);
        let fingerprint = fingerprint.finish();
        Ok(Self {
            body: extract::json_object(&bytes),
            key: key.map(|key| Key { key, fingerprint }),
            client,
        })
    }
}

impl<T: DeserializeOwned> FromRequest<CommandApi> for PerhapsSent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &CommandApi) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let key = given(&parts.headers)?;
        let mut fingerprint = Fingerprint::start(api, &parts);
        let bytes = extract::whole_body(Request::from_parts(parts, body)).await?;
        fingerprint.add(&bytes);
        let fingerprint = fingerprint.finish();
        Ok(Self {
            body: (!bytes.is_empty())
                .then(|| extract::json(&bytes))
                .transpose()?,
            key: key.map(|key| Key { key, fingerprint }),
        })
    }
}

impl<T: DeserializeOwned> FromRequest<CommandApi> for SentForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &CommandApi) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let key = given(&parts.headers)?;
        let mut fingerprint = Fingerprint::start(api, &parts);
        let bytes = extract::whole_body(Request::from_parts(parts.clone(), body)).await?;
        fingerprint.add(&bytes);
        let fingerprint = fingerprint.finish();
        let again = Request::from_parts(parts, Body::from(bytes));
        let JsonOrForm(body) = JsonOrForm::from_request(again, api).await?;
        Ok(Self {
            body,
            key: key.map(|key| Key { key, fingerprint }),
        })
    }
}

impl FromRequestParts<CommandApi> for Bare {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &CommandApi) -> Result<Self, ApiError> {
        let fingerprint = Fingerprint::start(api, parts).finish();
        Ok(Self {
            key: given(&parts.headers)?.map(|key| Key { key, fingerprint }),
        })
    }
}

impl Key {
    /// The same key for a request whose body was read piece by piece.
    pub fn with_body(mut self, body: [u8; 32]) -> Self {
        for (own, other) in self.fingerprint.iter_mut().zip(body) {
            *own ^= other;
        }
        self
    }
}

/// A key as the store knows it.
pub(crate) type StoreKey = Option<IdempotencyKey>;

/// The key for one of several commands of a request: no caller can send it.
pub(crate) fn part_of(key: &StoreKey, part: Uuid) -> StoreKey {
    key.as_ref().map(|key| IdempotencyKey {
        key: format!("{}\n{part}", key.key),
        ..key.clone()
    })
}

impl CommandApi {
    /// The key under which this caller's answer is kept; stops with the first answer if there is
    /// one.
    pub(crate) async fn begin(&self, key: Option<Key>, identity: &str) -> Result<StoreKey, Stop> {
        let Some(Key { key, fingerprint }) = key else {
            return Ok(None);
        };
        let key = Some(IdempotencyKey {
            identity: identity.to_owned(),
            key,
            fingerprint,
        });
        match self.repeated(&key).await {
            Some(stop) => Err(stop),
            None => Ok(key),
        }
    }

    /// How a request is answered whose key was used before; `None` when it was not.
    pub(crate) async fn repeated(&self, key: &StoreKey) -> Option<Stop> {
        let key = key.as_ref()?;
        match self.store.first_answer(key).await {
            Ok(None) => None,
            Ok(Some(first)) => Some(self.again(key, first).await),
            Err(FirstAnswerError::KeyReused) => Some(key_reused().into()),
            Err(FirstAnswerError::Store(error)) => Some(error.into()),
        }
    }

    /// Keeps the answer to a request that is not one append.
    pub(crate) async fn remember(&self, key: &StoreKey, answer: &Answer) -> Result<(), Stop> {
        match keep(key, answer.status, answer.body.as_ref(), Fill::Nothing) {
            Some(kept) => Ok(self.store.remember_answer(&kept).await?),
            None => Ok(()),
        }
    }

    /// The same in the transaction of what the request does: both, or neither. Stops with how the request
    /// is answered whose key another has used meanwhile.
    pub(crate) async fn remember_with(
        &self,
        tx: &mut PgConnection,
        key: &StoreKey,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let Some(kept) = keep(key, answer.status, answer.body.as_ref(), Fill::Nothing) else {
            return Ok(());
        };
        if remember_answer(tx, &kept).await? {
            return Ok(());
        }
        let stop = self.repeated(key).await;
        Err(stop.unwrap_or_else(|| key_reused().into()))
    }
}

/// 422: the key was used for another request.
pub(crate) fn key_reused() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "IDEMPOTENCY_KEY_REUSED",
        "This idempotency key was used for another request.",
    )
}
