//! Load in two forms. Open loop: requests are due on a schedule, whatever becomes of those before them,
//! and a latency counts from when its request was due, so that a slow moment shows in all that it
//! delays instead of delaying the questions. Closed loop: each client asks again as soon as it is
//! answered, which finds the highest rate and says nothing about waiting.
//!
//! All clients are one task on one thread: what they cost is taken from what they measure.

use crate::{http::Connection, times::Times};
use anyhow::{Context, Result};
use futures::future::join_all;
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How many errors are kept in words.
const WORDS: usize = 3;

/// What came of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests a second that were due; in a closed loop, those that were made.
    pub offered: f64,
    /// Good answers a second, until the last answer.
    pub achieved: f64,
    /// Of good answers: from when a request was due, in a closed loop from when it was sent.
    pub times: Times,
    /// How many were sent.
    pub sent: usize,
    /// How many of them failed.
    pub failed: usize,
    /// The first failures in words.
    pub errors: Vec<String>,
}

/// When requests are due, and over how many connections.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// A second.
    pub rate: f64,
    /// How many in all.
    pub count: usize,
    /// How many can be under way at once. One that is due and finds none free waits, and its latency
    /// with it.
    pub connections: usize,
}

impl Schedule {
    /// So many a second for so long.
    pub fn lasting(rate: f64, time: Duration, connections: usize) -> Self {
        let count = (rate * time.as_secs_f64()).ceil() as usize;
        Self {
            rate,
            count: count.max(1),
            connections,
        }
    }

    fn due(&self, number: usize) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }
}

/// When clients in a closed loop stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so long.
    Time(Duration),
    /// After so many requests in all.
    Count(usize),
}

/// What all clients note.
#[derive(Default)]
struct Notes {
    times: RefCell<Vec<Duration>>,
    errors: RefCell<Vec<String>>,
    sent: Cell<usize>,
    failed: Cell<usize>,
    last: Cell<Duration>,
}

impl Notes {
    fn take(&self, outcome: Result<()>, time: Duration, now: Duration) {
        self.sent.set(self.sent.get() + 1);
        self.last.set(self.last.get().max(now));
        match outcome {
            Ok(()) => self.times.borrow_mut().push(time),
            Err(error) => {
                self.failed.set(self.failed.get() + 1);
                let mut errors = self.errors.borrow_mut();
                if errors.len() < WORDS {
                    errors.push(format!("{error:#}"));
                }
            }
        }
    }

    fn report(self, offered: Option<f64>) -> Report {
        let times = self.times.into_inner();
        let lasted = self.last.get().as_secs_f64();
        Report {
            offered: offered.unwrap_or(self.sent.get() as f64 / lasted),
            achieved: times.len() as f64 / lasted,
            times: times.into_iter().collect(),
            sent: self.sent.get(),
            failed: self.failed.get(),
            errors: self.errors.into_inner(),
        }
    }
}

/// Does `work` once for each place of the schedule, with a free connection and the place's number.
///
/// # Errors
/// When the service cannot be reached at the start. Failures of the work are counted.
pub async fn open_loop(
    address: &str,
    schedule: Schedule,
    work: impl AsyncFn(&mut Connection, usize) -> Result<()>,
) -> Result<Report> {
    let mut connections = opened(address, schedule.connections).await?;
    let (notes, next) = (Notes::default(), Cell::new(0));
    let due = Arc::new(Semaphore::new(0));
    let start = Instant::now();
    let clock = std::thread::spawn({
        let due = due.clone();
        move || tick(&schedule, start, &due)
    });
    join_all(connections.iter_mut().map(async |connection| {
        // Closed once everything was due.
        while let Ok(permit) = due.acquire().await {
            permit.forget();
            let number = next.replace(next.get() + 1);
            if number >= schedule.count {
                return;
            }
            let outcome = work(connection, number).await;
            let now = start.elapsed();
            notes.take(outcome, now.saturating_sub(schedule.due(number)), now);
        }
    }))
    .await;
    clock.join().ok().context("the clock broke")?;
    Ok(notes.report(Some(schedule.rate)))
}

/// Says when each request is due: a thread's sleep is exact to a tenth of a millisecond, a timer of the
/// runtime to one. In the end each connection is let go.
fn tick(schedule: &Schedule, start: Instant, due: &Semaphore) {
    for number in 0..schedule.count {
        let left = schedule.due(number).saturating_sub(start.elapsed());
        if !left.is_zero() {
            std::thread::sleep(left);
        }
        due.add_permits(1);
    }
    due.add_permits(schedule.connections);
}

/// Lets `clients` do `work` again and again.
///
/// # Errors
/// When the service cannot be reached at the start. Failures of the work are counted.
pub async fn closed_loop(
    address: &str,
    clients: usize,
    until: Until,
    work: impl AsyncFn(&mut Connection, usize) -> Result<()>,
) -> Result<Report> {
    let mut connections = opened(address, clients).await?;
    let (notes, next) = (Notes::default(), Cell::new(0));
    let start = Instant::now();
    join_all(connections.iter_mut().map(async |connection| {
        loop {
            let number = next.get();
            let over = match until {
                Until::Time(time) => start.elapsed() >= time,
                Until::Count(count) => number >= count,
            };
            if over {
                return;
            }
            next.set(number + 1);
            let sent = Instant::now();
            let outcome = work(connection, number).await;
            notes.take(outcome, sent.elapsed(), start.elapsed());
        }
    }))
    .await;
    Ok(notes.report(None))
}

async fn opened(address: &str, count: usize) -> Result<Vec<Connection>> {
    let mut connections = vec![];
    for _ in 0..count {
        connections.push(Connection::open(address).await?);
    }
    Ok(connections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Call;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const STALL: Duration = Duration::from_millis(400);

    /// Answers each request at once, but stands still before the answer to number `stalled`.
    async fn server(stalled: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            let mut answered = 0;
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = vec![];
            loop {
                let mut some = [0; 4_096];
                let read = stream.read(&mut some).await.expect("a request");
                if read == 0 {
                    return;
                }
                request.extend_from_slice(&some[..read]);
                if !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"\r\n\r\n1") {
                    continue;
                }
                request.clear();
                if answered == stalled {
                    tokio::time::sleep(STALL).await;
                }
                answered += 1;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                stream.write_all(answer).await.expect("an answer");
            }
        });
        address
    }

    fn ask() -> impl AsyncFn(&mut Connection, usize) -> Result<()> {
        let call = Call::get("", "/x");
        async move |connection: &mut Connection, _| {
            connection.send(&call).await?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_stall_shows_in_all_that_was_due_meanwhile() {
        let address = server(5).await;
        let schedule = Schedule {
            rate: 100.0,
            count: 60,
            connections: 1,
        };
        let report = open_loop(&address, schedule, ask())
            .await
            .expect("it answers");
        assert_eq!(
            (report.sent, report.failed, report.times.count()),
            (60, 0, 60)
        );
        // Number 5 waits for all of the stall, the one due 10 ms later for 10 ms less, and so on: of those
        // due in the first 300 ms of it, each waits for at least another 100.
        assert!(report.times.not_below(100.0) >= 30, "{:?}", report.times);
        assert!(report.times.at(1.0) >= 400.0);
    }

    #[tokio::test]
    async fn a_closed_loop_does_not_see_who_would_have_come_meanwhile() {
        let address = server(5).await;
        let report = closed_loop(&address, 1, Until::Count(60), ask())
            .await
            .expect("it answers");
        assert_eq!((report.sent, report.failed), (60, 0));
        assert!(report.times.not_below(400.0) >= 1);
    }

    #[tokio::test]
    async fn failures_are_counted_and_are_no_latencies() {
        let address = server(usize::MAX).await;
        let schedule = Schedule {
            rate: 1_000.0,
            count: 20,
            connections: 1,
        };
        let call = Call::get("", "/x");
        let unexpected = Call::post("", "/x", &serde_json::json!(1), 201);
        let work = async |connection: &mut Connection, number: usize| {
            let call = if number.is_multiple_of(4) {
                &unexpected
            } else {
                &call
            };
            connection.send(call).await?;
            Ok(())
        };
        let report = open_loop(&address, schedule, work)
            .await
            .expect("it answers");
        assert_eq!(
            (report.sent, report.failed, report.times.count()),
            (20, 5, 15)
        );
        assert_eq!(report.errors, vec!["POST /x: 200: {}"; 3]);
    }
}
