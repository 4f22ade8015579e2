//! Where files are kept: a directory, or a bucket of S3, Google Cloud Storage or Azure with the
//! variables that their own tools know. What a bucket holds and whether it answers is not asked here.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Config, ConfigError,
    vars::{Vars, bad, cloud_name, http_url},
};
use crate::secret::SecretString;

/// Passed on to S3 as they are: the platform sets them (`ECS`, `EKS`), nobody writes them by hand.
const S3_PLATFORM: [&str; 6] = [
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Passed on to Azure as they are: the ways to sign in without the account's key.
const AZURE_IDENTITY: [&str; 4] = [
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
];

/// What Azure's emulator is known by everywhere; no secret.
const EMULATOR: [(&str, &str); 3] = [
    ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1"),
    (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    ),
    (
        "AZURE_STORAGE_ENDPOINT",
        "http://127.0.0.1:10000/devstoreaccount1",
    ),
];

/// Where files are kept.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// `STORAGE_URL`: `file:///path`, `s3://bucket`, `gs://bucket` or `az://container`, each bucket
    /// with or without a `/prefix`.
    pub url: String,
    /// The same, taken apart.
    pub place: Place,
    /// `STORAGE_SIGNED_URLS`: whether browsers are sent to the store for a download. False where the
    /// store cannot be reached by them.
    pub signed_urls: bool,
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a key file for Google's services.
    pub google_credentials: Option<PathBuf>,
}

/// A store's kind, with what is needed to reach it.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory.
    Directory(PathBuf),
    /// S3, or what speaks its language.
    S3(Bucket),
    /// Google Cloud Storage.
    Google(Bucket),
    /// Azure Blob Storage.
    Azure(Bucket),
}

/// A bucket or container.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all keys in it begin with; empty, or words with `/` between them.
    pub prefix: String,
    /// The variables of its kind that are set, by name.
    pub settings: BTreeMap<&'static str, SecretString>,
}

impl Bucket {
    /// The value of a variable of its kind, if it is set.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(SecretString::expose)
    }
}

impl StorageConfig {
    /// The store that a URL alone names.
    ///
    /// # Errors
    /// When it names none.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let vars = BTreeMap::from([("STORAGE_URL".to_owned(), url.to_owned())]);
        Config::from_vars(&vars).map(|config| config.storage)
    }

    pub(super) fn read(vars: &Vars<'_>, data_dir: &Path) -> Result<Self, ConfigError> {
        let place = vars.parsed("STORAGE_URL", place)?;
        let bucket = vars.parsed("GCS_BUCKET_NAME", |name| match bucket(name)? {
            bucket if bucket.name == name => Ok((format!("gs://{name}"), Place::Google(bucket))),
            _ => Err("it is no bucket's name".to_owned()),
        })?;
        let (s3, azure) = (settings(vars, s3_names()), settings(vars, azure_names()));
        let (url, mut place) = match place.or(bucket) {
            Some(place) => place,
            None => in_directory(&data_dir.join("objects"))?,
        };
        match &mut place {
            Place::Directory(_) | Place::Google(_) => {}
            Place::S3(bucket) => bucket.settings = checked_s3(s3)?,
            Place::Azure(container) => container.settings = checked_azure(azure)?,
        }
        Ok(Self {
            url,
            place,
            signed_urls: vars.boolean("STORAGE_SIGNED_URLS", true)?,
            google_credentials: vars
                .text("GOOGLE_APPLICATION_CREDENTIALS")
                .map(PathBuf::from),
        })
    }
}

type Settings = BTreeMap<&'static str, SecretString>;

fn s3_names() -> impl Iterator<Item = &'static str> {
    let ours = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ALLOW_HTTP",
    ];
    ours.into_iter().chain(S3_PLATFORM)
}

fn azure_names() -> impl Iterator<Item = &'static str> {
    let ours = EMULATOR.map(|(name, _)| name).into_iter();
    ours.chain(["AZURE_ALLOW_HTTP", "AZURE_STORAGE_USE_EMULATOR"])
        .chain(AZURE_IDENTITY)
}

fn settings(vars: &Vars<'_>, names: impl Iterator<Item = &'static str>) -> Settings {
    names
        .filter_map(|name| Some((name, vars.secret(name)?)))
        .collect()
}

/// Looked at only where the store is of this kind: they may be set for other programs.
fn checked_s3(settings: Settings) -> Result<Settings, ConfigError> {
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    for (given, wanting) in [(id, secret), (secret, id)] {
        if settings.contains_key(given) && !settings.contains_key(wanting) {
            return Err(bad(wanting, format!("it must be set beside {given}")));
        }
    }
    check(&settings, "AWS_REGION", |text| cloud_name(text).map(drop))?;
    endpoint(&settings, "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP")?;
    Ok(settings)
}

fn checked_azure(mut settings: Settings) -> Result<Settings, ConfigError> {
    if is_true(&settings, "AZURE_STORAGE_USE_EMULATOR")? {
        for (name, value) in EMULATOR {
            let known = || SecretString::new(value);
            settings.entry(name).or_insert_with(known);
        }
        settings.insert("AZURE_ALLOW_HTTP", SecretString::new("true"));
    }
    settings.remove("AZURE_STORAGE_USE_EMULATOR");
    let account = "AZURE_STORAGE_ACCOUNT_NAME";
    if !settings.contains_key(account) {
        return Err(bad(account, "it must be set for STORAGE_URL=az://…"));
    }
    check(&settings, account, |text| cloud_name(text).map(drop))?;
    endpoint(&settings, "AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP")?;
    Ok(settings)
}

fn check(
    settings: &Settings,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<(), String>,
) -> Result<(), ConfigError> {
    let text = settings.get(name).map(SecretString::expose);
    text.map_or(Ok(()), parse).map_err(|why| bad(name, why))
}

fn is_true(settings: &Settings, name: &'static str) -> Result<bool, ConfigError> {
    match settings.get(name).map(SecretString::expose) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(bad(name, "it must be true or false")),
    }
}

/// What is sent unencrypted must be meant to be.
fn endpoint(
    settings: &Settings,
    name: &'static str,
    allow: &'static str,
) -> Result<(), ConfigError> {
    let allowed = is_true(settings, allow)?;
    check(settings, name, |text| {
        let url = http_url(text)?;
        if url.starts_with("http://") && !allowed {
            return Err(format!("it is not encrypted, which {allow}=true allows"));
        }
        Ok(())
    })
}

type Made = fn(Bucket) -> Place;

fn place(text: &str) -> Result<(String, Place), String> {
    let known: [(&str, Made); 3] = [
        ("s3://", Place::S3),
        ("gs://", Place::Google),
        ("az://", Place::Azure),
    ];
    for (scheme, made) in known {
        if let Some(rest) = text.strip_prefix(scheme) {
            return Ok((text.trim_end_matches('/').to_owned(), made(bucket(rest)?)));
        }
    }
    match text.strip_prefix("file://") {
        Some(directory) if directory.starts_with('/') => {
            Ok((text.to_owned(), Place::Directory(directory.into())))
        }
        _ => Err("it must be file:///path, s3://bucket, gs://bucket or az://container".to_owned()),
    }
}

fn bucket(text: &str) -> Result<Bucket, String> {
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    let sane = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=222).contains(&name.len()) || !name.chars().all(sane) || name.starts_with('.') {
        return Err("it is no bucket's name".to_owned());
    }
    let prefix = prefix.trim_end_matches('/');
    let word = |word: &str| !word.is_empty() && !word.starts_with('.') && word.chars().all(sane);
    if prefix.len() > 200 || !(prefix.is_empty() || prefix.split('/').all(word)) {
        return Err("its prefix must be words of letters, digits, '-', '_' and '.'".to_owned());
    }
    Ok(Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        settings: Settings::new(),
    })
}

fn in_directory(directory: &Path) -> Result<(String, Place), ConfigError> {
    let path = directory
        .to_str()
        .ok_or_else(|| bad("ALTA_DATA_DIR", "it is not UTF-8"))?;
    Ok((format!("file://{path}"), Place::Directory(path.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, more: &[(&str, &str)]) -> Result<StorageConfig, ConfigError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut vars: BTreeMap<String, String> = more.iter().map(owned).collect();
        vars.insert("STORAGE_URL".to_owned(), url.to_owned());
        Config::from_vars(&vars).map(|config| config.storage)
    }

    #[test]
    fn a_bucket_has_a_name_and_may_have_a_prefix() {
        for (url, name, prefix) in [
            ("s3://alta-files", "alta-files", ""),
            ("s3://alta-files/", "alta-files", ""),
            ("s3://alta-files/one/two/", "alta-files", "one/two"),
        ] {
            let Place::S3(bucket) = read(url, &[]).expect(url).place else {
                panic!("{url} is of S3");
            };
            assert_eq!(
                (bucket.name.as_str(), bucket.prefix.as_str()),
                (name, prefix)
            );
        }
        let google = read("", &[("GCS_BUCKET_NAME", "alta-files")]).expect("a bucket");
        assert!(matches!(google.place, Place::Google(_)));
        assert_eq!(google.url, "gs://alta-files");
        let refused = read("", &[("GCS_BUCKET_NAME", "alta/files")]).expect_err("no name");
        assert_eq!(refused.name, "GCS_BUCKET_NAME");
        for bad in [
            "s3://",
            "s3:///x",
            "gs://a b",
            "az://..",
            "s3://alta/../x",
            "s3://alta//x",
            "s3://alta/a%20b",
            "file://relative",
            "ftp://x",
            "nonsense",
        ] {
            assert_eq!(read(bad, &[]).expect_err(bad).name, "STORAGE_URL", "{bad}");
        }
    }

    type Given<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn the_variables_of_a_store_are_looked_at_only_where_it_is_used() {
        let s3 = "s3://alta-files";
        let azure = "az://alta-files";
        let account = ("AZURE_STORAGE_ACCOUNT_NAME", "alta");
        let http = "http://127.0.0.1:9000";
        let refused: [(&str, Given<'_>, &str); 9] = [
            (s3, &[("AWS_ACCESS_KEY_ID", "k")], "AWS_SECRET_ACCESS_KEY"),
            (s3, &[("AWS_SECRET_ACCESS_KEY", "k")], "AWS_ACCESS_KEY_ID"),
            (s3, &[("AWS_REGION", "a b")], "AWS_REGION"),
            (s3, &[("AWS_ENDPOINT_URL", "minio")], "AWS_ENDPOINT_URL"),
            (s3, &[("AWS_ENDPOINT_URL", http)], "AWS_ENDPOINT_URL"),
            (s3, &[("AWS_ALLOW_HTTP", "perhaps")], "AWS_ALLOW_HTTP"),
            (azure, &[], "AZURE_STORAGE_ACCOUNT_NAME"),
            (
                azure,
                &[account, ("AZURE_STORAGE_ENDPOINT", http)],
                "AZURE_STORAGE_ENDPOINT",
            ),
            (
                azure,
                &[("AZURE_STORAGE_USE_EMULATOR", "x")],
                "AZURE_STORAGE_USE_EMULATOR",
            ),
        ];
        for (url, vars, name) in refused {
            assert_eq!(read(url, vars).expect_err(name).name, name, "{vars:?}");
            assert!(read("file:///tmp/x", vars).is_ok(), "{vars:?}");
        }
        let allowed = [("AWS_ENDPOINT_URL", http), ("AWS_ALLOW_HTTP", "true")];
        assert!(read(s3, &allowed).is_ok());
    }

    #[test]
    fn the_emulator_of_azure_needs_no_more_than_its_name() {
        let emulator = ("AZURE_STORAGE_USE_EMULATOR", "true");
        let Place::Azure(container) = read("az://alta-files", &[emulator]).expect("one").place
        else {
            panic!("it is of Azure");
        };
        assert_eq!(
            container.setting("AZURE_STORAGE_ACCOUNT_NAME"),
            Some("devstoreaccount1")
        );
        assert!(container.setting("AZURE_STORAGE_ENDPOINT").is_some());
    }

    #[test]
    fn no_credential_shows_when_it_is_printed() {
        let vars = [
            ("AWS_ACCESS_KEY_ID", "hush"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ];
        assert!(!format!("{:?}", read("s3://alta-files", &vars)).contains("hush"));
    }
}
