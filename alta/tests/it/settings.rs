//! Settings that cannot be used: each stops the start with one line that names it, before anything is
//! started, and shows no secret.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use runtime::config::Config;
use test_kit::AltaProcess;

/// What stands in every secret that is tried.
const HUSH: &str = "hushhush";
/// Any text will do for these: our password, and what is passed on to the libraries of the clouds.
const ANYTHING: [&str; 12] = [
    "POSTGRES_PASSWORD",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_STORAGE_ACCOUNT_KEY",
];
const S3: (&str, &str) = ("STORAGE_URL", "s3://alta-files");
const AZURE: (&str, &str) = ("STORAGE_URL", "az://alta-files");
const ACCOUNT: (&str, &str) = ("AZURE_STORAGE_ACCOUNT_NAME", "alta");
const PLAIN: &str = "http://127.0.0.1:9000";
const PRODUCTION: (&str, &str) = ("APP_ENV", "production");
const FIRST: (&str, &str) = ("SUPER_ADMIN_EMAIL", "root@example.org");
const MAIL: (&str, &str) = ("SMTP_HOST", "mail.example");
const DOCUMENT_AI: (&str, &str) = ("OCR_ENGINE", "google-document-ai");
const SPEECH: (&str, &str) = ("TRANSCRIPTION_ENGINE", "google-speech");
const OPENAI: (&str, &str) = ("TRANSCRIPTION_ENGINE", "openai");

/// A value that cannot be used, and what is set beside it.
struct Bad {
    name: &'static str,
    value: String,
    beside: Vec<(&'static str, String)>,
}

fn bad(name: &'static str, value: impl Into<String>) -> Bad {
    Bad {
        name,
        value: value.into(),
        beside: vec![],
    }
}

impl Bad {
    fn beside(mut self, (name, value): (&'static str, &str)) -> Self {
        self.beside.push((name, value.to_owned()));
        self
    }
}

/// Starts `alta` with it; what is wrong with what it says and does.
async fn complaint(arguments: &[&str], bad: &Bad) -> Option<String> {
    let mut alta = AltaProcess::new().expect("a place").arguments(arguments);
    for (name, value) in &bad.beside {
        alta = alta.env(name, value);
    }
    alta = alta.env(bad.name, &bad.value);
    alta.launch().expect("it runs");
    let status = alta.wait().await.expect("it ends");
    let said = alta.output();
    let line = format!("alta: {} cannot be used: ", bad.name);
    let complaint = if status.code() != Some(1) {
        format!("ended with {status}")
    } else if !said.starts_with(&line) || said.lines().count() != 1 {
        "is not named in one line".to_owned()
    } else if said.contains(HUSH) {
        "shows a secret".to_owned()
    } else if ["postgres", "nats"]
        .iter()
        .any(|server| alta.data_dir().join(server).exists())
    {
        "was refused too late".to_owned()
    } else {
        return None;
    };
    Some(format!("{}={} {complaint}: {said}", bad.name, bad.value))
}

/// Starts `alta` with each.
async fn all_are_refused(cases: &[(&str, Bad)]) {
    let complaints: Vec<String> = stream::iter(cases)
        .map(|(part, case)| async { complaint(&[*part], case).await })
        .buffer_unordered(5)
        .filter_map(async |complaint| complaint)
        .collect()
        .await;
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn words() -> Vec<Bad> {
    let mut list = vec![
        bad("APP_ENV", "prod"),
        bad("ALTA_DATA_DIR", "/dev/null/alta"),
        bad("ALTA_DATA_DIR", "/proc"),
        bad("HOST", "no such host"),
        bad("HOST", "192.0.2.1"),
        bad("CORS_ORIGINS_RAW", "https://a.example,b.example"),
        bad("CORS_ORIGINS_RAW", "https://a.example/path"),
        bad("TRUSTED_PROXIES", "10.0.0.0/33"),
        bad("DATABASE_URL", format!("mysql://u:{HUSH}@h/d")),
        bad("DATABASE_URL", format!("postgres://u:{HUSH}@[/d")),
        bad("DATABASE_READ_URL", format!("postgres://u:{HUSH}@h/d")),
        bad("DATABASE_READ_URL", format!("mysql://u:{HUSH}@h/d")).beside(("POSTGRES_HOST", "h")),
        bad("POSTGRES_HOST", "a/b"),
        bad("POSTGRES_HOST", "h").beside(("DATABASE_URL", "postgres://h/d")),
        bad("POSTGRES_DB", "x".repeat(64)),
        bad("POSTGRES_USER", "x".repeat(64)),
        bad("NATS_URL", format!("http://{HUSH}@h")),
        bad("NATS_URL", format!("nats://{HUSH}@h:port")),
        bad("NATS_STREAM_REPLICAS", "3"),
        bad("NATS_STREAM_REPLICAS", "6").beside(("NATS_URL", "nats://h")),
        bad("NATS_STREAM_REPLICAS", "all").beside(("NATS_URL", "nats://h")),
        bad("SECRET_KEY", HUSH),
        bad("SECRET_KEY", "").beside(PRODUCTION),
        bad("SECRET_KEY", HUSH).beside(PRODUCTION),
        bad("VAULT_KEY", HUSH),
        bad("VAULT_KEY", format!("{HUSH},{HUSH},{HUSH},{HUSH}")),
        bad(
            "VAULT_PREVIOUS_KEYS",
            format!("0123456789abcdef0123456789abcdef,{HUSH}"),
        ),
        bad("STORAGE_URL", "ftp://x"),
        bad("STORAGE_URL", "file:///dev/null/objects"),
        bad("STORAGE_URL", "file:///proc"),
        bad("GCS_BUCKET_NAME", "a/b"),
        bad("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
            .beside(("GCS_BUCKET_NAME", "alta-files")),
        bad("STORAGE_SIGNED_URLS", "perhaps"),
        bad("AWS_ACCESS_KEY_ID", "")
            .beside(S3)
            .beside(("AWS_SECRET_ACCESS_KEY", HUSH)),
        bad("AWS_SECRET_ACCESS_KEY", "")
            .beside(S3)
            .beside(("AWS_ACCESS_KEY_ID", "k")),
        bad("AWS_REGION", "a b").beside(S3),
        bad("AWS_ENDPOINT_URL", PLAIN).beside(S3),
        bad("AWS_ALLOW_HTTP", "perhaps").beside(S3),
        bad("AZURE_STORAGE_ACCOUNT_NAME", "").beside(AZURE),
        bad("AZURE_STORAGE_ENDPOINT", PLAIN)
            .beside(AZURE)
            .beside(ACCOUNT),
        bad("AZURE_ALLOW_HTTP", "perhaps")
            .beside(AZURE)
            .beside(ACCOUNT),
        bad("AZURE_STORAGE_USE_EMULATOR", "perhaps").beside(AZURE),
        bad("API_V1_DEPRECATED_AT", "tomorrow"),
        bad("API_V1_SUNSET_AT", "2027-01-31T00:00:00Z"),
        bad("API_V1_DEPRECATION_LINK", "https://alta.example"),
        bad("OCR_ENGINE", "magic"),
        bad("GCS_PROJECT_ID", "a/b"),
        bad("GCS_PROJECT_ID", "").beside(SPEECH),
        bad("GCS_PROJECT_ID", "").beside(DOCUMENT_AI),
        bad("DOCUMENT_AI_PROCESSOR_ID", "a/b"),
        bad("DOCUMENT_AI_PROCESSOR_ID", "")
            .beside(DOCUMENT_AI)
            .beside(("GCS_PROJECT_ID", "p")),
        bad("DOCUMENT_AI_LOCATION", "us.example/"),
        bad("DOCUMENT_AI_ENDPOINT", "eu-documentai.googleapis.com"),
        bad("GOOGLE_SPEECH_ENDPOINT", "ftp://h"),
        bad("GOOGLE_APPLICATION_CREDENTIALS", "")
            .beside(SPEECH)
            .beside(("GCS_PROJECT_ID", "p")),
        bad("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
            .beside(SPEECH)
            .beside(("GCS_PROJECT_ID", "p")),
        bad("GOOGLE_APPLICATION_CREDENTIALS", "/etc/hostname")
            .beside(DOCUMENT_AI)
            .beside(("GCS_PROJECT_ID", "p"))
            .beside(("DOCUMENT_AI_PROCESSOR_ID", "x")),
        bad("TRANSCRIPTION_ENGINE", "magic"),
        bad("OPENAI_API_KEY", "").beside(OPENAI),
        bad("OPENAI_API_KEY", format!("{HUSH}\nX: y")),
        bad("OPENAI_TRANSCRIPTION_MODEL", "a\u{1}b"),
        bad("SMTP_HOST", "mail.example:25"),
        bad("SMTP_USER", "")
            .beside(MAIL)
            .beside(("SMTP_PASSWORD", HUSH)),
        bad("SMTP_PASSWORD", "")
            .beside(MAIL)
            .beside(("SMTP_USER", "u")),
        bad("MAIL_TEMPLATES_DIR", "/no/such/directory"),
        bad("SMTP_FROM", "nobody"),
        bad("SMTP_FROM", "A, B <a@b.example>"),
        bad("SMTP_TLS", "perhaps"),
        bad("SMTP_CA_FILE", "/no/such/file").beside(MAIL),
        bad("SMTP_CA_FILE", "/etc/hostname").beside(MAIL),
        bad("RATE_LIMIT_ENABLED", "perhaps"),
        bad("AUDIT_CHECKPOINT_DIR", "/proc"),
        bad("AUDIT_CHECKPOINT_DIR", "/dev/null/checkpoints"),
        bad("LOG_FORMAT", "xml"),
        bad("RUST_LOG", "x=y=z"),
        bad("SUPER_ADMIN_EMAIL", "someone"),
        bad("SUPER_ADMIN_EMAIL", "a@b").beside(("SUPER_ADMIN_PASSWORD", "long enough 2718")),
        bad("SUPER_ADMIN_EMAIL", "").beside(("SUPER_ADMIN_PASSWORD", HUSH)),
        bad("SUPER_ADMIN_PASSWORD", "").beside(FIRST),
        bad("SUPER_ADMIN_PASSWORD", &HUSH[1..]).beside(FIRST),
        bad("SUPER_ADMIN_PASSWORD", "password123").beside(FIRST),
    ];
    for name in [
        "PUBLIC_URL",
        "OPENAI_BASE_URL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ] {
        for value in [
            "alta.example".to_owned(),
            "https://".to_owned(),
            "https://alta.example:port".to_owned(),
            "https://alta.example/?a=b".to_owned(),
            format!("https://u:{HUSH}@alta.example"),
        ] {
            list.push(bad(name, value));
        }
    }
    list
}

/// A variable that holds a number: the least and the largest that it takes.
const NUMBERS: [(&str, u64, u64); 30] = [
    ("PORT", 0, 65_535),
    ("READ_YOUR_WRITES_TIMEOUT_MS", 0, 60_000),
    ("DATABASE_MAX_CONNECTIONS", 2, 1_000),
    ("DATABASE_READ_CONNECTIONS", 2, 1_000),
    ("POSTGRES_PORT", 1, 65_535),
    ("SMTP_PORT", 1, 65_535),
    ("RATE_LIMIT_AUTH_PER_MINUTE", 1, 1_000_000),
    ("RATE_LIMIT_UPLOAD_PER_MINUTE", 1, 1_000_000),
    ("RATE_LIMIT_GENERAL_PER_MINUTE", 1, 1_000_000),
    ("LIMIT_JSON_BODY_BYTES", 1, 268_435_456),
    ("LIMIT_RAW_TEXT_BYTES", 1, 268_435_456),
    ("LIMIT_DOCUMENT_BYTES", 1, 68_719_476_736),
    ("LIMIT_DOCUMENT_PAGES", 1, 100_000),
    ("LIMIT_RECORDING_BYTES", 1, 68_719_476_736),
    ("LIMIT_RECORDING_SECONDS", 1, 604_800),
    ("LIMIT_TITLE_CHARS", 1, 10_000),
    ("LIMIT_TAGS", 1, 1_000),
    ("LIMIT_TAG_CHARS", 1, 1_000),
    ("LIMIT_EXTRA_METADATA_BYTES", 1, 131_072),
    ("LIMIT_EXTRA_METADATA_LEVELS", 1, 64),
    ("LIMIT_NAME_CHARS", 1, 10_000),
    ("LIMIT_DESCRIPTION_CHARS", 1, 30_000),
    ("LIMIT_FEEDBACK_CHARS", 1, 30_000),
    ("OUTBOX_BATCH_SIZE", 1, 10_000),
    ("AUDIT_CHECKPOINT_MINUTES", 0, 527_040),
    ("JOB_MAX_RETRIES", 0, 20),
    ("JOB_RETRY_DELAY", 0, 3_600),
    ("JOB_OCR_CONCURRENCY", 1, 64),
    ("JOB_TRANSCRIPTION_CONCURRENCY", 1, 64),
    ("OPENAI_SECONDS_PER_SECOND", 1, 60),
];

fn numbers() -> impl Iterator<Item = Bad> {
    NUMBERS.into_iter().flat_map(|(name, least, most)| {
        let below = least
            .checked_sub(1)
            .map_or("-1".to_owned(), |number| number.to_string());
        let values = [
            below,
            (most + 1).to_string(),
            "1.5".to_owned(),
            "many".to_owned(),
        ];
        values.map(|value| bad(name, value))
    })
}

#[tokio::test]
async fn each_value_that_cannot_be_used_is_named_in_one_line_before_anything_is_started() {
    let cases = words().into_iter().chain(numbers());
    let cases: Vec<_> = cases.map(|case| ("up", case)).collect();
    all_are_refused(&cases).await;
    let tried: BTreeSet<&str> = cases.iter().map(|(_, case)| case.name).collect();
    let known: BTreeSet<&str> = tried.into_iter().chain(ANYTHING).collect();
    assert_eq!(
        known,
        Config::variable_names(),
        "each variable has a bad value here"
    );
}

#[test]
fn the_bounds_of_numbers_themselves_are_taken() {
    for (name, least, most) in NUMBERS {
        for number in [least, most] {
            let set = [(name.to_owned(), number.to_string())].into();
            Config::from_vars(&set).unwrap_or_else(|error| panic!("{name}={number}: {error}"));
        }
    }
}

#[tokio::test]
async fn servers_that_are_not_there_stop_the_start_after_a_while() {
    let port = runtime::private_servers::free_port().expect("a port");
    let database = test_kit::postgres().await;
    let nobody = format!("postgres://u:{HUSH}@127.0.0.1:{port}/d");
    let nats = format!("nats://{HUSH}@127.0.0.1:{port}");
    let host = bad("POSTGRES_HOST", "127.0.0.1").beside(("POSTGRES_PORT", &port.to_string()));
    let reached = ("DATABASE_URL", database.url.as_str());
    let part = bad("NATS_URL", nats.clone()).beside(reached);
    let cases = [
        ("up", bad("DATABASE_URL", nobody.clone())),
        ("up", host),
        ("up", bad("NATS_URL", nats)),
        ("relay", part),
        ("migrate", bad("DATABASE_URL", nobody)),
    ];
    all_are_refused(&cases).await;
}

#[tokio::test]
async fn servers_that_refuse_us_stop_the_start_at_once() {
    let database = test_kit::postgres().await;
    let missing = format!("{}_missing", database.url);
    let other = test_kit::empty_database().await;
    let primary = ("DATABASE_URL", database.url.as_str());
    let started = Instant::now();
    let cases = [
        ("up", bad("DATABASE_URL", missing.clone())),
        ("up", bad("DATABASE_READ_URL", missing).beside(primary)),
        ("up", bad("DATABASE_READ_URL", other.url).beside(primary)),
    ];
    all_are_refused(&cases).await;
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "it was asked once"
    );
}
