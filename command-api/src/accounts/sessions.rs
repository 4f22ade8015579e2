//! Sessions: families of refresh tokens, of which only the newest is unspent. Only their hashes are
//! stored; but for a repeat of the request, a pair is kept a while, encrypted, written in the very
//! statement that makes it.
//!
//! A kept pair is given again to nobody but who could have had it in the first place: its identity is
//! the account, which the password or the refresh token in the request proved just now, and the
//! fingerprint holds that proof. The idempotency key alone opens nothing, and whose session has ended
//! is told so. What a repeat gets is as good as it is by now: an ended session's pair opens nothing.

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_kit::ApiError;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    CommandApi,
    answer::Stop,
    idempotency::{Fill, StoreKey, keep, keep_sealed},
};

/// How long a refresh token holds.
const LIFETIME: Duration = Duration::days(7);
const TOKEN_BYTES: usize = 32;

/// What opens the API for a while, and what renews it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"access_token": "eyJ0…", "refresh_token": "qLk1…",
    "token_type": "bearer", "expires_in": 1800}))]
pub(super) struct TokenPair {
    access_token: String,
    refresh_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// How long the access token holds, in seconds.
    expires_in: i64,
}

/// A fresh token and its hash.
struct RefreshToken {
    token: String,
    hash: [u8; 32],
}

/// Whose session a refresh token belongs to.
pub(super) struct Holder {
    pub user_id: Uuid,
    pub session_id: Uuid,
    /// The session neither ended nor ran out.
    pub stands: bool,
}

impl RefreshToken {
    fn new() -> Self {
        let mut bytes = Zeroizing::new([0_u8; TOKEN_BYTES]);
        rand::fill(bytes.as_mut_slice());
        let token = URL_SAFE_NO_PAD.encode(bytes.as_slice());
        let hash = hash(&token);
        Self { token, hash }
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl CommandApi {
    /// A new session with its first pair of tokens, for who proved to know the password behind
    /// `hash`; `None` when that is not the account's password any more.
    pub(super) async fn open_session(
        &self,
        user_id: Uuid,
        hash: &str,
        key: &StoreKey,
    ) -> Result<Option<(Uuid, Value)>, Stop> {
        let (session_id, refresh, now) = (self.ids.next(), RefreshToken::new(), self.clock.now());
        let pair = self.pair(user_id, session_id, &refresh)?;
        let kept = keep_sealed(self, key, StatusCode::OK, &pair)?;
        let kept = kept.as_ref();
        // A change of the password either waits for this, or is seen by it.
        let opened = sqlx::query!(
            "WITH proved AS (
                 SELECT user_id FROM credentials
                 WHERE user_id = $2 AND password_hash = $6 FOR SHARE
             ), remembered AS (
                 INSERT INTO command_log (identity, idempotency_key, fingerprint, answer)
                 SELECT $7, $8, $9, $10 FROM proved WHERE $7::text IS NOT NULL
             ), session AS (
                 INSERT INTO sessions (session_id, user_id, created_at, expires_at)
                 SELECT $1, user_id, $3, $4 FROM proved RETURNING session_id
             )
             INSERT INTO refresh_tokens (token_hash, session_id, issued_at)
             SELECT $5, session_id, $3 FROM session",
            session_id,
            user_id,
            now,
            now + LIFETIME,
            refresh.hash.as_slice(),
            hash,
            kept.map(|kept| kept.key.identity.as_str()),
            kept.map(|kept| kept.key.key.as_str()),
            kept.map(|kept| kept.key.fingerprint.as_slice()),
            kept.map(|kept| &kept.answer),
        )
        .execute(self.store.pool())
        .await;
        let opened = self.unless_repeated(opened, key).await?;
        Ok((opened.rows_affected() > 0).then_some((session_id, pair)))
    }

    /// The outcome of a statement that keeps an answer under `key`; stops with the first answer
    /// where another request was faster.
    async fn unless_repeated<T>(
        &self,
        outcome: Result<T, sqlx::Error>,
        key: &StoreKey,
    ) -> Result<T, Stop> {
        match outcome {
            Err(error) if is_key_used(&error) => match self.repeated(key).await {
                Some(stop) => Err(stop),
                None => Err(error.into()),
            },
            outcome => Ok(outcome?),
        }
    }

    /// Ends an account's sessions but one, after its password changed: one that the old password
    /// opened at that very moment was not seen by the change itself.
    pub(super) async fn end_sessions(
        &self,
        user_id: Uuid,
        except: Option<Uuid>,
    ) -> Result<(), Stop> {
        sqlx::query!(
            "UPDATE sessions SET revoked_at = $3
             WHERE user_id = $1 AND revoked_at IS NULL AND session_id IS DISTINCT FROM $2",
            user_id,
            except,
            self.clock.now(),
        )
        .execute(self.store.pool())
        .await?;
        Ok(())
    }

    /// Whose a refresh token is, spent or not; `None` for one that is not ours.
    pub(super) async fn holder(&self, token: &str) -> Result<Option<Holder>, Stop> {
        let hash = hash(token);
        Ok(sqlx::query_as!(
            Holder,
            r#"SELECT s.user_id, s.session_id,
                      s.revoked_at IS NULL AND s.expires_at > $2 AS "stands!"
               FROM refresh_tokens t JOIN sessions s ON s.session_id = t.session_id
               WHERE t.token_hash = $1"#,
            hash.as_slice(),
            self.clock.now(),
        )
        .fetch_optional(self.store.pool())
        .await?)
    }

    /// Spends a refresh token for a new pair. A spent one ends its session: somebody else has it.
    pub(super) async fn renew_session(
        &self,
        holder: &Holder,
        token: &str,
        key: &StoreKey,
    ) -> Result<Value, Stop> {
        let (spent, refresh, now) = (hash(token), RefreshToken::new(), self.clock.now());
        let pair = self.pair(holder.user_id, holder.session_id, &refresh)?;
        let kept = keep_sealed(self, key, StatusCode::OK, &pair)?;
        let kept = kept.as_ref();
        let renewed = sqlx::query!(
            "WITH spent AS (
                 UPDATE refresh_tokens t SET spent_at = $2
                 FROM sessions s
                 WHERE t.token_hash = $1 AND t.spent_at IS NULL AND t.issued_at > $5
                   AND s.session_id = t.session_id AND s.revoked_at IS NULL AND s.expires_at > $2
                 RETURNING t.session_id
             ), remembered AS (
                 INSERT INTO command_log (identity, idempotency_key, fingerprint, answer)
                 SELECT $6, $7, $8, $9 FROM spent WHERE $6::text IS NOT NULL
             ), issued AS (
                 INSERT INTO refresh_tokens (token_hash, session_id, issued_at)
                 SELECT $3, session_id, $2 FROM spent
             )
             UPDATE sessions SET expires_at = $4 WHERE session_id IN (SELECT session_id FROM spent)",
            spent.as_slice(),
            now,
            refresh.hash.as_slice(),
            now + LIFETIME,
            now - LIFETIME,
            kept.map(|kept| kept.key.identity.as_str()),
            kept.map(|kept| kept.key.key.as_str()),
            kept.map(|kept| kept.key.fingerprint.as_slice()),
            kept.map(|kept| &kept.answer),
        )
        .execute(self.store.pool())
        .await;
        if self.unless_repeated(renewed, key).await?.rows_affected() > 0 {
            return Ok(pair);
        }
        // Spent: by the same request, sent at the same moment, or by somebody else.
        if let Some(stop) = self.repeated(key).await {
            return Err(stop);
        }
        self.end_family_of(&spent).await?;
        Err(invalid_refresh_token().into())
    }

    /// Ends a session at its holder's wish, and keeps that it was done.
    pub(super) async fn sign_out(&self, session_id: Uuid, key: &StoreKey) -> Result<(), Stop> {
        let kept = keep(key, StatusCode::NO_CONTENT, None, Fill::Nothing);
        let kept = kept.as_ref();
        let ended = sqlx::query!(
            "WITH remembered AS (
                 INSERT INTO command_log (identity, idempotency_key, fingerprint, answer)
                 SELECT $3, $4, $5, $6 WHERE $3::text IS NOT NULL
             )
             UPDATE sessions SET revoked_at = $2 WHERE revoked_at IS NULL AND session_id = $1",
            session_id,
            self.clock.now(),
            kept.map(|kept| kept.key.identity.as_str()),
            kept.map(|kept| kept.key.key.as_str()),
            kept.map(|kept| kept.key.fingerprint.as_slice()),
            kept.map(|kept| &kept.answer),
        )
        .execute(self.store.pool())
        .await;
        self.unless_repeated(ended, key).await?;
        Ok(())
    }

    /// Ends one session.
    pub(super) async fn end_session(&self, session_id: Uuid) -> Result<(), Stop> {
        sqlx::query!(
            "UPDATE sessions SET revoked_at = $2 WHERE revoked_at IS NULL AND session_id = $1",
            session_id,
            self.clock.now(),
        )
        .execute(self.store.pool())
        .await?;
        Ok(())
    }

    async fn end_family_of(&self, spent: &[u8; 32]) -> Result<(), Stop> {
        let ended = sqlx::query!(
            "UPDATE sessions SET revoked_at = $2 WHERE revoked_at IS NULL AND session_id =
                 (SELECT session_id FROM refresh_tokens
                  WHERE token_hash = $1 AND spent_at IS NOT NULL)
             RETURNING user_id",
            spent.as_slice(),
            self.clock.now(),
        )
        .fetch_optional(self.store.pool())
        .await?;
        if let Some(row) = ended {
            let user_id = row.user_id;
            tracing::warn!(%user_id, "a spent refresh token of user {user_id} was used; session ended");
        }
        Ok(())
    }

    fn pair(&self, user_id: Uuid, session_id: Uuid, refresh: &RefreshToken) -> Result<Value, Stop> {
        let (access_token, expires_in) = self.access.issue(user_id, session_id)?;
        Ok(json!(TokenPair {
            access_token,
            refresh_token: refresh.token.clone(),
            token_type: "bearer",
            expires_in,
        }))
    }
}

fn is_key_used(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.and_then(|error| error.constraint()) == Some("command_log_pkey")
}

/// 401: spent, ended, too old or made up.
pub(super) fn invalid_refresh_token() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "INVALID_REFRESH_TOKEN",
        "The refresh token is not valid any more.",
    )
}
