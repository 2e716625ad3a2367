//! How much room there is for files.

use std::{io, path::Path};

/// Bytes that this process may still write where `path` is.
///
/// # Errors
/// The system does not say.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(path)?;
    Ok(disk.blocks_available() * disk.fragment_size())
}
