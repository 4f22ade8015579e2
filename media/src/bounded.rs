//! Runs a foreign program over untrusted bytes: own process group, own empty directory, cleared
//! environment, no network, and limits on memory, time, file size and output. Never a shell.
//!
//! `prlimit` sets the limits (`unsafe` calls between fork and exec are forbidden here) and `bwrap`
//! takes the rest of the machine out of sight where namespaces work. An exit code of 0 is not
//! proof of success: callers look at what was written.

use std::ffi::OsString;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::sandbox::{self, Fence, View};

/// The whole environment of every child. One thread, because more make tesseract slower. Children that are
/// this program give memory back at once: what the allocator keeps counts against their limit.
pub const ENVIRONMENT: [(&str, &str); 6] = [
    ("PATH", sandbox::SEARCH_PATH),
    ("LC_ALL", "C.UTF-8"),
    ("OMP_THREAD_LIMIT", "1"),
    ("HOME", "/nonexistent"),
    ("TMPDIR", "/tmp"),
    ("_RJEM_MALLOC_CONF", "retain:false"),
];

const STDERR_TAIL: usize = 2048;
/// Standard output is read in pieces of this size.
const CHUNK: usize = 64 << 10;

/// Limits on one run.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Wall-clock time, after which the whole process group is killed.
    pub wall: Duration,
    /// Processor seconds.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub address_space: u64,
    /// Bytes of any one file written.
    pub file_bytes: u64,
    /// Open files.
    pub open_files: u64,
    /// Bytes of standard output that are kept; more ends the run.
    pub stdout_bytes: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            wall: Duration::from_secs(limits.call_seconds),
            cpu_seconds: limits.cpu_seconds,
            address_space: limits.address_space,
            file_bytes: 64 << 20,
            open_files: 64,
            stdout_bytes: 16 << 20,
        }
    }
}

/// What a program that ended well said.
#[derive(Debug)]
pub struct Output {
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// The last 2 KiB of standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// How a run can end otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The program, or what fences it in, is not installed.
    #[error("{0} is not installed")]
    Unavailable(String),
    /// The wall-clock limit passed and the process group was killed.
    #[error("{program} did not end within {seconds} s")]
    Timeout {
        /// Which program.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// A limit on memory, processor time, file size or output was hit.
    #[error("{program} reached a resource limit: {stderr}")]
    OutOfResources {
        /// Which program.
        program: String,
        /// The end of what it said.
        stderr: String,
    },
    /// It ended by itself, and not well.
    #[error("{program} ended with status {code}: {stderr}")]
    Failed {
        /// Which program.
        program: String,
        /// The exit status, or 128 + the signal.
        code: i32,
        /// The end of what it said.
        stderr: String,
    },
    /// It could not be started or read from.
    #[error("cannot run {program}: {source}")]
    Io {
        /// Which program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl RunError {
    /// As a fault of the file (`when_failed` says what a plain failure of this program means).
    pub fn into_fault(self, when_failed: ErrorCode) -> Fault {
        let code = match &self {
            Self::Unavailable(_) => ErrorCode::EngineUnavailable,
            Self::Timeout { .. } | Self::OutOfResources { .. } => ErrorCode::ResourceLimit,
            Self::Failed { .. } => when_failed,
            Self::Io { .. } => ErrorCode::EngineFailed,
        };
        code.because(self.to_string())
    }
}

enum Argument {
    Word(OsString),
    Input(usize),
}

/// One program and its arguments, to be run once inside the fence.
pub struct Run {
    program: PathBuf,
    arguments: Vec<Argument>,
    inputs: Vec<PathBuf>,
    /// As on a machine without namespaces.
    by_limits_alone: bool,
}

impl Run {
    /// A program by name (looked for in the usual directories) or by full path.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            inputs: Vec::new(),
            by_limits_alone: false,
        }
    }

    /// Adds a word as it stands. File names in it are relative to the working directory.
    #[must_use]
    pub fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.arguments.push(Argument::Word(word.into()));
        self
    }

    /// Adds several words.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, words: I) -> Self {
        self.arguments
            .extend(words.into_iter().map(|word| Argument::Word(word.into())));
        self
    }

    /// Adds a file outside the working directory, which the program may read and nothing else.
    #[must_use]
    pub fn input(mut self, path: &Path) -> Self {
        self.arguments.push(Argument::Input(self.inputs.len()));
        self.inputs.push(path.to_path_buf());
        self
    }

    /// Runs it in `work`, which ought to be a directory made for this one job.
    ///
    /// # Errors
    /// See [`RunError`]. Dropping the future kills the whole process group.
    pub async fn run(&self, work: &Path, bounds: &Bounds) -> Result<Output, RunError> {
        let mut stdout = Vec::new();
        let keep = |chunk: Vec<u8>| {
            stdout.extend(chunk);
            ready(())
        };
        let stderr = self.stream(work, bounds, keep).await?;
        Ok(Output { stdout, stderr })
    }

    /// The same, with standard output handed on as it comes; no more is read before what was handed on
    /// is taken. Returns the last 2 KiB of standard error.
    ///
    /// # Errors
    /// See [`RunError`]. Dropping the future kills the whole process group.
    pub async fn stream<F: Future<Output = ()> + Send>(
        &self,
        work: &Path,
        bounds: &Bounds,
        sink: impl FnMut(Vec<u8>) -> F + Send,
    ) -> Result<String, RunError> {
        let name = self.name();
        let io = |source| RunError::Io {
            program: name.clone(),
            source,
        };
        let program =
            sandbox::find(&self.program).ok_or_else(|| RunError::Unavailable(name.clone()))?;
        let work = work.canonicalize().map_err(io)?;
        let inputs = self
            .inputs
            .iter()
            .map(|path| path.canonicalize())
            .collect::<Result<Vec<_>, _>>()
            .map_err(io)?;
        let view = View {
            program: &program,
            work: &work,
            inputs: &inputs,
        };
        let fence = if self.by_limits_alone {
            sandbox::fence_by(None, &view, bounds)
        } else {
            sandbox::fence(&view, bounds).await
        };
        let fence = fence.ok_or_else(|| RunError::Unavailable("util-linux".to_owned()))?;
        let child = self.command(&fence, &work).spawn().map_err(io)?;
        let (status, mut stderr) = watch(child, bounds, &name, sink).await?;
        for input in &fence.inputs {
            // What it says may be shown to users, who need not know where we keep files.
            stderr = stderr.replace(&*input.to_string_lossy(), "the file");
        }
        judge(name, status, stderr)
    }

    fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn command(&self, fence: &Fence, work: &Path) -> Command {
        let mut words = fence.line.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words);
        for argument in &self.arguments {
            match argument {
                Argument::Word(word) => command.arg(word),
                Argument::Input(index) => command.arg(&fence.inputs[*index]),
            };
        }
        command
            .current_dir(work)
            .env_clear()
            .envs(ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// True when runs are fenced in by namespaces and not by limits alone. For start-up messages.
pub async fn is_isolated() -> bool {
    let (program, work) = (Path::new("/bin/true"), Path::new("/"));
    let bounds = Bounds::from(&Limits::default());
    let fence = sandbox::fence(
        &View {
            program,
            work,
            inputs: &[],
        },
        &bounds,
    )
    .await;
    fence.is_some_and(|fence| fence.isolated)
}

/// Kills the child's whole process group when the run is given up.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // ESRCH means that it is gone already, which is what is wanted.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

async fn watch<F: Future<Output = ()> + Send>(
    mut child: Child,
    bounds: &Bounds,
    name: &str,
    sink: impl FnMut(Vec<u8>) -> F + Send,
) -> Result<(ExitStatus, String), RunError> {
    let io = |source| RunError::Io {
        program: name.to_owned(),
        source,
    };
    let mut group = Group(
        child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw),
    );
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let all = async {
        let ((), tail) = tokio::try_join!(
            async { hand_on(stdout, bounds.stdout_bytes, name, sink).await },
            async { read_tail(stderr).await.map_err(io) },
        )?;
        let status = child.wait().await.map_err(io)?;
        Ok((status, tail))
    };
    let outcome = tokio::time::timeout(bounds.wall, all).await;
    let ended = outcome.map_err(|_| RunError::Timeout {
        program: name.to_owned(),
        seconds: bounds.wall.as_secs(),
    })??;
    group.0 = None;
    Ok(ended)
}

async fn hand_on<F: Future<Output = ()> + Send>(
    pipe: Option<impl AsyncRead + Unpin>,
    most: usize,
    name: &str,
    mut sink: impl FnMut(Vec<u8>) -> F + Send,
) -> Result<(), RunError> {
    let Some(mut pipe) = pipe else {
        return Ok(());
    };
    let mut chunk = vec![0; CHUNK];
    let mut left = most;
    loop {
        let read = pipe.read(&mut chunk).await.map_err(|source| RunError::Io {
            program: name.to_owned(),
            source,
        })?;
        if read == 0 {
            return Ok(());
        }
        left = left
            .checked_sub(read)
            .ok_or_else(|| RunError::OutOfResources {
                program: name.to_owned(),
                stderr: format!("more than {most} bytes of output"),
            })?;
        sink(chunk[..read].to_vec()).await;
    }
}

async fn read_tail(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut pipe) = pipe else {
        return Ok(String::new());
    };
    let mut tail: Vec<u8> = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 {
            return Ok(String::from_utf8_lossy(&tail).trim().to_owned());
        }
        tail.extend_from_slice(&chunk[..count]);
        let surplus = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..surplus);
    }
}

fn judge(program: String, status: ExitStatus, stderr: String) -> Result<String, RunError> {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        return Ok(stderr);
    }
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    if is_exhaustion(code, &stderr) {
        return Err(RunError::OutOfResources { program, stderr });
    }
    Err(RunError::Failed {
        program,
        code,
        stderr,
    })
}

/// SIGKILL, SIGXCPU and SIGXFSZ are what the limits send. A failed allocation aborts in C++ and
/// Rust; the same words with a plain exit only mean that the file asked for nonsense.
fn is_exhaustion(code: i32, stderr: &str) -> bool {
    const WORDS: [&str; 3] = ["bad_alloc", "ut of memory", "memory allocation of"];
    let aborted = code == 134 && WORDS.iter().any(|words| stderr.contains(words));
    aborted || matches!(code, 137 | 152 | 153)
}

#[cfg(test)]
#[path = "bounded_tests.rs"]
mod tests;
