//! The operations of a host.

use std::sync::Arc;

use alknet_agent::builtin::fs::{self, FsLimits, FsRootError, FsRoots};
use alknet_agent::builtin::http::{self, HttpLimits, HttpSetupError};
use alknet_agent::builtin::kv::{self, KvLimits, KvStore};
use alknet_agent::builtin::time;
use alknet_agent::{Sessions, SessionsConfig, SessionsError, audit_ops};
use alknet_audit::AuditLog;
use alknet_call::{Registration, Registry, with_discovery, with_peer_operations};
use alknet_core::Fingerprint;
use alknet_sandbox::Sandbox;

use super::access::{self, Access};
use super::status::{self, Facts};
use super::{Parts, StartError, Stored};
use crate::config::{Config, Step};

impl Parts<'_> {
    /// The operations that need nothing but the configuration.
    pub(super) fn builtins(&self, stored: &Stored) -> Result<Vec<Registration>, StartError> {
        let store = KvStore::open(&self.settings().kv_path, KvLimits::default())?;
        let mut all = self.fs()?;
        all.extend(self.http(stored)?);
        all.extend(kv::registrations(store)?);
        all.extend(time::registrations()?);
        let policy = Arc::clone(&stored.in_force);
        let access = Access { policy, log: stored.log.clone(), clock: Arc::clone(&self.clock) };
        all.extend(access::registrations(&access)?);
        Ok(all)
    }

    /// The curated layer, and the sessions behind its `session/*` operations.
    pub(super) fn operations(
        &self,
        log: &AuditLog,
        sandbox: Sandbox,
        builtins: Vec<Registration>,
    ) -> Result<(Registry, Sessions), StartError> {
        let settings = self.settings();
        let guest = sandbox.guest_digest().to_owned();
        let sessions = Sessions::new(SessionsConfig {
            profiles: settings.profiles.clone(),
            per_identity_max: settings.sessions_per_identity_max,
            total_max: settings.sessions_max,
            sandbox,
            log: log.clone(),
            clock: Arc::clone(&self.clock),
        })?;
        let facts = Facts {
            started_at: self.clock.unix_seconds(),
            started: tokio::time::Instant::now(),
            fingerprint: Fingerprint::from(&self.keys.identity.public()),
            guest,
            log: log.clone(),
            sessions: sessions.clone(),
        };
        let registry = with_peer_operations(with_discovery(Registry::builder())?)?
            .register_all(builtins)?
            .register_all(sessions.registrations()?)?
            .register_all(audit_ops::registrations(log)?)?
            .register(status::registration(facts)?)?
            .build();
        sessions.check(&registry).map_err(|error| unknown_operation(self.config, error))?;
        Ok((registry, sessions))
    }

    /// `fs/*`, where a root is configured.
    fn fs(&self) -> Result<Vec<Registration>, StartError> {
        let roots = self.settings().fs_roots.clone();
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let roots = FsRoots::new(roots).map_err(|error| root_error(self.config, error))?;
        Ok(fs::registrations(roots, FsLimits::default())?)
    }

    /// `http/fetch`, where a target is configured.
    fn http(&self, stored: &Stored) -> Result<Vec<Registration>, StartError> {
        let targets = &self.settings().http_targets;
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let targets = targets.iter().map(|target| target.target.clone()).collect();
        let registrations = http::registrations(
            targets,
            stored.credentials.source().clone(),
            stored.guard.clone(),
            HttpLimits::default(),
        );
        registrations.map_err(|error| target_error(self.config, error))
    }
}

fn unknown_operation(config: &Config, error: SessionsError) -> StartError {
    let SessionsError::UnknownOperation { profile, operation } = &error else {
        return error.into();
    };
    let index = config.settings.profiles.iter().position(|known| known.name == *profile).unwrap_or_default();
    let place = [Step::Key("profile"), Step::Index(index), Step::Key("env"), Step::Text(operation.as_str())];
    config.error_at(&place, format!("this host has no operation `{operation}`")).into()
}

fn root_error(config: &Config, error: FsRootError) -> StartError {
    let at = |name: &str, key| {
        let index = config.settings.fs_roots.iter().position(|root| root.name == name).unwrap_or_default();
        let place = [Step::Key("fs"), Step::Key("root"), Step::Index(index), Step::Key(key)];
        config.error_at(&place, error.to_string())
    };
    match &error {
        FsRootError::None => StartError::Fs(error),
        FsRootError::Name(name) | FsRootError::Duplicate(name) => at(name, "name").into(),
        FsRootError::Unreadable { name, .. } => at(name, "path").into(),
    }
}

fn target_error(config: &Config, error: HttpSetupError) -> StartError {
    let name = match &error {
        HttpSetupError::Name(name) | HttpSetupError::Duplicate(name) => name,
        HttpSetupError::Target { name, .. } => name,
        HttpSetupError::Client { .. } | HttpSetupError::Spec(_) => return error.into(),
    };
    let index = config.settings.http_targets.iter().position(|known| known.target.name == *name);
    let place = [Step::Key("http"), Step::Key("target"), Step::Index(index.unwrap_or_default())];
    config.error_at(&place, error.to_string()).into()
}
