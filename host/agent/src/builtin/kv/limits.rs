//! Every bound of the key-value operations, in one place.

use std::time::Duration;

/// Bounds on the key-value store. A host sets them once, at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvLimits {
    /// Longest key, in bytes.
    pub key_bytes_max: usize,
    /// Largest value, in bytes of JSON.
    pub value_bytes_max: usize,
    /// Most keys of one identity.
    pub entries_max: u64,
    /// Most bytes of one identity, keys and values.
    pub bytes_max: u64,
    /// Most keys one `kv/list` answers.
    pub page_entries_max: usize,
    /// Calls that may wait for the store; further ones wait to be let in.
    pub queue_max: usize,
    /// Longest to wait for another process that has the file locked.
    pub lock_timeout: Duration,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self {
            key_bytes_max: 256,
            value_bytes_max: 256 << 10,
            entries_max: 10_000,
            bytes_max: 64 << 20,
            page_entries_max: 1000,
            queue_max: 256,
            lock_timeout: Duration::from_secs(5),
        }
    }
}
