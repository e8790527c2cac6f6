//! `peer`: who may connect, beside the configuration.

use alknet_core::{Grants, IdentityId, IdentityStore as _, NewApiKey, PeerEntry};
use alknet_store::SqliteStore;
use serde_json::{Value, json};

use super::{Context, managed};
use crate::args::{PeerAddArgs, PeerCommand, PeerRotateArgs};
use crate::failure::{CommandError, CommandResult};
use crate::output::{Align, Output, Table};

use crate::project::Project;

/// Runs a `peer` command.
///
/// # Errors
/// A project or a store that cannot be used, or a peer that contradicts others.
pub(crate) async fn run(command: &PeerCommand, context: &Context) -> CommandResult {
    let project = Project::find(context.config.as_deref())?;
    let store = managed::open(&project)?;
    let output = context.output;
    match command {
        PeerCommand::Add(args) => add(args, &project, &store, output).await,
        PeerCommand::List => list(&project, &store, output),
        PeerCommand::Disable(args) => enable(&args.id, false, &project, &store, output).await,
        PeerCommand::Enable(args) => enable(&args.id, true, &project, &store, output).await,
        PeerCommand::Remove(args) => {
            stored(&args.id, &project, &store)?;
            store.remove_peer(&args.id).await.map_err(managed::failed)?;
            said(&args.id, "removed", None, output)
        }
        PeerCommand::Rotate(args) => rotate(args, &project, &store, output).await,
    }
}

async fn add(args: &PeerAddArgs, project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    let token = args.token.then(new_token).transpose()?;
    let grants = Grants::from_scopes(args.scopes.iter().cloned());
    let grants =
        args.resources.iter().fold(grants, |grants, (kind, action)| grants.with_resource(kind, action));
    let entry = PeerEntry {
        peer_id: args.id.clone(),
        fingerprints: args.keys.clone(),
        auth_token_hash: token.as_ref().map(|token| token.hash),
        grants,
        display_name: args.display_name.clone(),
        enabled: true,
    };
    managed::check(project, store, |policy| policy.peers.push(entry.clone()))?;
    store.put_peer(&entry).await.map_err(managed::failed)?;
    said(&args.id, "added", token.as_ref(), output)
}

async fn enable(
    id: &IdentityId,
    enabled: bool,
    project: &Project,
    store: &SqliteStore,
    output: Output,
) -> CommandResult {
    let entry = PeerEntry { enabled, ..stored(id, project, store)? };
    store.update_peer(&entry).await.map_err(managed::failed)?;
    said(id, if enabled { "enabled" } else { "disabled" }, None, output)
}

async fn rotate(
    args: &PeerRotateArgs,
    project: &Project,
    store: &SqliteStore,
    output: Output,
) -> CommandResult {
    let mut entry = stored(&args.id, project, store)?;
    let token = args.token.then(new_token).transpose()?;
    if let Some(token) = &token {
        entry.auth_token_hash = Some(token.hash);
    }
    if !args.keys.is_empty() {
        entry.fingerprints.clone_from(&args.keys);
    }
    managed::check(project, store, |policy| {
        policy.peers.retain(|peer| peer.peer_id != args.id);
        policy.peers.push(entry.clone());
    })?;
    store.update_peer(&entry).await.map_err(managed::failed)?;
    said(&args.id, "rotated", token.as_ref(), output)
}

/// A peer of the store; one of the configuration is changed there.
fn stored(id: &IdentityId, project: &Project, store: &SqliteStore) -> CommandResult<PeerEntry> {
    if let Some(entry) = store.policy().peers.into_iter().find(|peer| peer.peer_id == *id) {
        return Ok(entry);
    }
    let configured = project.config.access.policy.peers.iter().any(|peer| peer.peer_id == *id);
    if configured {
        let file = project.config.file().display();
        return Err(CommandError::configuration(format!("the peer `{id}` is part of the configuration"))
            .hint(format!("change it in {file}; a running host takes it over within a second")));
    }
    Err(CommandError::configuration(format!("there is no peer `{id}`")))
}

fn new_token() -> CommandResult<NewApiKey> {
    NewApiKey::generate().map_err(|error| CommandError::internal(format!("cannot make a token: {error}")))
}

fn said(id: &IdentityId, done: &str, token: Option<&NewApiKey>, output: Output) -> CommandResult {
    if output.is_json() {
        let token = token.map(|token| token.token.as_str());
        return output.json(&json!({ "peer": id.as_str(), "change": done, "token": token }));
    }
    let shown = match token {
        Some(token) => {
            format!("\n\nToken, shown only now; give it to the peer as a file:\n\n{}", *token.token)
        }
        None => String::new(),
    };
    output.text(&format!("Peer {id} is {done}. {}{shown}", managed::IN_FORCE))
}

fn list(project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    let (configured, stored) = (&project.config.access.policy.peers, store.policy().peers);
    let all = configured.iter().map(|peer| (peer, "configuration"));
    let all: Vec<(&PeerEntry, &str)> = all.chain(stored.iter().map(|peer| (peer, "store"))).collect();
    if output.is_json() {
        let peers: Vec<Value> = all.iter().map(|(peer, origin)| to_json(peer, origin)).collect();
        return output.json(&json!({ "peers": peers }));
    }
    if all.is_empty() {
        return output.text("There are no peers; `alknet-agent peer add` lets one in.");
    }
    let columns = [
        ("peer", Align::Left),
        ("from", Align::Left),
        ("state", Align::Left),
        ("known by", Align::Left),
        ("scopes", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (peer, origin) in all {
        let state = if peer.enabled { "enabled" } else { "disabled" };
        let keys =
            peer.fingerprints.iter().map(|key| key.to_string().chars().take(20).collect::<String>() + "…");
        let known_by: Vec<String> = keys.chain(peer.auth_token_hash.map(|_| "a token".to_owned())).collect();
        let row = [
            peer.peer_id.to_string(),
            (*origin).to_owned(),
            state.to_owned(),
            known_by.join(", "),
            scopes(peer).join(" "),
        ];
        table.row(row);
    }
    output.text(&table.render(""))
}

fn to_json(peer: &PeerEntry, origin: &str) -> Value {
    json!({
        "peer": peer.peer_id.as_str(),
        "from": origin,
        "enabled": peer.enabled,
        "fingerprints": peer.fingerprints.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "token": peer.auth_token_hash.is_some(),
        "scopes": scopes(peer),
        "display_name": peer.display_name,
    })
}

fn scopes(peer: &PeerEntry) -> Vec<String> {
    peer.grants.scopes().map(ToString::to_string).collect()
}
