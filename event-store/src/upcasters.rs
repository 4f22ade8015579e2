//! The one ordered list of upcasters: loading, projecting, replaying and auditing all read through it.
//! They see an event as it is stored, before it is opened: a sealed value stays under the field that it
//! was sealed for. What they mark as personal that stood in clear before is read like what was sealed:
//! erased, where its subject was.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};

/// Every upcaster, oldest shape first.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    domain::submission::upcasters()
}

/// Lifts a stored event to the newest shape of its type.
pub fn upcast(event: SerializedEvent, list: &[Box<dyn EventUpcaster>]) -> SerializedEvent {
    list.iter().fold(event, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) {
            upcaster.upcast(event)
        } else {
            event
        }
    })
}
