//! Defects of this program: said briefly, without a backtrace, and never without an exit code.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};

use crate::failure::{CommandError, CommandResult};

/// Logs panics in one line, with the place and without the message, which may hold an input.
pub(crate) fn report_briefly() {
    set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "internal error: please report it with this place");
    }));
}

/// Runs a command; a panic of it becomes an error.
pub(crate) fn contain(command: impl FnOnce() -> CommandResult) -> CommandResult {
    // A command that panicked is not looked at again: nothing can be seen in a broken state.
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        Err(CommandError::internal("internal error: this is a defect of alknet-agent")
            .hint("--log error shows the place; please report it with the command that was run"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let error = contain(|| panic!("secret")).unwrap_err();
        assert_eq!(error.kind().code(), 70);
        assert!(!error.to_text().contains("secret"));
        assert!(contain(|| Ok(())).is_ok());
    }
}
