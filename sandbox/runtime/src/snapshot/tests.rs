use super::Snapshot;

/// Cheap numbers that look random.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

#[test]
fn what_was_taken_is_what_is_restored() {
    for seed in 0..200 {
        let mut next = numbers(seed);
        let base: Vec<u8> = (0..3 * 65_536).map(|_| u8::try_from(next(256)).unwrap()).collect();
        let mut memory = base.clone();
        memory.resize(base.len() + next(3) * 65_536, 0);
        for _ in 0..next(200) {
            let at = next(memory.len());
            memory[at] = u8::try_from(next(256)).unwrap();
        }
        let snapshot = Snapshot::take(&memory, &base, 5);
        let mut fresh = base.clone();
        fresh.resize(memory.len(), 0);
        snapshot.write(&mut fresh).unwrap();
        assert!(fresh == memory, "seed {seed}");
        assert_eq!((snapshot.memory_bytes(), snapshot.stack_pointer()), (memory.len(), 5));
        if seed > 0 {
            continue;
        }
        assert_eq!(Snapshot::take(&base, &base, 0).stored_bytes(), 0);
    }
}

#[test]
fn a_memory_that_is_too_small_is_refused() {
    let mut memory = vec![0; 65_536];
    memory[65_535] = 1;
    let snapshot = Snapshot::take(&memory, &[], 0);
    assert_eq!(snapshot.write(&mut vec![0; 65_535]), None);
    assert_eq!(snapshot.write(&mut vec![0; 65_536]), Some(()));
}
