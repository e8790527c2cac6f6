//! What is logged, on standard error. The audit log is something else.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::args::LogLevel;
use crate::failure::{CommandError, CommandResult};

/// The directives of a level: libraries that are not ours say less.
pub(crate) fn directives(level: LogLevel) -> String {
    match level {
        LogLevel::Off => "off".to_owned(),
        LogLevel::Error => "error".to_owned(),
        LogLevel::Warn => "warn".to_owned(),
        LogLevel::Info => "warn,alknet=info".to_owned(),
        LogLevel::Debug => "info,alknet=debug".to_owned(),
        LogLevel::Trace => "trace".to_owned(),
    }
}

/// Starts logging. Must be called at most once.
pub(crate) fn start(directives: &str) -> CommandResult {
    let filter = EnvFilter::try_new(directives).map_err(|error| {
        CommandError::configuration(format!("`{directives}` says nothing to log: {error}"))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // A log that cannot be written is nowhere to be told about; trying to would panic, and end a host.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal() && crate::output::colours_are_wanted())
        .with_target(false);
    subscriber.try_init().map_err(|error| CommandError::internal(format!("cannot start logging: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_level_has_directives() {
        for level in LogLevel::value_variants() {
            assert!(EnvFilter::try_new(directives(*level)).is_ok(), "{level:?}");
        }
    }
}
