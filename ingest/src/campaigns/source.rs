//! The rows of a request's body, some at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use platform::http::Pieces;
use platform::http::problem::{Code, FieldCode, FieldError, Problem};
use tokio::time::{Instant, timeout_at};

use super::file::{FileFault, FileRow, Rows};
use crate::app::App;

/// What comes behind the rows that were read.
pub(super) enum Next {
    /// Perhaps more.
    More,
    /// Nothing.
    End,
    /// What cannot be read.
    Fault(Problem),
}

/// A body and the rows in it.
pub(super) struct Source {
    app: Arc<App>,
    pieces: Pieces,
    piece: Bytes,
    /// No piece comes any more.
    last: bool,
    /// All that came is read.
    read: bool,
    /// Elsewhere while it works.
    rows: Option<Rows>,
    wait: Duration,
}

impl Source {
    /// Rows wait at most so long for company.
    pub(super) fn new(app: Arc<App>, pieces: Pieces, rows: Rows, wait: Duration) -> Self {
        Source { app, pieces, piece: Bytes::new(), last: false, read: true, rows: Some(rows), wait }
    }

    /// The next rows, at most so many. What came before a fault is there too.
    pub(super) async fn next(&mut self, most: usize) -> (Vec<FileRow>, Next) {
        let mut out = Vec::new();
        let mut send_at = None;
        loop {
            if !self.read {
                let read = self.split(&mut out, most).await;
                if let Err(problem) = read {
                    return (out, Next::Fault(problem));
                }
                if self.read && self.last {
                    return (out, Next::End);
                }
                if out.len() >= most {
                    return (out, Next::More);
                }
            }
            let until = match send_at {
                None if out.is_empty() => Instant::now() + Duration::from_secs(86_400),
                set => *send_at.insert(set.unwrap_or_else(|| Instant::now() + self.wait)),
            };
            match timeout_at(until, self.pieces.next()).await {
                Err(_) => return (out, Next::More),
                Ok(Err(problem)) => return (out, Next::Fault(problem)),
                Ok(Ok(piece)) => {
                    self.last = piece.is_none();
                    self.piece = piece.unwrap_or_default();
                    self.read = false;
                }
            }
        }
    }

    /// Splits on the threads of bulk.
    async fn split(&mut self, out: &mut Vec<FileRow>, most: usize) -> Result<(), Problem> {
        // It is back unless a panic kept it.
        let rows = self.rows.take().ok_or_else(|| Problem::new(Code::InternalError))?;
        let (piece, last) = (std::mem::take(&mut self.piece), self.last);
        let (mut moved, mut mine) = ((rows, piece), std::mem::take(out));
        let done = self.app.aside(move |_| {
            let (rows, piece) = &mut moved;
            let read = rows.read(piece, last, most, &mut mine);
            Ok((moved, mine, read))
        });
        let ((rows, piece), mine, read) = done.await?;
        (self.rows, self.piece, *out) = (Some(rows), piece, mine);
        let row = self.rows.as_ref().map_or(0, |rows| rows.prefix().rows) + 1;
        self.read = read.map_err(|fault| problem(&fault, row))?;
        Ok(())
    }

    /// The body, of which the rest is thrown away.
    pub(super) fn into_pieces(self) -> Pieces {
        self.pieces
    }
}

/// What a file's fault is to the customer; `row` is the one that cannot be read.
fn problem(fault: &FileFault, row: u64) -> Problem {
    match fault {
        FileFault::Row(why) => {
            Problem::new(Code::MalformedRow).detail(format!("row {row}: {why}")).member("row", row)
        }
        FileFault::Header(why) => {
            Problem::invalid(vec![FieldError::new("header", FieldCode::Required, why.clone())])
        }
        FileFault::Compression => Problem::new(Code::InvalidRequest)
            .detail(format!("what follows row {} is not gzip, as Content-Encoding says it is", row - 1)),
        FileFault::Expansion => Problem::new(Code::BodyTooLarge)
            .detail("the compressed body becomes larger by more than any file of rows; send it uncompressed"),
    }
}
