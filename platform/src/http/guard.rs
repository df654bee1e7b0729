//! Two timers that hyper does not have: how long a head may take once it has begun (hyper's own timer counts
//! from the last answer, so it is our limit for idle connections), and how long a client may not take what we
//! write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// A stream that fails with `TimedOut` when one of the timers has run out.
pub(super) struct Guarded<S> {
    stream: S,
    activity: Activity,
    head_timeout: Duration,
    /// Runs while a head is incomplete; with the number of requests before it.
    head: Option<(u64, Pin<Box<Sleep>>)>,
    write_timeout: Duration,
    /// Runs while a write is stuck.
    write: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(
        stream: S,
        activity: Activity,
        head_timeout: Duration,
        write_timeout: Duration,
    ) -> Self {
        Self { stream, activity, head_timeout, head: None, write_timeout, write: None }
    }

    /// Called after each read: `got` is whether bytes came.
    fn check_head(&mut self, cx: &mut Context<'_>, got: bool) -> io::Result<()> {
        let Some(requests) = self.activity.between_requests() else {
            self.head = None;
            return Ok(());
        };
        if self.head.as_ref().is_some_and(|(before, _)| *before != requests) {
            self.head = None;
        }
        if got && self.head.is_none() {
            self.head = Some((requests, Box::pin(sleep(self.head_timeout))));
        }
        let ran_out = self.head.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(cx).is_ready());
        if ran_out { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    /// Passes on the result of a write; one that is pending fails when the timer has run out.
    fn check_write<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write = None;
            return result;
        }
        let timeout = self.write_timeout;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let got = buffer.filled().len() > before;
        self.check_head(cx, got)?;
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.check_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.check_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.check_write(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.check_write(cx, result)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const HEAD_TIMEOUT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    async fn after_a_first_byte(activity: &Activity) -> (Guarded<DuplexStream>, DuplexStream) {
        let (mut client, stream) = duplex(64);
        let mut guarded = Guarded::new(stream, activity.clone(), HEAD_TIMEOUT, LONG);
        client.write_all(b"G").await.unwrap();
        assert_eq!(guarded.read_u8().await.unwrap(), b'G');
        (guarded, client)
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_times_out() {
        let (mut guarded, _client) = after_a_first_byte(&Activity::default()).await;
        assert_eq!(guarded.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// A request may begin and end without a read in between.
    #[tokio::test]
    async fn a_head_that_ended_does_not_time_out() {
        let activity = Activity::default();
        let (mut guarded, _client) = after_a_first_byte(&activity).await;
        drop(activity.begin());
        let waited = tokio::time::timeout(HEAD_TIMEOUT * 4, guarded.read_u8()).await;
        assert!(waited.is_err(), "{waited:?}");
    }
}
