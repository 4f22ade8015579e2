//! Every event shape ever stored still loads, and is written again as it was.

use cqrs_es::{DomainEvent, persist::SerializedEvent};
use domain::{
    access::AccessEvent,
    project_membership::ProjectEvent,
    review::ReviewEvent,
    submission::{SubmissionEvent, upcasters},
    user::UserEvent,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

const USER: [&str; 12] = [
    "EmailVerified",
    "GlobalRoleChanged",
    "PasswordChanged",
    "PasswordReset",
    "PasswordResetRequested",
    "ProfileChanged",
    "UserDeactivated",
    "UserErased",
    "UserRegistered",
    "UserReinstated",
    "UserSuspended",
    "VerificationRequested",
];
const PROJECT: [&str; 11] = [
    "InvitationAccepted",
    "InvitationRevoked",
    "MemberInvited",
    "MemberJoined",
    "MemberLeft",
    "MemberRemoved",
    "MemberRoleChanged",
    "ProjectChanged",
    "ProjectCreated",
    "ProjectDeleted",
    "ProjectRestored",
];
const SUBMISSION: [&str; 20] = [
    "AudioMeasured",
    "ChangesRequested",
    "DecisionReverted",
    "DocumentUploaded",
    "ProcessingDeadLettered",
    "ProcessingFailed",
    "ProcessingRequested",
    "ProcessingSucceeded",
    "RawTextCreated",
    "ResultSelected",
    "SubmissionApproved",
    "SubmissionDeleted",
    "SubmissionEdited",
    "SubmissionErased",
    "SubmissionRejected",
    "SubmissionReopened",
    "SubmissionRestored",
    "SubmissionSubmitted",
    "SubmissionWithdrawn",
    "VoiceSampleUploaded",
];
const REVIEW: [&str; 7] = [
    "ClaimReleased",
    "ReviewClaimed",
    "ReviewCommented",
    "ReviewDecided",
    "ReviewOpened",
    "ReviewReopened",
    "ReviewWithdrawn",
];
const ACCESS: [&str; 4] = [
    "CommandRefused",
    "ReadRefused",
    "SensitiveRead",
    "SignInFailed",
];

#[test]
fn every_stored_access_event_still_loads() {
    check::<AccessEvent>("access", &ACCESS);
}

#[test]
fn every_stored_user_event_still_loads() {
    check::<UserEvent>("user", &USER);
}

#[test]
fn every_stored_project_event_still_loads() {
    check::<ProjectEvent>("project_membership", &PROJECT);
}

#[test]
fn every_stored_submission_event_still_loads() {
    check::<SubmissionEvent>("submission", &SUBMISSION);
}

#[test]
fn every_stored_review_event_still_loads() {
    check::<ReviewEvent>("review", &REVIEW);
}

/// Holds the files of one aggregate against its variants and against their own bytes. A version whose shape
/// grew has a file of each: `Type.vN.json`, `Type.vN.<what came>.json`.
fn check<E: DomainEvent + Serialize + DeserializeOwned>(aggregate: &str, listed: &[&str]) {
    assert_eq!(variants::<E>(), set(listed), "the list is out of date");
    let mut files: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut newest: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (name, stored) in golden(aggregate) {
        let (event_type, version) = name.split_once(".v").expect("named Type.vN");
        let version = version.split('.').next().unwrap_or_default();
        let event: E = serde_json::from_value(lifted(event_type, version, stored.clone()))
            .unwrap_or_else(|why| panic!("{aggregate}/{name} no longer loads: {why}"));
        assert_eq!(event.event_type(), event_type, "{aggregate}/{name}");
        if event.event_version() == version {
            let written = serde_json::to_value(&event).expect("events are JSON");
            assert_eq!(written, stored, "{aggregate}/{name} is written differently");
        }
        let number = |version: &str| version.parse::<u32>().expect("a number");
        let of_type = files.entry(event_type.to_owned()).or_default();
        of_type.insert(number(version));
        let all = (1..=number(&event.event_version())).collect();
        newest.insert(event_type.to_owned(), all);
    }
    assert_eq!(files, newest, "a version has no file, or is none");
    let types: BTreeSet<String> = files.into_keys().collect();
    assert_eq!(types, set(listed), "a variant has no file");
}

/// A stored shape as it is read today, of item 3.
fn lifted(event_type: &str, version: &str, stored: Value) -> Value {
    let event = SerializedEvent::new(
        "0190a000-0000-7000-8000-000000000003".to_owned(),
        1,
        "submission".to_owned(),
        event_type.to_owned(),
        version.to_owned(),
        stored,
        Value::Null,
    );
    upcasters()
        .iter()
        .fold(event, |event, upcaster| {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                upcaster.upcast(event)
            } else {
                event
            }
        })
        .payload
}

#[test]
fn a_description_that_stood_in_clear_reads_as_the_items_own() {
    let golden: BTreeMap<String, Value> = golden("submission").into_iter().collect();
    let twice: Vec<_> = golden
        .iter()
        .filter_map(|(name, stored)| Some((name.strip_suffix(".v2")?, stored)))
        .collect();
    assert_eq!(twice.len(), 4);
    for (event_type, present) in twice {
        let old = golden[&format!("{event_type}.v1")].clone();
        assert_ne!(&old, present);
        assert_eq!(&lifted(event_type, "1", old), present, "{event_type}");
        assert_eq!(&lifted(event_type, "2", present.clone()), present);
    }
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The variants that an event enum knows, told by its own refusal of one that it does not.
fn variants<E: DeserializeOwned>() -> BTreeSet<String> {
    let unknown = serde_json::json!({"NoSuchEvent": {}});
    let Err(refusal) = serde_json::from_value::<E>(unknown) else {
        panic!("it took an event that does not exist");
    };
    let refusal = refusal.to_string();
    let listed = refusal
        .split_once("expected one of")
        .expect("it lists what it knows")
        .1;
    let words = listed.split('`').skip(1).step_by(2);
    words.map(ToOwned::to_owned).collect()
}

fn golden(aggregate: &str) -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wire")
        .join(aggregate);
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let read = |path: PathBuf| {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("an ASCII name");
        let json = fs::read_to_string(&path).expect("it can be read");
        (
            name.to_owned(),
            serde_json::from_str(&json).expect("it is JSON"),
        )
    };
    paths.map(read).collect()
}

#[test]
fn an_erased_value_loads_in_the_place_of_a_clear_one() {
    let erased = serde_json::json!({"ReviewCommented": {
        "round": 1,
        "comment_id": "0190a000-0000-7000-8000-000000000001",
        "author_id": "0190a000-0000-7000-8000-000000000002",
        "text": {"$erased": {"subject": "0190a000-0000-7000-8000-000000000003"}},
    }});
    let event: ReviewEvent = serde_json::from_value(erased.clone()).expect("it loads");
    assert_eq!(serde_json::to_value(&event).expect("JSON"), erased);
}
