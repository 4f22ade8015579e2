//! A form's body, one small piece at a time. The form parser takes in whatever is ready before it
//! hands anything on, which for a fast sender is everything: a pause after each piece keeps its memory
//! small. Nor does it mind how much it takes in before a part begins: that is counted here.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    body::{Body, BodyDataStream},
    extract::{FromRequest, Multipart, Request, multipart::MultipartRejection},
    http::header,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_kit::ApiError;

use super::receive::{MOST_PARTS, MOST_TEXT_BYTES, too_large};

/// How much is taken in, besides one more piece, while nothing comes of it.
const MOST_HELD: u64 = 64 * 1024;

/// The largest piece: a fast sender's come by the half megabyte, and the parser may want several
/// before it hands anything on.
const PIECE_BYTES: usize = 32 * 1024;

/// A form on its way in.
pub(super) struct Form {
    pub parts: Multipart,
    pub intake: Intake,
}

/// How many bytes the parser took in since it last handed something on.
#[derive(Debug, Clone, Default)]
pub(super) struct Intake(Arc<AtomicU64>);

impl Intake {
    /// Something was handed on.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Counts one more piece; false when it was too much before.
    fn take(&self, piece: &Bytes) -> bool {
        self.0.fetch_add(piece.len() as u64, Ordering::Relaxed) <= MOST_HELD
    }
}

struct Paced {
    body: BodyDataStream,
    /// What has come and was not handed on yet.
    rest: Bytes,
    paused: bool,
    intake: Intake,
    /// How many bytes the rest of the body may have.
    left: u64,
}

impl Paced {
    fn checked(&mut self, piece: Bytes) -> Result<Bytes, axum::Error> {
        let left = self.left.checked_sub(piece.len() as u64);
        let (Some(left), true) = (left, self.intake.take(&piece)) else {
            return Err(axum::Error::new("too many bytes around the parts"));
        };
        self.left = left;
        Ok(piece)
    }
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match self.body.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(piece))) => self.rest = piece,
                Poll::Pending => {
                    // Nothing was handed on: no pause is owed.
                    self.paused = true;
                    return Poll::Pending;
                }
                end @ Poll::Ready(_) => return end,
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(self.checked(piece)))
    }
}

/// The form in a request, to be read piece by piece, with a file of at most `most_bytes`.
///
/// # Errors
/// 415 for another content type, 400 for a form without a boundary.
pub(super) async fn form(request: Request, most_bytes: u64) -> Result<Form, ApiError> {
    let most = most_bytes + MOST_PARTS as u64 * (MOST_TEXT_BYTES as u64 + MOST_HELD);
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most) {
        return Err(too_large(most_bytes));
    }
    let intake = Intake::default();
    let paced = |body: Body| {
        Body::from_stream(Paced {
            body: body.into_data_stream(),
            rest: Bytes::new(),
            paused: false,
            intake: intake.clone(),
            left: most,
        })
    };
    let parts = Multipart::from_request(request.map(paced), &()).await;
    let parts = parts.map_err(|rejection| match rejection {
        MultipartRejection::InvalidBoundary(_) => {
            ApiError::unsupported_content_type("multipart/form-data with a boundary")
        }
        _ => ApiError::malformed("The form cannot be read."),
    })?;
    Ok(Form { parts, intake })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::DefaultBodyLimit;
    use futures::stream;
    use std::sync::atomic::AtomicUsize;

    /// A form that begins like this and then goes on with `count` pieces of 16 KiB; with it, how
    /// many of them were asked for.
    async fn begun(head: &str, count: usize, most_bytes: u64) -> (Form, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let pieces = stream::repeat(Bytes::from(vec![b'x'; 16 * 1024]));
        let pieces = pieces.take(count).inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let body = stream::iter([Bytes::from(head.to_owned())]).chain(pieces);
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b0")
            .body(Body::from_stream(body.map(Ok::<_, std::io::Error>)));
        let mut request = request.expect("a request");
        DefaultBodyLimit::disable().apply(&mut request);
        let form = form(request, most_bytes).await;
        (form.expect("a form"), taken)
    }

    const PART: &str = "--b0\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";

    #[tokio::test]
    async fn a_form_that_never_comes_to_the_point_is_cut_off() {
        let second_part = format!("{PART}law\r\n--b0\r\nX: ");
        for head in ["", "--b0\r\nX: ", second_part.as_str()] {
            let (mut form, taken) = begun(head, 1_000, 1 << 20).await;
            let outcome = loop {
                match form.parts.next_field().await {
                    Ok(Some(_)) => form.intake.clear(),
                    outcome => break outcome.map(drop),
                }
            };
            assert!(outcome.is_err(), "after {head:?}");
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken <= 8, "{taken} pieces after {head:?}");
        }
    }

    #[tokio::test]
    async fn a_fast_sender_is_as_welcome_as_a_slow_one() {
        let whole = [PART.as_bytes(), &vec![b'x'; 2_000_000], b"\r\n--b0--\r\n"].concat();
        for size in [500, 50_000, 500_000, whole.len()] {
            let pieces: Vec<_> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
            let body = stream::iter(pieces).map(Ok::<_, std::io::Error>);
            let mut request = Request::post("/")
                .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b0")
                .body(Body::from_stream(body))
                .expect("a request");
            DefaultBodyLimit::disable().apply(&mut request);
            let mut form = form(request, 4 << 20).await.expect("a form");
            let mut field = form.parts.next_field().await.expect("a form").expect("one");
            form.intake.clear();
            let (mut length, mut largest) = (0, 0);
            while let Some(chunk) = field.chunk().await.expect("a piece") {
                form.intake.clear();
                length += chunk.len();
                largest = largest.max(chunk.len());
            }
            assert_eq!(length, 2_000_000, "in pieces of {size}");
            let bound = MOST_HELD as usize + 2 * PIECE_BYTES;
            assert!(largest <= bound, "{largest} in pieces of {size}");
        }
    }

    #[tokio::test]
    async fn what_is_handed_on_is_not_counted_but_for_the_whole() {
        for (count, good) in [(200, true), (1_000, false)] {
            let (mut form, _) = begun(PART, count, 1 << 10).await;
            let mut field = form.parts.next_field().await.expect("a form").expect("one");
            let (mut length, mut broken) = (0, false);
            while !broken && length < count * 16 * 1024 - 100 {
                form.intake.clear();
                match field.chunk().await {
                    Ok(chunk) => length += chunk.map_or(0, |chunk| chunk.len()),
                    Err(_) => broken = true,
                }
            }
            assert_eq!(!broken, good, "{count} pieces, {length} bytes");
        }
    }
}
