//! A connection on which the HTTP server's own refusals go out in our words. The server writes them
//! where no layer can see them, and closes at once; here the client is given the time to read them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Bytes;
use http_kit::unparsed::Unparsed;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long, and how much, a client may go on sending what was refused. Closing while it sends would
/// make it see a broken connection instead of the answer.
const LINGER: Duration = Duration::from_secs(2);
const MOST_BYTES: usize = 4 << 20;

/// A connection that speaks for the server.
#[derive(Debug)]
pub(crate) struct Worded<S> {
    stream: S,
    unparsed: Unparsed,
    refusal: Option<Refusal>,
}

/// The last thing that is said on a connection.
#[derive(Debug)]
struct Refusal {
    unsaid: Bytes,
    until: Pin<Box<Sleep>>,
    read_away: usize,
}

impl<S> Worded<S> {
    pub(crate) fn new(stream: S, unparsed: Unparsed) -> Self {
        Self {
            stream,
            unparsed,
            refusal: None,
        }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// Whether the server refuses, or refused before. Nothing else is said then.
    fn refuses(&mut self, bytes: &[u8]) -> bool {
        if self.refusal.is_none() {
            self.refusal = self.unparsed.instead_of(bytes).map(|unsaid| Refusal {
                unsaid,
                until: Box::pin(sleep(LINGER)),
                read_away: 0,
            });
        }
        self.refusal.is_some()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Worded<S> {
    fn poll_say(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(refusal) = &mut self.refusal else {
            return Poll::Ready(Ok(()));
        };
        while !refusal.unsaid.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write(context, &refusal.unsaid))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(refusal.unsaid.split_to(written));
        }
        Poll::Ready(Ok(()))
    }

    /// Until the client has nothing more to say, or had long enough.
    fn poll_read_away(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(refusal) = &mut self.refusal else {
            return Poll::Ready(());
        };
        while refusal.read_away < MOST_BYTES && refusal.until.as_mut().poll(context).is_pending() {
            let mut space = [0; 4096];
            let mut buffer = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            refusal.read_away += buffer.filled().len();
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Worded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Worded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.refuses(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        // A refusal comes alone.
        let alone = filled.next().filter(|_| filled.next().is_none());
        if self.refuses(alone.map_or(&[][..], |slice| slice)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_say(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_say(context))?;
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        self.poll_read_away(context).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use runtime::{clock::Clock, ids::Ids};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use crate::patience::{Patient, Peer, counted};

    use super::*;

    async fn said_to(request: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let service = Router::new()
            .route("/", get(|| async { "well" }))
            .layer(axum::middleware::from_fn(counted))
            .into_make_service_with_connect_info::<Peer>();
        let patient = Patient {
            listener,
            patience: Duration::from_secs(30),
            unparsed: Unparsed::new(Clock::system(), Ids::system(), false),
        };
        tokio::spawn(async move { axum::serve(patient, service).await });
        let stream = TcpStream::connect(address).await.expect("open");
        let (mut reading, mut writing) = stream.into_split();
        // All of it is sent, whatever is answered meanwhile.
        let sending = tokio::spawn(async move {
            writing
                .write_all(&request)
                .await
                .expect("it may all be sent");
            writing
        });
        let mut said = String::new();
        reading.read_to_string(&mut said).await.expect("no reset");
        drop(sending.await.expect("sent"));
        said
    }

    fn envelope(said: &str) -> serde_json::Value {
        let (_, body) = said.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).expect("an envelope")
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused_in_our_words() {
        for garbage in [
            "garbage\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "G\u{0}T / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        ] {
            let said = said_to(garbage.as_bytes().to_vec()).await;
            assert!(said.starts_with("HTTP/1.1 400 "), "{garbage:?}: {said}");
            assert_eq!(envelope(&said)["error"]["code"], "MALFORMED_REQUEST");
        }
    }

    #[tokio::test]
    async fn heads_beyond_all_bounds_are_refused_in_our_words_and_the_client_hears_them() {
        let uri = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
        let large = format!(
            "GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n",
            "b".repeat(3 << 20)
        );
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
        for (request, status, code) in [
            (uri, "414", "URI_TOO_LONG"),
            (large, "431", "HEADERS_TOO_LARGE"),
            (many, "431", "HEADERS_TOO_LARGE"),
        ] {
            let said = said_to(request.into_bytes()).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
            assert_eq!(envelope(&said)["error"]["code"], code);
        }
    }

    #[tokio::test]
    async fn answers_pass_and_a_refusal_after_them_too() {
        let two = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        let said = said_to([two, b"garbage\r\n\r\n".to_vec()].concat()).await;
        assert!(
            said.starts_with("HTTP/1.1 200 ") && said.contains("well"),
            "{said}"
        );
        assert!(said.contains("HTTP/1.1 400 "), "{said}");
    }
}
