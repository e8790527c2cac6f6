#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    alknet_call::fuzzing::call_envelope(bytes).unwrap();
});
