//! Tampering by somebody with all rights on the database, and whether it is found: each time at the
//! right position, in the database and in an export.

use crate::house::{House, Relay};
use event_store::audit::{
    AuditError, Checkpoint, CheckpointError, Fault, Signer, Span, Verified, export, signable,
    verify, verify_export,
};
use sqlx::{Connection, Executor, PgConnection};
use time::macros::datetime;

const WHOLE: Span = Span {
    from: None,
    to: None,
};

/// A log of ten events.
async fn ten() -> (House, Relay) {
    let house = House::new().await;
    let relay = house.relay().await;
    let amina = house.register("amina@example.org").await;
    for n in 2..=10 {
        house.raw_text(amina, &format!("text {n}")).await;
    }
    assert_eq!(house.whole_log().await.len(), 10);
    (house, relay)
}

async fn connection(house: &House) -> PgConnection {
    PgConnection::connect(&house.database.url)
        .await
        .expect("a connection")
}

async fn verified(
    house: &House,
    span: Span,
    checkpoint: Option<&Checkpoint>,
) -> Result<Verified, AuditError> {
    let alone = verify(&mut [connection(house).await], span, checkpoint).await;
    // However many follow it, the same is found.
    for count in [2, 3] {
        let mut connections = vec![];
        for _ in 0..count {
            connections.push(connection(house).await);
        }
        let together = verify(&mut connections, span, checkpoint).await;
        assert_eq!(format!("{together:?}"), format!("{alone:?}"), "{count}");
    }
    alone
}

async fn exported(house: &House, span: Span) -> Vec<u8> {
    let mut file = vec![];
    export(&mut connection(house).await, span, &mut file)
        .await
        .expect("an export");
    file
}

fn proved(export: &[u8], checkpoint: Option<&Checkpoint>) -> Result<Verified, AuditError> {
    verify_export(&mut &*export, checkpoint)
}

/// Does what no role of the service may, as a superuser who switches the triggers off.
async fn tamper(house: &House, statements: &[&str]) {
    let mut connection = connection(house).await;
    let off =
        ["events", "event_log"].map(|table| format!("ALTER TABLE {table} DISABLE TRIGGER ALL"));
    for statement in off
        .iter()
        .map(String::as_str)
        .chain(statements.iter().copied())
    {
        connection.execute(statement).await.expect(statement);
    }
}

#[track_caller]
fn fault(outcome: Result<Verified, AuditError>) -> (i64, &'static str) {
    match outcome {
        Err(AuditError::Fault(Fault { position, wrong })) => (position, wrong.word()),
        other => panic!("no fault: {other:?}"),
    }
}

async fn checkpoint(house: &House, signer: &Signer) -> Checkpoint {
    let newest = signable(&house.database.pool, None).await.expect("read");
    let (position, hash) = newest.expect("a log");
    let at = datetime!(2026-01-15 10:30 UTC);
    signer.sign(position, hash, at).expect("signed")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_another_database_is_left_out() {
    let ((house, _relay), other) = (ten().await, House::new().await);
    let mut connections = [connection(&house).await, connection(&other).await];
    let verified = verify(&mut connections, WHOLE, None).await;
    assert_eq!(verified.expect("the chain holds").count(), 10);
}

#[tokio::test]
async fn an_untouched_log_and_its_export_verify_also_after_an_erasure() {
    let (house, relay) = ten().await;
    let whole = verified(&house, WHOLE, None).await.expect("untouched");
    assert_eq!((whole.from, whole.to, whole.count()), (1, 10, 10));
    let before = exported(&house, WHOLE).await;
    assert_eq!(proved(&before, None).expect("untouched"), whole);
    let text = String::from_utf8(before.clone()).expect("UTF-8");
    for secret in ["amina", "Amina", "text 2", "203.0.113.9", "curl"] {
        assert!(!text.contains(secret), "{secret} in clear");
    }
    house
        .database
        .pool
        .execute("UPDATE vault.subject_keys SET wrapped_key = NULL, erased_at = now()")
        .await
        .expect("the erasure");
    assert_eq!(verified(&house, WHOLE, None).await.expect("still"), whole);
    assert_eq!(exported(&house, WHOLE).await, before);
    relay.stop().await;
}

#[tokio::test]
async fn a_part_of_the_log_verifies_by_itself_and_an_empty_one_too() {
    let (house, relay) = ten().await;
    let span = Span {
        from: Some(4),
        to: Some(7),
    };
    let part = verified(&house, span, None).await.expect("untouched");
    assert_eq!((part.from, part.to, part.count()), (4, 7, 4));
    let export = exported(&house, span).await;
    assert_eq!(proved(&export, None).expect("untouched"), part);
    let beyond = Span {
        from: Some(5),
        to: Some(12),
    };
    assert_eq!(fault(verified(&house, beyond, None).await), (11, "cut_off"));
    let senseless = Span {
        from: Some(7),
        to: Some(4),
    };
    let refused = verified(&house, senseless, None).await;
    assert!(matches!(refused, Err(AuditError::Asked(_))), "{refused:?}");
    relay.stop().await;
    let empty = House::new().await;
    let nothing = verified(&empty, WHOLE, None).await.expect("nothing");
    assert_eq!((nothing.from, nothing.to, nothing.count()), (1, 0, 0));
    let export = exported(&empty, WHOLE).await;
    assert_eq!(proved(&export, None).expect("nothing"), nothing);
}

#[tokio::test]
async fn everything_that_was_tampered_with_is_found_where_it_begins() {
    let of = "(SELECT event_id FROM event_log WHERE position = 4)";
    let of_5 = "(SELECT event_id FROM event_log WHERE position = 5)";
    let payload = format!(
        "UPDATE events SET payload = jsonb_set(payload, '{{RawTextCreated,project_id}}',
             '\"00000000-0000-0000-0000-000000000001\"') WHERE id = {of}"
    );
    let metadata = format!(
        "UPDATE events SET metadata = metadata || '{{\"request_id\": \"request-2\"}}' WHERE id = {of}"
    );
    let time = format!(
        "UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE id = {of}"
    );
    let gone = format!("DELETE FROM events WHERE id = {of}");
    let gone_with_entry = [
        "CREATE TEMP TABLE victim AS SELECT event_id FROM event_log WHERE position = 4",
        "DELETE FROM event_log WHERE position = 4",
        "DELETE FROM events WHERE id = (SELECT event_id FROM victim)",
    ];
    let swapped = format!(
        "UPDATE events e SET payload = o.payload, metadata = o.metadata FROM events o
         WHERE (e.id = {of} AND o.id = {of_5}) OR (e.id = {of_5} AND o.id = {of})"
    );
    let exchanged_entries = [
        "CREATE TEMP TABLE pair AS SELECT position, event_id FROM event_log WHERE position IN (4, 5)",
        "UPDATE event_log SET event_id = -position WHERE position IN (4, 5)",
        "UPDATE event_log l SET event_id = p.event_id FROM pair p WHERE l.position = 9 - p.position",
    ];
    let copy = "INSERT INTO events (id, aggregate_type, aggregate_id, sequence, event_type,
                    event_version, payload, metadata) OVERRIDING SYSTEM VALUE
                SELECT -1, aggregate_type, aggregate_id, sequence + 1, event_type, event_version,
                    payload, metadata FROM events WHERE id = (SELECT event_id FROM event_log WHERE position = 4)";
    let inserted = [
        copy,
        "UPDATE event_log SET position = position + 100 WHERE position >= 4",
        "INSERT INTO event_log SELECT 4, -1, hash FROM event_log WHERE position = 104",
        "UPDATE event_log SET position = position - 99 WHERE position >= 104",
    ];
    let hash = "UPDATE event_log SET hash = sha256('') WHERE position = 4";
    let cases: [(&str, Vec<&str>, (i64, &str)); 10] = [
        ("a payload", vec![&payload], (4, "event_changed")),
        ("metadata", vec![&metadata], (4, "event_changed")),
        ("a time", vec![&time], (4, "event_changed")),
        ("a hash", vec![hash], (4, "hash_changed")),
        ("an event that is gone", vec![&gone], (4, "event_missing")),
        (
            "one with its entry",
            gone_with_entry.to_vec(),
            (4, "entry_missing"),
        ),
        (
            "two exchanged events",
            vec![&swapped],
            (4, "does_not_follow"),
        ),
        (
            "two exchanged entries",
            exchanged_entries.to_vec(),
            (4, "does_not_follow"),
        ),
        ("one put in", inserted.to_vec(), (4, "does_not_follow")),
        (
            "one behind the log's back",
            vec![copy],
            (1, "unknown_event"),
        ),
    ];
    for (what, statements, expected) in cases {
        let (house, relay) = ten().await;
        relay.stop().await;
        tamper(&house, &statements).await;
        let found = fault(verified(&house, WHOLE, None).await);
        assert_eq!(found, expected, "{what}");
        // An export holds numbered events alone; what cannot be exported is named at once.
        if expected.1 != "unknown_event" {
            let mut file = vec![];
            let exported = export(&mut connection(&house).await, WHOLE, &mut file).await;
            let found = exported.and_then(|_| proved(&file, None));
            assert_eq!(fault(found), expected, "{what}, exported");
        }
    }
}

#[tokio::test]
async fn what_was_changed_before_a_part_is_named_there_and_not_at_its_beginning() {
    let (house, relay) = ten().await;
    let part = Span {
        from: Some(4),
        to: Some(7),
    };
    let before = exported(&house, part).await;
    let at_three = Span {
        from: None,
        to: Some(3),
    };
    let whole = verified(&house, at_three, None).await.expect("untouched");
    let signer = Signer::new(&[3; 32]);
    let at = datetime!(2026-01-15 10:30 UTC);
    let noted = signer.sign(3, whole.hash, at).expect("signed");
    relay.stop().await;
    let hash = "UPDATE event_log SET hash = sha256('') WHERE position = 3";
    tamper(&house, &[hash]).await;
    let changed = (3, "hash_changed");
    assert_eq!(fault(verified(&house, part, None).await), changed);
    assert_eq!(fault(verified(&house, part, Some(&noted)).await), changed);
    let mut file = vec![];
    let refused = export(&mut connection(&house).await, part, &mut file).await;
    assert_eq!(fault(refused), changed, "nothing is exported after it");
    // The same done to the file: what only a checkpoint can tell apart is not guessed at.
    let text = String::from_utf8(before.clone()).expect("UTF-8");
    let forged = text.replacen(&hex::encode(whole.hash), &hex::encode([7; 32]), 1);
    assert_eq!(
        fault(proved(forged.as_bytes(), None)),
        (4, "does_not_follow")
    );
    assert_eq!(fault(proved(forged.as_bytes(), Some(&noted))), changed);
    proved(&before, Some(&noted)).expect("untouched");
}

#[tokio::test]
async fn a_tail_that_was_cut_off_or_written_anew_is_found_by_a_checkpoint() {
    let (house, relay) = ten().await;
    let signer = Signer::new(&[3; 32]);
    let good = checkpoint(&house, &signer).await;
    assert_eq!(good.position, 10);
    assert_eq!(good.check(signer.public_key()), Ok(()));
    verified(&house, WHOLE, Some(&good))
        .await
        .expect("it holds");
    let before = exported(&house, WHOLE).await;
    proved(&before, Some(&good)).expect("it holds");
    let part = Span {
        from: Some(8),
        to: None,
    };
    proved(&exported(&house, part).await, Some(&good)).expect("it holds");
    let early = Span {
        from: None,
        to: Some(5),
    };
    let out_of_reach = verified(&house, early, Some(&good)).await;
    assert!(
        matches!(
            out_of_reach,
            Err(AuditError::Checkpoint(CheckpointError::OutOfReach(10)))
        ),
        "what was not looked at is not proved: {out_of_reach:?}"
    );
    let owner = house.log.read(0, 1).await.expect("read")[0].aggregate_id;
    relay.stop().await;
    let cut = [
        "CREATE TEMP TABLE tail AS SELECT event_id FROM event_log WHERE position > 7",
        "DELETE FROM event_log WHERE position > 7",
        "DELETE FROM events WHERE id IN (SELECT event_id FROM tail)",
    ];
    tamper(&house, &cut).await;
    verified(&house, WHOLE, None)
        .await
        .expect("nothing to see without one");
    assert_eq!(
        fault(verified(&house, WHOLE, Some(&good)).await),
        (8, "cut_off")
    );
    let export = exported(&house, WHOLE).await;
    assert_eq!(fault(proved(&export, Some(&good))), (8, "cut_off"));
    let refused = signable(&house.database.pool, Some(&good)).await;
    assert!(matches!(refused, Err(AuditError::Fault(_))), "{refused:?}");
    // The log goes on, with other events in the place of those that were cut off.
    let relay = house.relay().await;
    for n in 8..=12 {
        house.raw_text(owner, &format!("another text {n}")).await;
    }
    house.whole_log().await;
    verified(&house, WHOLE, None)
        .await
        .expect("nothing to see without one");
    let rewritten = (10, "not_as_in_checkpoint");
    assert_eq!(fault(verified(&house, WHOLE, Some(&good)).await), rewritten);
    let export = exported(&house, WHOLE).await;
    assert_eq!(fault(proved(&export, Some(&good))), rewritten);
    relay.stop().await;
}

#[tokio::test]
async fn a_checkpoint_that_the_export_does_not_reach_proves_nothing() {
    let (house, relay) = ten().await;
    let good = checkpoint(&house, &Signer::new(&[3; 32])).await;
    house.register("later@example.org").await;
    house.register("latest@example.org").await;
    house.whole_log().await;
    let later = Span {
        from: Some(12),
        to: None,
    };
    let outcome = proved(&exported(&house, later).await, Some(&good));
    let out_of_reach = Err(CheckpointError::OutOfReach(10));
    assert_eq!(
        outcome.map_err(|error| match error {
            AuditError::Checkpoint(error) => error,
            other => panic!("{other}"),
        }),
        out_of_reach
    );
    let next = Span {
        from: Some(11),
        to: None,
    };
    proved(&exported(&house, next).await, Some(&good)).expect("it begins where the checkpoint is");
    relay.stop().await;
}

#[tokio::test]
async fn no_byte_of_an_export_can_be_changed_unnoticed() {
    let (house, relay) = ten().await;
    let span = Span {
        from: Some(3),
        to: Some(5),
    };
    let good = exported(&house, span).await;
    proved(&good, None).expect("untouched");
    for place in 0..good.len() {
        for other in [good[place] ^ 1, b' ', b'0'] {
            if other == good[place] {
                continue;
            }
            let mut bad = good.clone();
            bad[place] = other;
            let outcome = proved(&bad, None);
            assert!(outcome.is_err(), "byte {place} as {other}: {outcome:?}");
        }
    }
    for cut in [1, 50, good.len() / 2] {
        let shorter = &good[..good.len() - cut];
        assert!(
            proved(shorter, None).is_err(),
            "without its last {cut} bytes"
        );
    }
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(fault(proved(&lines[..3].concat(), None)), (5, "cut_off"));
    let without = [lines[0], lines[1], lines[3]].concat();
    assert_eq!(fault(proved(&without, None)), (4, "entry_missing"));
    let twice = [lines[0], lines[1], lines[1], lines[2], lines[3]].concat();
    assert_eq!(fault(proved(&twice, None)), (3, "out_of_order"));
    let more = [&good[..], b"\n"].concat();
    assert_eq!(fault(proved(&more, None)), (6, "unreadable"));
    assert_eq!(fault(proved(b"", None)), (1, "unreadable"));
    relay.stop().await;
}
