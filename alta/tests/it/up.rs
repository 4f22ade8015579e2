//! `alta up`: comes up, says so, goes down, and survives what happens to it.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use test_kit::AltaProcess;

fn alta() -> AltaProcess {
    AltaProcess::new().expect("a place to run in")
}

/// The data directory and port of `other`, as another start of `alta` would be told.
fn another_on(other: &AltaProcess, port: u16) -> AltaProcess {
    let directory = other.data_dir().display().to_string();
    alta()
        .env("ALTA_DATA_DIR", &directory)
        .env("PORT", &port.to_string())
}

fn free_port() -> u16 {
    runtime::private_servers::free_port().expect("a port")
}

#[tokio::test]
async fn it_comes_up_from_nothing_names_its_parts_and_drains_on_sigterm() {
    let mut alta = alta();
    alta.start().await.expect("it starts");
    let tree = alta.tree();
    assert!(tree.len() > 3, "{tree:?}");
    let status = alta.terminate().await.expect("it ends");
    assert!(status.success(), "{status}: {}", alta.output());
    let output = alta.output();
    for part in [
        "postgresql",
        "nats",
        "relay",
        "projectors",
        "processors",
        "command-api",
        "query-api",
    ] {
        assert!(
            output.lines().any(|line| line.starts_with(part)),
            "{part}: {output}"
        );
    }
    assert!(output.contains(&alta.url()), "{output}");
    test_kit::all_gone(&tree)
        .await
        .expect("nothing is left running");
}

#[tokio::test]
async fn ctrl_c_stops_it_too_and_a_second_start_resumes() {
    let mut alta = alta();
    alta.start().await.expect("it starts");
    alta.signal(Signal::SIGINT);
    assert!(alta.wait().await.expect("it ends").success());
    alta.start().await.expect("it starts again");
    assert!(alta.output().contains("0 applied"), "{}", alta.output());
}

#[tokio::test]
async fn killed_with_all_its_children_it_starts_again_on_the_same_directory() {
    let mut alta = alta();
    alta.start().await.expect("it starts");
    alta.kill_tree().await.expect("it dies");
    alta.start().await.expect("it starts again");
}

#[tokio::test]
async fn killed_alone_it_takes_its_children_along_and_they_do_not_hinder_the_next_start() {
    let mut alta = alta();
    alta.start().await.expect("it starts");
    alta.signal(Signal::SIGKILL);
    alta.wait().await.expect("it is dead");
    alta.start()
        .await
        .expect("it starts again while the old database closes down");
}

#[tokio::test]
async fn a_directory_in_use_and_a_port_in_use_are_one_clear_line_each() {
    let mut first = alta();
    first.start().await.expect("it starts");
    let mut second = another_on(&first, free_port());
    second.launch().expect("it runs");
    assert_eq!(second.wait().await.expect("it ends").code(), Some(1));
    let said = second.output();
    assert!(said.contains("in use by another alta"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let mut third = alta().env("PORT", &port.to_string());
    third.launch().expect("it runs");
    assert_eq!(third.wait().await.expect("it ends").code(), Some(1));
    let said = third.output();
    assert!(
        said.contains(&format!("127.0.0.1:{port} is in use")),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        !third.data_dir().join("postgres").exists(),
        "nothing else was started"
    );
}

#[tokio::test]
async fn a_value_that_cannot_be_used_is_named_in_one_line() {
    let mut alta = alta().env("SECRET_KEY", "too short");
    alta.launch().expect("it runs");
    assert_eq!(alta.wait().await.expect("it ends").code(), Some(1));
    let said = alta.output();
    assert!(
        said.starts_with("alta: SECRET_KEY cannot be used"),
        "{said}"
    );
    assert!(
        !said.contains("too short") && said.lines().count() == 1,
        "{said}"
    );
}

#[tokio::test]
async fn a_part_alone_says_what_it_needs() {
    let mut relay = alta().arguments(&["relay"]);
    relay.launch().expect("it runs");
    assert_eq!(relay.wait().await.expect("it ends").code(), Some(1));
    assert!(
        relay.output().contains("DATABASE_URL is not set"),
        "{}",
        relay.output()
    );
}

#[tokio::test]
async fn a_part_alone_runs_on_configured_servers() {
    let (database, nats) = tokio::join!(test_kit::postgres(), test_kit::nats());
    let relay = alta()
        .arguments(&["relay"])
        .env("DATABASE_URL", &database.url);
    let mut relay = relay.env("NATS_URL", &nats.url);
    relay.start().await.expect("it says that it is ready");
    assert!(relay.terminate().await.expect("it ends").success());
}
