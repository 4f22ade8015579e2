//! Finds the servers' programs: on the PATH, or where Debian puts PostgreSQL's.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::ServerError;

/// The oldest PostgreSQL that we run on.
const OLDEST_POSTGRES: u32 = 15;

/// The directory with PostgreSQL's programs: of the version `wanted` when a data directory asks
/// for it, else the one on the PATH, else the newest.
pub(super) fn postgres(wanted: Option<u32>) -> Result<PathBuf, ServerError> {
    let on_path = find("postgres").and_then(|program| program.canonicalize().ok());
    let on_path = on_path.and_then(|program| program.parent().map(Path::to_owned));
    let mut found: Vec<(u32, PathBuf)> = on_path
        .into_iter()
        .chain(debian_directories())
        .filter(|directory| directory.join("initdb").exists())
        .filter_map(|directory| Some((major(&directory.join("postgres"))?, directory)))
        .filter(|(version, _)| *version >= OLDEST_POSTGRES)
        .collect();
    if let Some(wanted) = wanted {
        found.retain(|(version, _)| *version == wanted);
    }
    found
        .into_iter()
        .next()
        .map(|(_, directory)| directory)
        .ok_or_else(|| {
            let version = wanted.map_or(format!("{OLDEST_POSTGRES} or newer"), |v| v.to_string());
            ServerError::Missing(format!(
                "PostgreSQL {version} is not installed (Debian: apt install postgresql), \
             and neither DATABASE_URL nor POSTGRES_HOST is set"
            ))
        })
}

/// The NATS server and its version, as in `(2, 9)`.
pub(super) fn nats() -> Result<(PathBuf, (u32, u32)), ServerError> {
    let missing = || {
        ServerError::Missing(
            "nats-server 2.9 or newer is not installed (Debian: apt install nats-server), \
             and NATS_URL is not set"
                .to_owned(),
        )
    };
    let program = find("nats-server").ok_or_else(missing)?;
    let version = numbers(&version_line(&program).ok_or_else(missing)?);
    match version.as_slice() {
        [major, minor, ..] if (*major, *minor) >= (2, 9) => Ok((program, (*major, *minor))),
        _ => Err(missing()),
    }
}

/// `setpriv`, by which children are started.
pub(super) fn setpriv() -> Result<PathBuf, ServerError> {
    find("setpriv").ok_or_else(|| {
        ServerError::Missing("setpriv is not installed (Debian: apt install util-linux)".to_owned())
    })
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let directories = std::env::split_paths(&path).chain(usual.iter().map(PathBuf::from));
    directories
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Debian's, newest first.
fn debian_directories() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))))
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

fn major(program: &Path) -> Option<u32> {
    numbers(&version_line(program)?).first().copied()
}

fn version_line(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// The numbers of the first word that begins like a version.
fn numbers(text: &str) -> Vec<u32> {
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let mut words = text
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'));
    let word = words.find(is_version).unwrap_or_default();
    word.split(|c: char| !c.is_ascii_digit())
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(
            numbers("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"),
            [15, 18]
        );
        assert_eq!(numbers("postgres (PostgreSQL) 18beta1"), [18]);
        assert_eq!(numbers("nats-server: v2.9.10"), [2, 9, 10]);
        assert_eq!(numbers("nonsense"), [0_u32; 0]);
    }
}
