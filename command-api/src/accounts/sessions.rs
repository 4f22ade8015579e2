//! Sessions: families of refresh tokens, of which only the newest is unspent. Only their hashes are
//! stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_kit::ApiError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{CommandApi, answer::Stop};

/// How long a refresh token holds.
const LIFETIME: Duration = Duration::days(7);
const TOKEN_BYTES: usize = 32;

/// A fresh token and its hash.
struct RefreshToken {
    token: String,
    hash: [u8; 32],
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
    ) -> Result<Option<Value>, Stop> {
        let (session_id, refresh, now) = (self.ids.next(), RefreshToken::new(), self.clock.now());
        // A change of the password either waits for this, or is seen by it.
        let opened = sqlx::query!(
            "WITH proved AS (
                 SELECT user_id FROM credentials
                 WHERE user_id = $2 AND password_hash = $6 FOR SHARE
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
        )
        .execute(self.store.pool())
        .await?;
        if opened.rows_affected() == 0 {
            return Ok(None);
        }
        Ok(Some(self.pair(user_id, session_id, &refresh)?))
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

    /// Spends a refresh token for a new pair, and says whose it is. A spent one ends its session:
    /// somebody else has it.
    pub(super) async fn renew_session(&self, token: &str) -> Result<(Uuid, Uuid, Value), Stop> {
        let (spent, refresh, now) = (hash(token), RefreshToken::new(), self.clock.now());
        let renewed = sqlx::query!(
            "WITH spent AS (
                 UPDATE refresh_tokens t SET spent_at = $2
                 FROM sessions s
                 WHERE t.token_hash = $1 AND t.spent_at IS NULL AND t.issued_at > $5
                   AND s.session_id = t.session_id AND s.revoked_at IS NULL AND s.expires_at > $2
                 RETURNING t.session_id, s.user_id
             ), issued AS (
                 INSERT INTO refresh_tokens (token_hash, session_id, issued_at)
                 SELECT $3, session_id, $2 FROM spent
             ), prolonged AS (
                 UPDATE sessions SET expires_at = $4
                 WHERE session_id IN (SELECT session_id FROM spent)
             )
             SELECT session_id, user_id FROM spent",
            spent.as_slice(),
            now,
            refresh.hash.as_slice(),
            now + LIFETIME,
            now - LIFETIME,
        )
        .fetch_optional(self.store.pool())
        .await?;
        let Some(row) = renewed else {
            self.end_family_of(&spent).await?;
            return Err(invalid_refresh_token().into());
        };
        let pair = self.pair(row.user_id, row.session_id, &refresh)?;
        Ok((row.user_id, row.session_id, pair))
    }

    /// Ends the session that a refresh token belongs to, spent or not.
    pub(super) async fn end_session_of(&self, token: &str) -> Result<(), Stop> {
        let hash = hash(token);
        sqlx::query!(
            "UPDATE sessions SET revoked_at = $2 WHERE revoked_at IS NULL AND session_id =
                 (SELECT session_id FROM refresh_tokens WHERE token_hash = $1)",
            hash.as_slice(),
            self.clock.now(),
        )
        .execute(self.store.pool())
        .await?;
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
        Ok(json!({
            "access_token": access_token,
            "refresh_token": refresh.token,
            "token_type": "bearer",
            "expires_in": expires_in,
        }))
    }
}

/// 401: spent, ended, too old or made up.
pub(super) fn invalid_refresh_token() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::UNAUTHORIZED,
        "INVALID_REFRESH_TOKEN",
        "The refresh token is not valid any more.",
    )
}
