//! Stored shapes of submission events that are not written any more, lifted to the present ones.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use serde_json::json;

/// The events that say what was said about the item.
const DESCRIBED: [&str; 4] = [
    "DocumentUploaded",
    "VoiceSampleUploaded",
    "RawTextCreated",
    "SubmissionEdited",
];

/// All of them, the oldest shape first.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![Box::new(DescriptionInClear)]
}

/// In version 1 the description stood in clear. It belongs to the item, as that of version 2 does, so
/// that it reads as erased where the item is.
struct DescriptionInClear;

impl EventUpcaster for DescriptionInClear {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        event_version == "1" && DESCRIBED.contains(&event_type)
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        let fields = event.payload.get_mut(&event.event_type);
        if let Some(description) = fields.and_then(|fields| fields.get_mut("description")) {
            let value = description.take();
            *description = json!({"$personal": {"subject": event.aggregate_id, "value": value}});
        }
        "2".clone_into(&mut event.event_version);
        event
    }
}
