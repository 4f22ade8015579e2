//! From a command to an answer: who asks, the append, the refusal in the caller's words, the
//! position.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use cqrs_es::Aggregate;
use event_store::{Also, Appended, Context, DispatchError, Loaded, RowId};
use http_kit::{ApiError, Client};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop, store_failed},
    idempotency::{StoreKey, key_reused},
};

/// How long the answer to a command that takes rights away waits for its event's position.
const NUMBERED_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// How a rule's refusal is put to callers.
pub(crate) trait Refusal {
    fn refusal(self) -> ApiError;
}

/// The context of a command by `actor`, as part of the client's request.
pub(crate) fn context(client: &Client, actor: Option<Uuid>) -> Context {
    Context {
        actor_user_id: actor,
        request_id: client.request_id.clone(),
        correlation_id: client.request_id.clone(),
        causation_id: None,
        traceparent: client.traceparent.clone(),
        subject: None,
        ip_address: client.ip_address.map(|address| address.to_string()),
        user_agent: client.user_agent.clone(),
        expected_version: None,
    }
}

impl CommandApi {
    /// Appends what the command leads to, or stops with the refusal or the first answer.
    pub(crate) async fn carry_out<A>(
        &self,
        id: Uuid,
        command: A::Command,
        context: &Context,
        also: Also,
    ) -> Result<Appended<A>, Stop>
    where
        A: Aggregate<Services = ()>,
        A::Command: Clone,
        A::Error: Refusal,
    {
        let key = also.idempotency.as_ref().map(|kept| kept.key.clone());
        let outcome = self.store.execute_with::<A>(id, command, context, also);
        self.carried_out(key, outcome.await).await
    }

    /// The same on a state that was loaded a moment ago.
    pub(crate) async fn carry_out_on<A>(
        &self,
        id: Uuid,
        known: Loaded<A>,
        command: A::Command,
        context: &Context,
        also: Also,
    ) -> Result<Appended<A>, Stop>
    where
        A: Aggregate<Services = ()>,
        A::Command: Clone,
        A::Error: Refusal,
    {
        let key = also.idempotency.as_ref().map(|kept| kept.key.clone());
        let outcome = self
            .store
            .execute_on::<A>(id, known, command, context, also);
        self.carried_out(key, outcome.await).await
    }

    async fn carried_out<A>(
        &self,
        key: StoreKey,
        outcome: Result<Appended<A>, DispatchError<A::Error>>,
    ) -> Result<Appended<A>, Stop>
    where
        A: Aggregate,
        A::Error: Refusal,
    {
        match (outcome, key) {
            (Ok(appended), _) => Ok(appended),
            (Err(DispatchError::Replayed(first)), Some(key)) => Err(self.again(&key, first).await),
            (Err(error), _) => Err(refusal(error).into()),
        }
    }

    /// The position of what was appended, once it has one.
    pub(crate) async fn position(&self, last_row: Option<RowId>) -> Option<i64> {
        self.store.position_of(last_row?).await
    }

    /// The answer after an append.
    pub(crate) async fn answer<A: Aggregate>(
        &self,
        status: StatusCode,
        body: Option<Value>,
        appended: &Appended<A>,
    ) -> Answer {
        Answer::new(status, body).at(self.position(appended.last_row).await)
    }

    /// The answer after a command that takes rights away: not before the reading side knows it too.
    /// What was appended stands even when that takes too long.
    pub(crate) async fn answer_once_applied<A: Aggregate>(
        &self,
        status: StatusCode,
        body: Option<Value>,
        id: Uuid,
        appended: &Appended<A>,
    ) -> Result<Answer, Stop> {
        let applied = self.rights_applied(A::TYPE, id, appended.last_row, "");
        Ok(Answer::new(status, body).at(Some(applied.await?)))
    }

    /// Waits until the reading side knows who may see what after an event: that in `row`, else the
    /// last one of the stream that the request appended, else its very last. Stops with 503 when
    /// it takes too long; the same request may come again, and waits again.
    pub(crate) async fn rights_applied(
        &self,
        aggregate_type: &str,
        id: Uuid,
        row: Option<RowId>,
        request_id: &str,
    ) -> Result<i64, Stop> {
        let (row, position) = if let Some(row) = row {
            (row, None)
        } else {
            let times = self.store.times_of(aggregate_type, id, request_id).await?;
            let times = times.ok_or_else(ApiError::opaque)?;
            (times.row, times.position)
        };
        let position = match position {
            Some(position) => Some(position),
            None => self.numbered(row).await,
        };
        match position {
            Some(position) if self.applied("access", position).await => Ok(position),
            _ => {
                let row = row.0;
                tracing::warn!(row, "the access projection lags behind event {row}");
                Err(ApiError::unavailable(1).into())
            }
        }
    }

    /// The position of an event whose answer must have one; `None` when it took too long.
    async fn numbered(&self, row: RowId) -> Option<i64> {
        let numbered = async {
            loop {
                if let Some(position) = self.store.position_of(row).await {
                    return position;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(NUMBERED_WITHIN, numbered).await.ok()
    }

    /// Waits until a projection has applied `position`; false when it took too long.
    pub(crate) async fn applied(&self, projection: &'static str, position: i64) -> bool {
        self.store.applied(projection, position).await
    }
}

/// What a command that was not carried out means to the caller.
pub(crate) fn refusal<E: Refusal + std::error::Error>(error: DispatchError<E>) -> ApiError {
    match error {
        DispatchError::Refused(rule) => rule.refusal(),
        DispatchError::Conflict => ApiError::unavailable(1),
        DispatchError::VersionMismatch { current } => version_mismatch(current),
        DispatchError::EmailTaken => {
            ApiError::conflict("EMAIL_TAKEN", "Another account has this e-mail address.")
        }
        DispatchError::KeyReused => key_reused(),
        DispatchError::Replayed(_) => ApiError::opaque(),
        DispatchError::Store(error) => store_failed(error),
    }
}

/// 412: the item has another version.
pub(crate) fn version_mismatch(current: u64) -> ApiError {
    ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "VERSION_MISMATCH",
        format!("The item is at version {current}."),
    )
}

/// The version that `If-Match` asks for, given the present one; `None` when it asks for none.
pub(crate) fn expected_version(headers: &HeaderMap, current: u64) -> Result<Option<u64>, ApiError> {
    let lines: Vec<&str> = headers
        .get_all(header::IF_MATCH)
        .iter()
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let current_tag = format!("\"{current}\"");
    let mut tags = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    match tags.find(|tag| *tag == "*" || *tag == current_tag) {
        Some("*") => Ok(None),
        Some(_) => Ok(Some(current)),
        None => Err(version_mismatch(current)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn asked(value: &'static str) -> Result<Option<u64>, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, HeaderValue::from_static(value));
        expected_version(&headers, 5).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn only_the_present_version_matches() {
        assert_eq!(asked("\"5\""), Ok(Some(5)));
        assert_eq!(asked("\"4\", \"5\""), Ok(Some(5)));
        assert_eq!(asked("*"), Ok(None));
        assert_eq!(asked("\"4\""), Err(412));
        assert_eq!(asked("5"), Err(412));
        assert_eq!(asked("W/\"5\""), Err(412));
        assert_eq!(
            expected_version(&HeaderMap::new(), 5).map_err(|e| e.status()),
            Ok(None)
        );
    }
}
