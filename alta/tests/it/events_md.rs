//! `docs/events.md`: every event there is, what it means and what it looks like, and the envelope in
//! which it leaves the service. Made from the doc comments of the events and from the stored samples
//! that the wire tests hold.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf, sync::Arc};

use event_store::{Envelope, Metadata, RecordedEvent};
use serde_json::{Value, json};
use time::macros::datetime;
use uuid::Uuid;

/// The streams, in the order in which a reader meets them.
const AGGREGATES: [&str; 5] = [
    "user",
    "project_membership",
    "submission",
    "review",
    "access",
];
const INTRODUCTION: &str = "# Events

Everything that can have happened, as `GET /api/events`, `alta events replay` and `alta events tail` show
it: one JSON object a line, oldest first. Made from the code; `UPDATE_SNAPSHOTS=1 cargo test -p alta --test
it events_md` makes it anew.

## The envelope

| field | what it holds |
| --- | --- |
";
const AFTER_THE_FIELDS: &str = "
A value that belongs to a person, and the content of an item, is stored sealed under a key of its own. In
`payload` it stands as the value itself, or as `{\"erased\": true}` once that key was destroyed;
`ip_address` and `user_agent` are null then. Position, ids, times and `hash` never change: the hash covers
what is stored, sealed and in the shape of its time, while `payload` has the newest shape. How the hashes
are verified is in [how-to/audit.md](how-to/audit.md).

A new field may come to an envelope or a payload at any time, and a new event; a reader passes over what it
does not know. What a field means does not change: that would be a new version of the event.
";

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The doc comments of the items that are indented by four blanks in a source file, by name: the
/// variants of an enum, or the fields of a struct.
fn documented(source: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut words: Vec<&str> = vec![];
    for line in source.lines() {
        let Some(line) = line
            .strip_prefix("    ")
            .filter(|line| !line.starts_with(' '))
        else {
            words.clear();
            continue;
        };
        if let Some(doc) = line.strip_prefix("///") {
            words.push(doc.trim());
        } else if !line.starts_with("#[") {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let name: String = line
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !words.is_empty() && !name.is_empty() {
                found.insert(name, words.join(" "));
            }
            words.clear();
        }
    }
    found
}

/// The stored samples of an aggregate: event, version, payload.
fn samples(aggregate: &str) -> Vec<(String, String, Value)> {
    let folder = workspace().join("domain/tests/wire").join(aggregate);
    let entries = fs::read_dir(&folder).expect("the samples are there");
    let mut samples: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("it can be listed").path();
            let name = path.file_stem().and_then(|stem| stem.to_str());
            let (event, version) = name
                .and_then(|name| name.split_once(".v"))
                .expect("named Type.vN");
            let text = fs::read_to_string(&path).expect("it can be read");
            let payload = serde_json::from_str(&text).expect("JSON");
            (event.to_owned(), version.to_owned(), payload)
        })
        .collect();
    samples.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    samples
}

/// A stored sample as it leaves the service.
fn envelope(aggregate: &str, event: &str, version: &str, payload: Value) -> Envelope {
    let id = |number: u128| Uuid::from_u128(0x0190_a000_0000_7000_8000_0000_0000_0000 + number);
    let recorded = RecordedEvent {
        position: 4_711,
        event_id: id(0xe),
        aggregate_type: aggregate.to_owned(),
        aggregate_id: id(1),
        sequence: 1,
        event_type: event.to_owned(),
        event_version: version.to_owned(),
        recorded_at: datetime!(2026-01-15 10:30:00.123456 UTC),
        metadata: Metadata {
            event_id: id(0xe),
            actor_user_id: Some(id(1)),
            request_id: "5f0c7a5e".to_owned(),
            correlation_id: "5f0c7a5e".to_owned(),
            causation_id: None,
            traceparent: None,
            ip_address: Some("203.0.113.9".to_owned()),
            user_agent: Some("Mozilla/5.0".to_owned()),
        },
        payload: Arc::new(payload),
    };
    Envelope::new(recorded, [0x5a; 32])
}

fn fenced(json: serde_json::Result<String>) -> String {
    format!("```json\n{}\n```\n", json.expect("JSON"))
}

/// The page.
fn written() -> String {
    let mut page = INTRODUCTION.to_owned();
    let fields = documented(&read("event-store/src/envelope.rs"));
    let samples: Vec<_> = AGGREGATES
        .map(|aggregate| (aggregate, samples(aggregate)))
        .into();
    let (event, version, payload) = samples[0]
        .1
        .iter()
        .find(|(event, ..)| event == "UserRegistered")
        .expect("there is one");
    let first = envelope("user", event, version, payload.clone());
    let shown = serde_json::to_string(&first).expect("JSON");
    for field in in_order(&shown) {
        let what = &fields[&field];
        writeln!(page, "| `{field}` | {what} |").expect("a string takes it");
    }
    page.push_str(AFTER_THE_FIELDS);
    page.push('\n');
    page.push_str(&fenced(serde_json::to_string_pretty(&first)));
    for (aggregate, samples) in samples {
        let source = read(&format!("domain/src/{aggregate}/event.rs"));
        let meanings = documented(&source);
        writeln!(page, "\n## `{aggregate}`").expect("a string takes it");
        for (event, version, payload) in samples {
            let meaning = meanings
                .get(&event)
                .unwrap_or_else(|| panic!("{event} says nothing about itself"));
            let payload = envelope(aggregate, &event, &version, payload).payload;
            // A version that grew has a sample of each of its shapes.
            let version = version.replacen('.', ", with ", 1);
            writeln!(page, "\n### `{event}`, version {version}\n\n{meaning}\n")
                .expect("a string takes it");
            page.push_str(&fenced(serde_json::to_string_pretty(&payload)));
        }
    }
    page
}

/// The names of the fields of a flat JSON object, as they are written.
fn in_order(object: &str) -> Vec<String> {
    let fields: BTreeMap<String, Value> = serde_json::from_str(object).expect("an object");
    let place = |name: &String| object.find(&format!("\"{name}\":"));
    let mut names: Vec<String> = fields.into_keys().collect();
    names.sort_by_key(place);
    names
}

/// `UPDATE_SNAPSHOTS=1` writes it anew.
#[test]
fn the_page_of_events_is_what_the_code_says() {
    let path = workspace().join("docs/events.md");
    let text = written();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &text).expect("docs/events.md can be written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    let differs = published
        .lines()
        .zip(text.lines())
        .enumerate()
        .find(|(_, (a, b))| a != b);
    assert!(
        published == text,
        "docs/events.md is not what the code says (UPDATE_SNAPSHOTS=1 writes it anew); {differs:?}"
    );
}

#[test]
fn nothing_on_the_page_is_marked_as_only_we_mark_it() {
    let page = written();
    // A client may use the words; our markers hold an object.
    assert!(!page.contains("$personal\": {") && !page.contains("$erased\": {"));
    let email = json!("Amal@example.org").to_string();
    assert!(page.contains(&email), "personal values are shown plainly");
}
