//! Who this service is to Google: a service account's key signs a short statement, which is
//! exchanged for a token (RFC 7523; <https://developers.google.com/identity/protocols/oauth2/service-account>).

use super::{Refusal, Remote};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use media::{ErrorCode, Fault};
use reqwest::{Client, RequestBuilder};
use runtime::clock::Clock;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::{sync::Mutex, time::Instant};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a statement holds; no longer is taken.
const STATEMENT_SECONDS: i64 = 3_600;
/// A token that holds no longer than this is not used again.
const SPARE: Duration = Duration::from_mins(2);
/// How long the exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service account.
pub(crate) struct Account {
    email: String,
    key_id: Option<String>,
    key: EncodingKey,
    token_uri: String,
    remote: Remote,
    clock: Clock,
    token: Mutex<Option<(String, Instant)>>,
}

/// What stands in a key file.
#[derive(Deserialize)]
struct KeyFile {
    r#type: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Serialize)]
struct Statement<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

impl Account {
    /// Reads a key file.
    ///
    /// # Errors
    /// What is wrong with it, without a word of its content.
    pub fn read(text: &str, clock: Clock) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_str(text)
            .map_err(|_| "it must be the key file of a service account".to_owned())?;
        if file.r#type != "service_account" {
            return Err("it must be the key file of a service account".to_owned());
        }
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes())
            .map_err(|_| "its private_key is no RSA key".to_owned())?;
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            key,
            token_uri: file
                .token_uri
                .unwrap_or_else(|| "https://oauth2.googleapis.com/token".to_owned()),
            remote: Remote::new("Google's token service").map_err(|error| error.to_string())?,
            clock,
            token: Mutex::new(None),
        })
    }

    /// How long to wait before taking on work that needs a token.
    pub fn rest(&self) -> Option<Duration> {
        self.remote.rest()
    }

    /// Asks a server as this account. A token may be withdrawn before its time: one that the server
    /// does not accept is forgotten, and it is asked once more with a new one.
    ///
    /// # Errors
    /// Those of [`Remote::ask`], of the server and of the token service.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        remote: &Remote,
        patience: Duration,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<T, Fault> {
        let token = self.token().await?;
        let asked = remote.ask_with_key(patience, |client| request(client).bearer_auth(&token));
        match asked.await {
            Err(Refusal { key: true, .. }) => self.forget(&token).await,
            outcome => return outcome.map_err(|refusal| refusal.fault),
        }
        let token = self.token().await?;
        let request = |client: &Client| request(client).bearer_auth(&token);
        remote.ask(patience, request).await
    }

    /// Unless another job has a newer one by now.
    async fn forget(&self, refused: &str) {
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|(token, _)| token == refused) {
            *kept = None;
        }
    }

    /// A token that holds for a while yet.
    async fn token(&self) -> Result<String, Fault> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && *until > Instant::now() + SPARE
        {
            return Ok(token.clone());
        }
        let statement = self.statement()?;
        let form = [("grant_type", GRANT), ("assertion", &statement)];
        let asked = Instant::now();
        let token: Token = self
            .remote
            .ask(PATIENCE, |client| client.post(&self.token_uri).form(&form))
            .await
            // It knows nothing of the file: whatever it refuses is the account's fault.
            .map_err(|fault: Fault| ErrorCode::EngineUnavailable.because(fault.detail))?;
        let until = asked + Duration::from_secs(token.expires_in.min(STATEMENT_SECONDS as u64));
        *kept = Some((token.access_token.clone(), until));
        Ok(token.access_token)
    }

    fn statement(&self) -> Result<String, Fault> {
        let iat = self.clock.now().unix_timestamp();
        let statement = Statement {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat,
            exp: iat + STATEMENT_SECONDS,
        };
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        jsonwebtoken::encode(&header, &statement, &self.key).map_err(|_| {
            self.remote
                .failed("cannot be addressed: the key does not sign")
        })
    }
}
