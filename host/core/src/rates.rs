//! Limits on how often a stranger may try.

/// Limits that protect the door; hot-reloadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Live connections from one address; further ones are refused before the handshake.
    pub connections_per_ip_max: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { connections_per_ip_max: 100 }
    }
}
