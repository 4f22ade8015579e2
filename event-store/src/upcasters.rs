//! The one ordered list of upcasters: loading, projecting, replaying and auditing all read through it.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};

/// Every upcaster, oldest shape first. Empty while every event type is at its first version.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![]
}

/// Lifts a stored event to the newest shape of its type.
pub(crate) fn upcast(event: SerializedEvent, list: &[Box<dyn EventUpcaster>]) -> SerializedEvent {
    list.iter().fold(event, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) {
            upcaster.upcast(event)
        } else {
            event
        }
    })
}
