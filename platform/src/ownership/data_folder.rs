//! The folder of one process: a lock that proves who is there, its identity across
//! restarts, and how far its node number has minted ids.

use domain::time::UnixMillis;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
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
    /// What was stored last, by this process.
    stored: Mutex<Option<Reserved>>,
    _lock: File,
}

/// Ids reserved by a process: none beyond `until_ms` was minted under `node` by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reserved {
    pub(super) process: Uuid,
    pub(super) node: u8,
    pub(super) until_ms: i64,
}

impl Reserved {
    fn covers(&self, other: &Reserved) -> bool {
        (self.process, self.node) == (other.process, other.node) && self.until_ms >= other.until_ms
    }
}

impl DataFolder {
    /// Opens (or makes) the folder and takes its lock. The lock ends with the process,
    /// however it ends, so who gets it knows that the predecessor is dead. A folder that was
    /// copied is another: who runs on the original lives on, and mints what was reserved there.
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let io_error = |error| DataFolderError::Io(path.to_owned(), error);
        fs::create_dir_all(path).map_err(io_error)?;
        let lock = File::create(path.join("lock")).map_err(io_error)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(DataFolderError::InUse(path.to_owned()));
        }
        let id = folder_id(path, &lock).map_err(io_error)?;
        Ok(DataFolder { path: path.to_owned(), id, stored: Mutex::new(None), _lock: lock })
    }

    /// Its identity: the same after a restart in place.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What the predecessor reserved; nothing where that cannot be read.
    pub(super) fn reserved(&self) -> Option<Reserved> {
        serde_json::from_slice(&fs::read(self.path.join("reserved")).ok()?).ok()
    }

    /// Stores what is reserved, durably, before any of it is used. What is stored already is
    /// not taken back.
    pub(super) fn reserve(&self, process: Uuid, node: u8, until: UnixMillis) -> io::Result<()> {
        let reserved = Reserved { process, node, until_ms: until.0 };
        // Over the write: there is one file. A poisoned lock still holds what was stored.
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if stored.is_none_or(|stored| !stored.covers(&reserved)) {
            write_durably(&self.path.join("reserved"), &serde_json::to_vec(&reserved)?)?;
            *stored = Some(reserved);
        }
        Ok(())
    }
}

/// The folder's identity, with the place on the disk that it was given to: a copy lies
/// elsewhere, and begins anew.
fn folder_id(folder: &Path, lock: &File) -> io::Result<Uuid> {
    let place = lock.metadata().map(|lock| format!("{}:{}", lock.dev(), lock.ino()))?;
    let path = folder.join("id");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let known = text.trim().split_once(' ').filter(|(_, given_to)| *given_to == place);
    if let Some(id) = known.and_then(|(id, _)| id.parse().ok()) {
        return Ok(id);
    }
    // First what belongs to the original: a crash in between leaves nothing of it in use.
    match fs::remove_file(folder.join("reserved")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = Uuid::new_v4();
    write_durably(&path, format!("{id} {place}\n").as_bytes())?;
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

    #[test]
    fn what_is_reserved_is_not_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let opened = DataFolder::open(folder.path()).unwrap();
        let process = Uuid::new_v4();
        opened.reserve(process, 7, UnixMillis(99)).unwrap();
        opened.reserve(process, 7, UnixMillis(98)).unwrap();
        assert_eq!(opened.reserved(), Some(Reserved { process, node: 7, until_ms: 99 }));
        opened.reserve(process, 8, UnixMillis(50)).unwrap();
        assert_eq!(opened.reserved(), Some(Reserved { process, node: 8, until_ms: 50 }));
    }

    /// A backup that is restored beside the original, or a machine that was cloned.
    #[test]
    fn a_copy_is_another_folder() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let original = DataFolder::open(folder.path()).unwrap();
        original.reserve(Uuid::new_v4(), 7, UnixMillis(99)).unwrap();
        for name in ["lock", "id", "reserved"] {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let copied = DataFolder::open(copy.path()).unwrap();
        assert_ne!(copied.id(), original.id());
        assert_eq!(copied.reserved(), None);
        let id = copied.id();
        drop(copied);
        assert_eq!(DataFolder::open(copy.path()).unwrap().id(), id);
    }
}
