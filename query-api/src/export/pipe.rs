//! From a writer that blocks to the body of an answer, as fast as the client takes it.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::SendTimeoutError},
};

/// How many pieces may wait for the client.
const AHEAD: usize = 16;
/// How many bytes a piece has at most.
pub(super) const PIECE: usize = 64 << 10;
/// How long a client may take nothing at all; and, added up, how far it may fall behind a modem.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

/// What is written, on a thread of its own, piece by piece. The end of one that is not whole is an error,
/// whatever ended it.
pub(super) fn pieces(
    write: impl FnOnce(Pipe) -> bool + Send + 'static,
    patience: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (pieces, taken) = mpsc::channel(AHEAD);
    let (end, whole) = (pieces.clone(), Arc::new(AtomicBool::new(false)));
    let is_whole = whole.clone();
    tokio::task::spawn_blocking(move || {
        whole.store(write(Pipe::new(pieces, patience)), Ordering::Release);
        drop(end);
    });
    let pieces = futures::stream::unfold(Some(taken), move |taken| {
        let whole = is_whole.clone();
        async move {
            let mut taken: mpsc::Receiver<Bytes> = taken?;
            match taken.recv().await {
                Some(piece) => Some((Ok(piece), Some(taken))),
                None if whole.load(Ordering::Acquire) => None,
                None => Some((Err(io::Error::other("cut off")), None)),
            }
        }
    });
    // Whoever compresses may ask again after the end.
    pieces.fuse()
}

/// What the blocking writer has written goes to the body of the answer, as fast as the client takes it;
/// for one that is too slow that ends with an error.
pub(super) struct Pipe {
    pieces: mpsc::Sender<Bytes>,
    runtime: Handle,
    patience: Duration,
    sent: u64,
    waited: Duration,
}

impl Pipe {
    fn new(pieces: mpsc::Sender<Bytes>, patience: Duration) -> Self {
        Self {
            pieces,
            runtime: Handle::current(),
            patience,
            sent: 0,
            waited: Duration::ZERO,
        }
    }

    /// How long the next piece may take: less for a client that was waited for much.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs(self.sent / SLOWEST_BYTES_PER_SECOND);
        let left = (self.patience + earned).saturating_sub(self.waited);
        left.min(self.patience)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let began = Instant::now();
        let piece = Bytes::copy_from_slice(bytes);
        let sent = self.pieces.send_timeout(piece, self.left());
        match self.runtime.block_on(sent) {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => return Err(io::ErrorKind::TimedOut.into()),
            Err(SendTimeoutError::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        self.waited += began.elapsed();
        self.sent += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    fn fill(pipe: &mut Pipe, count: usize) -> io::Result<()> {
        let piece = vec![7; PIECE];
        (0..count).try_for_each(|_| pipe.write_all(&piece))
    }

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off_and_told_that_it_is_not_whole() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let write = move |mut pipe: Pipe| {
            let outcome = fill(&mut pipe, AHEAD + 1);
            tell.send(outcome.map_err(|error| error.kind())).is_err()
        };
        let pieces = pieces(write, Duration::from_millis(50));
        let cut_off = told.await.expect("it ends by itself");
        assert_eq!(cut_off, Err(io::ErrorKind::TimedOut));
        let pieces: Vec<_> = pieces.collect().await;
        let last = pieces.last().map(Result::is_err);
        assert_eq!((pieces.len(), last), (AHEAD + 1, Some(true)));
    }

    #[tokio::test]
    async fn who_takes_all_gets_all_and_no_error() {
        let write = |mut pipe: Pipe| fill(&mut pipe, 4 * AHEAD).is_ok();
        let pieces = pieces(write, PATIENCE);
        let taken: Vec<Bytes> = pieces.try_collect().await.expect("whole");
        let bytes: usize = taken.iter().map(Bytes::len).sum();
        assert_eq!(bytes, 4 * AHEAD * PIECE);
    }

    #[tokio::test]
    async fn what_ends_in_a_panic_is_not_whole() {
        let write = |mut pipe: Pipe| {
            fill(&mut pipe, 1).expect("taken");
            panic!("on purpose");
        };
        let taken: Vec<_> = pieces(write, PATIENCE).collect().await;
        assert!(matches!(taken[..], [Ok(_), Err(_)]), "{taken:?}");
    }

    #[tokio::test]
    async fn patience_is_earned_by_what_was_taken_and_used_up_by_waiting() {
        let (pieces, _taken) = mpsc::channel(1);
        let patience = Duration::from_secs(30);
        let mut pipe = Pipe::new(pieces, patience);
        assert_eq!(pipe.left(), patience);
        pipe.waited = Duration::from_secs(20);
        assert_eq!(pipe.left(), Duration::from_secs(10));
        pipe.sent = 5 * SLOWEST_BYTES_PER_SECOND;
        assert_eq!(pipe.left(), Duration::from_secs(15));
        pipe.sent = 1_000 * SLOWEST_BYTES_PER_SECOND;
        assert_eq!(pipe.left(), patience, "never more than that at once");
        pipe.waited = Duration::from_secs(2_000);
        assert_eq!(pipe.left(), Duration::ZERO);
    }
}
