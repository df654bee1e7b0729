//! A file as a request's body, read as the connection takes it.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// Read at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces read ahead.
const AHEAD: usize = 4;

/// How a file is written, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) content_type: &'static str,
    pub(super) gzip: bool,
}

impl Form {
    pub(super) fn of(path: &Path) -> Self {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let (name, gzip) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
        let lines = name.ends_with(".ndjson") || name.ends_with(".jsonl");
        Form { content_type: if lines { "application/x-ndjson" } else { "text/csv" }, gzip }
    }
}

/// A file's bytes.
pub(super) struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    /// How many the connection took.
    position: Arc<AtomicU64>,
}

impl FileBody {
    /// Opens the file; a thread reads it.
    pub(super) fn open(path: &Path, position: Arc<AtomicU64>) -> io::Result<Self> {
        let file = File::open(path)?;
        let left = file.metadata()?.len();
        position.store(0, Ordering::Relaxed);
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || read(file.take(left), &sender));
        Ok(FileBody { pieces, left, position })
    }

    /// How many are left to be taken.
    pub(super) fn bytes(&self) -> u64 {
        self.left
    }
}

fn read(mut file: impl Read, sender: &mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = match file.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                Ok(piece.into())
            }
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        // Nobody takes it when the call has ended.
        if sender.blocking_send(read).is_err() || failed {
            return;
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = ready!(self.pieces.poll_recv(context));
        if let Some(Ok(piece)) = &piece {
            self.left = self.left.saturating_sub(piece.len() as u64);
            self.position.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_how_it_is_written() {
        for (name, content_type, gzip) in [
            ("a.csv", "text/csv", false),
            ("a.CSV.GZ", "text/csv", true),
            ("a.ndjson", "application/x-ndjson", false),
            ("dir.csv/a.jsonl.gz", "application/x-ndjson", true),
            ("a", "text/csv", false),
        ] {
            assert_eq!(Form::of(Path::new(name)), Form { content_type, gzip }, "{name}");
        }
    }
}
