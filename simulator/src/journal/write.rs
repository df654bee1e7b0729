use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::codec::{FRAME_HEADER, Frame};
use super::decode::decode;
use super::read::Stand;
use super::{Event, FILE_HEADER, FILE_NAME, LOCK_NAME, MAGIC, OLD_NAME, What, read};

/// Frames that wait for the next flush are written at the latest at this many octets.
const PENDING_MAX: usize = 65_536;

/// Where the calls are written down: a file, or a bounded part of the memory.
pub struct Journal {
    base: i64,
    next_mid: i64,
    sink: Sink,
}

enum Sink {
    File(Box<OnDisk>),
    Memory { frames: VecDeque<Box<[u8]>>, octets: usize, max: usize },
}

struct OnDisk {
    path: PathBuf,
    file: File,
    length: u64,
    max: u64,
    pending: Vec<u8>,
    /// Two simulators must not write one journal; released with the process.
    _lock: File,
}

impl Journal {
    /// A journal in memory that keeps at most `max` octets of frames, dropping the oldest.
    pub fn in_memory(max: usize) -> Self {
        let Stand { base, next_mid, .. } = beginning();
        Self { base, next_mid, sink: Sink::Memory { frames: VecDeque::new(), octets: 0, max } }
    }

    /// Opens, or begins, the journal in a folder (made if missing) and hands over its events
    /// oldest first, each with the number (mid less base) of its first or the next element. A file reaching `max` octets is moved aside. An incomplete last frame
    /// (its call was never answered) is cut off; a damaged frame is an error.
    pub fn open(folder: &Path, max: u64, each: impl FnMut(u64, Event)) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK_NAME))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is used by another simulator", folder.display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let path = folder.join(FILE_NAME);
        let Stand { base, next_mid, whole } = replay(&path, each)?;
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole)?;
        let mut disk = OnDisk { path, file, length: whole, max, pending: Vec::new(), _lock: lock };
        if whole == 0 {
            disk.pending = file_header(base, next_mid);
            disk.flush([base, next_mid])?;
        }
        Ok(Self { base, next_mid, sink: Sink::File(Box::new(disk)) })
    }

    /// The number a mid is counted from.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// The number of the next element: its mid less the base.
    pub(crate) fn next_number(&self) -> u64 {
        u64::try_from(self.next_mid - self.base).unwrap_or(0)
    }

    /// Appends a call. A send call is in the file when this returns, others at the next
    /// flush. After an error nothing of the call is in the journal.
    pub(crate) fn append(&mut self, at_ms: i64, call: u64, frame: &Frame<'_>) -> io::Result<()> {
        match &mut self.sink {
            Sink::File(disk) => {
                disk.append([self.base, self.next_mid], at_ms, call, frame)?;
            }
            Sink::Memory { frames, octets, max } => {
                let mut encoded = Vec::new();
                frame.push(&mut encoded, at_ms, call);
                *octets += encoded.len();
                frames.push_back(encoded.into_boxed_slice());
                while *octets > *max
                    && let Some(oldest) = frames.pop_front()
                {
                    *octets -= oldest.len();
                }
            }
        }
        self.next_mid = frame.next_mid().unwrap_or(self.next_mid);
        Ok(())
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::File(disk) => disk.flush([self.base, self.next_mid]),
            Sink::Memory { .. } => Ok(()),
        }
    }

    /// The events kept in memory, oldest first; of a journal on the disk none: [`read`] it.
    pub(crate) fn remembered(&self) -> Vec<Event> {
        match &self.sink {
            Sink::File(_) => Vec::new(),
            Sink::Memory { frames, .. } => {
                frames.iter().filter_map(|frame| decode(&frame[FRAME_HEADER..])).collect()
            }
        }
    }
}

impl OnDisk {
    fn append(&mut self, mids: [i64; 2], at_ms: i64, call: u64, frame: &Frame<'_>) -> io::Result<()> {
        let before = self.pending.len();
        frame.push(&mut self.pending, at_ms, call);
        if !frame.is_written_at_once() && self.pending.len() < PENDING_MAX {
            return Ok(());
        }
        let written = self.flush(mids);
        if written.is_err() {
            self.pending.truncate(before);
        }
        written
    }

    fn flush(&mut self, mids: [i64; 2]) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.make_room(mids)?;
        if let Err(error) = self.file.write_all(&self.pending) {
            // A part may have been written: the frames must not follow it.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    fn make_room(&mut self, [base, next_mid]: [i64; 2]) -> io::Result<()> {
        if self.length + self.pending.len() as u64 <= self.max || self.length <= FILE_HEADER {
            return Ok(());
        }
        // The new file is whole before it takes the old one's place.
        let next = self.path.with_extension("new");
        let mut file = File::create(&next)?;
        file.write_all(&file_header(base, next_mid))?;
        let file = OpenOptions::new().append(true).open(&next)?;
        fs::rename(&self.path, self.path.with_file_name(OLD_NAME))?;
        fs::rename(&next, &self.path)?;
        self.file = file;
        self.length = FILE_HEADER;
        Ok(())
    }
}

/// Hands over what is there; a stand of no octets is that of a journal to be begun.
fn replay(path: &Path, mut each: impl FnMut(u64, Event)) -> io::Result<Stand> {
    let old = path.with_file_name(OLD_NAME);
    if !path.exists() && old.exists() {
        // Killed between the two renames.
        fs::rename(&old, path)?;
    }
    let mut events = match read(path) {
        Ok(events) => events,
        // None yet, or killed while the header was written: nothing was acknowledged.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
            return Ok(beginning());
        }
        Err(error) => return Err(error),
    };
    while let Some(event) = events.next() {
        let (event, Stand { base, next_mid, .. }) = (event?, events.stand());
        let taken = if let What::Send(elements) = &event.what { elements.len() } else { 0 };
        each(u64::try_from(next_mid - base).unwrap_or(0) - taken as u64, event);
    }
    Ok(events.stand())
}

fn file_header(base: i64, next_mid: i64) -> Vec<u8> {
    [MAGIC, base.to_le_bytes(), next_mid.to_le_bytes()].concat()
}

/// Mids are counted from the time the journal begins, a million a second: they grow over
/// restarts without a journal too, and are far below smshub's own ids.
fn beginning() -> Stand {
    const FROM_2026_MS: i64 = 1_767_225_600_000;
    let base = (crate::now_ms() - FROM_2026_MS).max(1) * 1000;
    Stand { base, next_mid: base + 1, whole: 0 }
}
