//! What the built-in operations reach, and what sessions may be granted.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use alknet_agent::builtin::fs::FsRoot;
use alknet_agent::builtin::http::{self, HttpMethod};
use alknet_agent::{Language, Profile, SessionLimits};
use alknet_core::IdentityId;

use super::access::grants;
use super::check::{Checked, parse, path, problem, set_bytes, set_count, set_duration, set_size};
use super::raw::{self, Text};
use super::{CredentialPlace, HttpTarget, http_auth};

pub(super) fn fs_roots(raw: &[raw::FsRoot], base: &Path) -> Checked<Vec<FsRoot>> {
    let mut names = BTreeSet::new();
    let root = |root: &raw::FsRoot| {
        let name = unique(&mut names, &root.name)?;
        let path = path(Some(&root.path), base)?.unwrap_or_default();
        Ok(FsRoot { name, path, writable: root.writable })
    };
    raw.iter().map(root).collect()
}

pub(super) fn http_targets(raw: &[raw::HttpTarget], base: &Path) -> Checked<Vec<HttpTarget>> {
    let mut names = BTreeSet::new();
    raw.iter().map(|target| http_target(target, &mut names, base)).collect()
}

fn http_target(raw: &raw::HttpTarget, names: &mut BTreeSet<String>, base: &Path) -> Checked<HttpTarget> {
    let (mut timeout, mut response_bytes_max) = (HTTP_TIMEOUT, HTTP_RESPONSE_BYTES_MAX);
    set_duration(&mut timeout, raw.timeout.as_ref())?;
    set_bytes(&mut response_bytes_max, raw.response_max.as_ref())?;
    let methods = match &raw.methods {
        Some(methods) => methods.iter().map(method).collect::<Checked<_>>()?,
        None => vec![HttpMethod::Get, HttpMethod::Head],
    };
    let name = unique(names, &raw.name)?;
    let credential = http_auth::credential(raw, base)?;
    let target = http::HttpTarget {
        description: raw.description.clone(),
        base_url: raw.base_url.get_ref().clone(),
        methods,
        path_prefix: raw.path_prefix.clone(),
        credential: match &credential {
            Some(CredentialPlace::File(_)) => Some(format!("file:{name}")),
            Some(CredentialPlace::Store(stored)) => Some(stored.clone()),
            None => None,
        },
        auth: http_auth::auth(raw)?,
        timeout,
        response_bytes_max,
        allow_private: raw.allow_private,
        name,
    };
    Ok(HttpTarget { target, credential })
}

fn method(text: &Text) -> Checked<HttpMethod> {
    let known = METHODS.iter().find(|method| method.to_string() == *text.get_ref());
    let names = || METHODS.map(|method| format!("`{method}`")).join(", ");
    known.copied().ok_or_else(|| problem(text, format!("expected one of {}", names())))
}

pub(super) fn profiles(raw: &[raw::Profile]) -> Checked<Vec<Profile>> {
    let mut names = BTreeSet::new();
    raw.iter().map(|profile| checked_profile(profile, &mut names)).collect()
}

fn checked_profile(raw: &raw::Profile, names: &mut BTreeSet<String>) -> Checked<Profile> {
    let languages = match &raw.languages {
        Some(texts) => texts.iter().map(language).collect::<Checked<Vec<_>>>()?,
        None => Language::ALL.to_vec(),
    };
    Ok(Profile {
        name: unique(names, &raw.name)?,
        requires: raw.requires.as_ref().map(parse).transpose()?,
        env: raw.env.iter().map(parse).collect::<Checked<_>>()?,
        peer_env: raw.peer_env.iter().map(parse).collect::<Checked<_>>()?,
        grants: grants(&raw.scopes, &raw.resources)?,
        languages,
        limits: session_limits(&raw.limits)?,
    })
}

fn language(text: &Text) -> Checked<Language> {
    let known = Language::ALL.into_iter().find(|language| language.name() == text.get_ref());
    let names = || Language::ALL.map(|language| format!("`{}`", language.name())).join(", ");
    known.ok_or_else(|| problem(text, format!("expected one of {}", names())))
}

fn session_limits(raw: &raw::ProfileLimits) -> Checked<SessionLimits> {
    let mut limits = SessionLimits::default();
    set_size(&mut limits.operations_max, raw.operations_max);
    set_size(&mut limits.calls_in_flight_max, raw.calls_in_flight_max);
    set_size(&mut limits.examples_max, raw.examples_max);
    set_bytes(&mut limits.schema_bytes_max, raw.schema_max.as_ref())?;
    set_duration(&mut limits.ttl_default, raw.ttl_default.as_ref())?;
    set_duration(&mut limits.ttl_max, raw.ttl_max.as_ref())?;
    set_duration(&mut limits.idle_max, raw.idle_max.as_ref())?;
    if let Some(ttl) = raw.ttl_default.as_ref().or(raw.ttl_max.as_ref())
        && limits.ttl_default > limits.ttl_max
    {
        return Err(problem(ttl, "`ttl_default` is longer than `ttl_max`"));
    }
    let call = &mut limits.call;
    set_duration(&mut call.cpu, raw.cpu.as_ref())?;
    set_duration(&mut call.wall, raw.wall.as_ref())?;
    set_bytes(&mut call.memory_bytes_max, raw.memory_max.as_ref())?;
    set_bytes(&mut call.source_bytes_max, raw.source_max.as_ref())?;
    set_bytes(&mut call.component_bytes_max, raw.component_max.as_ref())?;
    set_bytes(&mut call.input_bytes_max, raw.input_max.as_ref())?;
    set_bytes(&mut call.output_bytes_max, raw.output_max.as_ref())?;
    set_bytes(&mut call.log_bytes_max, raw.log_max.as_ref())?;
    set_count(&mut call.host_calls_max, raw.host_calls_max);
    set_count(&mut call.host_calls_in_flight_max, raw.host_calls_in_flight_max);
    set_bytes(&mut call.host_call_bytes_max, raw.host_call_max.as_ref())?;
    set_bytes(&mut call.host_buffer_bytes_max, raw.host_buffer_max.as_ref())?;
    set_duration(&mut call.suspend_after, raw.suspend_after.as_ref())?;
    Ok(limits)
}

/// A name that was not given before, by the rules of identity ids.
pub(super) fn unique(names: &mut BTreeSet<String>, text: &Text) -> Checked<String> {
    let name: IdentityId = parse(text)
        .map_err(|_| problem(text, "expected 1 to 128 printable ASCII characters without spaces"))?;
    if !names.insert(name.to_string()) {
        return Err(problem(text, format!("the name `{name}` is given twice")));
    }
    Ok(name.to_string())
}

const METHODS: [HttpMethod; 6] = [
    HttpMethod::Get,
    HttpMethod::Head,
    HttpMethod::Post,
    HttpMethod::Put,
    HttpMethod::Patch,
    HttpMethod::Delete,
];
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
const HTTP_RESPONSE_BYTES_MAX: usize = 1 << 20;
