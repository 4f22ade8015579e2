//! Stored events: any JSON, of any version, lifted by the upcasters and read by the rules.
//!
//! The first byte says of which aggregate; each line after it is an event: its version, a space, its JSON.

use std::fmt::Debug;

use cqrs_es::{Aggregate, DomainEvent, persist::SerializedEvent};
use domain::{Access, ProjectMembership, Review, Submission, User};
use event_store::{Envelope, Metadata, RecordedEvent, upcast, upcasters};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// The stream that the events are of.
const STREAM: Uuid = Uuid::from_u128(0x0190_a000_0000_7000_8000_0000_0000_0003);

/// Reads one input.
pub fn run(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    match first % 5 {
        0 => stream::<User>(&text),
        1 => stream::<ProjectMembership>(&text),
        2 => stream::<Submission>(&text),
        3 => stream::<Review>(&text),
        _ => stream::<Access>(&text),
    }
}

fn stream<A>(text: &str)
where
    A: Aggregate + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let mut aggregate = A::default();
    for line in text.lines().take(64) {
        let (version, json) = line.split_once(' ').unwrap_or(("1", line));
        let Ok(payload) = serde_json::from_str::<Value>(json) else {
            continue;
        };
        let lifted = lift::<A>(version, payload);
        let Some(event) = read::<A>(&lifted) else {
            continue;
        };
        aggregate.apply(event);
    }
    let kept = serde_json::to_value(&aggregate).expect("an aggregate is JSON");
    let again: A = serde_json::from_value(kept).expect("an aggregate reads back");
    assert_eq!(again, aggregate, "an aggregate reads back as another");
}

/// The event lifted to the newest shape: once is enough, and what needs no lifting stays as it is.
fn lift<A: Aggregate>(version: &str, payload: Value) -> SerializedEvent {
    let names = payload.as_object().filter(|object| object.len() == 1);
    let name = names.and_then(|object| object.keys().next());
    let stored = SerializedEvent::new(
        STREAM.to_string(),
        1,
        A::TYPE.to_owned(),
        name.cloned().unwrap_or_default(),
        version.to_owned(),
        payload,
        Value::Null,
    );
    let list = upcasters();
    let concerned = list
        .iter()
        .any(|upcaster| upcaster.can_upcast(&stored.event_type, &stored.event_version));
    let lifted = upcast(stored.clone(), &list);
    let twice = upcast(lifted.clone(), &list);
    assert_eq!(told(&twice), told(&lifted), "lifted twice, it is another");
    assert!(
        concerned || told(&lifted) == told(&stored),
        "an event that no upcaster knows was changed"
    );
    assert_eq!(lifted.event_type, stored.event_type);
    lifted
}

fn told(event: &SerializedEvent) -> (&str, &str, &Value) {
    (&event.event_type, &event.event_version, &event.payload)
}

/// The event as the rules know it, if it is one: written and read again it is the same, under its name.
fn read<A: Aggregate>(lifted: &SerializedEvent) -> Option<A::Event> {
    let recorded = recorded(lifted);
    let event = recorded.decode::<A>().ok();
    shown(recorded);
    let event = event?;
    assert_eq!(event.event_type(), lifted.event_type);
    let written = serde_json::to_value(&event).expect("an event is JSON");
    let again: A::Event = serde_json::from_value(written.clone()).expect("an event reads back");
    assert_eq!(again, event, "an event reads back as another");
    let rewritten = serde_json::to_value(&again).expect("an event is JSON");
    assert_eq!(rewritten, written, "an event is written in two ways");
    let current = lift::<A>(&event.event_version(), written.clone());
    assert_eq!(current.payload, written, "a shape of today is lifted");
    let marks = ["$personal", "$sealed", "$erased"];
    let fields = shown(self::recorded(&current));
    let marked = fields.into_iter().filter(|value| {
        let only = value.as_object().filter(|object| object.len() == 1);
        only.is_some_and(|object| marks.iter().any(|mark| object.contains_key(*mark)))
    });
    assert_eq!(marked.count(), 0, "a marker of ours is shown outside");
    Some(event)
}

fn recorded(event: &SerializedEvent) -> RecordedEvent {
    RecordedEvent {
        position: 1,
        event_id: STREAM,
        aggregate_type: event.aggregate_type.clone(),
        aggregate_id: STREAM,
        sequence: 1,
        event_type: event.event_type.clone(),
        event_version: event.event_version.clone(),
        recorded_at: OffsetDateTime::UNIX_EPOCH,
        metadata: Metadata {
            event_id: STREAM,
            actor_user_id: None,
            request_id: String::new(),
            correlation_id: String::new(),
            causation_id: None,
            traceparent: None,
            ip_address: None,
            user_agent: None,
        },
        payload: std::sync::Arc::new(event.payload.clone()),
    }
}

/// The event as outsiders get it: one line, and JSON again. Its fields come back.
fn shown(event: RecordedEvent) -> Vec<Value> {
    let mut line = vec![];
    Envelope::new(event, [0; 32])
        .write_line(&mut line)
        .expect("an envelope can be written");
    let (end, line) = line.split_last().expect("a line");
    assert!(*end == b'\n' && !line.contains(&b'\n'), "not one line");
    let envelope: Value = serde_json::from_slice(line).expect("an envelope is JSON");
    match envelope.get("payload") {
        Some(Value::Object(fields)) => fields.values().cloned().collect(),
        _ => vec![],
    }
}
