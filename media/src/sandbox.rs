//! The argument lines that fence a foreign program in: `prlimit` always, `bwrap` where it works.
//! Either way the program does not outlive this process, whatever becomes of it. Only builds and tries
//! lines; running and watching them is `bounded`'s part.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::bounded::Bounds;

/// Where programs are looked for, in the parent and in the child alike.
pub const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where the working directory stands inside the fence.
const JOB: &str = "/job";

/// Directories outside `/usr` that programs read: fonts, libraries behind alternatives.
const ALSO_READ: [&str; 4] = [
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/var/cache/fontconfig",
];

static BWRAP: OnceCell<Option<PathBuf>> = OnceCell::const_new();

/// The full path of a program, or `None` where it is not installed.
pub fn find(program: &Path) -> Option<PathBuf> {
    if program.is_absolute() {
        return program.is_file().then(|| program.to_path_buf());
    }
    SEARCH_PATH
        .split(':')
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.is_file())
}

/// What the child sees of the world.
pub struct View<'a> {
    /// The program, by full path.
    pub program: &'a Path,
    /// The only directory in which it may write.
    pub work: &'a Path,
    /// Files outside `work` that it may read, by full path.
    pub inputs: &'a [PathBuf],
}

/// A command line up to and with the program, and the names under which it sees its inputs.
pub struct Fence {
    /// The words of the line; the first one is the program to start.
    pub line: Vec<OsString>,
    /// How each input is called inside, in the order given.
    pub inputs: Vec<PathBuf>,
    /// True when namespaces fence it in as well as limits.
    pub isolated: bool,
}

/// Builds the line: with namespaces where they work on this machine, else with limits alone.
pub async fn fence(view: &View<'_>, bounds: &Bounds) -> Option<Fence> {
    let bwrap = BWRAP.get_or_init(probe_bwrap).await;
    fence_by(bwrap.as_deref(), view, bounds)
}

/// The same by this `bwrap`, or by limits alone.
pub fn fence_by(bwrap: Option<&Path>, view: &View<'_>, bounds: &Bounds) -> Option<Fence> {
    let mut line = match bwrap {
        Some(_) => vec![],
        None => death_line()?,
    };
    line.extend(limits_line(bounds)?);
    let inputs: Vec<PathBuf> = match bwrap {
        Some(bwrap) => {
            line.push(bwrap.into());
            line.extend(namespace_words(view));
            (0..view.inputs.len()).map(inside).collect()
        }
        None => view.inputs.to_vec(),
    };
    line.push(view.program.into());
    Some(Fence {
        line,
        inputs,
        isolated: bwrap.is_some(),
    })
}

/// What `--die-with-parent` is to `bwrap`.
fn death_line() -> Option<Vec<OsString>> {
    let setpriv = find(Path::new("setpriv"))?;
    let words = ["--pdeathsig", "KILL", "--"].map(OsString::from);
    Some(std::iter::once(setpriv.into()).chain(words).collect())
}

fn inside(index: usize) -> PathBuf {
    PathBuf::from(format!("/input/{index}"))
}

fn limits_line(bounds: &Bounds) -> Option<Vec<OsString>> {
    let prlimit = find(Path::new("prlimit"))?;
    let words = [
        format!("--as={}", bounds.address_space),
        format!("--cpu={}", bounds.cpu_seconds),
        format!("--fsize={}", bounds.file_bytes),
        format!("--nofile={}", bounds.open_files),
        "--core=0".to_owned(),
        "--".to_owned(),
    ];
    Some(
        std::iter::once(prlimit.into())
            .chain(words.map(OsString::from))
            .collect(),
    )
}

fn namespace_words(view: &View<'_>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::with_capacity(64);
    let mut add = |parts: &[&std::ffi::OsStr]| words.extend(parts.iter().map(OsString::from));
    add(&[
        "--unshare-all".as_ref(),
        "--die-with-parent".as_ref(),
        "--clearenv".as_ref(),
    ]);
    for (name, value) in crate::bounded::ENVIRONMENT {
        add(&["--setenv".as_ref(), name.as_ref(), value.as_ref()]);
    }
    add(&["--ro-bind".as_ref(), "/usr".as_ref(), "/usr".as_ref()]);
    for dir in ["/bin", "/sbin", "/lib", "/lib64", "/lib32"] {
        match std::fs::read_link(dir) {
            Ok(target) => add(&["--symlink".as_ref(), target.as_os_str(), dir.as_ref()]),
            Err(_) => add(&["--ro-bind-try".as_ref(), dir.as_ref(), dir.as_ref()]),
        }
    }
    for path in ALSO_READ {
        add(&["--ro-bind-try".as_ref(), path.as_ref(), path.as_ref()]);
    }
    add(&[
        "--proc".as_ref(),
        "/proc".as_ref(),
        "--dev".as_ref(),
        "/dev".as_ref(),
    ]);
    add(&["--tmpfs".as_ref(), "/tmp".as_ref()]);
    if !view.program.starts_with("/usr") && !view.program.starts_with("/bin") {
        add(&[
            "--ro-bind".as_ref(),
            view.program.as_os_str(),
            view.program.as_os_str(),
        ]);
    }
    for (index, input) in view.inputs.iter().enumerate() {
        add(&[
            "--ro-bind".as_ref(),
            input.as_os_str(),
            inside(index).as_os_str(),
        ]);
    }
    add(&["--bind".as_ref(), view.work.as_os_str(), JOB.as_ref()]);
    add(&["--chdir".as_ref(), JOB.as_ref(), "--".as_ref()]);
    words
}

/// Namespaces are missing in many containers, so the real line is tried once per process.
async fn probe_bwrap() -> Option<PathBuf> {
    let bwrap = find(Path::new("bwrap"))?;
    let work = tempfile::tempdir().ok()?;
    let nothing = find(Path::new("true"))?;
    let view = View {
        program: &nothing,
        work: work.path(),
        inputs: &[],
    };
    let outcome = Command::new(&bwrap)
        .args(namespace_words(&view))
        .arg(&nothing)
        .env_clear()
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(10), outcome).await;
    let works = matches!(&outcome, Ok(Ok(output)) if output.status.success());
    if !works {
        tracing::warn!("bwrap does not work here: engines run under resource limits alone");
    }
    works.then_some(bwrap)
}
