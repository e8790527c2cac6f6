//! The thread that advances the engine's epoch, so that running guests are interrupted once a millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// Owner of the thread: dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

/// Keeps the epoch advancing while it lives.
#[derive(Debug)]
pub(crate) struct Ticking<'a> {
    ticker: &'a Ticker,
}

#[derive(Debug, Default)]
struct Shared {
    guests: AtomicUsize,
    parked: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (weak, theirs) = (engine.weak(), Arc::clone(&shared));
        let handle =
            thread::Builder::new().name("sandbox-ticker".into()).spawn(move || tick(&weak, &theirs))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Guests may run until the returned value is dropped.
    pub(crate) fn hold(&self) -> Ticking<'_> {
        self.shared.guests.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking { ticker: self }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.ticker.shared.guests.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sleeps for good only after a while without guests: waking the thread costs more than a short call.
fn tick(engine: &EngineWeak, shared: &Shared) {
    let mut idle = 0;
    while !shared.stopped.load(Ordering::SeqCst) {
        thread::sleep(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
        drop(engine);
        if shared.guests.load(Ordering::SeqCst) > 0 {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle < IDLE_TICKS {
            continue;
        }
        // Announce first, look again second: a guest that arrives in between sees the announcement and unparks.
        shared.parked.store(true, Ordering::SeqCst);
        if shared.guests.load(Ordering::SeqCst) == 0 && !shared.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        shared.parked.store(false, Ordering::SeqCst);
        idle = 0;
    }
}

const TICK: Duration = Duration::from_millis(1);
const IDLE_TICKS: u32 = 100;
