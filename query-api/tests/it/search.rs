//! Items found by their words.

use crate::house::{House, NOTHING, Person, ids};
use domain::{
    Personal, ProjectRole,
    submission::{ContentRef, Description, Edit, SubmissionCommand, Text},
};
use std::time::Duration;
use uuid::Uuid;

fn escaped(text: &str) -> String {
    let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
    bytes.collect::<Vec<_>>().concat()
}

async fn found(house: &House, who: &Person, words: &str) -> Vec<Uuid> {
    let path = format!("/submissions?q={}", escaped(words));
    ids(&house.get(who, &path).await.ok())
}

/// A text with this title and content.
async fn text(house: &House, who: &Person, project: Uuid, title: &str, content: &str) -> Uuid {
    let id = house
        .raw_text_with(who, project, title, Description::default())
        .await;
    let edit = Edit {
        content: Some(Text::Inline(Personal::new(id, content.into()))),
        ..Edit::default()
    };
    house.item(who, id, SubmissionCommand::Edit(edit)).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn arabic_texts_are_found_however_their_words_are_written() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let marked = "ذَهَبَ أَحْمَدُ إِلَى الْمَدْرَسَةِ وَقَرَأَ كِتَابًا عَنِ الْقُرْآنِ";
    let plain = "ذهب احمد الى المستشفى ومعه رسالة من المسؤول سنة ١٤٤٥";
    let school = text(&house, &amina, project, "يوم في القرية", marked).await;
    let hospital = text(&house, &amina, project, "رِسَالَة", plain).await;
    for (asked, expected) in [
        ("أحمد", vec![hospital, school]),
        ("احمد", vec![hospital, school]),
        ("مدرسة", vec![school]),
        ("المدرسه", vec![school]),
        ("مدر", vec![school]),
        ("وقرأ", vec![school]),
        ("قرا", vec![school]),
        ("كتاب", vec![school]),
        ("القرآن", vec![school]),
        ("قران", vec![school]),
        ("قرية", vec![school]),
        ("مستشفي", vec![hospital]),
        ("الرسالة", vec![hospital]),
        ("مسؤول 1445", vec![hospital]),
        ("معه", vec![hospital]),
        ("احمد مدرسة", vec![school]),
        ("مدرسة مستشفى", vec![]),
        ("بيت", vec![]),
    ] {
        assert_eq!(found(&house, &amina, asked).await, expected, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_file_names_contents_and_recognised_texts_are_found_by_the_beginnings_of_words() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let rain = text(
        &house,
        &amina,
        project,
        "Café Noir",
        "It rained all of May.",
    )
    .await;
    let letter = house
        .document(&amina, project, "Old_Letter-7.pdf", b"%PDF")
        .await;
    house
        .processed(
            &amina,
            letter,
            "Dear Sir, the café is closed",
            serde_json::json!({}),
        )
        .await;
    for (asked, expected) in [
        ("cafe", vec![letter, rain]),
        ("CAFÉ noir", vec![rain]),
        ("rain may", vec![rain]),
        ("letter 7", vec![letter]),
        ("pdf", vec![letter]),
        ("dear letter", vec![letter]),
        ("c", vec![letter, rain]),
        ("ained", vec![]),
        ("rain letter", vec![]),
    ] {
        assert_eq!(found(&house, &amina, asked).await, expected, "{asked}");
    }
    house.item(&amina, rain, SubmissionCommand::Delete).await;
    assert_eq!(found(&house, &amina, "cafe").await, [letter]);
    house.item(&amina, rain, SubmissionCommand::Restore).await;
    assert_eq!(found(&house, &amina, "cafe").await, [letter, rain]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_go_with_every_filter_and_every_order() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let other = house.project(&amina, "Poems").await;
    let described = Description {
        domain: Some("weather".into()),
        language: Some("en".into()),
        tags: vec!["wet".into()],
        extra_metadata: None,
    };
    let one = house
        .raw_text_with(&amina, project, "Rain one", described)
        .await;
    let two = house.raw_text(&amina, project, "Rain two").await;
    let three = house.raw_text(&amina, other, "Rain three").await;
    house.raw_text(&amina, other, "Sun").await;
    house.submit(&amina, one).await;
    let found = async |query: &str| {
        ids(&house
            .get(&amina, &format!("/submissions?q=rain&{query}"))
            .await
            .ok())
    };
    assert_eq!(found("").await, [three, two, one]);
    assert_eq!(found("order=asc").await, [one, two, three]);
    assert_eq!(found("sort_by=updated_at").await, [one, three, two]);
    assert_eq!(found("sort_by=submitted_at&limit=1").await, [one]);
    assert_eq!(found(&format!("project_id={project}")).await, [two, one]);
    assert_eq!(found("status=pending_review").await, [one]);
    assert_eq!(
        found("type=raw_text&domain=weather&language=en&tag=wet").await,
        [one]
    );
    assert_eq!(
        found(&format!("uploaded_by={}", Uuid::nil())).await,
        NOTHING
    );
    assert_eq!(found("from=2000-01-01&to=2100-01-01").await.len(), 3);
    assert_eq!(found("to=2000-01-01").await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_finds_what_one_may_read() {
    let (house, _running) = House::new().await;
    let (admin, owner) = (house.person("admin").await, house.person("owner").await);
    let (other, reviewer) = (house.person("other").await, house.person("reviewer").await);
    let (root, stranger) = (
        house.super_admin("root").await,
        house.person("stranger").await,
    );
    let project = house.project(&admin, "Letters").await;
    let elsewhere = house.project(&other, "Elsewhere").await;
    for (who, role) in [
        (&owner, ProjectRole::Contributor),
        (&other, ProjectRole::Contributor),
        (&reviewer, ProjectRole::Reviewer),
    ] {
        house.join(&admin, project, who, role).await;
    }
    let draft = house.raw_text(&owner, project, "Rain draft").await;
    let waiting = house.raw_text(&owner, project, "Rain waits").await;
    house.submit(&owner, waiting).await;
    let others = house.raw_text(&other, project, "Rain here").await;
    let far = house.raw_text(&other, elsewhere, "Rain there").await;
    house.settled().await;
    for (who, expected) in [
        (&admin, vec![others, waiting, draft]),
        (&owner, vec![waiting, draft]),
        (&other, vec![far, others]),
        (&reviewer, vec![waiting]),
        (&root, vec![far, others, waiting, draft]),
        (&stranger, vec![]),
    ] {
        assert_eq!(found(&house, who, "rain").await, expected, "{}", who.email);
        let all = ids(&house.get(who, "/submissions").await.ok());
        assert_eq!(all, expected, "{}", who.email);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_nothing_finds_everything_and_what_has_no_words_finds_nothing() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let rain = house.raw_text(&amina, project, "Rain").await;
    for nothing in ["", "%20", "+"] {
        let path = format!("/submissions?q={nothing}");
        assert_eq!(
            ids(&house.get(&amina, &path).await.ok()),
            [rain],
            "{nothing}"
        );
    }
    for vain in [
        "!",
        "%25",
        "_",
        "'",
        "%26%7C%21%3A%2A",
        "%D9%80",
        "%D9%8E",
        "%5C",
    ] {
        let path = format!("/submissions?q={vain}");
        let answer = house.get(&amina, &path).await;
        assert_eq!(ids(&answer.ok()), NOTHING, "{vain}");
        assert_eq!(answer.header("x-total-count"), Some("0"), "{vain}");
    }
    let words =
        "word%20".repeat(40) + &(0..33).map(|n| n.to_string()).collect::<Vec<_>>().join("+");
    for bad in ["%00", "a%00b", "%FF", "a%C3", &"a".repeat(301), &words] {
        let answer = house.get(&amina, &format!("/submissions?q={bad}")).await;
        assert_eq!(answer.refusal().0, 400, "{bad}");
        let path = format!("/submissions?limit=1&q={bad}");
        let details = house.get(&amina, &path).await.json()["error"]["details"].clone();
        assert_eq!(
            details.as_object().map(|named| named.contains_key("q")),
            Some(true),
            "{details}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_found_and_while_the_store_is_away_only_searching_waits() {
    let house = House::without_projectors(Duration::from_millis(500)).await;
    let _running = house.projectors();
    let amina = house.person("amina").await;
    house.settled().await;
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    let long = format!("{} والخاتمةُ أخيرًا", "rain and wind ".repeat(30_000));
    let kept = house
        .storage
        .put_content(id, long.clone().into())
        .await
        .expect("stored");
    // The object is there, but the store cannot say so: a file stands where its directory was.
    let (kept_at, aside) = (
        house.directory().join("content"),
        house.directory().join("aside"),
    );
    std::fs::rename(&kept_at, &aside).expect("moved");
    std::fs::write(&kept_at, "").expect("written");
    let edit = Edit {
        content: Some(Text::Stored(ContentRef {
            key: kept.key,
            sha256: kept.sha256,
            size_bytes: kept.size_bytes,
        })),
        ..Edit::default()
    };
    house.item(&amina, id, SubmissionCommand::Edit(edit)).await;
    assert_eq!(ids(&house.get(&amina, "/submissions").await.ok()), [id]);
    let answer = house.get(&amina, "/submissions?q=wind").await;
    assert_eq!(answer.refusal(), (503, "READ_MODEL_BEHIND".into()));
    std::fs::remove_file(&kept_at).expect("removed");
    std::fs::rename(&aside, &kept_at).expect("moved back");
    house.settled().await;
    assert_eq!(found(&house, &amina, "wind خاتمة").await, [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_searches_right_after_a_write_find_it() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    for n in 0..50 {
        let id = house
            .raw_text(&amina, project, &format!("word{n}end"))
            .await;
        assert_eq!(found(&house, &amina, &format!("word{n}end")).await, [id]);
    }
}

/// So many items that a word in most of them is looked for among the newest first.
async fn thousands(house: &House, who: &Person, project: Uuid) {
    let statements = [
        "INSERT INTO submissions (id, item_type, project_id, owner_id, status, round, version, title,
                                  submitted_at, created_at, updated_at)
         SELECT lpad(n::text, 32, '0')::uuid, 'raw_text', $1, $2, 'pending_review', 1, 2, 'T', at, at, at
         FROM (SELECT n, now() - n * interval '1 second' AS at FROM generate_series(1, 8000) n) AS made",
        "INSERT INTO search (item_id, project_id, owner_id, version, created_at, handed_in, name)
         SELECT lpad(n::text, 32, '0')::uuid, $1, $2, 2, now() - n * interval '1 second', 1,
                array_to_tsvector(ARRAY['every', CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END,
                                        CASE WHEN n > 7990 THEN 'old' ELSE 'new' END,
                                        'many' || n % 300,
                                        CASE WHEN n > 4000 THEN 'former' ELSE 'latter' END,
                                        CASE WHEN n > 7000 THEN 'late' || n ELSE 'early' END])
         FROM generate_series(1, 8000) n",
    ];
    let count = "INSERT INTO search_lexicon SELECT word, count(*)
                 FROM search, unnest(tsvector_to_array(words)) AS word GROUP BY word";
    for statement in statements {
        sqlx::query(statement)
            .bind(project)
            .bind(who.id)
            .execute(&house.database.pool)
            .await
            .expect("rows");
    }
    for statement in [count, "ANALYZE search"] {
        sqlx::query(statement)
            .execute(&house.database.pool)
            .await
            .expect("counts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_thousands_of_items_are_found_wherever_they_stand() {
    let (house, _running) = House::new().await;
    let (amina, root) = (house.person("amina").await, house.super_admin("root").await);
    let project = house.project(&amina, "Letters").await;
    house.settled().await;
    thousands(&house, &amina, project).await;
    let id = |n: u32| Uuid::parse_str(&format!("{n:032}")).expect("a UUID");
    for who in [&amina, &root] {
        let seen = async |query: &str| {
            let path = format!("/submissions?limit=3&{query}");
            ids(&house.get(who, &path).await.ok())
        };
        assert_eq!(seen("q=every").await, [1, 2, 3].map(id));
        assert_eq!(seen("q=even").await, [2, 4, 6].map(id));
        assert_eq!(
            seen("q=every&order=asc").await,
            [8_000, 7_999, 7_998].map(id)
        );
        assert_eq!(
            seen("q=every+odd&order=asc").await,
            [7_999, 7_997, 7_995].map(id)
        );
        // Each of these is everywhere or only among the oldest, and no item has the last two.
        assert_eq!(seen("q=every+old").await, [7_991, 7_992, 7_993].map(id));
        assert_eq!(seen("q=even+odd").await, NOTHING);
        // Beginnings of hundreds of words: everywhere, or only among the older ones.
        assert_eq!(seen("q=many").await, [1, 2, 3].map(id));
        assert_eq!(seen("q=many+even").await, [2, 4, 6].map(id));
        assert_eq!(seen("q=many+old").await, [7_991, 7_992, 7_993].map(id));
        assert_eq!(seen("q=former").await, [4_001, 4_002, 4_003].map(id));
        assert_eq!(seen("q=former+even").await, [4_002, 4_004, 4_006].map(id));
        assert_eq!(seen("q=late").await, [7_001, 7_002, 7_003].map(id));
        assert_eq!(seen("q=late+even").await, [7_002, 7_004, 7_006].map(id));
        assert_eq!(seen("q=late+old").await, [7_991, 7_992, 7_993].map(id));
        assert_eq!(
            seen("q=late+many&order=asc").await,
            [8_000, 7_999, 7_998].map(id)
        );
        assert_eq!(seen("q=late+early").await, NOTHING);
        assert_eq!(seen("q=every&status=approved").await, NOTHING);
        assert_eq!(
            seen("q=even&status=pending_review").await,
            [2, 4, 6].map(id)
        );
    }
    let (mut page, mut count) = (Some("/submissions?limit=200&q=even".to_owned()), 0);
    while let Some(path) = page {
        let answer = house.get(&amina, &path).await;
        count += ids(&answer.ok()).len();
        page = answer.next();
    }
    assert_eq!(count, 4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_of_hundreds_of_words_finds_the_one_text_that_has_them() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let words: Vec<String> = (0..300).map(|n| format!("word{n}")).collect();
    let id = text(&house, &amina, project, "List", &words.join(" ")).await;
    text(&house, &amina, project, "Other", "something else").await;
    assert_eq!(found(&house, &amina, "word").await, [id]);
    assert_eq!(found(&house, &amina, "list word").await, [id]);
    assert_eq!(found(&house, &amina, "other word").await, NOTHING);
}
