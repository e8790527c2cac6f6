#![no_main]
//! Sources of scripts: parsed, refused or erased, evaluated. `tests/adversarial` is a corpus for it.

mod sandbox;

use alknet_sandbox::{Language, Source, SourceFile};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (runtime, sandbox) = sandbox::sandbox();
    for language in [Language::TypeScript, Language::JavaScript] {
        let files = [SourceFile { path: "tool.ts", text }];
        let source = Source { language, files: &files };
        sandbox::check(runtime.block_on(sandbox.register(source, &[], &sandbox::limits())));
    }
});
