//! Documents and recordings on their way in.

use axum::{
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::json;
use uuid::Uuid;

use crate::{
    house::{House, Person, Reply},
    team::Team,
};

/// A white PNG of 16 by 16 pixels.
pub const PNG: &str = "\
    89504e470d0a1a0a0000000d49484452000000100000001008000000003a98a0bd0000000f49444154789c63f8\
    8f061846b6000080f9ff0128909c5d0000000049454e44ae426082";

pub fn png() -> Vec<u8> {
    (0..PNG.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(&PNG[at..at + 2], 16).ok())
        .collect()
}

/// A recording of a tone, in 16-bit samples at 8 kHz.
pub fn wav(seconds: f64) -> Vec<u8> {
    let samples = (seconds * 8000.0) as u32;
    let bytes = samples * 2;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    for at in 0..samples {
        let value = (f64::from(at) * 0.3).sin() * 8000.0;
        wav.extend_from_slice(&(value as i16).to_le_bytes());
    }
    wav
}

/// One part: name, file name, bytes.
pub type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

pub fn form(boundary: &str, parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let file = file
            .map(|file| format!("; filename=\"{file}\""))
            .unwrap_or_default();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

pub fn request(who: &Person, path: &str, boundary: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(format!("/api{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", who.token))
        .header(
            header::CONTENT_TYPE,
            format!("multipart/form-data; boundary={boundary}"),
        )
        .body(body.into())
        .expect("a request")
}

pub async fn upload(house: &House, who: &Person, path: &str, parts: &[Part<'_>]) -> Reply {
    house
        .send(request(who, path, "b0", form("b0", parts)))
        .await
}

pub async fn objects(house: &House) -> usize {
    house.storage.list("uploads").expect("a list").count().await
}

pub fn documents(project: Uuid) -> String {
    format!("/documents?project_id={project}")
}

#[tokio::test]
async fn a_document_is_taken_in_hashed_stored_and_queued() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let name = "../../etc/📄 résumé.pdf";
    let parts: [Part; 4] = [
        ("domain", None, b"law"),
        ("tags", None, br#"["old", "letter"]"#),
        ("file", Some(name), &png()),
        ("extra_metadata", None, br#"{"box": 7}"#),
    ];
    let made = upload(&house, &contributor, &documents(project), &parts)
        .await
        .is(201);
    let body = &made.body;
    assert_eq!(
        (&body["type"], &body["version"], body.get("ocr")),
        (&json!("document"), &json!(2), Some(&json!(null)))
    );
    assert_eq!(
        (&body["status"], &body["processed"], &body["is_raw"]),
        (&json!("draft"), &json!(false), &json!(false))
    );
    assert_eq!(
        (&body["original_filename"], &body["domain"]),
        (&json!(name), &json!("law"))
    );
    assert_eq!(
        (&body["tags"], &body["extra_metadata"]),
        (&json!(["old", "letter"]), &json!({"box": 7}))
    );
    assert_eq!(
        (&body["media_type"], &body["size_bytes"]),
        (&json!("image/png"), &json!(png().len()))
    );
    assert_eq!(
        body["gcs_uri"],
        json!(format!("local://uploads/{}", made.id()))
    );
    assert_eq!(
        house.stream(made.id()).await,
        ["DocumentUploaded", "ProcessingRequested"]
    );
    let kept = house
        .storage
        .get_bytes(&format!("uploads/{}", made.id()), 1 << 20)
        .await
        .expect("bytes");
    assert_eq!(kept.to_vec(), png());
    let raw = format!("{}&is_raw=true", documents(project));
    let made = upload(
        &house,
        &contributor,
        &raw,
        &[("file", Some("a.png"), &png())],
    )
    .await
    .is(201);
    assert_eq!(house.stream(made.id()).await, ["DocumentUploaded"]);
}

#[tokio::test]
async fn a_recording_is_taken_in_with_its_length() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let path = format!("/voice?project_id={project}");
    let made = upload(
        &house,
        &contributor,
        &path,
        &[("file", Some("a.mp3"), &wav(1.5))],
    )
    .await
    .is(201);
    let seconds = made.body["duration_seconds"].as_f64().expect("a length");
    assert!((seconds - 1.5).abs() < 0.05, "{seconds}");
    assert_eq!(made.body["media_type"], "audio/wav");
    assert_eq!(
        house.stream(made.id()).await,
        ["VoiceSampleUploaded", "ProcessingRequested"]
    );
    let nothing = wav(0.0);
    let part: [Part; 1] = [("file", Some("a.wav"), &nothing)];
    let silent = upload(&house, &contributor, &path, &part);
    house.refused(silent, 422, "NO_AUDIO").await;
}

#[tokio::test]
async fn what_is_no_document_is_refused_and_leaves_nothing() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let path = documents(project);
    let long = "x".repeat(256);
    let png = png();
    let refused: [(u16, &str, &[Part]); 13] = [
        (422, "EMPTY_FILE", &[("file", Some("a.pdf"), b"")]),
        (
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            &[("file", Some("a.pdf"), b"PK\x03\x04 a renamed archive")],
        ),
        (
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            &[("file", Some("a.svg"), b"<svg/>")],
        ),
        (
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            &[("file", Some("a.png"), &wav(0.1))],
        ),
        (
            422,
            "CORRUPT",
            &[("file", Some("a.pdf"), b"%PDF-1.4\n%%EOF\n")],
        ),
        (422, "VALIDATION_ERROR", &[("domain", None, b"law")]),
        (422, "VALIDATION_ERROR", &[("file", None, &png)]),
        (422, "VALIDATION_ERROR", &[("file", Some(".."), &png)]),
        (422, "VALIDATION_ERROR", &[("file", Some(&long), &png)]),
        (
            422,
            "VALIDATION_ERROR",
            &[("file", Some("a.png"), &png), ("file", Some("b.png"), &png)],
        ),
        (
            422,
            "VALIDATION_ERROR",
            &[("file", Some("a.png"), &png), ("tags", None, b"{}")],
        ),
        (
            422,
            "VALIDATION_ERROR",
            &[
                ("file", Some("a.png"), &png),
                ("extra_metadata", None, b"[]"),
            ],
        ),
        (
            422,
            "VALIDATION_ERROR",
            &[("file", Some("a.png"), &png), ("domain", None, b"\xff")],
        ),
    ];
    for (status, code, parts) in refused {
        house
            .refused(upload(&house, &contributor, &path, parts), status, code)
            .await;
    }
    let json = house.post(&contributor, &path, json!({}));
    house.refused(json, 415, "UNSUPPORTED_CONTENT_TYPE").await;
    let part: [Part; 1] = [("file", Some("a.png"), &png)];
    let without = upload(&house, &contributor, "/documents", &part);
    house.refused(without, 400, "INVALID_PARAMETER").await;
    assert_eq!(objects(&house).await, 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let whole = form("b0", &[("file", Some("a.png"), &png())]);
    let cut = Bytes::from(whole[..whole.len() - 20].to_vec());
    let ended = house.send(request(
        &contributor,
        &documents(project),
        "b0",
        cut.clone(),
    ));
    house.refused(ended, 400, "MALFORMED_REQUEST").await;
    let broken = stream::iter([Ok(cut), Err(std::io::Error::other("gone"))]);
    let body = Body::from_stream(broken);
    let lost = house.send(request(&contributor, &documents(project), "b0", body));
    house.refused(lost, 400, "MALFORMED_REQUEST").await;
    assert_eq!(objects(&house).await, 0);
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_while_it_is_sent() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let head = form("b0", &[("file", Some("a.png"), &png())]);
    let head = Bytes::from(head[..head.len() - 10].to_vec());
    let megabyte = Bytes::from(vec![0; 1 << 20]);
    let chunks = std::iter::once(head).chain(std::iter::repeat_n(megabyte, 101));
    let body = Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)));
    let large = house.send(request(&contributor, &documents(project), "b0", body));
    house.refused(large, 413, "PAYLOAD_TOO_LARGE").await;
    assert_eq!(objects(&house).await, 0);
}

#[tokio::test]
async fn only_who_may_contribute_uploads() {
    let Team {
        house,
        project,
        reviewer,
        stranger,
        ..
    } = Team::new().await;
    let path = documents(project);
    let png = png();
    let part: [Part; 1] = [("file", Some("a.png"), &png)];
    house
        .refused(upload(&house, &reviewer, &path, &part), 403, "FORBIDDEN")
        .await;
    house
        .refused(
            upload(&house, &stranger, &path, &part),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
}

#[tokio::test]
async fn the_same_upload_again_is_answered_without_a_second_item() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let send = |boundary: &'static str, bytes: Vec<u8>| {
        let body = form(
            boundary,
            &[("file", Some("a.png"), &bytes), ("domain", None, b"law")],
        );
        let mut request = request(&contributor, &documents(project), boundary, body);
        request
            .headers_mut()
            .insert("idempotency-key", "k1".parse().expect("a header"));
        house.send(request)
    };
    let first = send("b0", png()).await.is(201);
    let again = send("another-boundary", png()).await.is(201);
    assert_eq!(
        (first.body, again.header("idempotency-replayed")),
        (again.body.clone(), Some("true"))
    );
    let kept: Vec<String> = sqlx::query_scalar("SELECT answer::text FROM command_log")
        .fetch_all(house.pool())
        .await
        .expect("answers");
    assert!(!kept.concat().contains("a.png"), "{kept:?}");
    assert_eq!(objects(&house).await, 1);
    let mut other = png();
    other.push(0);
    house
        .refused(send("b0", other), 422, "IDEMPOTENCY_KEY_REUSED")
        .await;
}
