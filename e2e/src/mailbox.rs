//! The mails that the service writes as `.eml` files while no SMTP server is configured.

use anyhow::{Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A directory of mails.
#[derive(Clone, Debug)]
pub struct Mailbox {
    directory: PathBuf,
}

impl Mailbox {
    /// The mails under a data directory.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.join("mail"),
        }
    }

    /// All mails to an address, oldest first, quoted-printable undone.
    pub fn to(&self, address: &str) -> Vec<String> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        files.sort();
        files
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .map(|mail| unquoted(&mail))
            .filter(|mail| {
                mail.lines()
                    .take_while(|line| !line.is_empty())
                    .any(|line| line.starts_with("To:") && line.contains(address))
            })
            .collect()
    }

    /// Waits for the `count`-th mail to an address.
    pub async fn wait(&self, address: &str, count: usize) -> Result<String> {
        let begun = Instant::now();
        loop {
            if let Some(mail) = self.to(address).get(count - 1) {
                return Ok(mail.clone());
            }
            if begun.elapsed() > Duration::from_secs(30) {
                bail!("no mail number {count} to {address}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The token in a mail's link.
    pub fn token(mail: &str) -> Result<String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        for marker in ["token=", "invitations/"] {
            if let Some((_, rest)) = mail.split_once(marker) {
                return Ok(rest.chars().take_while(|c| is_token(*c)).collect());
            }
        }
        bail!("no link in {mail}")
    }
}

/// Undoes the soft line breaks and the escaped `=` of quoted-printable.
fn unquoted(mail: &str) -> String {
    mail.replace("=\r\n", "")
        .replace("=\n", "")
        .replace("=3D", "=")
}
