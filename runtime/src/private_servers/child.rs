//! A running child process: started by a thread of its own, which lives as long as the child.

use std::{
    io,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use tokio::sync::watch;

/// A running child process. Dropping it leaves the process running.
#[derive(Clone, Debug)]
pub struct Child {
    pid: Pid,
    /// Whether the process has not been waited for, so that its id is still its own.
    ours: Arc<Mutex<bool>>,
    exited: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Starts `command` in a process group of its own, so that a Ctrl-C at the terminal reaches
    /// only us and we can end our children in order.
    pub fn start(name: &str, mut command: Command) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        command.stdin(Stdio::null()).process_group(0);
        let (started, answer) = mpsc::channel();
        let ours = Arc::new(Mutex::new(true));
        let shared = ours.clone();
        let (exit, exited) = watch::channel(None);
        thread::Builder::new()
            .name(format!("{name} keeper"))
            .spawn(move || {
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let pid = Pid::from_raw(child.id().cast_signed());
                drop(started.send(Ok(pid)));
                // Wait without reaping, then reap under the lock: the id cannot be reused in between.
                while let Err(nix::Error::EINTR) =
                    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
                {
                }
                let mut ours = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let status = child.wait().unwrap_or_default();
                *ours = false;
                exit.send_replace(Some(status));
            })?;
        let pid = answer
            .recv()
            .map_err(|_| io::Error::other("its thread died"))??;
        Ok(Self { pid, ours, exited })
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        *self.exited.borrow()
    }

    /// Waits until it has ended.
    pub async fn wait(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        let status = exited.wait_for(Option::is_some).await.map(|status| *status);
        status.ok().flatten().unwrap_or_default()
    }

    /// Sends a signal; nothing happens when the process has ended already.
    pub fn signal(&self, signal: Signal) {
        if *self.ours.lock().unwrap_or_else(PoisonError::into_inner) {
            // It may just have become a zombie, which is as good as delivered.
            let _ = kill(self.pid, signal);
        }
    }
}
