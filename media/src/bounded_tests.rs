//! The fence holds: real programs are started and try to get out of it.

use super::*;

fn bounds() -> Bounds {
    Bounds {
        wall: Duration::from_secs(20),
        ..Bounds::from(&Limits::default())
    }
}

fn shell(script: &str) -> Run {
    Run::new("sh").arg("-c").arg(script)
}

fn work() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

#[tokio::test]
async fn a_program_sees_its_own_directory_its_input_and_a_bare_environment() {
    let (work, elsewhere) = (work(), work());
    let input = elsewhere.path().join("data");
    std::fs::write(&input, "secret\n").expect("written");
    let script = "cat \"$0\"; echo made > out; env | sort";
    let output = shell(script)
        .input(&input)
        .run(work.path(), &bounds())
        .await
        .expect("runs");
    let text = output.text();
    assert!(text.starts_with("secret\n"));
    assert!(text.contains("OMP_THREAD_LIMIT=1"));
    assert!(!text.contains("CARGO"));
    assert_eq!(
        std::fs::read_to_string(work.path().join("out")).expect("left"),
        "made\n"
    );
}

#[tokio::test]
async fn nothing_else_is_in_sight_where_namespaces_work() {
    let (work, elsewhere) = (work(), work());
    let other = elsewhere.path().join("other");
    std::fs::write(&other, "other").expect("written");
    if !is_isolated().await {
        return;
    }
    let script = "cat \"$0\" || test ! -e /etc/passwd && ls /sys/class/net 2>/dev/null; exit 0";
    let run = shell(script).arg(other.as_os_str());
    let output = run.run(work.path(), &bounds()).await.expect("runs");
    assert_eq!(output.text(), "");
}

#[tokio::test]
async fn a_program_that_does_not_end_is_killed_with_its_children() {
    let work = work();
    let short = Bounds {
        wall: Duration::from_millis(400),
        ..bounds()
    };
    let outcome = shell("sleep 97 & sleep 98; true")
        .run(work.path(), &short)
        .await;
    assert!(matches!(outcome, Err(RunError::Timeout { .. })));
}

#[tokio::test]
async fn processor_time_file_size_and_output_are_limited() {
    let work = work();
    let cpu = Bounds {
        cpu_seconds: 1,
        ..bounds()
    };
    let outcome = shell("while :; do :; done").run(work.path(), &cpu).await;
    assert!(
        matches!(outcome, Err(RunError::OutOfResources { .. })),
        "{outcome:?}"
    );
    let disk = Bounds {
        file_bytes: 1 << 16,
        ..bounds()
    };
    let outcome = Run::new("head").args(["-c", "9000000", "/dev/zero"]);
    let small = Bounds {
        stdout_bytes: 1000,
        ..bounds()
    };
    let outcome = outcome.run(work.path(), &small).await;
    assert!(
        matches!(outcome, Err(RunError::OutOfResources { .. })),
        "{outcome:?}"
    );
    let outcome = shell("head -c 9000000 /dev/zero > f")
        .run(work.path(), &disk)
        .await;
    assert!(outcome.is_err());
    let length = std::fs::metadata(work.path().join("f")).map_or(0, |file| file.len());
    assert!(length <= 1 << 16);
}

#[tokio::test]
async fn a_failure_carries_the_status_and_the_end_of_what_was_said() {
    let outcome = shell("echo no good >&2; exit 3")
        .run(work().path(), &bounds())
        .await;
    let Err(RunError::Failed { code, stderr, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((code, stderr.as_str()), (3, "no good"));
    let missing = Run::new("no-such-program")
        .run(work().path(), &bounds())
        .await;
    let Err(error) = missing else {
        panic!("it cannot exist")
    };
    assert_eq!(
        error.into_fault(ErrorCode::Corrupt).code,
        ErrorCode::EngineUnavailable
    );
}
