mod hostile;
mod lowering;
mod positions;
mod tokens;

use crate::fair::{Share, Turns};

use crate::{Diagnostic, Source};

/// Lowers a source, and waits for it.
fn lower(source: &Source<'_>) -> Result<super::Lowered, Vec<Diagnostic>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let turn = Turns::new(1, 1).take(Share::fresh()).await.unwrap();
        super::lower(source, turn).await
    })
}
