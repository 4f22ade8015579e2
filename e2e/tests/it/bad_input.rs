//! Bad input gets a clear 4xx or a clear failed job; never a 5xx, never a hung worker.

use crate::house::{House, PROCESSED_WITHIN, raw_text, sample};
use anyhow::Result;
use e2e::{Answer, Upload};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// That a refusal has the one shape that all have.
pub fn is_envelope(answer: &Answer) {
    let error = &answer.body["error"];
    for field in ["type", "code", "message", "timestamp", "requestId"] {
        assert!(error[field].is_string(), "{field} in {}", answer.body);
    }
    assert!(error["details"].is_object(), "{}", answer.body);
    let family = match answer.status {
        401 | 403 => "auth_error",
        404 | 405 => "not_found",
        409 | 410 | 412 => "conflict",
        429 => "rate_limited",
        400..=499 => "validation_error",
        _ => "server_error",
    };
    assert_eq!(error["type"], family, "{}", answer.body);
    let word = |c: char| c.is_ascii_uppercase() || c == '_';
    assert!(answer.code().chars().all(word), "{}", answer.body);
    let at = error["timestamp"].as_str().unwrap_or_default();
    assert!(at.ends_with('Z') && at.contains('T'), "{at}");
    assert_eq!(answer.header("x-request-id"), error["requestId"].as_str());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> Upload {
    Upload {
        name: name.to_owned(),
        claimed_type: "application/pdf".to_owned(),
        bytes: bytes.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_clearly_and_the_service_goes_on() -> Result<()> {
    let house = House::start().await?;
    let writer = house.person("writer@example.org").await?;
    let project = writer.project("Notes").await?;
    let me = &writer.client;

    for (body, status) in [
        ("{", 400),
        ("[]", 422),
        (r#"["a@example.org", "correct horse 9"]"#, 422),
        (r#"{"email": 7, "password": "x"}"#, 422),
        (r#"{"email": "nobody", "password": "correct horse 9"}"#, 422),
        (r#"{"email": "a@example.org", "password": "short"}"#, 422),
        (
            r#"{"email": "a\u0000@example.org", "password": "correct horse 9"}"#,
            422,
        ),
    ] {
        let request = house
            .anybody
            .request(Method::POST, "/auth/register")
            .header("Content-Type", "application/json")
            .body(body);
        let answer = house.anybody.send(request).await?.expect(status)?;
        is_envelope(&answer);
    }
    is_envelope(&house.anybody.get("/nowhere").await?.expect(404)?);
    // One origin: which side lacks the method is nobody's business.
    for (method, path, allowed) in [
        (Method::DELETE, "/auth/login", vec!["POST"]),
        (Method::GET, "/auth/login", vec!["POST"]),
        (Method::POST, "/auth/me", vec!["GET", "HEAD"]),
        (Method::DELETE, "/projects", vec!["GET", "HEAD", "POST"]),
    ] {
        let answer = house
            .anybody
            .send(house.anybody.request(method, path))
            .await?;
        let answer = answer.expect(405)?;
        is_envelope(&answer);
        let mut methods: Vec<&str> = answer
            .header("allow")
            .unwrap_or_default()
            .split(',')
            .collect();
        methods.sort_unstable();
        assert_eq!(methods, allowed, "{path}");
    }
    is_envelope(&house.anybody.get("/projects").await?.expect(401)?);
    is_envelope(&me.get("/documents/not-an-id").await?.expect(404)?);
    let large = json!({ "project_id": project, "title": "t", "content": "x".repeat(2 << 20) });
    is_envelope(&me.post("/raw-text", large).await?.expect(413)?);

    let documents = format!("/documents?project_id={project}");
    let voice = format!("/voice?project_id={project}");
    let zip = *b"PK\x03\x04\x14\x00\x00\x00\x00\x00not a pdf at all";
    let refused = me
        .upload(&documents, file("renamed.pdf", zip))
        .await?
        .expect(415)?;
    assert_eq!(refused.code(), "UNSUPPORTED_MEDIA_TYPE");
    is_envelope(&refused);
    let refused = me
        .upload(&documents, file("empty.pdf", vec![]))
        .await?
        .expect(422)?;
    assert_eq!(refused.code(), "EMPTY_FILE");
    let header_only = b"%PDF-1.4\n%%EOF\n".to_vec();
    let refused = me
        .upload(&documents, file("header.pdf", header_only))
        .await?;
    assert!((400..500).contains(&refused.status), "{}", refused.body);
    is_envelope(&refused);
    let refused = me
        .upload(&voice, file("silent.wav", zero_length_wav()))
        .await?;
    assert!((400..500).contains(&refused.status), "{}", refused.body);
    is_envelope(&refused);
    is_envelope(
        &me.upload(&voice, sample("page.png", "audio/wav")?)
            .await?
            .expect(415)?,
    );

    // A picture cut in half passes the cheap checks; its job fails, at once and for good.
    let mut half = sample("page.png", "image/png")?;
    half.bytes.truncate(half.bytes.len() / 2);
    let accepted = me.upload(&documents, half).await?;
    if accepted.status == 201 {
        let status = me
            .processed("document", &accepted.text("id")?, PROCESSED_WITHIN)
            .await?;
        assert_eq!(status["processing"]["state"], "failed", "{status}");
        assert_eq!(status["processing"]["error_code"], "CORRUPT", "{status}");
    } else {
        assert!((400..500).contains(&accepted.status), "{}", accepted.body);
    }

    cut_off_upload(&house, me.token(), &project).await?;
    let drafts = me
        .get(&format!("/my-drafts?project_id={project}"))
        .await?
        .expect(200)?;
    let items = drafts.body["documents"].as_array().map_or(0, Vec::len);
    assert!(items <= 1, "refused uploads leave no item: {}", drafts.body);

    // And all is well afterwards.
    me.post("/raw-text", raw_text(&project, "Still here"))
        .await?
        .expect(201)?;
    let page = me
        .upload(&documents, sample("page.png", "image/png")?)
        .await?
        .expect(201)?;
    let status = me
        .processed("document", &page.text("id")?, PROCESSED_WITHIN)
        .await?;
    assert_eq!(status["processing"]["state"], "succeeded", "{status}");
    Ok(())
}

/// A multipart body that ends in the middle of the file.
async fn cut_off_upload(house: &House, token: &str, project: &str) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", house.alta.port())).await?;
    let head = format!(
        "POST /api/documents?project_id={project} HTTP/1.1\r\nHost: alta\r\n\
         Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: 1000000\r\n\r\n--b\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"x.pdf\"\r\n\r\n%PDF-1.7"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    // The connection is half closed: an answer may come or not, but none of success or a fault.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    Ok(())
}

fn zero_length_wav() -> Vec<u8> {
    let mut wav = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00".to_vec();
    wav.extend(16_000u32.to_le_bytes());
    wav.extend(32_000u32.to_le_bytes());
    wav.extend(b"\x02\x00\x10\x00data\x00\x00\x00\x00");
    wav
}
