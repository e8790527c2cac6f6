//! Turns go round among the shares, and none is lost.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::{Share, Turn, Turns};

fn now(turns: &Arc<Turns>, share: Share) -> Turn {
    turns.take(share).now_or_never().flatten().unwrap()
}

#[test]
fn a_share_with_many_waiters_does_not_keep_another_waiting() {
    let turns = Turns::new(1, 100);
    let (greedy, modest) = (Share::fresh(), Share::fresh());
    let first = now(&turns, greedy);
    let mut waiting: Vec<_> = (0..10).map(|_| (greedy, Box::pin(turns.take(greedy)))).collect();
    waiting.extend((0..2).map(|_| (modest, Box::pin(turns.take(modest)))));
    for (_, waiter) in &mut waiting {
        assert!(waiter.as_mut().now_or_never().is_none());
    }
    let (mut held, mut order) = (Some(first), Vec::new());
    while !waiting.is_empty() {
        held = None;
        let at = waiting.iter_mut().position(|(_, waiter)| {
            held = waiter.as_mut().now_or_never().flatten();
            held.is_some()
        });
        order.push(waiting.remove(at.unwrap()).0 == modest);
    }
    assert_eq!(order.iter().position(|modest| *modest), Some(1));
    assert_eq!(order.iter().rposition(|modest| *modest), Some(3));
    drop(held);
    assert!(turns.take(greedy).now_or_never().is_some());
}

#[test]
fn who_goes_away_is_passed_over() {
    let turns = Turns::new(1, 2);
    let (one, two) = (Share::fresh(), Share::fresh());
    let held = now(&turns, one);
    let mut gone = Box::pin(turns.take(one));
    let mut stays = Box::pin(turns.take(two));
    assert!(gone.as_mut().now_or_never().is_none());
    assert!(stays.as_mut().now_or_never().is_none());
    // Two wait, and no third may; one that went away makes room.
    assert!(turns.take(two).now_or_never().unwrap().is_none());
    drop(gone);
    let mut third = Box::pin(turns.take(one));
    assert!(third.as_mut().now_or_never().is_none());
    drop(held);
    let second = stays.as_mut().now_or_never().flatten().unwrap();
    assert!(third.as_mut().now_or_never().is_none());
    drop(second);
    assert!(third.as_mut().now_or_never().flatten().is_some());
    assert!(!turns.are_wanted());
    drop(now(&turns, two));
}

#[test]
fn a_turn_that_was_given_but_not_fetched_is_not_lost() {
    let turns = Turns::new(1, 10);
    let share = Share::fresh();
    let held = now(&turns, share);
    let mut waiter = Box::pin(turns.take(share));
    assert!(waiter.as_mut().now_or_never().is_none());
    drop(held);
    drop(waiter);
    drop(now(&turns, share));
}
