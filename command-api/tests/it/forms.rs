//! What a form says of its file, at the edges: names, parts given twice or in another order, and how
//! much there may be of each.

use serde_json::json;
use uuid::Uuid;

use crate::{
    house::{House, Reply},
    team::Team,
    uploads::{Part, documents, objects, png, request, upload, wav},
};

/// A form whose one part has this as its disposition.
async fn named(team: &Team, disposition: &[u8]) -> Reply {
    let mut body = b"--b0\r\nContent-Disposition: form-data; ".to_vec();
    body.extend_from_slice(disposition);
    body.extend_from_slice(b"\r\n\r\n");
    body.extend_from_slice(&png());
    body.extend_from_slice(b"\r\n--b0--\r\n");
    let request = request(&team.contributor, &documents(team.project), "b0", body);
    team.house.send(request).await
}

#[tokio::test]
async fn a_name_is_kept_as_data_or_refused() {
    let team = Team::new().await;
    for (disposition, name) in [
        (
            &b"name=\"file\"; filename=\"../../etc/passwd\""[..],
            "../../etc/passwd",
        ),
        (b"name=\"file\"; filename=\"a\\\"b.png\"", "a\"b.png"),
        (
            "name=\"file\"; filename=\"صفحة.png\"".as_bytes(),
            "صفحة.png",
        ),
        (
            b"name=\"file\"; filename*=UTF-8''r%C3%A9sum%C3%A9.png",
            "résumé.png",
        ),
    ] {
        let made = named(&team, disposition).await.is(201);
        assert_eq!(made.body["original_filename"], name);
    }
    for disposition in [
        &b"name=\"file\"; filename=\"a\0b.png\""[..],
        b"name=\"file\"; filename=\"a\x01b.png\"",
        b"name=\"file\"; filename=\"a\x7fb.png\"",
        b"name=\"file\"; filename=\"r\xe9sum\xe9.png\"",
        b"name=\"file\"; filename*=UTF-8''a%00b.png",
        b"name=\"file\"; filename*=iso-8859-1''r%E9sum%E9.png",
        b"name=\"file\"; filename=\"..\"",
        b"name=\"file\"; filename=\"\"",
        b"name=\"file\"",
        b"filename=\"a.png\"",
    ] {
        let refused = named(&team, disposition);
        let refused = team.house.refused(refused, 422, "VALIDATION_ERROR").await;
        let shown = String::from_utf8_lossy(disposition);
        let details = refused.body["error"]["details"]
            .as_object()
            .expect("details");
        assert!(
            details.contains_key("file") || details.contains_key("form"),
            "{shown}"
        );
    }
    assert_eq!(objects(&team.house).await, 4);
}

#[tokio::test]
async fn a_part_is_given_once_in_any_order() {
    let team = Team::new().await;
    let (house, png) = (&team.house, png());
    let path = documents(team.project);
    let parts: [Part; 4] = [
        ("file", Some("a.png"), &png),
        ("nobody", None, b"asked for this"),
        ("tags", None, b"[\"after\", \"the file\"]"),
        ("language", None, b"ar"),
    ];
    let made = upload(house, &team.contributor, &path, &parts)
        .await
        .is(201);
    assert_eq!(made.body["tags"], json!(["after", "the file"]));
    assert_eq!(made.body["language"], "ar");
    let file = ("file", Some("a.png"), &png[..]);
    let alone = [file];
    for twice in ["file", "tags", "extra_metadata", "language", "domain"] {
        let value: &[u8] = if twice == "tags" { b"[]" } else { b"{}" };
        let value = if twice == "language" { b"ar" } else { value };
        let mut parts: Vec<Part> = vec![(twice, None, value), (twice, None, value)];
        if twice == "file" {
            parts = vec![file];
        }
        parts.push(file);
        let refused = upload(house, &team.contributor, &path, &parts);
        let refused = house.refused(refused, 422, "VALIDATION_ERROR").await;
        assert_eq!(
            refused.body["error"]["details"][twice],
            json!(["must be given once"])
        );
    }
    for bad in [
        "/documents",
        "/documents?project_id=",
        "/documents?project_id=7",
    ] {
        let refused = upload(house, &team.contributor, bad, &alone);
        house.refused(refused, 400, "INVALID_PARAMETER").await;
    }
    let nowhere = documents(Uuid::from_u128(5));
    let refused = upload(house, &team.contributor, &nowhere, &alone);
    house.refused(refused, 404, "PROJECT_NOT_FOUND").await;
}

#[tokio::test]
async fn what_a_form_says_of_its_file_may_be_so_much_and_no_more() {
    let team = Team::new().await;
    let (house, png) = (&team.house, png());
    let path = documents(team.project);
    let tags = |count: usize| json!((0..count).map(|tag| tag.to_string()).collect::<Vec<_>>());
    let object = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    let cases: [(&str, String, String); 7] = [
        ("tags", tags(50).to_string(), tags(51).to_string()),
        (
            "tags",
            json!(["ä".repeat(64)]).to_string(),
            json!(["ä".repeat(65)]).to_string(),
        ),
        (
            "extra_metadata",
            object(16 << 10).to_string(),
            object((16 << 10) + 1).to_string(),
        ),
        (
            "extra_metadata",
            nested(8).to_string(),
            nested(9).to_string(),
        ),
        (
            "extra_metadata",
            r#"{"a": [18446744073709551615, 0.1, 1e300]}"#.into(),
            r#"{"a": 18446744073709551616}"#.into(),
        ),
        (
            "extra_metadata",
            "{\"a\": 0.1}".into(),
            "{\"a\": 1e999}".into(),
        ),
        ("domain", "ä".repeat(100), "ä".repeat(101)),
    ];
    for (field, fits, too_much) in cases {
        let parts = [
            ("file", Some("a.png"), &png[..]),
            (field, None, fits.as_bytes()),
        ];
        upload(house, &team.contributor, &path, &parts)
            .await
            .is(201);
        let parts = [
            ("file", Some("a.png"), &png[..]),
            (field, None, too_much.as_bytes()),
        ];
        let refused = upload(house, &team.contributor, &path, &parts);
        let refused = house.refused(refused, 422, "VALIDATION_ERROR").await;
        let details = refused.body["error"]["details"]
            .as_object()
            .expect("details");
        assert!(
            details.keys().any(|key| key.starts_with(field)),
            "{details:?}"
        );
    }
}

#[tokio::test]
async fn a_file_may_be_as_large_as_is_set_and_no_larger() {
    let (png, wav) = (png(), wav(0.5));
    let variables = [
        ("LIMIT_DOCUMENT_BYTES", png.len()),
        ("LIMIT_RECORDING_BYTES", wav.len()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_string()));
    let config = runtime::config::Config::from_vars(&variables.into()).expect("a configuration");
    let team = Team::of(House::with(config.limits, None).await).await;
    let recordings = format!("/voice?project_id={}", team.project);
    for (path, bytes) in [(documents(team.project), png), (recordings, wav)] {
        let fits = [("file", Some("a"), &bytes[..])];
        upload(&team.house, &team.contributor, &path, &fits)
            .await
            .is(201);
        let longer = [&bytes[..], b"\0"].concat();
        let one_more = [("file", Some("a"), &longer[..])];
        let refused = upload(&team.house, &team.contributor, &path, &one_more);
        team.house.refused(refused, 413, "PAYLOAD_TOO_LARGE").await;
    }
}
