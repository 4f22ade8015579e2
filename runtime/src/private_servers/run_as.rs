//! As whom PostgreSQL runs. It refuses root, so root runs it as another account.
//!
//! That account may not be able to get through the directories above the server's, `/root` for
//! one. We do not change anyone's directories: the server is given the one capability that lets it
//! pass (PostgreSQL minds only the user id), or the person is told.

use std::{
    ffi::OsString,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{User, geteuid};

use super::{OnOurDeath, ServerError, binaries};

/// How a server's programs are started.
#[derive(Clone, Debug)]
pub(super) struct RunAs {
    setpriv: OsString,
    account: Option<Account>,
    pass_directories: bool,
}

#[derive(Clone, Debug)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl RunAs {
    /// As whoever we are.
    pub(super) fn ourselves() -> Result<Self, ServerError> {
        Ok(Self {
            setpriv: binaries::setpriv()?.into_os_string(),
            account: None,
            pass_directories: false,
        })
    }

    /// As someone who is not root and to whom `directory` belongs from now on.
    pub(super) fn not_root(directory: &Path) -> Result<Self, ServerError> {
        let mut run_as = Self::ourselves()?;
        if !geteuid().is_root() {
            return Ok(run_as);
        }
        let account = account(directory)?;
        chown(directory, Some(account.uid), Some(account.gid))
            .map_err(ServerError::file(directory))?;
        let name = account.name.clone();
        run_as.account = Some(account);
        for pass_directories in [true, false] {
            run_as.pass_directories = pass_directories;
            if run_as.reaches(directory) {
                return Ok(run_as);
            }
        }
        Err(ServerError::Unreachable(format!(
            "PostgreSQL does not run as root, and the account {name} cannot get at {}: \
             set ALTA_DATA_DIR to a directory below ones that all may enter",
            directory.display()
        )))
    }

    /// `program` under this account, with a clean environment, to die when we do.
    pub(super) fn command(&self, program: &Path, on_our_death: &str) -> Command {
        let mut command = Command::new(&self.setpriv);
        if let Some(account) = &self.account {
            command.args([
                "--reuid",
                &account.uid.to_string(),
                "--regid",
                &account.gid.to_string(),
            ]);
            command.arg("--clear-groups");
            if self.pass_directories {
                command.args(["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]);
            }
        }
        command
            .args(["--pdeathsig", on_our_death, "--"])
            .arg(program);
        command.env_clear().env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.env(
            "PATH",
            "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        );
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Gives a file to the account, where there is one.
    pub(super) fn give(&self, path: &Path) -> Result<(), ServerError> {
        self.account.as_ref().map_or(Ok(()), |account| {
            chown(path, Some(account.uid), Some(account.gid)).map_err(ServerError::file(path))
        })
    }

    fn reaches(&self, directory: &Path) -> bool {
        let probe = directory.join(".reached");
        let touched = self
            .command(Path::new("touch"), "KILL")
            .arg(&probe)
            .output();
        let reached = touched.is_ok_and(|output| output.status.success());
        drop(std::fs::remove_file(&probe));
        reached
    }
}

/// The signal's name as `setpriv` takes it.
pub(super) fn death_signal(on_our_death: OnOurDeath, stop: &'static str) -> &'static str {
    match on_our_death {
        OnOurDeath::Stop => stop,
        OnOurDeath::Kill => "KILL",
    }
}

/// The directory's owner when that is not root, else `postgres`, else `nobody`.
fn account(directory: &Path) -> Result<Account, ServerError> {
    let metadata = std::fs::metadata(directory).map_err(ServerError::file(directory))?;
    if metadata.uid() != 0 {
        let name = format!("number {}", metadata.uid());
        return Ok(Account {
            name,
            uid: metadata.uid(),
            gid: metadata.gid(),
        });
    }
    let known = |name: &str| User::from_name(name).ok().flatten();
    let user = known("postgres")
        .or_else(|| known("nobody"))
        .ok_or_else(|| {
            ServerError::Missing(
            "PostgreSQL does not run as root, and there is neither an account postgres nor nobody"
                .to_owned(),
        )
        })?;
    Ok(Account {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}
