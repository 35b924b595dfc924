//! The body of a request, which must come in time: a caller who sends a byte an hour is not waited
//! for. Not here: how long it may be (`api::body`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use crate::limits;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that breaks off when it takes too long.
pub struct Upload<B = Incoming> {
    body: B,
    /// Set when the body is first waited for; most come with the head and never are.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<B> Upload<B> {
    /// This body, from now on with a deadline.
    pub fn new(body: B) -> Self {
        Self { body, deadline: None }
    }
}

impl<B> Body for Upload<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let deadline =
            this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limits::BODY_TIMEOUT)));
        deadline
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    /// A body that never comes.
    struct Silent;

    impl Body for Silent {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_body_that_comes_is_passed_on() {
        let upload = Upload::new(Full::new(Bytes::from_static(b"all of it")));
        assert_eq!(upload.collect().await.unwrap().to_bytes(), "all of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_breaks_off() {
        let started = tokio::time::Instant::now();
        assert!(Upload::new(Silent).collect().await.is_err());
        assert_eq!(started.elapsed().as_secs(), limits::BODY_TIMEOUT.as_secs());
    }
}
