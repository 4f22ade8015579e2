//! A file that is there whole or not at all: written beside its place under another name, synced,
//! then renamed.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file on its way to its place; gone again unless it is kept.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: File,
    own: PathBuf,
    place: PathBuf,
    kept: bool,
}

impl AtomicFile {
    /// Begins a file that is to be at `place`. What is not a file there, such as a device, is not
    /// replaced.
    pub(crate) fn create(place: &Path) -> io::Result<Self> {
        if place.exists() && !place.is_file() {
            return Err(io::Error::other("it is there and no file"));
        }
        let mut name = place
            .file_name()
            .ok_or_else(|| io::Error::other("it is no name of a file"))?
            .to_owned();
        name.push(format!(".new-{}", std::process::id()));
        let own = place.with_file_name(name);
        Ok(Self {
            file: File::create(&own)?,
            own,
            place: place.to_owned(),
            kept: false,
        })
    }

    /// Puts it in its place.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.own, &self.place)?;
        self.kept = true;
        let directory = self.place.parent().filter(|dir| *dir != Path::new(""));
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("file.json");
        let mut new = AtomicFile::create(&place).expect("begun");
        new.write_all(b"half").expect("written");
        assert!(!place.exists());
        drop(new);
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 0);
        let mut new = AtomicFile::create(&place).expect("begun");
        new.write_all(b"whole").expect("written");
        new.keep().expect("kept");
        assert_eq!(fs::read(&place).expect("there"), b"whole");
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 1);
        assert!(AtomicFile::create(directory.path()).is_err());
    }
}
