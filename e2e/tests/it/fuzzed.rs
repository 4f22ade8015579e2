//! Every input of the fuzzing corpus, and every former finding, through what the fuzz targets do with it.

#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::{fs, panic, path::PathBuf};
use targets::{events, multipart, queries, sniffers};

#[test]
fn stored_events_of_the_corpus_are_read_or_refused() {
    replay("events", events::run);
}

#[test]
fn upload_forms_of_the_corpus_are_taken_in_or_refused() {
    replay("multipart", multipart::run);
}

#[test]
fn query_strings_of_the_corpus_are_read_or_refused() {
    replay("queries", queries::run);
}

#[test]
fn files_of_the_corpus_are_told_and_looked_at() {
    replay("sniffers", sniffers::run);
}

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let inputs = fs::read_dir(&corpus).expect("the corpus is there");
    let (mut count, mut found) = (0, vec![]);
    for input in inputs {
        let path = input.expect("it can be listed").path();
        let bytes = fs::read(&path).expect("it can be read");
        count += 1;
        if panic::catch_unwind(|| run(&bytes)).is_err() {
            found.push(path);
        }
    }
    assert!(count >= 30, "only {count} inputs of {target}");
    assert!(found.is_empty(), "findings: {found:?}");
}
