//! Signed URLs of Azure Blob Storage (a service SAS under the account's key), with the headers of the
//! answer in what is signed. Reading one blob is all that they allow.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use runtime::config::storage::Bucket;
use sha2::Sha256;
use time::{OffsetDateTime, macros::format_description};
use zeroize::Zeroizing;

use super::signed::{AnswerAs, encoded};

/// The version of the rules by which the text to sign is put together.
const VERSION: &str = "2022-11-02";

/// An account's key, and the container that it signs for.
pub(super) struct SharedKey {
    key: Zeroizing<Vec<u8>>,
    account: String,
    container: String,
    /// The container's URL.
    url: String,
}

impl SharedKey {
    /// Nothing when the key is none.
    pub fn new(container: &Bucket, key: &str) -> Option<Self> {
        let account = container.setting("AZURE_STORAGE_ACCOUNT_NAME")?.to_owned();
        let endpoint = match container.setting("AZURE_STORAGE_ENDPOINT") {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{account}.blob.core.windows.net"),
        };
        Some(Self {
            key: Zeroizing::new(STANDARD.decode(key).ok()?),
            url: format!("{endpoint}/{}", container.name),
            container: container.name.clone(),
            account,
        })
    }

    /// The URL that reads the blob until `end`.
    pub fn signed_url(&self, path: &str, answer: AnswerAs<'_>, end: OffsetDateTime) -> String {
        let seconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let end = end.to_offset(time::UtcOffset::UTC).format(seconds);
        let end = end.unwrap_or_default();
        let resource = format!("/blob/{}/{}/{path}", self.account, self.container);
        let (disposition, media_type) = (answer.disposition, answer.media_type);
        // Permissions, start, end, resource, identifier, IP, protocol, version, kind, snapshot,
        // encryption scope; then the answer's cache control, disposition, encoding, language, type.
        let signed = [
            "r",
            "",
            &end,
            &resource,
            "",
            "",
            "",
            VERSION,
            "b",
            "",
            "",
            "",
            disposition,
            "",
            "",
            media_type,
        ]
        .join("\n");
        let query = [
            ("sv", VERSION),
            ("sr", "b"),
            ("sp", "r"),
            ("se", &end),
            ("rscd", disposition),
            ("rsct", media_type),
            ("sig", &self.signature(&signed)),
        ]
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .join("&");
        format!("{}/{path}?{query}", self.url)
    }

    fn signature(&self, text: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length is one");
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}
