//! The folder of one process: a lock that proves who is there, its identity across
//! restarts, and how far its node number has minted ids.

use domain::time::UnixMillis;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process is using it.
    #[error("the data folder {0} is in use by another process: stop it, or set ownership.data_folder")]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("the data folder {0}: {1}")]
    Io(PathBuf, io::Error),
}

/// A data folder whose lock is held.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    id: Uuid,
    _lock: File,
}

/// Ids reserved by a process: none beyond `until_ms` was minted under `node` by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reserved {
    pub(super) process: Uuid,
    pub(super) node: u8,
    pub(super) until_ms: i64,
}

impl DataFolder {
    /// Opens (or makes) the folder and takes its lock. The lock ends with the process,
    /// however it ends, so who gets it knows that the predecessor is dead.
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let io_error = |error| DataFolderError::Io(path.to_owned(), error);
        fs::create_dir_all(path).map_err(io_error)?;
        let lock = File::create(path.join("lock")).map_err(io_error)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(DataFolderError::InUse(path.to_owned()));
        }
        let id = folder_id(&path.join("id")).map_err(io_error)?;
        Ok(DataFolder { path: path.to_owned(), id, _lock: lock })
    }

    /// Its identity: the same after a restart in place.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What the predecessor reserved; nothing where that cannot be read.
    pub(super) fn reserved(&self) -> Option<Reserved> {
        serde_json::from_slice(&fs::read(self.path.join("reserved")).ok()?).ok()
    }

    /// Stores what is reserved, durably, before any of it is used.
    pub(super) fn reserve(&self, process: Uuid, node: u8, until: UnixMillis) -> io::Result<()> {
        let reserved = Reserved { process, node, until_ms: until.0 };
        write_durably(&self.path.join("reserved"), &serde_json::to_vec(&reserved)?)
    }
}

fn folder_id(path: &Path) -> io::Result<Uuid> {
    if let Some(id) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()) {
        return Ok(id);
    }
    let id = Uuid::new_v4();
    write_durably(path, id.to_string().as_bytes())?;
    Ok(id)
}

/// The file has the old content or the new, whenever the power goes.
fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&new, path)?;
    // The new name is durable only when the folder is.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_process_at_a_time_and_the_same_identity_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        let id = first.id();
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::InUse(_))));
        assert_eq!(first.reserved(), None);
        let process = Uuid::new_v4();
        first.reserve(process, 7, UnixMillis(99)).unwrap();
        drop(first);
        let second = DataFolder::open(folder.path()).unwrap();
        assert_eq!(second.id(), id);
        assert_eq!(second.reserved(), Some(Reserved { process, node: 7, until_ms: 99 }));
    }
}
