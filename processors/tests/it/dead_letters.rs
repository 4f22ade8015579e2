//! What was given up is seen, tried again as a new run, or set aside.

use crate::house::{House, context};
use command_api::dead_letters::{self, DeadLetterError};
use domain::{Submission, submission::SubmissionEvent};
use processors::{Part, jobs::Kind};
use uuid::Uuid;

const READING: [Part; 2] = [Part::Intake, Part::Work(Kind::Ocr)];

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_and_a_retry_is_a_new_run_that_can_succeed() {
    let house = House::new().await;
    let running = house.run(&READING);
    let operator = Uuid::from_u128(9);
    let pdf = include_bytes!("../../../media/testdata/two-pages.pdf").to_vec();
    let mut file = house.lost_file();
    file.size_bytes = pdf.len() as u64;
    let project = Uuid::from_u128(8);
    let (item, run) = house.upload_stored(project, file.clone()).await;
    house.job_state(run, "dead").await;

    let listed = dead_letters::list(&house.database.pool, 10)
        .await
        .expect("a list");
    let [letter] = listed.as_slice() else {
        panic!("not one: {listed:?}");
    };
    assert_eq!((letter.id, letter.kind.as_str()), (run, "ocr"));
    assert_eq!(
        (letter.item_id, letter.project_id),
        (Some(item), Some(project))
    );
    assert_eq!(letter.attempts, 4);
    assert_eq!(letter.error_code.as_deref(), Some("ENGINE_UNAVAILABLE"));
    assert!(letter.failed_at.is_some());

    house
        .storage
        .put_bytes(pdf.into(), &file.key)
        .await
        .expect("stored");
    let next = dead_letters::retry(&house.store, &house.ids, run, &context(operator)).await;
    let next = next.expect("it may be tried again");
    assert_ne!(next, run);
    house.event(item, "ProcessingSucceeded").await;
    assert_eq!(house.job_state(next, "succeeded").await.attempts, 1);
    house.job_state(run, "retried").await;
    let requests: Vec<SubmissionEvent> = house
        .events_of(item)
        .await
        .iter()
        .filter(|event| event.event_type == "ProcessingRequested")
        .map(|event| event.decode::<Submission>().expect("one of ours"))
        .collect();
    assert!(matches!(
        requests.last(),
        Some(SubmissionEvent::ProcessingRequested { run_id, requested_by_id: Some(by), .. })
            if *run_id == next && *by == operator
    ));
    let left = dead_letters::list(&house.database.pool, 10)
        .await
        .expect("a list");
    assert!(left.is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_set_aside_once() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (_, run) = house.upload_stored(Uuid::nil(), house.lost_file()).await;
    house.job_state(run, "dead").await;
    let pool = &house.database.pool;
    dead_letters::discard(pool, run, None)
        .await
        .expect("it is dead");
    assert!(
        dead_letters::list(pool, 10)
            .await
            .expect("a list")
            .is_empty()
    );
    let again = dead_letters::discard(pool, run, None).await;
    assert!(matches!(again, Err(DeadLetterError::NotFound)));
    let late = dead_letters::retry(&house.store, &house.ids, run, &context(run)).await;
    assert!(matches!(late, Err(DeadLetterError::NotFound)));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_own_new_run_makes_the_dead_letter_moot() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (item, run) = house.upload_stored(Uuid::nil(), house.lost_file()).await;
    house.job_state(run, "dead").await;
    let request = domain::submission::SubmissionCommand::RequestProcessing {
        run_id: house.ids.next(),
        requested_by_id: None,
        force: false,
    };
    house.item(item, request).await;
    house.job_state(run, "retried").await;
    running.stop().await;
}
