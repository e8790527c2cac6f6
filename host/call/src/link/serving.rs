//! The peer's live calls, by the peer's correlation ids: the one table that aborts, deadlines and lost streams act on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{AbortHandle, AbortRegistration};

use crate::feed::{Chunks, FeedSender, feed};
use crate::{CallError, Limits};

/// Tells streams of a link apart.
pub(super) type StreamId = u64;

pub(super) struct Serving {
    state: Mutex<State>,
    in_flight_max: usize,
    in_flight_bytes_max: usize,
    duplicates_max: u32,
}

#[derive(Default)]
struct State {
    live: HashMap<String, Live>,
    /// Of the requests of all live calls.
    bytes: usize,
    duplicates: u32,
    draining: bool,
}

struct Live {
    stream: StreamId,
    bytes: usize,
    abort: AbortHandle,
    /// Where chunks go, until the caller has completed the publication.
    feed: Option<FeedSender>,
}

/// A request that arrived.
pub(super) struct Arrived<'a> {
    pub(super) id: &'a str,
    pub(super) stream: StreamId,
    /// Of the frame's body.
    pub(super) bytes: usize,
    /// Whether chunks may follow right behind it.
    pub(super) takes_chunks: bool,
}

/// The place of a request that becomes a call.
pub(super) struct Place {
    pub(super) abort: AbortRegistration,
    pub(super) chunks: Option<Chunks>,
}

/// Why a request does not become a call.
pub(super) enum Turned {
    /// The id is live: answering would end the first call at the caller, so the request is dropped.
    Duplicate,
    /// So many duplicates in a row that the connection is to be closed.
    Hostile,
    /// Answered with this error.
    Refused(CallError),
}

impl Serving {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: Mutex::default(),
            in_flight_max: limits.in_flight_max,
            in_flight_bytes_max: limits.in_flight_bytes_max,
            duplicates_max: limits.duplicate_ids_max,
        }
    }

    /// Takes an id for a new call.
    pub(super) fn begin(&self, arrived: &Arrived<'_>) -> Result<Place, Turned> {
        let mut state = self.lock();
        let state = &mut *state;
        let room = self.has_room(state, arrived.bytes);
        let Entry::Vacant(place) = state.live.entry(arrived.id.to_owned()) else {
            state.duplicates += 1;
            let hostile = state.duplicates >= self.duplicates_max;
            return Err(if hostile { Turned::Hostile } else { Turned::Duplicate });
        };
        state.duplicates = 0;
        room.map_err(Turned::Refused)?;
        let (handle, abort) = AbortHandle::new_pair();
        let (feed, chunks) = if arrived.takes_chunks { Some(feed()).unzip() } else { (None, None) };
        place.insert(Live { stream: arrived.stream, bytes: arrived.bytes, abort: handle, feed });
        state.bytes += arrived.bytes;
        Ok(Place { abort, chunks })
    }

    fn has_room(&self, state: &State, bytes: usize) -> Result<(), CallError> {
        if state.draining {
            return Err(CallError::internal("the host is shutting down").retryable(true));
        }
        if state.live.len() >= self.in_flight_max {
            let max = self.in_flight_max;
            let message = format!("more than {max} calls in flight on one connection");
            return Err(CallError::internal(message).retryable(true));
        }
        if !state.live.is_empty() && state.bytes.saturating_add(bytes) > self.in_flight_bytes_max {
            let max = self.in_flight_bytes_max;
            let message = format!("more than {max} bytes of requests in flight on one connection");
            return Err(CallError::internal(message).retryable(true));
        }
        Ok(())
    }

    /// Frees an id; false when the call was aborted meanwhile and must not be answered.
    pub(super) fn end(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Whether the call runs and was not aborted.
    pub(super) fn is_live(&self, id: &str) -> bool {
        self.lock().live.contains_key(id)
    }

    /// Cancels one call; false for an unknown id.
    pub(super) fn cancel(&self, id: &str) -> bool {
        let live = self.lock().remove(id);
        let ran = live.is_some();
        if let Some(live) = live {
            live.abort.abort();
        }
        ran
    }

    /// Where the chunks of a publication go that came in on this stream.
    pub(super) fn feed(&self, id: &str, stream: StreamId) -> Option<FeedSender> {
        self.lock().live.get(id).filter(|live| live.stream == stream)?.feed.clone()
    }

    /// The same, for the last time: no chunks follow.
    pub(super) fn end_feed(&self, id: &str, stream: StreamId) -> Option<FeedSender> {
        self.lock().live.get_mut(id).filter(|live| live.stream == stream)?.feed.take()
    }

    /// The same for every publication that came in on one stream and is not completed, with its id.
    pub(super) fn end_feeds(&self, stream: StreamId) -> Vec<(String, FeedSender)> {
        let mut state = self.lock();
        let on_stream = state.live.iter_mut().filter(|(_, live)| live.stream == stream);
        on_stream.filter_map(|(id, live)| Some((id.clone(), live.feed.take()?))).collect()
    }

    /// Cancels the calls that came in on one stream.
    pub(super) fn abort_stream(&self, stream: StreamId) {
        let mut state = self.lock();
        let gone: Vec<String> =
            state.live.iter().filter(|(_, live)| live.stream == stream).map(|(id, _)| id.clone()).collect();
        for id in gone {
            if let Some(live) = state.remove(&id) {
                live.abort.abort();
            }
        }
    }

    /// Refuses calls from now on; those that run may finish.
    pub(super) fn drain(&self) {
        self.lock().draining = true;
    }

    /// Cancels everything and refuses the rest.
    pub(super) fn cancel_all(&self) {
        let mut state = self.lock();
        state.draining = true;
        state.bytes = 0;
        for (_, live) in state.live.drain() {
            live.abort.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, id: &str) -> Option<Live> {
        let live = self.live.remove(id)?;
        self.bytes = self.bytes.saturating_sub(live.bytes);
        Some(live)
    }
}
