//! Turns that are shared out evenly: whoever waits, each share gets as many as every other.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// One party among which turns are shared out, such as an agent's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Share(u64);

impl Share {
    /// A share that nobody else has.
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A fixed number of turns. Within a share, turns are given in the order they were asked for; between shares, one
/// each in rotation. The number of those who wait is bounded.
#[derive(Debug)]
pub(crate) struct Turns {
    queue: Mutex<Queue>,
    waiting_max: usize,
}

/// One turn; dropping it passes it on.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    /// Nothing is passed on by a turn that already was.
    passed_on: bool,
}

#[derive(Debug)]
struct Queue {
    free: usize,
    waiting: usize,
    waiters: HashMap<Share, VecDeque<oneshot::Sender<Turn>>>,
    /// Shares with waiters, the next one first.
    rotation: VecDeque<Share>,
}

impl Turns {
    /// `count` turns, at least one, for which at most `waiting_max` wait.
    pub(crate) fn new(count: usize, waiting_max: usize) -> Arc<Self> {
        let (waiters, rotation) = (HashMap::new(), VecDeque::new());
        let queue = Queue { free: count.max(1), waiting: 0, waiters, rotation };
        Arc::new(Self { queue: Mutex::new(queue), waiting_max })
    }

    /// Waits for a turn; `None` when too many wait already. Dropping the future gives the place up.
    pub(crate) async fn take(self: &Arc<Self>, share: Share) -> Option<Turn> {
        let waiter = {
            let mut queue = self.queue();
            if queue.free > 0 {
                queue.free -= 1;
                return Some(self.turn());
            }
            if queue.waiting >= self.waiting_max {
                queue.forget_the_gone();
            }
            if queue.waiting >= self.waiting_max {
                return None;
            }
            queue.add(share)
        };
        waiter.await.ok()
    }

    /// Whether somebody waits for a turn.
    pub(crate) fn are_wanted(&self) -> bool {
        self.queue().waiting > 0
    }

    fn turn(self: &Arc<Self>) -> Turn {
        Turn { turns: Arc::clone(self), passed_on: false }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn add(&mut self, share: Share) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let waiters = self.waiters.entry(share).or_default();
        if waiters.is_empty() {
            self.rotation.push_back(share);
        }
        waiters.push_back(sender);
        self.waiting += 1;
        receiver
    }

    /// The next who waits, of the share whose rotation it is.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let share = self.rotation.pop_front()?;
        let waiters = self.waiters.get_mut(&share)?;
        let next = waiters.pop_front();
        if waiters.is_empty() {
            self.waiters.remove(&share);
        } else {
            self.rotation.push_back(share);
        }
        self.waiting -= usize::from(next.is_some());
        next
    }

    /// Drops the places of those who no longer wait.
    fn forget_the_gone(&mut self) {
        for waiters in self.waiters.values_mut() {
            waiters.retain(|waiter| !waiter.is_closed());
        }
        self.waiters.retain(|_, waiters| !waiters.is_empty());
        self.rotation.retain(|share| self.waiters.contains_key(share));
        self.waiting = self.waiters.values().map(VecDeque::len).sum();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.passed_on {
            return;
        }
        loop {
            let mut queue = self.turns.queue();
            let Some(next) = queue.next() else {
                queue.free += 1;
                return;
            };
            drop(queue);
            match next.send(self.turns.turn()) {
                Ok(()) => return,
                // Nobody waits there any more; this turn is passed on here, not by the drop of its copy.
                Err(mut unused) => unused.passed_on = true,
            }
        }
    }
}
