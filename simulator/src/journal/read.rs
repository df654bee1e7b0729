use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::codec::{FRAME_HEADER, checksum};
use super::decode::decode;
use super::{Event, FILE_HEADER, MAGIC, MAX_PAYLOAD, OLD_NAME, What};

/// The events of a journal, oldest first: those of `journal.old.bin` beside it, if there is
/// one, then its own. `path` is the file `journal.bin`. A frame cut off at the end (a write
/// in progress or killed) ends the iteration; a damaged one is an error and ends it too.
pub fn read(path: &Path) -> io::Result<Events> {
    let mut files = Vec::new();
    let current = One::open(path)?;
    match One::open(&path.with_file_name(OLD_NAME)) {
        // The file could be moved aside between the two openings: read it once.
        Ok(old) if !old.same_file(&current)? => files.push(old),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.insert(0, current);
    Ok(Events { files })
}

/// Iterator over a journal; see [`read`].
pub struct Events {
    /// The file to read next is the last.
    files: Vec<One>,
}

impl Events {
    /// Where the writer stood, as far as has been read.
    pub(super) fn stand(&self) -> Stand {
        self.files.last().map_or(Stand::default(), |file| file.stand)
    }
}

impl Iterator for Events {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let more = self.files.len() > 1;
            let file = self.files.last_mut()?;
            match file.event() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) if more => drop(self.files.pop()),
                Ok(None) => return None,
                Err(error) => {
                    let text = format!("{}: {error}", file.path.display());
                    self.files.truncate(1);
                    self.files.iter_mut().for_each(|newest| newest.failed = true);
                    return Some(Err(io::Error::new(error.kind(), text)));
                }
            }
        }
    }
}

/// Where a file stands after its last whole frame.
#[derive(Clone, Copy, Default)]
pub(super) struct Stand {
    /// What mids are counted from.
    pub(super) base: i64,
    /// The mid of the next element.
    pub(super) next_mid: i64,
    /// Octets of the file up to here.
    pub(super) whole: u64,
}

struct One {
    path: PathBuf,
    reader: BufReader<File>,
    stand: Stand,
    failed: bool,
    payload: Vec<u8>,
}

impl One {
    fn open(path: &Path) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
        let (mut magic, mut base, mut next_mid) = ([0; 8], [0; 8], [0; 8]);
        reader.read_exact(&mut magic)?;
        reader.read_exact(&mut base)?;
        reader.read_exact(&mut next_mid)?;
        if magic != MAGIC {
            return Err(invalid(format!("{} is not a journal of the simulator", path.display())));
        }
        let (base, next_mid) = (i64::from_le_bytes(base), i64::from_le_bytes(next_mid));
        let stand = Stand { base, next_mid, whole: FILE_HEADER };
        let path = path.to_owned();
        Ok(Self { path, reader, stand, failed: false, payload: Vec::new() })
    }

    fn same_file(&self, other: &Self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let (one, two) = (self.reader.get_ref().metadata()?, other.reader.get_ref().metadata()?);
        Ok((one.dev(), one.ino()) == (two.dev(), two.ino()))
    }

    fn event(&mut self) -> io::Result<Option<Event>> {
        let mut header = [0; FRAME_HEADER];
        if self.failed || !filled(&mut self.reader, &mut header)? {
            return Ok(None);
        }
        let [a, b, c, d, sum @ ..] = header;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_PAYLOAD {
            return Err(self.damaged());
        }
        self.payload.resize(length, 0);
        if !filled(&mut self.reader, &mut self.payload)? {
            return Ok(None);
        }
        if checksum(&self.payload) != u32::from_le_bytes(sum) {
            return Err(self.damaged());
        }
        let event = decode(&self.payload).ok_or_else(|| self.damaged())?;
        self.stand.whole += (FRAME_HEADER + length) as u64;
        if let What::Send(elements) = &event.what {
            self.stand.next_mid += i64::try_from(elements.len()).unwrap_or(0);
        }
        Ok(Some(event))
    }

    fn damaged(&self) -> io::Error {
        invalid(format!("damaged after octet {}", self.stand.whole))
    }
}

/// Fills the buffer; says no if the file ends before that.
fn filled(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}
