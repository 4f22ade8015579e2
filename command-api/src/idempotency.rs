//! Requests that may be sent twice: what tells two of them apart, what is kept of the first answer,
//! and how that answer is given again. What an event holds anyway (times, addresses, words about a
//! person) is not kept here but read again; tokens are made again.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, request::Parts},
};
use domain::{Review, User, review::Outcome};
use event_store::{FirstAnswerError, Idempotency, IdempotencyKey};
use hmac::{Hmac, KeyInit, Mac};
use http_kit::{ApiError, Client, extract, headers::IDEMPOTENCY_KEY};
use runtime::signed_token::TokenKind;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    recorded,
    submissions::FirstName,
};

const LONGEST_KEY: usize = 255;

/// A caller's key with what it was sent for.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    key: String,
    fingerprint: [u8; 32],
}

/// A request with a JSON body.
pub(crate) struct Sent<T> {
    pub body: T,
    pub key: Option<Key>,
    pub client: Client,
}

/// A request that may have a JSON body.
pub(crate) struct PerhapsSent<T> {
    pub body: Option<T>,
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
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
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
            body: extract::json_object(&bytes)?,
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

/// What is missing in a kept body and where it is found again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum Fill {
    /// Nothing.
    #[default]
    Nothing,
    /// `created_at` and `updated_at` of a stream, as this request left them.
    Times {
        aggregate_type: String,
        id: Uuid,
        request_id: String,
    },
    /// The same of an item, and in the field `named` what it was called at first.
    Item {
        item_id: Uuid,
        named: String,
        request_id: String,
    },
    /// Nothing, but the request took rights away: the reading side must know of it first.
    Rights {
        aggregate_type: String,
        id: Uuid,
        request_id: String,
    },
    /// The token of an invitation.
    Invitation {
        project_id: Uuid,
        invitation_id: Uuid,
        expires_at: i64,
    },
    /// Address and name of an account.
    Account { user_id: Uuid, request_id: String },
    /// The words of a decision.
    Feedback { item_id: Uuid },
}

#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    body: Option<Value>,
    fill: Fill,
}

/// What to keep of an answer.
pub(crate) fn keep(
    key: &StoreKey,
    status: StatusCode,
    body: Option<&Value>,
    fill: Fill,
) -> Option<Idempotency> {
    let kept = Kept {
        status: status.as_u16(),
        body: body.cloned(),
        fill,
    };
    key.as_ref().map(|key| Idempotency {
        key: key.clone(),
        answer: serde_json::to_value(kept).unwrap_or_default(),
    })
}

impl CommandApi {
    /// The key under which this caller's answer is kept; stops with the first answer if there is
    /// one.
    pub(crate) async fn begin(&self, key: Option<Key>, identity: &str) -> Result<StoreKey, Stop> {
        let Some(Key { key, fingerprint }) = key else {
            return Ok(None);
        };
        let key = IdempotencyKey {
            identity: identity.to_owned(),
            key,
            fingerprint,
        };
        match self.store.first_answer(&key).await {
            Ok(None) => Ok(Some(key)),
            Ok(Some(first)) => Err(self.again(first).await),
            Err(FirstAnswerError::KeyReused) => Err(key_reused().into()),
            Err(FirstAnswerError::Store(error)) => Err(error.into()),
        }
    }

    /// Keeps the answer to a request that is not one append.
    pub(crate) async fn remember(&self, key: &StoreKey, answer: &Answer) -> Result<(), Stop> {
        match keep(key, answer.status, answer.body.as_ref(), Fill::Nothing) {
            Some(kept) => Ok(self.store.remember_answer(&kept).await?),
            None => Ok(()),
        }
    }

    /// The first answer, made whole again.
    pub(crate) async fn again(&self, first: Value) -> Stop {
        match self.whole(first).await {
            Ok(answer) => Stop::Answered(Box::new(answer)),
            Err(stop) => stop,
        }
    }

    async fn whole(&self, first: Value) -> Result<Answer, Stop> {
        let kept: Kept =
            serde_json::from_value(first).map_err(|error| ApiError::internal(&error))?;
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let mut answer = Answer::new(status, kept.body);
        answer.replayed = true;
        if let Fill::Rights {
            aggregate_type,
            id,
            request_id,
        } = &kept.fill
        {
            self.rights_applied(aggregate_type, *id, None, request_id)
                .await?;
        }
        let Some(body) = &mut answer.body else {
            return Ok(answer);
        };
        match kept.fill {
            Fill::Nothing | Fill::Rights { .. } => {}
            Fill::Times {
                aggregate_type,
                id,
                request_id,
            } => {
                let times = self.store.times_of(&aggregate_type, id, &request_id);
                if let Some(times) = times.await? {
                    recorded::fill(&times, body);
                    answer.version = (aggregate_type == "submission").then_some(times.version);
                }
            }
            Fill::Item {
                item_id,
                named,
                request_id,
            } => {
                let name = self.store.load::<FirstName>(item_id).await?.aggregate;
                body[named] = json!(name.get());
                let times = self.store.times_of("submission", item_id, &request_id);
                if let Some(times) = times.await? {
                    recorded::fill(&times, body);
                    answer.version = Some(times.version);
                }
            }
            Fill::Invitation {
                project_id,
                invitation_id,
                expires_at,
            } => {
                body["token"] = json!(self.invitation_token(project_id, invitation_id, expires_at));
            }
            Fill::Account {
                user_id,
                request_id,
            } => {
                let user = self.store.load::<User>(user_id).await?.aggregate;
                if let User::Registered(standing) = &user {
                    body["email"] = json!(standing.email.get());
                    if body.get("name").is_some() {
                        body["name"] = json!(standing.name.as_ref().and_then(|name| name.get()));
                    }
                }
                let times = self.store.times_of("user", user_id, &request_id);
                if let Some(times) = times.await? {
                    recorded::fill(&times, body);
                }
            }
            Fill::Feedback { item_id } => {
                let review = self.store.load::<Review>(item_id).await?.aggregate;
                let outcome = review.round.and_then(|round| round.outcome);
                if let Some(Outcome::Decided(verdict)) = outcome {
                    body["feedback"] =
                        json!(verdict.feedback.as_ref().and_then(|words| words.get()));
                }
            }
        }
        Ok(answer)
    }

    /// The token of an invitation: always the same one.
    pub(crate) fn invitation_token(
        &self,
        project_id: Uuid,
        invitation_id: Uuid,
        expires_at: i64,
    ) -> String {
        let expires_at =
            OffsetDateTime::from_unix_timestamp(expires_at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        self.signed
            .sign(TokenKind::Invitation, project_id, invitation_id, expires_at)
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
