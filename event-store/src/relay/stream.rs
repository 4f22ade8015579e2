//! The JetStream stream that carries every event: made where it is missing, and given as many copies as
//! the settings ask for. What else an operator changed about it stays as it is.

use crate::StoreError;
use async_nats::jetstream::{
    Context,
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use std::{fmt::Display, time::Duration};

/// Its name.
pub const STREAM: &str = "ALTA_EVENTS";
const SUBJECTS: &str = "alta.events.>";
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
const KEPT_BYTES: i64 = 1 << 30;
/// How long to wait for one answer. Who asks while a cluster elects its leader is not answered at all:
/// ask again rather than wait long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Makes the stream where it is missing: on a new server, or after its store was lost. `replicas` is on
/// how many servers it is to be; without, on one at first, and then as it stands.
pub(super) async fn ensure(
    mut jetstream: Context,
    replicas: Option<usize>,
) -> Result<(), StoreError> {
    jetstream.set_timeout(ANSWERED_WITHIN);
    let stream = jetstream
        .get_or_create_stream(wanted(replicas.unwrap_or(1)))
        .await
        .map_err(failed)?;
    let found = &stream.cached_info().config;
    let Some(replicas) = replicas.filter(|&wanted| wanted != found.num_replicas) else {
        return check(found, replicas);
    };
    let changed = Config {
        num_replicas: replicas,
        ..found.clone()
    };
    let made = jetstream.update_stream(&changed).await.map_err(failed)?;
    tracing::info!(replicas, "stream {STREAM} is on {replicas} servers now");
    check(&made.config, Some(replicas))
}

fn wanted(replicas: usize) -> Config {
    Config {
        name: STREAM.into(),
        subjects: vec![SUBJECTS.into()],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: KEPT_FOR,
        max_bytes: KEPT_BYTES,
        num_replicas: replicas,
        ..Default::default()
    }
}

/// Older servers ignore what they do not know, without a word: looks at what was made.
fn check(made: &Config, replicas: Option<usize>) -> Result<(), StoreError> {
    if !made.subjects.iter().any(|subject| subject == SUBJECTS) {
        return Err(StoreError::Messaging(format!(
            "stream {STREAM} carries {:?} and not {SUBJECTS}",
            made.subjects
        )));
    }
    match replicas {
        Some(wanted) if made.num_replicas != wanted => Err(StoreError::Messaging(format!(
            "stream {STREAM} has {} replicas and not {wanted}",
            made.num_replicas
        ))),
        _ => Ok(()),
    }
}

fn failed(error: impl Display) -> StoreError {
    StoreError::Messaging(format!("stream {STREAM}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_must_be_what_was_wanted() {
        let three = wanted(3);
        assert!(check(&three, Some(3)).is_ok());
        assert!(check(&three, None).is_ok());
        let fewer = check(&three, Some(5)).expect_err("other than wanted");
        assert!(
            fewer.to_string().contains("3 replicas and not 5"),
            "{fewer}"
        );
        let elsewhere = Config {
            subjects: vec!["other.>".into()],
            ..three
        };
        assert!(check(&elsewhere, Some(3)).is_err());
    }
}
