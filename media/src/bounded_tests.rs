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

/// As on this machine, and as on one without namespaces.
fn both_ways(run: impl Fn() -> Run) -> [Run; 2] {
    let mut by_limits = run();
    by_limits.by_limits_alone = true;
    [run(), by_limits]
}

/// Whether somebody on the machine sleeps for so long.
fn sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("processes");
    let mut lines = processes.filter_map(|entry| {
        let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        String::from_utf8(line).ok()
    });
    // Those who start it name it as well, behind words of their own.
    lines.any(|line| {
        let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
        words.len() == 2 && words[0].ends_with("sleep") && words[1] == seconds
    })
}

/// Waits until none does, for at most ten seconds.
async fn until_nobody_sleeps(seconds: &str) {
    for _ in 0..1_000 {
        if !sleeps(seconds) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it goes on");
}

fn work() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

#[tokio::test]
async fn a_program_sees_its_own_directory_its_input_and_a_bare_environment() {
    let (work, elsewhere) = (work(), work());
    let input = elsewhere.path().join("data");
    std::fs::write(&input, "secret\n").expect("written");
    let script = "cat \"$0\"; echo made >> out; env | sort";
    for run in both_ways(|| shell(script).input(&input)) {
        let output = run.run(work.path(), &bounds()).await.expect("runs");
        let text = output.text();
        assert!(text.starts_with("secret\n"));
        assert!(text.contains("OMP_THREAD_LIMIT=1"));
        assert!(!text.contains("CARGO"));
    }
    assert_eq!(
        std::fs::read_to_string(work.path().join("out")).expect("left"),
        "made\nmade\n"
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

/// The same line gets through where only limits hold it: a fence that kept nothing out would too.
#[tokio::test]
async fn nobody_is_reached_over_the_network_where_namespaces_work() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let work = work();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached");
    let line = || Run::new("bash").arg("-c").arg(&script);
    let [as_here, by_limits] = both_ways(line);
    let reached = by_limits.run(work.path(), &bounds()).await.expect("runs");
    assert_eq!(reached.text(), "reached\n");
    if is_isolated().await {
        let outcome = as_here.run(work.path(), &bounds()).await;
        assert!(
            matches!(outcome, Err(RunError::Failed { .. })),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_program_that_does_not_end_is_killed_with_its_children() {
    let short = Bounds {
        wall: Duration::from_millis(400),
        ..bounds()
    };
    for (way, run) in both_ways(|| shell("sleep \"$0\" & sleep 98; true"))
        .into_iter()
        .enumerate()
    {
        let work = work();
        let seconds = format!("97.{}{way}", std::process::id());
        let outcome = run.arg(&seconds).run(work.path(), &short).await;
        assert!(matches!(outcome, Err(RunError::Timeout { .. })));
        until_nobody_sleeps(&seconds).await;
    }
}

/// As when a worker is killed: nobody is left to watch the limits on time.
#[tokio::test]
async fn a_program_ends_with_who_started_it() {
    let work = work();
    let sleep = sandbox::find(Path::new("sleep")).expect("a program");
    let view = View {
        program: &sleep,
        work: work.path(),
        inputs: &[],
    };
    let ways = [
        sandbox::fence(&view, &bounds()).await,
        sandbox::fence_by(None, &view, &bounds()),
    ];
    for (way, fence) in ways.into_iter().enumerate() {
        let seconds = format!("96.{}{way}", std::process::id());
        let mut starter = Command::new("sh")
            .args(["-c", "\"$@\" & wait", "sh"])
            .args(fence.expect("a fence").line)
            .arg(&seconds)
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        while !sleeps(&seconds) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        starter.kill().await.expect("killed");
        until_nobody_sleeps(&seconds).await;
    }
}

#[tokio::test]
async fn processor_time_memory_file_size_and_output_are_limited() {
    let work = work();
    let cpu = Bounds {
        cpu_seconds: 1,
        ..bounds()
    };
    let disk = Bounds {
        file_bytes: 1 << 16,
        ..bounds()
    };
    let small = Bounds {
        stdout_bytes: 1000,
        ..bounds()
    };
    let memory = Bounds {
        address_space: 64 << 20,
        ..bounds()
    };
    let zeroes = || Run::new("head").args(["-c", "9000000", "/dev/zero"]);
    for run in both_ways(|| shell("while :; do :; done")) {
        let outcome = run.run(work.path(), &cpu).await;
        let exhausted = matches!(outcome, Err(RunError::OutOfResources { .. }));
        assert!(exhausted, "{outcome:?}");
    }
    for run in both_ways(zeroes) {
        let outcome = run.run(work.path(), &small).await;
        let exhausted = matches!(outcome, Err(RunError::OutOfResources { .. }));
        assert!(exhausted, "{outcome:?}");
    }
    for run in both_ways(|| shell("head -c 9000000 /dev/zero > f")) {
        assert!(run.run(work.path(), &disk).await.is_err());
        let length = std::fs::metadata(work.path().join("f")).map_or(0, |file| file.len());
        assert!(length <= 1 << 16);
    }
    for run in
        both_ways(|| Run::new("dd").args(["if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]))
    {
        let outcome = run.run(work.path(), &memory).await;
        assert!(
            matches!(outcome, Err(RunError::Failed { .. })),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn only_so_many_files_are_open_at_a_time() {
    let few = Bounds {
        open_files: 16,
        ..bounds()
    };
    let line = || Run::new("bash").args(["-c", "exec 20</dev/null"]);
    for run in both_ways(line) {
        let outcome = run.run(work().path(), &few).await;
        let failed = matches!(outcome, Err(RunError::Failed { .. }));
        assert!(failed, "{outcome:?}");
        let outcome = run.run(work().path(), &bounds()).await;
        outcome.expect("more may be open");
    }
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
