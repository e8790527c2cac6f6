//! Sessions, the operations agents write in them, and the operations they are built from.
//!
//! **Goals.** An agent opens a session, registers tools it wrote, and runs them: everything they may reach was
//! fixed when the session was opened ([`Sessions`]); everything that happens is recorded. The built-in operations
//! ([`builtin`]) give tools files, key-value storage, configured HTTP targets and the time; [`audit_ops`] let
//! agents and auditors ask what was done.
//!
//! **Non-goals.** No transport, no configuration files, no language model: agents are clients of the host.
//!
//! ```
//! use std::sync::Arc;
//! use alknet_agent::{Language, Profile, SessionLimits, Sessions, SessionsConfig};
//! use alknet_audit::{AuditLog, Options};
//! use alknet_call::{OpName, Registry};
//! use alknet_core::{Ed25519SecretKey, Grants, SystemClock};
//! use alknet_sandbox::{Sandbox, SandboxConfig};
//!
//! # let dir = tempfile::tempdir()?;
//! let clock = Arc::new(SystemClock);
//! let sessions = Sessions::new(SessionsConfig {
//!     profiles: vec![Profile {
//!         name: "default".to_owned(),
//!         requires: None,
//!         env: [OpName::parse("time/now")?].into(),
//!         peer_env: [].into(),
//!         grants: Grants::default(),
//!         languages: vec![Language::TypeScript],
//!         limits: SessionLimits::default(),
//!     }],
//!     per_identity_max: 8,
//!     total_max: 64,
//!     sandbox: Sandbox::new(SandboxConfig::default())?,
//!     log: AuditLog::open(dir.path(), Options::new(Ed25519SecretKey::generate()?, clock.clone()))?,
//!     clock,
//! })?;
//! let registry = Registry::builder()
//!     .register_all(alknet_agent::builtin::time::registrations()?)?
//!     .register_all(sessions.registrations()?)?
//!     .build();
//! sessions.check(&registry)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod audit_ops;
pub mod builtin;
mod declarations;
mod declared;
mod guard;
mod session;

pub use guard::SecretGuard;
pub use session::{Language, Profile, SESSION_SCOPE, SessionLimits, Sessions, SessionsConfig, SessionsError};
