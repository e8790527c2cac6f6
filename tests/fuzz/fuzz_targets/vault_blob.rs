#![no_main]
#![allow(dead_code, reason = "what the other targets use")]

#[path = "../../../host/vault/tests/it/fuzzing.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::vault_blob(bytes).unwrap();
});
