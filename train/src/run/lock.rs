//! One process at a time trains in a run's folder: two would write each other's files.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{LOCK, RunError};

/// A run's folder as one's own, for as long as this lives or its process does.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes a folder.
    ///
    /// # Errors
    ///
    /// [`RunError::Busy`] where another has it; [`RunError::Io`].
    pub fn take(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(LOCK);
        let io = |source| RunError::Io { path: path.clone(), source };
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => sign(&mut file).map_err(io)?,
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever has it may be about to write.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process" } else { holder }.to_owned();
                return Err(RunError::Busy { path: folder.to_owned(), holder });
            }
            // Some network file systems have no locks: a run there is as safe as it was without.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { _file: file })
    }
}

/// Leaves a note for others of whom they wait for.
fn sign(file: &mut File) -> io::Result<()> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => String::new(),
        host => format!(" on {host}"),
    };
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    file.set_len(0)?;
    writeln!(file, "process {}{host}, since {now}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_process_own_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        let holder = format!("process {}", std::process::id());
        assert!(error.contains(&holder) && error.contains("wait until it ends"), "{error}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }
}
