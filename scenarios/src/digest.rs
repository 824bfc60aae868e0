//! Digests as people compare them.

/// Bytes as hexadecimal digits, two for each.
#[must_use]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
