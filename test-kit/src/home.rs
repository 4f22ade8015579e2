//! A temporary directory that goes away with the test process, even when that is killed.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Waits until the pipe from the test process closes, which the kernel sees to however it ends;
/// servers may still be writing while they die, hence the repetition.
const WATCH: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
tries=0
while [ -e "$1" ] && [ "$tries" -lt 100 ]; do
    rm -rf -- "$1" 2>/dev/null
    tries=$((tries + 1))
    [ -e "$1" ] && sleep 0.1
done
"#;

/// A temporary directory, removed when this is dropped or the process ends.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    watcher: Child,
}

impl Home {
    /// Makes the directory, for its owner alone.
    pub fn new() -> std::io::Result<Self> {
        let path = tempfile::Builder::new()
            .prefix("alta-test-")
            .tempdir()?
            .keep();
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH, "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        Ok(Self { path, watcher })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // The watcher removes the directory; its status says nothing.
        let _ = self.watcher.wait();
    }
}
