//! The data directory: made for its owner alone, used by one `alta up` at a time.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// The directory is ours while this lives. The kernel gives it up however we end.
#[derive(Debug)]
pub(crate) struct DataDirLock(#[expect(dead_code, reason = "held, not read")] File);

/// Makes the directory where it is not there.
pub(crate) fn make(directory: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(directory)
        .with_context(|| unusable(directory))
}

/// Takes the directory; nothing when another process has it.
pub(crate) fn try_lock(directory: &Path) -> Result<Option<DataDirLock>> {
    make(directory)?;
    let mut file = open(directory)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error).context(unusable(directory)),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()))
        .with_context(|| unusable(directory))?;
    Ok(Some(DataDirLock(file)))
}

/// Takes the directory, or says who has it.
pub(crate) fn lock(directory: &Path) -> Result<DataDirLock> {
    if let Some(lock) = try_lock(directory)? {
        return Ok(lock);
    }
    let mut holder = String::new();
    let mut file = open(directory)?;
    file.rewind()
        .and_then(|()| file.read_to_string(&mut holder))
        .ok();
    let holder = if holder.is_empty() {
        String::new()
    } else {
        format!(" (process {holder})")
    };
    bail!(
        "the data directory {} is in use by another alta{holder}: stop that one, or set ALTA_DATA_DIR",
        directory.display()
    )
}

fn open(directory: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options
        .open(directory.join("lock"))
        .with_context(|| unusable(directory))
}

fn unusable(directory: &Path) -> String {
    format!("ALTA_DATA_DIR cannot be used: {}", directory.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused_until_it_is_given_up() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("new/data");
        let held = lock(&path).expect("free");
        let refused = lock(&path).expect_err("in use").to_string();
        assert!(
            refused.contains(&std::process::id().to_string()),
            "{refused}"
        );
        drop(held);
        // A child that another test starts at this moment holds a copy until it has become its
        // program.
        while lock(&path).is_err() {
            std::thread::yield_now();
        }
    }
}
