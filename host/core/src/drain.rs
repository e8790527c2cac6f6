//! The signal that asks handlers to finish what they have begun and accept no more.

use tokio_util::sync::CancellationToken;

/// The sending side of the drain signal.
#[derive(Debug, Clone, Default)]
pub struct Drain(CancellationToken);

/// The receiving side, given to every protocol handler.
#[derive(Debug, Clone, Default)]
pub struct DrainSignal(CancellationToken);

impl Drain {
    /// A signal nobody has sent yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everything that listens to finish. Sending twice is harmless.
    pub fn start(&self) {
        self.0.cancel();
    }

    /// A listener.
    #[must_use]
    pub fn signal(&self) -> DrainSignal {
        DrainSignal(self.0.clone())
    }
}

impl DrainSignal {
    /// Whether draining has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until draining begins.
    pub async fn draining(&self) {
        self.0.cancelled().await;
    }
}
