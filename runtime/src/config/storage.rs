//! Where files are kept.

use std::path::{Path, PathBuf};

use super::{
    ConfigError,
    vars::{Vars, bad},
};

/// Where files are kept.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// `STORAGE_URL`: `file:///path`, `s3://bucket`, `gs://bucket` or `az://container`.
    pub url: String,
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a key file for Google's services.
    pub google_credentials: Option<PathBuf>,
}

impl StorageConfig {
    pub(super) fn read(vars: &Vars<'_>, data_dir: &Path) -> Result<Self, ConfigError> {
        let url = vars.parsed("STORAGE_URL", storage_url)?;
        let bucket = vars.parsed("GCS_BUCKET_NAME", bucket)?;
        let url = match url.or(bucket) {
            Some(url) => url,
            None => file_url(&data_dir.join("objects"))?,
        };
        let google_credentials = vars
            .text("GOOGLE_APPLICATION_CREDENTIALS")
            .map(PathBuf::from);
        Ok(Self {
            url,
            google_credentials,
        })
    }

    /// The directory, when files are kept in one.
    pub fn local_directory(&self) -> Option<&Path> {
        self.url.strip_prefix("file://").map(Path::new)
    }
}

fn storage_url(text: &str) -> Result<String, String> {
    let known = ["file:///", "s3://", "gs://", "az://"];
    let rest = known.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("it must be file:///path, s3://bucket, gs://bucket or az://container".to_owned()),
    }
}

fn bucket(text: &str) -> Result<String, String> {
    let sane = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.chars().all(sane) {
        Ok(format!("gs://{text}"))
    } else {
        Err("it is no bucket's name".to_owned())
    }
}

fn file_url(directory: &Path) -> Result<String, ConfigError> {
    let path = directory
        .to_str()
        .ok_or_else(|| bad("ALTA_DATA_DIR", "it is not UTF-8"))?;
    Ok(format!("file://{path}"))
}
