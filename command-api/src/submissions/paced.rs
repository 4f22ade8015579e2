//! A form's body, one piece at a time. The form parser takes in whatever is ready before it hands
//! anything on, which for a fast sender is everything: a pause after each piece keeps its memory
//! small.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, BodyDataStream},
    extract::{FromRequest, Multipart, Request, multipart::MultipartRejection},
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_kit::ApiError;

struct Paced {
    body: BodyDataStream,
    paused: bool,
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.body.poll_next_unpin(context);
        if next.is_pending() {
            // Nothing was handed on: no pause is owed.
            self.paused = true;
        }
        next
    }
}

/// The form in a request, to be read piece by piece.
///
/// # Errors
/// 415 for another content type, 400 for a form without a boundary.
pub(super) async fn form(request: Request) -> Result<Multipart, ApiError> {
    let paced = |body: Body| {
        let body = body.into_data_stream();
        Body::from_stream(Paced {
            body,
            paused: false,
        })
    };
    let form = Multipart::from_request(request.map(paced), &()).await;
    form.map_err(|rejection| match rejection {
        MultipartRejection::InvalidBoundary(_) => {
            ApiError::unsupported_content_type("multipart/form-data with a boundary")
        }
        _ => ApiError::malformed("The form cannot be read."),
    })
}
