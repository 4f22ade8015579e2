//! Working directories for files that come and go. Each is locked while somebody works in it: what a
//! killed process left behind is told by its lock, which the system took away, and not by its age.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::Duration,
};

use tempfile::TempDir;

use crate::fault::{ErrorCode, Fault};

const PREFIX: &str = "alta-work-";
/// A directory is made before it is locked.
const YOUNG: Duration = Duration::from_mins(1);
/// Names that they had before they were locked: what is left of those is told by its age.
const WITHOUT_A_LOCK: [&str; 3] = ["alta-job-", "alta-ocr-", "alta-speech-"];
/// No work took as long.
const OLD: Duration = Duration::from_hours(24);

/// A directory for one piece of work, removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct Work {
    directory: TempDir,
    _lock: File,
}

impl Work {
    /// Makes one where the system keeps such things.
    ///
    /// # Errors
    /// `ENGINE_FAILED` when it cannot be made or locked.
    pub fn new() -> Result<Self, Fault> {
        Self::within(&std::env::temp_dir()).map_err(|error| {
            ErrorCode::EngineFailed.because(format!("no working directory: {error}"))
        })
    }

    fn within(place: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        let lock = File::open(directory.path())?;
        lock.lock()?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories in which nobody works any more. Blocks.
///
/// # Errors
/// When the place where they are cannot be read.
pub fn sweep() -> io::Result<()> {
    sweep_within(&std::env::temp_dir(), YOUNG)
}

fn sweep_within(place: &Path, young: Duration) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let age = if name.starts_with(PREFIX) {
            young
        } else if WITHOUT_A_LOCK.iter().any(|prefix| name.starts_with(prefix)) {
            OLD
        } else {
            continue;
        };
        // Another process may be faster, or the entry somebody else's: then it is left alone.
        if is_left(&entry, age).unwrap_or(false) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

fn is_left(entry: &fs::DirEntry, young: Duration) -> io::Result<bool> {
    // Not through a link: anybody may make one with such a name.
    let metadata = entry.metadata()?;
    let age = metadata.modified()?.elapsed().unwrap_or_default();
    Ok(metadata.is_dir() && age >= young && File::open(entry.path())?.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Path) -> Vec<String> {
        let entries = fs::read_dir(place).expect("it is there");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_directory_goes_with_its_work() {
        let home = tempfile::tempdir().expect("a directory");
        let work = Work::within(home.path()).expect("made");
        fs::write(work.path().join("page.png"), "x").expect("written");
        drop(work);
        assert!(names(home.path()).is_empty());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_or_not_ours_is_not() {
        let home = tempfile::tempdir().expect("a directory");
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("precious"), "x").expect("written");
        let used = Work::within(home.path()).expect("made");
        fs::write(used.path().join("page.png"), "x").expect("written");
        for name in ["alta-work-left", "other", "alta-ocr-old", "alta-ocr-young"] {
            let left = home.path().join(name);
            fs::create_dir(&left).expect("made");
            fs::write(left.join("page.png"), "x").expect("written");
        }
        let old = File::open(home.path().join("alta-ocr-old")).expect("made");
        let made = old.metadata().and_then(|of| of.modified()).expect("known");
        old.set_modified(made - OLD).expect("aged");
        std::os::unix::fs::symlink(outside.path(), home.path().join("alta-work-link"))
            .expect("made");
        sweep_within(home.path(), YOUNG).expect("swept");
        let kept = names(home.path());
        assert_eq!(kept.len(), 5, "all but one are young: {kept:?}");
        assert!(!kept.contains(&"alta-ocr-old".to_owned()), "{kept:?}");
        sweep_within(home.path(), Duration::ZERO).expect("swept");
        let kept = names(home.path());
        assert_eq!(kept.len(), 4, "{kept:?}");
        assert!(!kept.contains(&"alta-work-left".to_owned()), "{kept:?}");
        assert_eq!(names(used.path()), ["page.png"]);
        assert_eq!(names(outside.path()), ["precious"]);
    }
}
