//! What puts that were cut off leave in a directory: a local store writes `key#<number>` before it
//! gives the file its name. No key has a `#`.

use std::fs::DirEntry;
use std::io::{ErrorKind, Result};
use std::path::PathBuf;
use std::time::Duration;

/// Removes those under `root` that nobody wrote to for `age`; returns how many.
pub(super) fn remove(root: PathBuf, age: Duration) -> Result<usize> {
    let (mut directories, mut removed) = (vec![root], 0);
    while let Some(directory) = directories.pop() {
        let entries = match std::fs::read_dir(directory) {
            // The store itself removes directories that became empty.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else if is_unfinished(&entry) && is_older(&entry, age) {
                removed += usize::from(std::fs::remove_file(entry.path()).is_ok());
            }
        }
    }
    Ok(removed)
}

fn is_unfinished(file: &DirEntry) -> bool {
    let name = file.file_name();
    let number = name.to_str().and_then(|name| name.rsplit_once('#'));
    number.is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_older(file: &DirEntry, age: Duration) -> bool {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    // One that is gone meanwhile was finished.
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|passed| passed > age))
}
