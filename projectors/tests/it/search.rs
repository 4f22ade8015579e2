//! Words: what is found, from where the words come, and when they are gone.

use crate::story::{
    DOCUMENT, OWNER, REVIEWER, RUN, Story, TEXT, assert_has, decided, document, nothing_said,
    opened, raw_text, requested, row, rows, succeeded,
};
use domain::{
    Personal,
    review::{Decision, ReviewEvent},
    submission::{ContentRef, ProcessingKind, SubmissionEvent},
};
use media::{ObjectStorage, words};
use projectors::{ProjectionError, Search, catch_up, checkpoint};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// The projector over an empty store, and the store's directory.
pub fn search() -> (Search, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("file://{}", directory.path().display());
    let storage = ObjectStorage::from_url(&url).expect("a store");
    (Search { storage }, directory)
}

async fn found(pool: &PgPool, asked: &str) -> Vec<Uuid> {
    let query = words::query(asked).expect("few words").expect("words");
    sqlx::query_scalar("SELECT item_id FROM search WHERE words @@ $1::tsquery ORDER BY item_id")
        .bind(query.to_string())
        .fetch_all(pool)
        .await
        .expect("rows")
}

const NOTHING: [Uuid; 0] = [];

fn edited(title: Option<&str>, content: Option<&str>) -> SubmissionEvent {
    let personal = |text: &str| Personal::new(TEXT, text.to_owned());
    SubmissionEvent::SubmissionEdited {
        description: nothing_said(TEXT),
        title: title.map(personal),
        content: content.map(personal),
        content_ref: None,
    }
}

fn stored(key: &str) -> SubmissionEvent {
    SubmissionEvent::SubmissionEdited {
        description: nothing_said(TEXT),
        title: None,
        content: None,
        content_ref: Some(ContentRef {
            key: key.into(),
            sha256: "x".into(),
            size_bytes: 99_999,
        }),
    }
}

#[tokio::test]
async fn an_item_is_found_by_its_name_its_content_and_what_was_recognised_in_it() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(DOCUMENT, document())
        .item(DOCUMENT, requested(ProcessingKind::Ocr));
    let pool = story.shown_by(search().0).await;
    assert_eq!(found(&pool, "title WORD").await, [TEXT]);
    assert_eq!(found(&pool, "letter.pdf").await, [DOCUMENT]);
    assert_eq!(found(&pool, "dear").await, NOTHING);
    story.item(DOCUMENT, succeeded(ProcessingKind::Ocr, RUN));
    let pool = story.shown_by(search().0).await;
    assert_eq!(found(&pool, "dear sir letter").await, [DOCUMENT]);
    let chosen = SubmissionEvent::ResultSelected {
        number: 1,
        kind: ProcessingKind::Ocr,
        selected_by_id: DOCUMENT,
        text: Some(Personal::new(DOCUMENT, "Dear Madam".into())),
        text_ref: None,
    };
    let pool = story.item(DOCUMENT, chosen).shown_by(search().0).await;
    assert_eq!(found(&pool, "dear madam letter").await, [DOCUMENT]);
    assert_eq!(found(&pool, "sir").await, NOTHING);
}

#[tokio::test]
async fn an_edit_takes_the_old_words_of_what_it_changes_and_of_nothing_else() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, edited(Some("المَكْتَبَة"), None));
    let pool = story.shown_by(search().0).await;
    assert_eq!(found(&pool, "مكتبه some words").await, [TEXT]);
    assert_eq!(found(&pool, "title").await, NOTHING);
    let pool = story
        .item(TEXT, edited(None, Some("Rain")))
        .shown_by(search().0)
        .await;
    assert_eq!(found(&pool, "المكتبة rain").await, [TEXT]);
    assert_eq!(found(&pool, "words").await, NOTHING);
}

#[tokio::test]
async fn a_deleted_item_has_no_words_until_it_is_restored() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, SubmissionEvent::SubmissionDeleted {});
    let pool = story.shown_by(search().0).await;
    assert_eq!(found(&pool, "words").await, NOTHING);
    assert_eq!(row(&pool, "search").await["words"], Value::Null);
    let pool = story
        .item(TEXT, SubmissionEvent::SubmissionRestored {})
        .shown_by(search().0)
        .await;
    assert_eq!(found(&pool, "title words").await, [TEXT]);
}

#[tokio::test]
async fn erased_words_are_not_there() {
    let erased = SubmissionEvent::RawTextCreated {
        project_id: Uuid::nil(),
        created_by_id: OWNER,
        title: Personal::Erased { subject: TEXT },
        content: Some(Personal::Erased { subject: TEXT }),
        content_ref: None,
        description: nothing_said(TEXT),
    };
    let pool = Story::default()
        .item(TEXT, erased)
        .shown_by(search().0)
        .await;
    let row = row(&pool, "search").await;
    assert_eq!((&row["name"], &row["body"]), (&json!(""), &json!("")));
    let marks = json!([
        {"word": format!("#{}", Uuid::nil()), "items": 1},
        {"word": format!("^{OWNER}"), "items": 1},
    ]);
    assert_eq!(json!(rows(&pool, "search_lexicon").await), marks);
}

/// Words and in how many items they are; marks left out.
async fn lexicon(pool: &PgPool) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT word, items FROM search_lexicon WHERE word !~ '^[#^]' ORDER BY word")
        .fetch_all(pool)
        .await
        .expect("words")
}

#[tokio::test]
async fn words_are_counted_by_item_and_forgotten_with_the_last_one_that_has_them() {
    let other = Uuid::from_u128(0x77);
    let titled = |text: &str| edited(Some(text), Some(""));
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(other, raw_text())
        .item(TEXT, titled("rain rain"))
        .item(other, titled("rain wind"));
    let counted = async |story: &Story| lexicon(&story.shown_by(search().0).await).await;
    let had = |words: &[(&str, i64)]| -> Vec<(String, i64)> {
        let words = words.iter();
        words
            .map(|(word, items)| ((*word).to_owned(), *items))
            .collect()
    };
    assert_eq!(counted(&story).await, had(&[("rain", 2), ("wind", 1)]));
    story.item(other, SubmissionEvent::SubmissionDeleted {});
    assert_eq!(counted(&story).await, had(&[("rain", 1)]));
    story.item(other, SubmissionEvent::SubmissionRestored {});
    assert_eq!(counted(&story).await, had(&[("rain", 2), ("wind", 1)]));
    story.item(TEXT, titled("sun"));
    assert_eq!(
        counted(&story).await,
        had(&[("rain", 1), ("sun", 1), ("wind", 1)])
    );
    story.item(other, SubmissionEvent::SubmissionErased {});
    assert_eq!(counted(&story).await, had(&[("sun", 1)]));
}

#[tokio::test]
async fn an_item_is_marked_with_where_and_when_it_stands() {
    let pool = Story::default()
        .item(TEXT, raw_text())
        .shown_by(search().0)
        .await;
    for mark in [
        format!("#{}", crate::story::PROJECT),
        format!("^{OWNER}"),
        // 2026-01-15T10:00:00Z is second 1,768,471,200.
        format!("@0.{}", 1_768_471_200 / 64),
        format!("@1.{}", 1_768_471_200 / 512),
        format!("@8.{}", 1_768_471_200_i64 / (1 << 30)),
    ] {
        let found: Vec<Uuid> = sqlx::query_scalar(
            "SELECT item_id FROM search WHERE words @@ quote_literal($1)::tsquery",
        )
        .bind(&mark)
        .fetch_all(&pool)
        .await
        .expect("rows");
        assert_eq!(found, [TEXT], "{mark}");
    }
}

#[tokio::test]
async fn the_words_of_a_long_text_come_from_the_store() {
    let (search, _directory) = search();
    let long = format!("{} وفي النهايةِ خاتمة", "rain ".repeat(100_000));
    let kept = search
        .storage
        .put_content(TEXT, long.into())
        .await
        .expect("kept");
    let mut story = Story::default();
    story.item(TEXT, raw_text()).item(TEXT, stored(&kept.key));
    let pool = story.shown_by(search).await;
    assert_eq!(found(&pool, "rain نهاية").await, [TEXT]);
    assert_eq!(found(&pool, "some").await, NOTHING);
}

#[tokio::test]
async fn a_text_that_is_gone_or_no_text_has_no_words_and_holds_nobody_up() {
    let (search, _directory) = search();
    let kept = search
        .storage
        .put_content(TEXT, vec![0xff; 5_000].into())
        .await
        .expect("kept");
    for key in ["content/no/such", "../escape", kept.key.as_str()] {
        let mut story = Story::default();
        story
            .item(TEXT, raw_text())
            .item(TEXT, stored(key))
            .item(TEXT, edited(Some("Later"), None));
        let pool = story.shown_by(search.clone()).await;
        assert_eq!(found(&pool, "later").await, [TEXT], "{key}");
        assert_eq!(found(&pool, "some").await, NOTHING, "{key}");
    }
}

#[tokio::test]
async fn a_text_as_long_and_as_strange_as_can_be_is_indexed() {
    let (search, _directory) = search();
    let strange = (0..100_000)
        .map(|n| format!("{n:x}\u{fdfa}'\\:* "))
        .chain([String::from("\u{301}\u{200d}\u{0}"), "é".repeat(4_000)])
        .collect::<Vec<_>>()
        .concat();
    let kept = search
        .storage
        .put_content(TEXT, strange.into())
        .await
        .expect("kept");
    let mut story = Story::default();
    story.item(TEXT, raw_text()).item(TEXT, stored(&kept.key));
    let pool = story.shown_by(search).await;
    assert_eq!(found(&pool, "title 7f").await, [TEXT]);
}

#[tokio::test]
async fn while_the_store_fails_nothing_moves_and_afterwards_everything_does() {
    let (search, directory) = search();
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, stored("content/aa/text"));
    let pool = test_kit::postgres().await.pool;
    let mut connection = pool.acquire().await.expect("a connection");
    let position = checkpoint::<Search>(&mut connection)
        .await
        .expect("a checkpoint")
        .position;
    // A file where a directory should be: the store neither has the object nor says that it is gone.
    let obstacle = directory.path().join("content");
    std::fs::write(&obstacle, "").expect("written");
    let failed = catch_up(&search, &mut connection, position, &story.events).await;
    assert!(
        matches!(failed, Err(ProjectionError::Text(_))),
        "{failed:?}"
    );
    assert!(rows(&pool, "search").await.is_empty());
    std::fs::remove_file(&obstacle).expect("removed");
    let late = search
        .storage
        .put_bytes("sunshine".into(), "content/aa/text");
    late.await.expect("put");
    catch_up(&search, &mut connection, position, &story.events)
        .await
        .expect("applied");
    assert_eq!(found(&pool, "title sunshine").await, [TEXT]);
}

#[tokio::test]
async fn it_is_known_whether_an_item_is_its_owners_draft() {
    let handed_in = async |story: &Story| {
        let pool = story.shown_by(search().0).await;
        row(&pool, "search").await["handed_in"].clone()
    };
    let submitted = |round| SubmissionEvent::SubmissionSubmitted { round };
    let mut story = Story::default();
    story.item(DOCUMENT, document());
    assert_eq!(handed_in(&story).await, Value::Null);
    story
        .item(DOCUMENT, submitted(1))
        .review(DOCUMENT, opened(DOCUMENT, 1));
    assert_eq!(handed_in(&story).await, 1);
    story.review(DOCUMENT, ReviewEvent::ReviewWithdrawn { round: 1 });
    assert_eq!(handed_in(&story).await, Value::Null);
    story
        .item(DOCUMENT, SubmissionEvent::SubmissionWithdrawn { round: 1 })
        .item(DOCUMENT, submitted(2))
        .review(DOCUMENT, opened(DOCUMENT, 2))
        .review(DOCUMENT, decided(2, Decision::Reject, Some("No")));
    assert_eq!(handed_in(&story).await, 2);
    story.item(DOCUMENT, SubmissionEvent::SubmissionReopened {});
    assert_eq!(handed_in(&story).await, Value::Null);
    story
        .item(DOCUMENT, submitted(3))
        .review(DOCUMENT, opened(DOCUMENT, 3))
        .review(
            DOCUMENT,
            decided(3, Decision::RequestChanges, Some("Shorter")),
        );
    assert_eq!(handed_in(&story).await, Value::Null);
    story.item(
        DOCUMENT,
        SubmissionEvent::DecisionReverted {
            round: 3,
            reverted_by_id: REVIEWER,
        },
    );
    let pool = story.shown_by(search().0).await;
    let expected = json!({"handed_in": 3, "project_id": crate::story::PROJECT, "owner_id": OWNER,
                          "created_at": "2026-01-15T10:00:00+00:00"});
    assert_has(&row(&pool, "search").await, &expected);
}
