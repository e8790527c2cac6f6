mod hostile;
mod lowering;
mod positions;
mod tokens;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{Diagnostic, Source};

/// Lowers a source, and waits for it.
fn lower(source: &Source<'_>) -> Result<super::Lowered, Vec<Diagnostic>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let turn = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        super::lower(source, turn).await
    })
}
