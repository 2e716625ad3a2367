//! The programs of the ffmpeg family, and the files they make media of. Part of two test programs.

use std::{fs, path::Path, process::Command};

/// Runs a tool of the ffmpeg family and gives what it printed; a complaint is a failure.
pub fn run(tool: &str, arguments: &[&str]) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test looks at files from outside"
    )]
    let output = Command::new(tool)
        .args(["-v", "error"])
        .args(arguments)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{tool} {arguments:?}: {complaints}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The VP8 frames of an IVF file: a 32-byte head, then (length u32, time u64, frame).
pub fn ivf_frames(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[32..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        frames.push(after[..length].to_vec());
        rest = &after[length..];
    }
    frames
}

/// The Opus packets of an Ogg file (RFC 3533 §6), without its two heads.
pub fn ogg_packets(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    while rest.starts_with(b"OggS") {
        let segments = &rest[27..27 + usize::from(rest[26])];
        rest = &rest[27 + segments.len()..];
        for &length in segments {
            packet.extend_from_slice(&rest[..usize::from(length)]);
            rest = &rest[usize::from(length)..];
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
    }
    packets.split_off(2)
}
