//! Jobs that were given up, over HTTP.

use axum::http::Method;
use domain::{
    Submission,
    submission::{Processing, ProcessingOutcome, SubmissionCommand},
};
use event_store::Context;
use uuid::Uuid;

use crate::{
    house::{House, Person},
    team::Team,
    uploads::{png, upload},
};

/// A document whose run was given up, as a worker leaves both the stream and the row.
async fn given_up(house: &House, owner: &Person, project: Uuid) -> (Uuid, Uuid) {
    let path = format!("/documents?project_id={project}");
    let item = upload(house, owner, &path, &[("file", Some("a.png"), &png())])
        .await
        .is(201)
        .id();
    let now = house.store.load::<Submission>(item).await.expect("loaded");
    let Some(Processing::Open(run_id)) = now.aggregate.item().map(|item| item.processing) else {
        panic!("no open run");
    };
    let outcome = ProcessingOutcome::DeadLettered {
        attempts: 4,
        error_code: "ENGINE_FAILED".into(),
        error: "It failed.".into(),
    };
    let command = SubmissionCommand::RecordProcessing { run_id, outcome };
    house
        .store
        .execute::<Submission>(item, command, &Context::default())
        .await
        .expect("recorded");
    job(house, run_id, "ocr", Some((item, project))).await;
    (item, run_id)
}

async fn job(house: &House, id: Uuid, kind: &str, about: Option<(Uuid, Uuid)>) {
    sqlx::query(
        "INSERT INTO jobs (job_id, kind, source_event_id, item_id, project_id, task, state, attempts,
                           error_code, last_error, run_after, created_at, finished_at)
         VALUES ($1, $2, $1, $3, $4, '{}', 'dead', 4, 'ENGINE_FAILED', 'It failed.', now(), now(), now())",
    )
    .bind(id)
    .bind(kind)
    .bind(about.map(|(item, _)| item))
    .bind(about.map(|(_, project)| project))
    .execute(house.pool())
    .await
    .expect("a row");
}

async fn row(house: &House, id: Uuid) -> (String, i32, Option<Uuid>) {
    sqlx::query_as("SELECT state, attempts, discarded_by_id FROM jobs WHERE job_id = $1")
        .bind(id)
        .fetch_one(house.pool())
        .await
        .expect("a row")
}

#[tokio::test]
async fn a_dead_letter_is_tried_again_once_as_a_run_of_its_own() {
    let Team {
        house,
        project,
        contributor,
        admin,
        ..
    } = Team::new().await;
    let root = house.super_admin().await;
    let (item, run) = given_up(&house, &contributor, project).await;
    let path = format!("/ops/dead-letters/{run}/retry");
    for who in [&contributor, &admin] {
        house
            .refused(house.post_bare(who, &path), 403, "FORBIDDEN")
            .await;
    }
    let retry = || {
        house.ask(
            Method::POST,
            &path,
            Some(&root),
            &[("Idempotency-Key", "again")],
            None,
        )
    };
    let retried = retry().await.is(202);
    assert_eq!(retried.body["id"], run.to_string());
    assert_eq!(retried.body["status"], "queued");
    let next: Uuid = retried.body["job_id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("a run");
    assert_ne!(next, run);
    assert_eq!(retry().await.is(202).body, retried.body);
    let now = house.store.load::<Submission>(item).await.expect("loaded");
    let now = now.aggregate;
    let processing = now.item().map(|item| item.processing);
    assert_eq!(processing, Some(Processing::Open(next)));
    assert_eq!(
        house.stream(item).await.last().map(String::as_str),
        Some("ProcessingRequested")
    );
    assert_eq!(row(&house, run).await, ("retried".into(), 4, None));
    house
        .refused(house.post_bare(&root, &path), 404, "DEAD_LETTER_NOT_FOUND")
        .await;
}

#[tokio::test]
async fn beside_an_open_run_a_dead_letter_is_not_tried_again() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let root = house.super_admin().await;
    let (item, run) = given_up(&house, &contributor, project).await;
    let path = format!("/processing/ocr?document_id={item}");
    house.post_bare(&contributor, &path).await.is(202);
    let before = house.stream(item).await;
    let path = format!("/ops/dead-letters/{run}/retry");
    let retried = house.post_bare(&root, &path);
    house.refused(retried, 409, "ALREADY_PROCESSED").await;
    assert_eq!(house.stream(item).await, before);
}

#[tokio::test]
async fn a_mail_that_was_given_up_is_queued_again() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let mail = Uuid::from_u128(7);
    job(&house, mail, "email", None).await;
    let path = format!("/ops/dead-letters/{mail}/retry");
    let retried = house.post_bare(&root, &path).await.is(202);
    assert_eq!(retried.body["job_id"], mail.to_string());
    assert_eq!(row(&house, mail).await, ("queued".into(), 0, None));
}

#[tokio::test]
async fn a_dead_letter_is_set_aside_once_by_somebody_who_is_known() {
    let house = House::new().await;
    let (root, somebody) = (
        house.super_admin().await,
        house.person("a@example.org").await,
    );
    let mail = Uuid::from_u128(7);
    job(&house, mail, "email", None).await;
    let path = format!("/ops/dead-letters/{mail}");
    house
        .refused(house.delete(&somebody, &path), 403, "FORBIDDEN")
        .await;
    house.delete(&root, &path).await.is(204);
    assert_eq!(
        row(&house, mail).await,
        ("discarded".into(), 4, Some(root.id))
    );
    for path in [path, format!("/ops/dead-letters/{}", Uuid::nil())] {
        house
            .refused(house.delete(&root, &path), 404, "DEAD_LETTER_NOT_FOUND")
            .await;
        let retry = format!("{path}/retry");
        house
            .refused(house.post_bare(&root, &retry), 404, "DEAD_LETTER_NOT_FOUND")
            .await;
    }
    house
        .refused(
            house.delete(&root, "/ops/dead-letters/seven"),
            404,
            "NOT_FOUND",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_answered_was_not_set_aside_and_all_repeats_hear_the_same() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let mail = Uuid::from_u128(7);
    job(&house, mail, "email", None).await;
    let path = format!("/ops/dead-letters/{mail}");
    let key = [("Idempotency-Key", "crashed")];
    let ask = || house.ask(Method::DELETE, &path, Some(&root), &key, None);
    house.answers_are_kept(false).await;
    ask().await.is(500);
    assert_eq!(row(&house, mail).await, ("dead".into(), 4, None));
    house.answers_are_kept(true).await;
    for answer in futures::future::join_all((0..8).map(|_| ask())).await {
        answer.is(204);
    }
    let set_aside = ("discarded".into(), 4, Some(root.id));
    assert_eq!(row(&house, mail).await, set_aside);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_answered_is_not_tried_again_and_all_repeats_hear_the_same() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let root = house.super_admin().await;
    let (item, run) = given_up(&house, &contributor, project).await;
    let mail = Uuid::from_u128(7);
    job(&house, mail, "email", None).await;
    let before = house.stream(item).await;
    let key = [("Idempotency-Key", "crashed")];
    for (letter, state) in [(mail, "queued"), (run, "retried")] {
        let path = format!("/ops/dead-letters/{letter}/retry");
        let ask = || house.ask(Method::POST, &path, Some(&root), &key, None);
        house.answers_are_kept(false).await;
        ask().await.is(500);
        assert_eq!(row(&house, letter).await.0, "dead");
        assert_eq!(house.stream(item).await, before);
        house.answers_are_kept(true).await;
        let answers = futures::future::join_all((0..8).map(|_| ask())).await;
        let bodies: Vec<_> = answers.into_iter().map(|one| one.is(202).body).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
        assert_eq!(row(&house, letter).await.0, state);
        sqlx::query("DELETE FROM command_log WHERE idempotency_key = 'crashed'")
            .execute(house.pool())
            .await
            .expect("forgotten");
    }
    assert_eq!(house.stream(item).await.len(), before.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_at_once_under_one_key_one_is_done_and_the_other_refused() {
    let house = House::new().await;
    let root = house.super_admin().await;
    for n in 0..10_u128 {
        let letters = [Uuid::from_u128(100 + n), Uuid::from_u128(200 + n)];
        let key = format!("pair-{n}");
        for letter in letters {
            job(&house, letter, "email", None).await;
        }
        let answers = letters.map(|letter| {
            let (house, root, key) = (&house, &root, [("Idempotency-Key", key.as_str())]);
            async move {
                let path = format!("/ops/dead-letters/{letter}");
                let answer = house.ask(Method::DELETE, &path, Some(root), &key, None);
                answer.await.status
            }
        });
        let answers = futures::future::join_all(answers).await;
        let mut states = vec![];
        for (letter, answer) in letters.into_iter().zip(&answers) {
            states.push((*answer, row(&house, letter).await.0));
        }
        states.sort();
        let expected = [(204, "discarded".to_owned()), (422, "dead".to_owned())];
        assert_eq!(states, expected, "{n}");
    }
}
