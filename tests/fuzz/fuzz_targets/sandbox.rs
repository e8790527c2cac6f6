//! What both targets of the sandbox need: a sandbox, somewhere to run it, and small limits.

use std::sync::OnceLock;
use std::time::Duration;

use alknet_sandbox::{Limits, RegisterError, Sandbox, SandboxConfig, Tool};
use tokio::runtime::{Builder, Runtime};

pub fn sandbox() -> &'static (Runtime, Sandbox) {
    static SANDBOX: OnceLock<(Runtime, Sandbox)> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let config = SandboxConfig { instances_max: 4, components_max: 4, ..SandboxConfig::default() };
        (runtime, Sandbox::new(config).unwrap())
    })
}

pub fn limits() -> Limits {
    Limits {
        cpu: Duration::from_millis(50),
        wall: Duration::from_secs(10),
        memory_bytes_max: 8 << 20,
        ..Limits::default()
    }
}

/// What is brought may be refused, but only as what it is.
pub fn check(registered: Result<Tool, RegisterError>) {
    if let Err(RegisterError::Internal(reason)) = registered {
        panic!("a defect: {reason}");
    }
}
