//! What is kept of a first answer, and how it is made whole again. What an event holds anyway (times,
//! addresses, words about a person) is not kept but read again; tokens are made again, or kept
//! encrypted.

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use cqrs_es::Aggregate;
use domain::{Personal, ProjectMembership, Review, User, review::Outcome};
use event_store::{Idempotency, IdempotencyKey, sealing};
use http_kit::ApiError;
use runtime::signed_token::TokenKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::StoreKey;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    recorded,
    review::Comments,
    submissions::FirstName,
};

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
    /// Address and name of an account; with `rights`, the reading side must know of it first.
    Account {
        user_id: Uuid,
        request_id: String,
        #[serde(default)]
        rights: bool,
    },
    /// The address of a member whose role changed; the reading side must know of it first.
    Member {
        project_id: Uuid,
        user_id: Uuid,
        request_id: String,
    },
    /// All of it: it holds tokens, and stands here encrypted.
    Sealed { data: String },
    /// The words of the decision that this request made.
    Feedback {
        item_id: Uuid,
        #[serde(default)]
        request_id: String,
    },
    /// The same of each decided item of a batch.
    Feedbacks { request_id: String },
    /// A comment with its round and its time.
    Comment { item_id: Uuid, request_id: String },
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

/// Keeps an answer that holds tokens. Only this service can read it, and only in this row: caller,
/// key and fingerprint are bound to it.
pub(crate) fn keep_sealed(
    api: &CommandApi,
    key: &StoreKey,
    status: StatusCode,
    body: &Value,
) -> Result<Option<Idempotency>, Stop> {
    let Some(place) = key else { return Ok(None) };
    let clear = Zeroizing::new(body.to_string());
    let data = sealing::seal(&api.answer_key, clear.as_bytes(), &bound(place))?;
    let data = STANDARD_NO_PAD.encode(data);
    Ok(keep(key, status, None, Fill::Sealed { data }))
}

/// Where an answer stands. No part of it but the last can have a line break.
fn bound(place: &IdempotencyKey) -> Vec<u8> {
    let words = format!("{}\n{}\n", place.identity, place.key);
    [words.as_bytes(), &place.fingerprint].concat()
}

/// The stream and request whose rights the reading side must know of before a repeat is answered.
fn rights(fill: &Fill) -> Option<(&str, Uuid, &str)> {
    match fill {
        Fill::Rights {
            aggregate_type,
            id,
            request_id,
        } => Some((aggregate_type, *id, request_id)),
        Fill::Account {
            user_id,
            request_id,
            rights: true,
        } => Some((User::TYPE, *user_id, request_id)),
        Fill::Member {
            project_id,
            request_id,
            ..
        } => Some((ProjectMembership::TYPE, *project_id, request_id)),
        _ => None,
    }
}

/// Sets a field that the body has.
fn put(body: &mut Value, field: &str, value: Value) {
    if let Some(place) = body.get_mut(field) {
        *place = value;
    }
}

impl CommandApi {
    /// The first answer, made whole again.
    pub(crate) async fn again(&self, key: &IdempotencyKey, first: Value) -> Stop {
        match self.whole(key, first).await {
            Ok(answer) => Stop::Answered(Box::new(answer)),
            Err(stop) => stop,
        }
    }

    async fn whole(&self, key: &IdempotencyKey, first: Value) -> Result<Answer, Stop> {
        let kept: Kept =
            serde_json::from_value(first).map_err(|error| ApiError::internal(&error))?;
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let mut answer = Answer::new(status, kept.body);
        answer.replayed = true;
        if let Some((aggregate_type, id, request_id)) = rights(&kept.fill) {
            self.rights_applied(aggregate_type, id, None, request_id)
                .await?;
        }
        if let Fill::Sealed { data } = &kept.fill {
            answer.body = Some(self.opened(key, data)?);
        } else if answer.body.is_some() {
            self.filled(kept.fill, &mut answer).await?;
        }
        Ok(answer)
    }

    fn opened(&self, key: &IdempotencyKey, data: &str) -> Result<Value, Stop> {
        let data = STANDARD_NO_PAD.decode(data);
        let data = data.map_err(|error| ApiError::internal(&error))?;
        let clear = Zeroizing::new(sealing::open(&self.answer_key, &data, &bound(key))?);
        let body = serde_json::from_slice(&clear);
        Ok(body.map_err(|error| ApiError::internal(&error))?)
    }

    async fn filled(&self, fill: Fill, answer: &mut Answer) -> Result<(), Stop> {
        let Some(body) = &mut answer.body else {
            return Ok(());
        };
        match fill {
            Fill::Nothing | Fill::Rights { .. } | Fill::Sealed { .. } => {}
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
                ..
            } => {
                let times = self.store.times_of("user", user_id, &request_id);
                let times = times.await?.ok_or_else(ApiError::opaque)?;
                recorded::fill(&times, body);
                let then = self.store.load_at::<User>(user_id, times.version);
                if let User::Registered(standing) = then.await?.aggregate {
                    let name = standing.name.as_ref().and_then(|name| name.get());
                    put(body, "email", json!(standing.email.get()));
                    put(body, "name", json!(name));
                }
            }
            Fill::Member { user_id, .. } => {
                body["email"] = json!(self.address_of(user_id).await?);
            }
            Fill::Feedback {
                item_id,
                request_id,
            } => {
                body["feedback"] = json!(self.feedback(item_id, &request_id).await?);
            }
            Fill::Feedbacks { request_id } => {
                let items = body["decided_items"].as_array_mut();
                for item in items.into_iter().flatten() {
                    let id = item["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
                    let Some(id) = id else { continue };
                    item["feedback"] = json!(self.feedback(id, &request_id).await?);
                }
            }
            Fill::Comment {
                item_id,
                request_id,
            } => {
                let comments = self.store.load::<Comments>(item_id).await?.aggregate;
                let id = body["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
                if let Some(comment) = id.and_then(|id| comments.get(id)) {
                    body["round"] = json!(comment.round);
                    body["text"] = json!(comment.text.get());
                }
                let times = self.store.times_of("review", item_id, &request_id);
                if let Some(times) = times.await? {
                    let at = json!(recorded::rfc3339(times.updated_at));
                    body["created_at"] = at;
                }
            }
        }
        Ok(())
    }

    /// The address of an account, closed ones too; none once it was erased.
    pub(crate) async fn address_of(&self, user_id: Uuid) -> Result<Option<String>, Stop> {
        Ok(match self.store.load::<User>(user_id).await?.aggregate {
            User::Registered(standing) => standing.email.into_value(),
            User::Unregistered => None,
        })
    }

    /// What was said with the decision that a request made.
    async fn feedback(&self, item_id: Uuid, request_id: &str) -> Result<Option<String>, Stop> {
        let times = self.store.times_of(Review::TYPE, item_id, request_id);
        let version = times.await?.map_or(u64::MAX, |times| times.version);
        let review = self.store.load_at::<Review>(item_id, version).await?;
        let outcome = review.aggregate.round.and_then(|round| round.outcome);
        Ok(match outcome {
            Some(Outcome::Decided(verdict)) => verdict.feedback.and_then(Personal::into_value),
            _ => None,
        })
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
