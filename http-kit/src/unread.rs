//! Reads away, within bounds, what a refused request still had to say. A server that answers and
//! closes while the client is sending makes the client see a broken connection, not the answer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, HttpBody},
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};

const MOST_BYTES: usize = 256 << 20;
const LONGEST: Duration = Duration::from_secs(10);

type Slot = Arc<Mutex<Option<BodyDataStream>>>;

/// A body that comes back when whoever had it lets it go before its end.
struct Lent {
    body: Option<BodyDataStream>,
    slot: Slot,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let next = body.poll_next_unpin(context);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        next
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    // Whoever asks first is told not to send at all.
    let asks_first = request.headers().contains_key(header::EXPECT);
    if asks_first || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let slot = Slot::default();
    let lent = |body: Body| {
        let body = Some(body.into_data_stream());
        Body::from_stream(Lent {
            body,
            slot: Arc::clone(&slot),
        })
    };
    let response = next.run(request.map(lent)).await;
    let left = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(rest) = left {
        let _too_long = tokio::time::timeout(LONGEST, read_away(rest)).await;
    }
    response
}

async fn read_away(mut rest: BodyDataStream) {
    let mut bytes = 0;
    while let Some(Ok(chunk)) = rest.next().await {
        bytes += chunk.len();
        if bytes > MOST_BYTES {
            break;
        }
    }
}
