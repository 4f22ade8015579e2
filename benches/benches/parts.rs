//! What single parts cost, without a service: the steps of which every command and every read is made.

use criterion::{Criterion, criterion_group, criterion_main};
use domain::{
    Personal,
    submission::{Description, SubmissionEvent},
};
use event_store::{GENESIS, Link, sealing};
use http_kit::{
    paging,
    permissions::{Action, GlobalRole, ProjectRole, verdict},
};
use media::words;
use std::hint::black_box;
use uuid::Uuid;

const LETTER: &str = "It has been raining for a week here, and the river stands at the third step of the \
    mill. My mother says that it was like this in the year of the great flood. ";
const ARABIC: &str =
    "كتب الولد رسالة طويلة إلى أمه وقال فيها إن المطر لم يتوقف منذ أسبوع وإن النهر عال ";

fn event() -> SubmissionEvent {
    let id = Uuid::from_u128(1);
    SubmissionEvent::RawTextCreated {
        project_id: Uuid::from_u128(2),
        created_by_id: Uuid::from_u128(3),
        title: Personal::new(id, "A letter from the country".into()),
        content: Some(Personal::new(id, LETTER.repeat(3))),
        content_ref: None,
        description: Personal::new(id, Description::default()),
    }
}

fn events(criterion: &mut Criterion) {
    let event = event();
    let text = serde_json::to_string(&event).unwrap_or_default();
    criterion.bench_function("an event is written as JSON", |bencher| {
        bencher.iter(|| serde_json::to_string(black_box(&event)));
    });
    criterion.bench_function("an event is read from JSON", |bencher| {
        bencher.iter(|| serde_json::from_str::<SubmissionEvent>(black_box(&text)));
    });
    let (key, place) = ([7; 32], b"submission|id|1|content".as_slice());
    let sealed = sealing::seal(&key, text.as_bytes(), place).unwrap_or_default();
    criterion.bench_function("a text is sealed", |bencher| {
        bencher.iter(|| sealing::seal(&key, black_box(text.as_bytes()), place));
    });
    criterion.bench_function("a text is opened", |bencher| {
        bencher.iter(|| sealing::open(&key, black_box(&sealed), place));
    });
    let link = Link {
        position: 1,
        aggregate_type: "submission",
        aggregate_id: "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
        sequence: 1,
        event_type: "RawTextCreated",
        event_version: "2",
        recorded_at_micros: 1_767_225_600_000_000,
        payload: &text,
        metadata: &text,
    };
    criterion.bench_function("an event is chained", |bencher| {
        bencher.iter(|| black_box(link).hash(&GENESIS));
    });
}

fn reads(criterion: &mut Criterion) {
    let uri = hyper::Uri::from_static("/api/review?project_id=1&limit=50");
    let row = ("2026-01-15T10:30:00Z".to_owned(), Uuid::from_u128(9));
    let cursor = paging::encode(&uri, &row);
    criterion.bench_function("a cursor is read", |bencher| {
        bencher.iter(|| paging::decode::<(String, Uuid)>(&uri, black_box(&cursor)));
    });
    criterion.bench_function("a right is looked up", |bencher| {
        bencher.iter(|| {
            let role = Some(black_box(ProjectRole::Reviewer));
            verdict(black_box(Action::Review), GlobalRole::User, role, false)
        });
    });
    for (language, text) in [("English", LETTER), ("Arabic", ARABIC)] {
        let text = text.repeat(5);
        criterion.bench_function(&format!("{language} words are indexed"), |bencher| {
            bencher.iter(|| words::index(black_box(&text)));
        });
    }
}

criterion_group!(parts, events, reads);
criterion_main!(parts);
