//! Calls that outlive those that composed them (ADR-016, `continue-running`): each has an owner, a bound and an end.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::CallError;

pub(crate) struct Detached {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Detached {
    pub(crate) fn new(max: usize) -> Self {
        let places = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self { places, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Runs a call in a task of its own. Dropping this future leaves the call running.
    pub(crate) async fn run(
        &self,
        call: impl Future<Output = Result<Value, CallError>> + Send + 'static,
    ) -> Result<Value, CallError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            CallError::internal("too many calls that may outlive their composer run").retryable(true)
        })?;
        let stop = self.stop.clone();
        let task = self.tasks.spawn(async move {
            let _place = place;
            stop.run_until_cancelled_owned(call).await
        });
        match task.await {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Err(CallError::internal("request cancelled")),
        }
    }

    /// Cancels what runs and waits for it.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
