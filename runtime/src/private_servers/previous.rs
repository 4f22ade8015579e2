//! What an earlier run left behind: a server that still closes down, or the file with its id.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::ServerError;

/// How long an earlier server may take to close down before it is killed, and then to vanish.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until the server whose id stands in `id_file` is gone, if it is one of ours on
/// `directory`, and removes the file. An id that meanwhile belongs to another process is left
/// alone.
pub(super) fn settle(
    name: &'static str,
    id_file: &Path,
    directory: &Path,
    stop: Signal,
) -> Result<(), ServerError> {
    let Some(pid) = id(id_file) else {
        return Ok(());
    };
    if is_ours(pid, directory) {
        tracing::info!(
            pid = pid.as_raw(),
            "{name} of an earlier run still closes down, waiting"
        );
        let _ = kill(pid, stop);
        if !gone(pid, directory, PATIENCE) {
            let _ = kill(pid, Signal::SIGKILL);
            if !gone(pid, directory, PATIENCE) {
                let reason = format!("process {pid} of an earlier run does not end");
                return Err(ServerError::Start { name, reason });
            }
        }
    }
    match fs::remove_file(id_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ServerError::file(id_file)(error))
        }
        _ => Ok(()),
    }
}

fn id(id_file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(id_file).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    (pid > 1).then(|| Pid::from_raw(pid))
}

fn is_ours(pid: Pid, directory: &Path) -> bool {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let wanted = directory.as_os_str().as_bytes();
    command_line
        .windows(wanted.len())
        .any(|part| part == wanted)
}

fn gone(pid: Pid, directory: &Path, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while is_ours(pid, directory) {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}
