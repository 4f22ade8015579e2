//! Google's engines: a service account that signs for itself, operations that take a while, pages in
//! portions.

use super::{
    engines,
    fake::{Fake, Reply, Seen},
    hear, kind, long_recording, sample,
};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use media::{ErrorCode, Fault, Limits};
use processors::{
    Engines,
    ocr::{OcrOutcome, PAGE_BREAK, recognise},
};
use runtime::config::engines::{OcrEngine, TranscriptionEngine};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};
use test_kit::Home;

/// A service account's key file, and the key to check what it signs.
struct Account {
    home: Home,
    public: Vec<u8>,
}

impl Account {
    fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let public = key.public_key().as_ref().to_vec();
        let der = AsDer::<Pkcs8V1Der>::as_der(&key).expect("a key");
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let home = Home::new().expect("a directory");
        std::fs::write(home.path().join("pem"), pem).expect("written");
        Self { home, public }
    }

    /// The key file for a token service behind this URL.
    fn file(&self, url: &str) -> PathBuf {
        let pem = std::fs::read_to_string(self.home.path().join("pem")).expect("written before");
        let path = self.home.path().join("key.json");
        let key = json!({
            "type": "service_account", "project_id": "archive", "private_key_id": "k1",
            "private_key": pem, "client_email": "alta@archive.example",
            "token_uri": format!("{url}/token"),
        });
        std::fs::write(&path, key.to_string()).expect("written");
        path
    }
}

/// As Google's token service: a token for a statement that the account signed.
fn token(seen: &Seen, public: &[u8]) -> Reply {
    let form = String::from_utf8_lossy(&seen.body).into_owned();
    let field = |name: &str| {
        let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.to_owned())
    };
    assert_eq!(
        field("grant_type").as_deref(),
        Some("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer")
    );
    let statement = field("assertion").expect("a statement");
    let mut rules = Validation::new(Algorithm::RS256);
    rules.validate_aud = false;
    let key = DecodingKey::from_rsa_der(public);
    let Ok(signed) = jsonwebtoken::decode::<Value>(&statement, &key, &rules) else {
        return Reply::text(400, "{\"error\": \"invalid_grant\"}");
    };
    assert_eq!(signed.header.kid.as_deref(), Some("k1"));
    assert_eq!(signed.claims["iss"], "alta@archive.example");
    assert_eq!(
        signed.claims["scope"],
        "https://www.googleapis.com/auth/cloud-platform"
    );
    assert!(
        signed.claims["aud"]
            .as_str()
            .is_some_and(|aud| aud.ends_with("/token"))
    );
    Reply::json(&json!({"access_token": "ya29.one", "expires_in": 3599, "token_type": "Bearer"}))
}

fn signed_in(seen: &Seen) {
    assert_eq!(seen.header("authorization"), Some("Bearer ya29.one"));
}

async fn google(
    account: &Account,
    answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
) -> (Fake, Engines) {
    let public = account.public.clone();
    let fake = Fake::answering(move |seen, before| {
        if seen.path == "/token" {
            return token(seen, &public);
        }
        signed_in(seen);
        answer(seen, before)
    })
    .await;
    let credentials = account.file(&fake.url);
    let engines = engines(
        OcrEngine::GoogleDocumentAi {
            project: "archive".into(),
            location: "eu".into(),
            processor: "abc123".into(),
            endpoint: fake.url.clone(),
            credentials: credentials.clone(),
        },
        TranscriptionEngine::GoogleSpeech {
            project: "archive".into(),
            endpoint: fake.url.clone(),
            credentials,
        },
    );
    (fake, engines)
}

fn tokens(fake: &Fake) -> usize {
    fake.seen()
        .iter()
        .filter(|seen| seen.path == "/token")
        .count()
}

#[tokio::test]
async fn an_operation_is_asked_for_until_it_is_done() {
    let account = Account::new();
    let (fake, engines) = google(&account, |seen, before| match seen.path.as_str() {
        "/v1/speech:longrunningrecognize" => {
            let asked = seen.json();
            let config = &asked["config"];
            assert_eq!((&config["encoding"], &config["sampleRateHertz"]), (&json!("LINEAR16"), &json!(16_000)));
            assert_eq!(config["languageCode"], "en-GB");
            assert_eq!(config["enableWordTimeOffsets"], true);
            assert_eq!(seen.header("x-goog-user-project"), Some("archive"));
            let sound = STANDARD.decode(asked["audio"]["content"].as_str().expect("sound"));
            assert_eq!(&sound.expect("Base64")[..4], b"RIFF");
            Reply::json(&json!({"name": "8214202757943088943"}))
        }
        "/v1/operations/8214202757943088943" => {
            assert_eq!(seen.method, Method::GET);
            let done = before >= 4;
            let mut operation = json!({"name": "8214202757943088943", "done": done,
                "metadata": {"@type": "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeMetadata",
                             "progressPercent": 50}});
            if done {
                operation["response"] = json!({
                    "@type": "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeResponse",
                    "results": [{"alternatives": [{"transcript": "go forward 10 meters", "confidence": 0.97,
                        "words": [{"startTime": "0.100s", "endTime": "0.500s", "word": "go", "confidence": 0.9}]}],
                        "resultEndTime": "2.1s", "languageCode": "en-gb"}]});
            }
            Reply::json(&operation)
        }
        other => panic!("{other}"),
    })
    .await;
    let path = sample("go-forward.wav");
    let heard = hear(&engines, &path, Some("en-GB"));
    let heard = heard.await.expect("heard");
    assert_eq!(
        (heard.engine.as_str(), heard.text.as_str()),
        ("google-speech", "go forward 10 meters")
    );
    assert_eq!(heard.language.as_deref(), Some("en-gb"));
    assert_eq!(heard.segments[0].confidence, Some(0.97));
    assert_eq!(tokens(&fake), 1);
    assert_eq!(fake.seen().len(), 5);
}

#[tokio::test]
async fn long_recordings_go_in_pieces_of_less_than_a_minute_under_one_token() {
    let account = Account::new();
    let (fake, engines) = google(&account, |seen, before| {
        let sound = seen.json()["audio"]["content"].as_str().map(str::len).expect("sound");
        assert!(sound as f64 * 0.75 / 32_000.0 < 60.0);
        Reply::json(&json!({"name": "1", "done": true, "response": {"results": [
            {"alternatives": [{"transcript": format!("piece {before}")}], "resultEndTime": "30s"}]}}))
    })
    .await;
    let home = Home::new().expect("a directory");
    let recording = long_recording(&home, 5);
    let heard = hear(&engines, &recording, None);
    let heard = heard.await.expect("heard");
    let pieces = fake.seen().len() - 1;
    assert!((6..=9).contains(&pieces), "{pieces}");
    assert_eq!(heard.segments.len(), pieces);
    assert!(
        heard
            .segments
            .is_sorted_by(|one, next| one.end <= next.start)
    );
    assert_eq!(tokens(&fake), 1);
}

#[tokio::test]
async fn an_operation_that_fails_says_whose_fault_it_is() {
    for (code, permanent) in [(3, true), (8, false), (13, false), (14, false), (16, false)] {
        let account = Account::new();
        let (_fake, engines) = google(&account, move |_, _| {
            Reply::json(&json!({"name": "1", "done": true, "error": {"code": code, "message": "secret words"}}))
        })
        .await;
        let path = sample("go-forward.wav");
        let heard = hear(&engines, &path, None);
        let fault: Fault = heard.await.expect_err("it failed");
        assert_eq!(fault.is_permanent(), permanent, "{code}");
        assert!(!fault.detail.contains("secret"));
    }
}

#[tokio::test]
async fn an_account_that_google_does_not_know_is_the_operators_to_mend() {
    let (account, other) = (Account::new(), Account::new());
    let public = other.public.clone();
    let fake = Fake::answering(move |seen, _| token(seen, &public)).await;
    let engines = engines(
        OcrEngine::Tesseract,
        TranscriptionEngine::GoogleSpeech {
            project: "archive".into(),
            endpoint: fake.url.clone(),
            credentials: account.file(&fake.url),
        },
    );
    let path = sample("go-forward.wav");
    let heard = hear(&engines, &path, None);
    let fault = heard.await.expect_err("it is not known");
    assert_eq!(
        (fault.code, fault.is_permanent()),
        (ErrorCode::EngineUnavailable, false)
    );
}

/// The token service gives another token each time; the first one is withdrawn before its time.
async fn with_withdrawn_tokens(account: &Account, withdrawn: usize) -> (Fake, Engines) {
    let issued = AtomicUsize::new(0);
    let public = account.public.clone();
    let fake = Fake::answering(move |seen, _| {
        if seen.path == "/token" {
            let _checked = token(seen, &public);
            let number = issued.fetch_add(1, Ordering::SeqCst);
            return Reply::json(
                &json!({"access_token": format!("ya29.{number}"), "expires_in": 3599}),
            );
        }
        let good = |number: usize| format!("Bearer ya29.{number}");
        let holds =
            (withdrawn..9).any(|number| seen.header("authorization") == Some(&good(number)));
        if holds {
            return Reply::json(&json!({"name": "1", "done": true, "response": {"results": [
                {"alternatives": [{"transcript": "heard"}], "resultEndTime": "1s"}]}}));
        }
        Reply::text(
            401,
            "{\"error\": {\"code\": 401, \"status\": \"UNAUTHENTICATED\"}}",
        )
    })
    .await;
    let speech = TranscriptionEngine::GoogleSpeech {
        project: "archive".into(),
        endpoint: fake.url.clone(),
        credentials: account.file(&fake.url),
    };
    let engines = engines(OcrEngine::Tesseract, speech);
    (fake, engines)
}

#[tokio::test]
async fn a_token_that_is_not_accepted_any_more_is_replaced_and_the_request_made_once_more() {
    let account = Account::new();
    let (fake, engines) = with_withdrawn_tokens(&account, 1).await;
    let path = sample("go-forward.wav");
    for _ in 0..2 {
        let heard = hear(&engines, &path, None).await.expect("heard");
        assert_eq!(heard.text, "heard");
    }
    assert_eq!((fake.seen().len(), tokens(&fake)), (5, 2));
}

#[tokio::test]
async fn where_no_token_is_accepted_it_is_not_tried_for_ever() {
    let account = Account::new();
    let (fake, engines) = with_withdrawn_tokens(&account, 9).await;
    let path = sample("go-forward.wav");
    let fault = hear(&engines, &path, None).await.expect_err("no key");
    assert_eq!(
        (fault.code, fault.is_permanent()),
        (ErrorCode::EngineUnavailable, false)
    );
    assert_eq!((fake.seen().len(), tokens(&fake)), (4, 2));
}

/// Says of each page which request it came with and which of its pages it is.
fn processed(seen: &Seen, before: usize) -> Reply {
    assert_eq!(
        seen.path,
        "/v1/projects/archive/locations/eu/processors/abc123:process"
    );
    let asked = seen.json();
    let document = &asked["rawDocument"];
    let bytes = STANDARD.decode(document["content"].as_str().expect("content"));
    let count = match document["mimeType"].as_str() {
        Some("application/pdf") => pages_of(&bytes.expect("Base64")),
        Some("image/png") => 1,
        other => panic!("{other:?}"),
    };
    assert!(count <= 15);
    let texts: Vec<String> = (0..count)
        .map(|page| format!("größe {before}.{page}\n"))
        .collect();
    let mut start = 0;
    let pages: Vec<Value> = texts
        .iter()
        .map(|text| {
            let end = start + text.chars().count();
            let mut segment = json!({"endIndex": end.to_string()});
            if start > 0 {
                segment["startIndex"] = json!(start.to_string());
            }
            start = end;
            json!({"dimension": {"width": 800.0, "height": 600.0, "unit": "pixels"},
                   "layout": {"textAnchor": {"textSegments": [segment]}, "confidence": 0.9},
                   "detectedLanguages": [{"languageCode": "de", "confidence": 0.9}]})
        })
        .collect();
    Reply::json(&json!({"document": {"text": texts.concat(), "pages": pages}}))
}

fn pages_of(pdf: &[u8]) -> usize {
    let home = Home::new().expect("a directory");
    let path = home.path().join("part.pdf");
    std::fs::write(&path, pdf).expect("written");
    let output = Command::new("pdfinfo")
        .arg(&path)
        .output()
        .expect("pdfinfo runs");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let pages = words.lines().find_map(|line| line.strip_prefix("Pages:"));
    pages.expect("a count").trim().parse().expect("a number")
}

async fn read(engines: &Engines, path: &Path) -> Result<OcrOutcome, Fault> {
    let kind = kind(&path.to_string_lossy());
    let engine = engines.ocr.as_ref();
    recognise(engine, path, kind, None, &Limits::default(), &|_, _| {}).await
}

#[tokio::test]
async fn pages_are_read_in_portions_that_the_processor_takes() {
    let account = Account::new();
    let (fake, engines) = google(&account, processed).await;
    let home = Home::new().expect("a directory");
    let long = home.path().join("long.pdf");
    let two = sample("two-pages.pdf");
    let merged = Command::new("qpdf")
        .args(["--empty", "--pages"])
        .args(std::iter::repeat_n(&two, 17))
        .arg("--")
        .arg(&long)
        .status();
    assert!(merged.expect("qpdf runs").success());
    let read = read(&engines, &long).await.expect("read");
    assert_eq!(read.engine, "google-document-ai");
    assert_eq!(read.pages.len(), 34);
    let numbers: Vec<u32> = read.pages.iter().map(|page| page.number).collect();
    assert_eq!(numbers, (1..=34).collect::<Vec<u32>>());
    let texts: Vec<&str> = read.text.split(PAGE_BREAK).collect();
    assert_eq!(
        (texts[0], texts[14], texts[15]),
        ("größe 1.0", "größe 1.14", "größe 2.0")
    );
    assert_eq!(texts[33], "größe 3.3");
    assert_eq!(read.language.as_deref(), Some("de"));
    assert!(
        read.confidence
            .is_some_and(|sure| (sure - 0.9).abs() < 1e-9)
    );
    assert_eq!((fake.seen().len(), tokens(&fake)), (4, 1));
}

#[tokio::test]
async fn pictures_go_page_by_page_and_encoded_by_us() {
    let account = Account::new();
    let (fake, engines) = google(&account, processed).await;
    let read = read(&engines, &sample("two-pages.tif"))
        .await
        .expect("read");
    assert_eq!(read.pages.len(), 2);
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn an_answer_for_other_pages_than_asked_is_no_answer() {
    let account = Account::new();
    let (_fake, engines) = google(&account, |_, _| {
        Reply::json(&json!({"document": {"text": "one", "pages": [{}]}}))
    })
    .await;
    let fault = read(&engines, &sample("two-pages.pdf"))
        .await
        .expect_err("one page of two");
    assert_eq!(
        (fault.code, fault.is_permanent()),
        (ErrorCode::EngineFailed, false)
    );
}
