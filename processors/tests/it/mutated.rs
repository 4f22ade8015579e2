//! Files that were good once: hundreds of them, damaged in ways that a seed decides, go through the
//! whole of processing. Each ends, none takes a worker down, and what is good still gets through.

use crate::house::House;
use domain::{Submission, submission::SubmissionEvent};
use processors::{Part, jobs::Kind};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use uuid::Uuid;

const WORK: [Part; 3] = [
    Part::Intake,
    Part::Work(Kind::Ocr),
    Part::Work(Kind::Transcription),
];
const GOOD: [(&str, &str); 8] = [
    ("two-pages.pdf", "application/pdf"),
    ("skewed-scan.pdf", "application/pdf"),
    ("page.png", "image/png"),
    ("turned-by-exif.jpg", "image/jpeg"),
    ("two-pages.tif", "image/tiff"),
    ("go-forward.wav", "audio/wav"),
    ("speech.ogg", "audio/ogg"),
    ("two-channels.ogg", "audio/ogg"),
];
/// How many, unless `ALTA_MUTATED` says otherwise.
const FEW: usize = 40;

/// Numbers that look random and are the same every time (PCG's step and output, cut down).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

/// Damages it in one to six places.
fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(6) {
        let length = bytes.len();
        let at = dice.roll(length);
        let some = 1 + dice.roll(64.min(length - at).max(1));
        let end = (at + some).min(bytes.len());
        match dice.roll(8) {
            0 => bytes[at] ^= 1 << dice.roll(8),
            1 => bytes[at..end].fill(0xff),
            2 => bytes[at..end].fill(0),
            3 => bytes.truncate(at.max(16)),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let copy = bytes[at..end].repeat(1 + dice.roll(200));
                bytes.splice(at..at, copy);
            }
            6 => drop(bytes.splice(at..end, *b"99999999999")),
            _ => {
                // Where sizes and counts are.
                let near = dice.roll(128.min(length));
                bytes[near] = dice.roll(256) as u8;
            }
        }
        if bytes.len() < 16 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_end_clearly_and_hold_nobody_up() {
    let count = std::env::var("ALTA_MUTATED").ok();
    let count = count.map_or(FEW, |count| count.parse().expect("a number"));
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/testdata");
    let house = House::new().await;
    let running = house.run(&WORK);
    let began = Instant::now();
    let mut dice = Dice(20_260_115);
    let mut runs = vec![];
    for number in 0..count {
        let (name, mime) = GOOD[number % GOOD.len()];
        let mut bytes = std::fs::read(directory.join(name)).expect("a sample");
        damage(&mut bytes, &mut dice);
        runs.push(upload(&house, mime, bytes).await);
    }
    let good: Vec<(Uuid, Uuid)> = {
        let mut good = vec![];
        for (name, mime) in [GOOD[2], GOOD[5]] {
            let bytes = std::fs::read(directory.join(name)).expect("a sample");
            good.push(upload(&house, mime, bytes).await);
        }
        good
    };
    let mut ends = BTreeMap::<String, usize>::new();
    for (item, run) in &runs {
        let end = end_of(&house, *run).await;
        assert!(
            matches!(end.as_str(), "succeeded" | "failed"),
            "{item}: {end}"
        );
        *ends.entry(word(&house, *item).await).or_default() += 1;
    }
    for (_, run) in good {
        assert_eq!(end_of(&house, run).await, "succeeded");
    }
    println!(
        "{count} damaged files in {:.0} s: {ends:?}",
        began.elapsed().as_secs_f64()
    );
    assert!(ends.len() > 1, "all of them ended the same way: {ends:?}");
    running.stop().await;
}

async fn upload(house: &House, mime: &str, bytes: Vec<u8>) -> (Uuid, Uuid) {
    if mime.starts_with("audio/") {
        house.upload_recording(mime, bytes, None).await
    } else {
        house.upload_document(Uuid::nil(), mime, bytes).await
    }
}

/// Hundreds of files wait for three workers: longer than other tests wait.
async fn end_of(house: &House, run: Uuid) -> String {
    let tries = async {
        loop {
            let row = house.job(run).await;
            match row {
                Some(row) if !matches!(row.state.as_str(), "queued" | "running") => {
                    return row.state;
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_mins(20), tries);
    ended.await.expect("each ends")
}

/// `succeeded`, or why not.
async fn word(house: &House, item: Uuid) -> String {
    let events = house.events_of(item).await;
    let last = events.last().expect("it has events");
    match last.decode::<Submission>().expect("it is one of ours") {
        SubmissionEvent::ProcessingFailed { error_code, .. } => error_code,
        SubmissionEvent::ProcessingSucceeded { .. } => "succeeded".to_owned(),
        other => panic!("it ends with {other:?}"),
    }
}
