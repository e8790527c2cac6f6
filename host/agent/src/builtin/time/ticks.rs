//! `time/ticks`: the host's wall-clock time, again and again. Open to everybody.

use std::time::Duration;

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, stream_handler};
use futures_util::stream::{self, Stream, StreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Milliseconds from one tick to the next.
    #[schemars(range(min = 10, max = 86_400_000))]
    every_ms: u64,
    /// How many ticks there are; without it they go on until nobody takes them.
    #[schemars(range(min = 1))]
    count: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    /// 0 for the first tick, which comes at once. A taker that is behind misses ticks, and their numbers.
    tick: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    unix_ms: u64,
}

pub(crate) fn registration() -> Result<Registration, SpecError> {
    let spec = OperationSpec::subscription::<Input, Item>("time/ticks")?
        .describe("Ticks in an interval, with the host's wall-clock time, for as long as you listen.");
    Ok(Registration::local(spec, stream_handler(ticks)))
}

fn ticks(input: Value, scope: CallScope) -> impl Stream<Item = Result<Value, CallError>> {
    let Ok(Input { every_ms, count }) = serde_json::from_value(input) else {
        let error = CallError::invalid_input("the input does not fit the operation's type");
        return stream::iter([Err(error)]).left_stream();
    };
    let every = Duration::from_millis(every_ms.max(1));
    let begun = Instant::now();
    let mut interval = interval_at(begun, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let last = count.unwrap_or(u64::MAX);
    let items = stream::unfold(interval, move |mut interval| {
        let scope = scope.clone();
        async move {
            let at = interval.tick().await;
            let tick = at.duration_since(begun).as_millis() / u128::from(every_ms.max(1));
            let tick = u64::try_from(tick).unwrap_or(u64::MAX);
            let item = Item { tick, unix_ms: scope.clock().unix_micros() / 1000 };
            (tick < last).then_some((item, interval))
        }
    });
    items
        .map(|item| serde_json::to_value(item).map_err(|_| CallError::internal("the item is not JSON")))
        .right_stream()
}
