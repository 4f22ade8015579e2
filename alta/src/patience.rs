//! How long a connection may keep us waiting: one on which no request is being answered and nothing
//! was sent for a while is closed. So requests that come byte by byte hold no connection for ever.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, connect_info::Connected},
    middleware::Next,
    response::Response,
    serve::{self, IncomingStream},
};
use http_kit::unparsed::Unparsed;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep},
};

use crate::worded::Worded;

/// Accepts connections that are watched.
#[derive(Debug)]
pub(crate) struct Patient {
    pub(crate) listener: TcpListener,
    pub(crate) patience: Duration,
    pub(crate) unparsed: Unparsed,
}

/// A connection that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    patience: Duration,
    end: Pin<Box<Sleep>>,
    under_way: Arc<AtomicUsize>,
}

/// Who is at the other end, and how many of its requests are being answered.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    under_way: Arc<AtomicUsize>,
}

impl serve::Listener for Patient {
    type Io = Worded<Watched>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Worded<Watched>, SocketAddr) {
        let (stream, address) = serve::Listener::accept(&mut self.listener).await;
        // Answers are small: waiting for more only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection broke at once");
        }
        let watched = Watched {
            stream,
            patience: self.patience,
            end: Box::pin(sleep(self.patience)),
            under_way: Arc::default(),
        };
        (Worded::new(watched, self.unparsed.clone()), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Patient>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Patient>) -> Self {
        Self {
            address: *stream.remote_addr(),
            under_way: stream.io().stream().under_way.clone(),
        }
    }
}

/// Counts a request while it is answered, and passes on who sent it.
pub(crate) async fn counted(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(ConnectInfo(peer.address));
    let _counted = Counted::new(peer.under_way);
    next.run(request).await
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(under_way: Arc<AtomicUsize>) -> Self {
        under_way.fetch_add(1, Ordering::Relaxed);
        Self(under_way)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watched {
    fn sent(&mut self) {
        let end = Instant::now() + self.patience;
        self.end.as_mut().reset(end);
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            self.sent();
        }
        // Asked in any case: whoever waits for the next request may have begun to before this answer.
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.sent();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if written.is_ready() {
            self.sent();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use runtime::{clock::Clock, ids::Ids};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    /// Answers `/` after three times the patience.
    async fn served() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let slow = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
            sleep(PATIENCE * 3).await;
            peer.ip().to_string()
        });
        let router = Router::new().route("/", slow);
        let service = router
            .layer(axum::middleware::from_fn(counted))
            .into_make_service_with_connect_info::<Peer>();
        let patient = Patient {
            listener,
            patience: PATIENCE,
            unparsed: Unparsed::new(Clock::system(), Ids::system(), false),
        };
        tokio::spawn(async move { axum::serve(patient, service).await });
        address
    }

    async fn all_said(mut stream: TcpStream) -> String {
        let mut said = vec![];
        // It may end with a reset.
        let _ = stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    #[tokio::test]
    async fn a_request_that_comes_byte_by_byte_is_cut_off() {
        let stream = TcpStream::connect(served().await).await.expect("open");
        let (mut reading, mut writing) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writing.write_all(b"G").await.is_ok() {
                sleep(PATIENCE / 10).await;
            }
        });
        let mut said = [0; 1];
        let ended = tokio::time::timeout(Duration::from_secs(30), reading.read(&mut said)).await;
        assert!(matches!(ended.expect("it is cut off"), Ok(0) | Err(_)));
        dripping.await.expect("nothing can be sent any more");
    }

    #[tokio::test]
    async fn a_slow_answer_is_given_and_the_idle_connection_closed_after_it() {
        let mut stream = TcpStream::connect(served().await).await.expect("open");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let said = tokio::time::timeout(Duration::from_secs(30), all_said(stream)).await;
        let said = said.expect("it is closed");
        assert!(
            said.starts_with("HTTP/1.1 200") && said.ends_with("127.0.0.1"),
            "{said}"
        );
    }
}
