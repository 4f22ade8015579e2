//! How the service itself is.

use crate::house::{House, Person, keys};
use axum::{body::Body, http::Request};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn projections_and_dead_letters_are_for_super_admins() {
    let (house, _running) = House::new().await;
    let (amina, root) = (house.person("amina").await, house.super_admin("root").await);
    house.settled().await;
    for path in [
        "/ops/projections",
        "/ops/dead-letters",
        "/ops/suppressed-addresses",
        "/health/detailed",
    ] {
        assert_eq!(
            house.get(&amina, path).await.refusal(),
            (403, "FORBIDDEN".into()),
            "{path}"
        );
    }
    let projections = house.get(&root, "/ops/projections").await.ok();
    let fields = [
        "lag_events",
        "lag_seconds",
        "name",
        "position",
        "state",
        "version",
    ];
    assert_eq!(keys(&projections[0]), fields);
    let names: Vec<_> = projections
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| p["name"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "access",
            "analytics",
            "history",
            "review_queue",
            "search",
            "submissions"
        ]
    );
    assert_eq!(projections[0]["lag_events"], 0);
    assert_eq!(projections[0]["state"], "live");
    for n in 1..=3_u8 {
        sqlx::query(
            "INSERT INTO jobs (job_id, kind, source_event_id, item_id, task, state, attempts,
                               error_code, last_error, run_after, created_at, finished_at)
             VALUES ($1, 'ocr', $1, $1, '{}', 'dead', 4, 'ENGINE_FAILED', 'It failed.', now(), now(),
                     now())",
        )
        .bind(Uuid::from_u128(n.into()))
        .execute(&house.database.pool)
        .await
        .expect("a job");
    }
    let first = house.get(&root, "/ops/dead-letters?limit=2").await;
    let letters = first.ok();
    assert_eq!(
        keys(&letters[0]),
        [
            "attempts",
            "error",
            "error_code",
            "failed_at",
            "id",
            "item_id",
            "kind",
            "project_id",
        ]
    );
    assert_eq!(letters[0]["id"], json!(Uuid::from_u128(3)));
    let rest = house
        .get(&root, &first.next().expect("a next page"))
        .await
        .ok();
    assert_eq!(rest.as_array().map(Vec::len), Some(1));
    let health = house.get(&root, "/health/detailed").await.ok();
    assert_eq!(health["status"], "healthy");
    assert_eq!(
        health["queues"],
        json!([{"kind": "ocr", "state": "dead", "count": 3}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_addresses_are_shown_page_by_page_and_not_what_they_are() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    house.settled().await;
    // Two of one moment, and one whose time is over.
    for (n, since, until) in [(1_u8, 3, 1), (2, 2, 1), (3, 2, 1), (4, 1, 1), (5, 9, -1)] {
        sqlx::query(
            "INSERT INTO suppressed_addresses (address_hmac, since, until)
             VALUES ($1, date_trunc('hour', now() - make_interval(days => $2)),
                     now() + make_interval(days => $3))",
        )
        .bind(vec![n; 32])
        .bind(since)
        .bind(until)
        .execute(&house.database.pool)
        .await
        .expect("a row");
    }
    let mut path = "/ops/suppressed-addresses?limit=1".to_owned();
    let mut seen = vec![];
    loop {
        let page = house.get(&root, &path).await;
        let rows = page.ok();
        assert_eq!(rows.as_array().map(Vec::len), Some(1));
        assert_eq!(keys(&rows[0]), ["id", "since", "until"]);
        seen.push(rows[0].clone());
        match page.next() {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted_by_key(|row| std::cmp::Reverse(row["since"].to_string())));
    let all = house.get(&root, "/ops/suppressed-addresses").await.ok();
    assert_eq!(all, json!(seen));
    let other = house.get(&root, "/ops/dead-letters?limit=1").await.ok();
    assert_eq!(other, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_side_is_ready_when_all_projections_have_begun() {
    let house = House::without_projectors(Duration::ZERO).await;
    let ready = async || {
        let request = Request::get("/api/health/ready")
            .body(Body::empty())
            .expect("a request");
        house.ask(request).await.status.as_u16()
    };
    assert_eq!(ready().await, 503);
    let _running = house.projectors();
    house.settled().await;
    let begun = async {
        while ready().await != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), begun)
        .await
        .expect("it becomes ready");
    let request = Request::get("/health")
        .body(Body::empty())
        .expect("a request");
    let health = house.ask(request).await.ok();
    let all = json!({"database": "healthy", "nats": "healthy", "object_storage": "healthy"});
    assert_eq!(health["services"], all);
    let nobody = Person {
        id: Uuid::nil(),
        email: String::new(),
        session_id: Uuid::nil(),
        token: String::new(),
    };
    assert_eq!(house.get(&nobody, "/nowhere").await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_shown_while_it_lasts_and_the_service_takes_up_what_was_asked_for() {
    let (house, running) = House::new().await;
    let root = house.super_admin("root").await;
    house.settled().await;
    let pool = &house.database.pool;
    let ask = "INSERT INTO projection_rebuilds (name, state) VALUES ('review_queue', 'requested')";
    sqlx::query(ask).execute(pool).await.expect("asked");
    let state = async || {
        sqlx::query_scalar::<_, String>("SELECT state FROM projection_rebuilds")
            .fetch_one(pool)
            .await
            .expect("a state")
    };
    let done = async {
        while state().await != "done" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done)
        .await
        .expect("the projectors look for requests");
    let queue = async || {
        let all = house.get(&root, "/ops/projections").await.ok();
        all[3].clone()
    };
    assert_eq!(queue().await["state"], "live");
    assert_eq!(queue().await["rebuild"], json!(null));

    drop(running);
    house.no_projector_leads().await;
    sqlx::query(
        "UPDATE projection_rebuilds
         SET state = 'filling', seen = 1500, target = 2500, resumed_from = 1000,
             resumed_at = '2026-01-15T10:00:00Z', moved_at = '2026-01-15T10:00:10Z',
             started_at = '2026-01-15T09:00:00Z'",
    )
    .execute(pool)
    .await
    .expect("half-way");
    let shown = queue().await;
    assert_eq!(shown["state"], "rebuilding");
    assert_eq!(
        shown["rebuild"],
        json!({"position": 1500, "target": 2500, "events_per_second": 50.0, "eta_seconds": 20.0,
               "started_at": "2026-01-15T09:00:00Z"})
    );
    let health = house.get(&root, "/health/detailed").await.ok();
    assert_eq!(
        health["status"], "healthy",
        "the live one is read meanwhile"
    );
}
