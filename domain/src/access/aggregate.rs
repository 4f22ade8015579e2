//! A record of one access: written once, never again.

use super::AccessEvent;
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

/// Whether the access was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Access {
    /// Nothing stands under this id.
    #[default]
    Unrecorded,
    /// It does.
    Recorded,
}

/// What can be asked of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessCommand {
    /// Keep this.
    Record(AccessEvent),
}

/// Why a record refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Each access has a record of its own.
    #[error("This access was recorded already.")]
    AlreadyRecorded,
}

impl Access {
    fn decide(self, command: AccessCommand) -> Result<Vec<AccessEvent>, AccessError> {
        let AccessCommand::Record(event) = command;
        match self {
            Self::Unrecorded => Ok(vec![event]),
            Self::Recorded => Err(AccessError::AlreadyRecorded),
        }
    }
}

impl Aggregate for Access {
    const TYPE: &'static str = "access";
    type Command = AccessCommand;
    type Event = AccessEvent;
    type Error = AccessError;
    type Services = ();

    async fn handle(
        &mut self,
        command: AccessCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), AccessError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, _: AccessEvent) {
        *self = Self::Recorded;
    }
}
