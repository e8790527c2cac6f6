//! What looks at every result before it leaves the operation that made it.

use serde_json::Value;

use crate::dispatch::unrecorded;
use crate::{CallError, CallFacts, Recorded};

/// Looks at the result of every call, root or composed, and at every item, before its caller gets it; may change it.
/// One for a whole host: it has no exceptions.
pub trait Screen: Send + Sync + 'static {
    /// The result as its caller may see it.
    fn screen(&self, call: &CallFacts<'_>, result: Result<Value, CallError>) -> Screened;
}

/// A result that was looked at.
#[derive(Debug)]
pub struct Screened {
    /// What the caller gets.
    pub result: Result<Value, CallError>,
    /// Whether a change of it is recorded; when it is not, the caller gets nothing.
    pub recorded: Recorded,
}

impl Screened {
    /// A result that was not changed.
    #[must_use]
    pub fn clean(result: Result<Value, CallError>) -> Self {
        Self { result, recorded: Recorded::Done }
    }
}

/// The way out of a call, past the screen where there is one.
pub(crate) struct Exit<'a> {
    screen: Option<&'a dyn Screen>,
    facts: CallFacts<'a>,
}

impl<'a> Exit<'a> {
    pub(crate) fn new(screen: Option<&'a dyn Screen>, facts: CallFacts<'a>) -> Self {
        Self { screen, facts }
    }

    /// A value, or an item, as the caller may see it.
    pub(crate) async fn value(&self, value: Value) -> Result<Value, CallError> {
        let Some(screen) = self.screen else { return Ok(value) };
        let Screened { result, recorded } = screen.screen(&self.facts, Ok(value));
        recorded.at_once().await.map_err(|_| unrecorded())?;
        result
    }

    /// An error as the caller may see it.
    pub(crate) async fn error(&self, error: CallError) -> CallError {
        let Some(screen) = self.screen else { return error };
        let Screened { result, recorded } = screen.screen(&self.facts, Err(error));
        match (recorded.at_once().await, result) {
            (Ok(()), Err(error)) => error,
            (Ok(()), Ok(_)) | (Err(_), _) => unrecorded(),
        }
    }
}
