//! The free space on disk.

use std::{io, path::Path};

/// Returns the free space for this process on the file system of `path`, in bytes.
///
/// # Errors
/// The system call fails.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(path)?;
    Ok(disk.blocks_available() * disk.fragment_size())
}
