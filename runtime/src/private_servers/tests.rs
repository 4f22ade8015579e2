//! The servers themselves, started and killed.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use nix::{sys::signal::Signal, unistd::Pid};

use super::*;

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).expect("ours");
    directory
}

fn postgres(directory: &Path) -> Postgres {
    let options = PostgresOptions {
        directory: directory.join("postgres"),
        durable: false,
        on_our_death: OnOurDeath::Kill,
    };
    Postgres::prepare(options).expect("PostgreSQL can be set up")
}

fn nats(directory: &Path) -> Nats {
    let options = NatsOptions {
        directory: directory.join("nats"),
        token: true,
        on_our_death: OnOurDeath::Kill,
    };
    Nats::prepare(options).expect("NATS can be set up")
}

/// The process in the id file, once it is another than `before`.
async fn another_process(file: &Path, before: i32) -> i32 {
    for _ in 0..3_000 {
        let text = fs::read_to_string(file).unwrap_or_default();
        match text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
        {
            Some(pid) if pid != before => return pid,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("no other process appeared");
}

fn lives(pid: i32) -> bool {
    nix::sys::signal::kill(Pid::from_raw(pid), None).is_ok()
}

#[tokio::test]
async fn a_killed_postgres_comes_back_on_its_port_and_ends_when_it_is_stopped() {
    let directory = directory();
    let kept = Kept::start(postgres(directory.path()))
        .await
        .expect("it starts");
    let url = kept.server().url();
    let id_file = directory.path().join("postgres/data/postmaster.pid");
    let first = another_process(&id_file, 0).await;
    nix::sys::signal::kill(Pid::from_raw(first), Signal::SIGKILL).expect("it lives");
    let second = another_process(&id_file, first).await;
    assert_eq!(kept.server().url(), url);
    kept.stop().await;
    assert!(!lives(second));
}

#[tokio::test]
async fn a_directory_whose_postgres_still_runs_is_waited_for_and_used_again() {
    let directory = directory();
    let first = std::sync::Arc::new(postgres(directory.path()));
    let child = start_once(&first).await.expect("it starts");
    let again = directory.path().to_owned();
    let second = tokio::task::spawn_blocking(move || postgres(&again))
        .await
        .expect("no panic");
    child.wait().await;
    assert_eq!(
        second.url(),
        first.url(),
        "port and password are remembered"
    );
    Kept::start(second).await.expect("it starts").stop().await;
}

#[tokio::test]
async fn an_id_file_that_names_someone_else_is_no_hindrance() {
    let directory = directory();
    let server = postgres(directory.path());
    let id_file = directory.path().join("postgres/data/postmaster.pid");
    fs::write(&id_file, format!("{}\n", std::process::id())).expect("written");
    Kept::start(server).await.expect("it starts").stop().await;
}

#[tokio::test]
async fn a_killed_nats_comes_back_and_its_files_are_private() {
    let directory = directory();
    let kept = Kept::start(nats(directory.path()))
        .await
        .expect("it starts");
    let address = kept.server().address();
    let id_file = directory.path().join("nats/nats.pid");
    let first = another_process(&id_file, 0).await;
    nix::sys::signal::kill(Pid::from_raw(first), Signal::SIGKILL).expect("it lives");
    another_process(&id_file, first).await;
    assert_eq!(kept.server().address(), address);
    let mode = fs::metadata(directory.path().join("nats/nats.conf"))
        .expect("there")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    kept.stop().await;
}

#[tokio::test]
async fn a_port_that_was_taken_is_left_to_whoever_has_it() {
    let directory = directory();
    let server = nats(directory.path());
    let before = server.address().servers;
    let port = before
        .rsplit(':')
        .next()
        .and_then(|port| port.parse::<u16>().ok());
    let taken = ("127.0.0.1", port.expect("a port"));
    let _taken = std::net::TcpListener::bind(taken).expect("it is free");
    let kept = Kept::start(server).await.expect("it starts elsewhere");
    assert_ne!(kept.server().address().servers, before);
    kept.stop().await;
}
