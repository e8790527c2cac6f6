#![no_main]
//! Components, as text where the bytes are text, and as binary. `tests/adversarial/components` is a corpus for it.

mod sandbox;

use alknet_sandbox::Binary;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (runtime, sandbox) = sandbox::sandbox();
    let binaries = std::str::from_utf8(bytes).ok().map(Binary::Text).into_iter().chain([Binary::Bytes(bytes)]);
    for binary in binaries {
        sandbox::check(runtime.block_on(sandbox.register_component("tool", binary, &sandbox::limits())));
    }
});
