mod files;
mod hostile;
mod lowering;
mod positions;
mod tokens;

use super::text::Place;
use crate::fair::{Share, Turns};
use crate::{Diagnostic, Language, Source, SourceFile};

/// A tool of one file, lowered.
#[derive(Debug)]
struct Single {
    js: String,
    map: Map,
}

#[derive(Debug)]
struct Map(super::SourceMap);

impl Map {
    fn original(&self, line: u32, column: u32) -> Option<Place> {
        let position = self.0.original(FILE, line, column)?;
        Some(Place { line: position.line, column: position.column })
    }
}

/// Lowers a single file, and waits for it.
fn lower(language: Language, text: &str) -> Result<Single, Vec<Diagnostic>> {
    let mut lowered = lower_files(language, &[(FILE, text)])?;
    let js = lowered.modules.pop().map(|module| module.js).unwrap_or_default();
    Ok(Single { js, map: Map(lowered.map) })
}

/// Lowers files, given as paths and texts, and waits for it.
fn lower_files(language: Language, files: &[(&str, &str)]) -> Result<super::Lowered, Vec<Diagnostic>> {
    let files: Vec<_> = files.iter().map(|&(path, text)| SourceFile { path, text }).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let turn = Turns::new(1, 1).take(Share::fresh()).await.unwrap();
        super::lower(&Source { language, files: &files }, turn).await
    })
}

const FILE: &str = "tool.ts";
