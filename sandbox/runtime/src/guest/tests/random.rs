//! Guests that say whatever comes: hundreds of them, from seeds.

use super::*;

/// Numbers from a seed (SplitMix64), with those at the edges more often than chance has them.
struct Numbers(u64);

impl Numbers {
    fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    fn word(&mut self) -> u32 {
        const EDGES: [u32; 12] =
            [0, 1, 2, 16, 1024, 4096, 4098, 65_520, 65_535, 65_536, u32::MAX - 1, u32::MAX];
        match self.below(3) {
            0 => u32::try_from(self.below(70_000)).unwrap(),
            1 => u32::try_from(self.any() >> 32).unwrap(),
            _ => EDGES[usize::try_from(self.below(12)).unwrap()],
        }
    }

    fn signed(&mut self) -> i32 {
        self.word().cast_signed()
    }

    fn status(&mut self) -> i32 {
        if self.below(4) == 0 { self.signed() } else { i32::try_from(self.below(8)).unwrap() - 1 }
    }

    /// A body that hands anything to any import, any number of times.
    fn body(&mut self) -> Vec<Instruction<'static>> {
        let mut body = Vec::new();
        for _ in 0..self.below(6) {
            let (import, parameters) =
                [(CALL, 5), (LOG, 3), (TIMER, 2), (RANDOM, 2)][usize::try_from(self.below(4)).unwrap()];
            body.extend((0..parameters).map(|_| I32Const(self.signed())));
            body.push(Call(import));
            if import != LOG {
                body.push(Pop);
            }
        }
        for _ in 0..self.below(3) {
            body.extend([I32Const(self.signed()), Call(CANCEL)]);
        }
        body.push(I32Const(self.status()));
        body
    }

    fn fake(&mut self) -> Fake {
        let io_at = if self.below(8) == 0 { self.word() } else { 16 };
        let io = [self.word(), self.word(), self.word(), self.word()];
        let (reserve, load, next) = (self.word(), self.status(), self.status());
        Fake { io_at, io, reserve, call: self.body(), load, next }
    }
}

#[tokio::test]
async fn whatever_a_guest_says_the_host_stands() {
    for seed in 0..600 {
        let fake = Numbers(seed).fake();
        let Ok(mut live) = Live::new(&fake).await else { continue };
        let _ticking = live.ticker.hold();
        // Only that each comes back: a panic, or memory beyond the limits, would end the test.
        let loaded = live.guest.load(&[], &["a/b"]).await.is_ok();
        let called = live.meter.charge(&|| 0, live.guest.call("{}", seed)).await;
        let asked = live.guest.state_mut().take_requests().count();
        assert!(asked <= 40, "{seed}: {fake:?}");
        let output = live.guest.output(100);
        assert!(output.is_err() || output.unwrap().is_none_or(|text| text.len() <= 100), "{seed}: {fake:?}");
        let settled = live.guest.settle(&[0; 13]).await.is_ok();
        let next = live.guest.next().await.is_ok();
        // What was asked for stays within the limits, whichever entry asked.
        let calls = live.guest.state().calls();
        assert!(calls <= 10, "{seed}: {called:?} {loaded} {settled} {next}");
    }
}
