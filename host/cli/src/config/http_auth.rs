//! How a target of `http/fetch` wants its credential, and where that comes from.

use std::path::Path;

use alknet_agent::builtin::http::HttpAuth;

use super::CredentialPlace;
use super::check::{Checked, path, problem};
use super::raw::{HttpTarget, Text};
use crate::credentials;

pub(super) fn credential(raw: &HttpTarget, base: &Path) -> Checked<Option<CredentialPlace>> {
    match (&raw.credential, &raw.credential_file) {
        (Some(name), Some(_)) => Err(problem(name, "give `credential` or `credential_file`, not both")),
        (Some(name), None) => {
            credentials::check_name(name.get_ref()).map_err(|expected| problem(name, expected))?;
            Ok(Some(CredentialPlace::Store(name.get_ref().clone())))
        }
        (None, file) => Ok(path(file.as_ref(), base)?.map(CredentialPlace::File)),
    }
}

pub(super) fn auth(raw: &HttpTarget) -> Checked<HttpAuth> {
    let named = |text: &Text| text.get_ref().clone();
    let missing = |kind: &Text, key: &str| problem(kind, format!("this takes `{key}`"));
    let Some(kind) = &raw.auth else {
        return unused(raw, &[]).map(|()| HttpAuth::Bearer);
    };
    if raw.credential.is_none() && raw.credential_file.is_none() {
        return Err(problem(kind, "there is nothing to send: this takes `credential` or `credential_file`"));
    }
    match kind.get_ref().as_str() {
        "bearer" => unused(raw, &[]).map(|()| HttpAuth::Bearer),
        "basic" => {
            unused(raw, &["auth_name"])?;
            Ok(HttpAuth::Basic { user: raw.auth_name.as_ref().map(named) })
        }
        "header" => {
            unused(raw, &["auth_name"])?;
            let name = raw.auth_name.as_ref().ok_or_else(|| missing(kind, "auth_name"))?;
            Ok(HttpAuth::Header { name: named(name) })
        }
        "query" => {
            unused(raw, &["auth_name"])?;
            let name = raw.auth_name.as_ref().ok_or_else(|| missing(kind, "auth_name"))?;
            Ok(HttpAuth::Query { name: named(name) })
        }
        "oauth" => {
            unused(raw, &["client_id", "token_url", "token_scope"])?;
            let client_id = raw.client_id.as_ref().ok_or_else(|| missing(kind, "client_id"))?;
            let token_url = raw.token_url.as_ref().ok_or_else(|| missing(kind, "token_url"))?;
            Ok(HttpAuth::ClientCredentials {
                token_url: named(token_url),
                client_id: named(client_id),
                scope: raw.token_scope.as_ref().map(named),
            })
        }
        _ => Err(problem(kind, "expected `bearer`, `basic`, `header`, `query` or `oauth`")),
    }
}

/// Refuses keys that mean nothing with this kind of `auth`.
fn unused(raw: &HttpTarget, used: &[&str]) -> Checked<()> {
    for (key, text) in [
        ("auth_name", &raw.auth_name),
        ("client_id", &raw.client_id),
        ("token_url", &raw.token_url),
        ("token_scope", &raw.token_scope),
    ] {
        if let Some(text) = text
            && !used.contains(&key)
        {
            return Err(problem(text, format!("`{key}` means nothing with this `auth`")));
        }
    }
    Ok(())
}
