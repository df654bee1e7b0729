//! gzip, with a bound on what it becomes.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;

use super::FileFault;

/// Inflated at once, in bytes of what is compressed. Deflate makes at most 1,032 of one.
const STEP_BYTES: usize = 1_024;
/// So much is allowed in any case, in bytes: a small file of equal rows compresses well.
const FREE_BYTES: u64 = 4 << 20;

pub(super) struct Inflate {
    decoder: MultiGzDecoder<Vec<u8>>,
    times: u32,
    read: u64,
    made: u64,
}

impl Inflate {
    /// What is made is at most so many times what is read.
    pub(super) fn new(times: u32) -> Self {
        Inflate { decoder: MultiGzDecoder::new(Vec::new()), times, read: 0, made: 0 }
    }

    /// Inflates some of the piece, about 1 MiB at most.
    pub(super) fn some(&mut self, piece: &mut Bytes) -> Result<Bytes, FileFault> {
        let step = piece.len().min(STEP_BYTES);
        let inflated = self.decoder.write_all(&piece[..step]).and_then(|()| self.decoder.flush());
        inflated.map_err(|_| FileFault::Compression)?;
        piece.advance(step);
        let made = std::mem::take(self.decoder.get_mut());
        self.read += step as u64;
        self.made += made.len() as u64;
        if self.made > FREE_BYTES && self.made > self.read.saturating_mul(self.times.into()) {
            return Err(FileFault::Expansion);
        }
        Ok(made.into())
    }

    /// The end of what is compressed must be the end of the file.
    pub(super) fn end(&mut self) -> Result<(), FileFault> {
        self.decoder.try_finish().map_err(|_| FileFault::Compression)?;
        // All was flushed before; a decoder that holds more has not come to its end.
        if self.decoder.get_ref().is_empty() { Ok(()) } else { Err(FileFault::Compression) }
    }
}
