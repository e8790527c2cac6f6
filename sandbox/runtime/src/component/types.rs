//! The types of `schemas/wit/tool.wit`.

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::{HostCallError, LogLevel};

/// `types.error`.
#[derive(Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct ToolError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) retryable: bool,
    pub(super) details: Option<String>,
}

/// `runtime.level`.
#[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only ever lifted out of a component")]
pub(super) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<HostCallError> for ToolError {
    fn from(error: HostCallError) -> Self {
        let HostCallError { code, message, retryable, details } = error;
        Self { code, message, retryable, details }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
