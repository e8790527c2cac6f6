//! The configuration file as it is written. Every key is optional unless a section makes no sense without it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

/// A text whose meaning is checked later, with its place for the message.
pub(super) type Text = Spanned<String>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) host: Host,
    pub(super) quic: Quic,
    pub(super) iroh: Iroh,
    pub(super) socket: Socket,
    pub(super) audit: Audit,
    pub(super) limits: Limits,
    pub(super) peer: Vec<Peer>,
    pub(super) api_key: Vec<ApiKey>,
    pub(super) remote: Vec<Remote>,
    pub(super) fs: Fs,
    pub(super) http: Http,
    pub(super) kv: Kv,
    pub(super) sandbox: Sandbox,
    pub(super) profile: Vec<Profile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Host {
    pub(super) data_dir: Option<Text>,
    pub(super) drain_timeout: Option<Text>,
    pub(super) log: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Quic {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) listen: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Iroh {
    pub(super) enabled: Option<bool>,
    pub(super) bind: Option<Text>,
    pub(super) relay: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Socket {
    pub(super) enabled: Option<bool>,
}

/// Another host whose operations this one uses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remote {
    pub(super) id: Text,
    pub(super) fingerprint: Text,
    pub(super) address: Option<Text>,
    #[serde(default)]
    pub(super) iroh: bool,
    pub(super) relay: Option<Text>,
    pub(super) prefix: Option<Text>,
    pub(super) operations: Option<Vec<Text>>,
    pub(super) token_file: Option<Text>,
    #[serde(default)]
    pub(super) hide_callers: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) durability: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) call_timeout: Option<Text>,
    pub(super) depth_max: Option<NonZeroU32>,
    pub(super) tree_calls_max: Option<NonZeroU32>,
    pub(super) frame_max: Option<Text>,
    pub(super) frame_anonymous_max: Option<Text>,
    pub(super) streams_max: Option<NonZeroU32>,
    pub(super) in_flight_max: Option<NonZeroU32>,
    pub(super) in_flight_bytes_max: Option<Text>,
    pub(super) pending_max: Option<NonZeroU32>,
    pub(super) unread_bytes_max: Option<Text>,
    pub(super) frame_read_timeout: Option<Text>,
    pub(super) write_timeout: Option<Text>,
    pub(super) write_queue_max: Option<NonZeroU32>,
    pub(super) subscription_queue_max: Option<NonZeroU32>,
    pub(super) feed_queue_max: Option<NonZeroU32>,
    pub(super) feed_bytes_max: Option<Text>,
    pub(super) feed_timeout: Option<Text>,
    pub(super) duplicate_ids_max: Option<NonZeroU32>,
    pub(super) detached_calls_max: Option<NonZeroU32>,
    pub(super) peer_operations_max: Option<NonZeroU32>,
    pub(super) peer_spec_max: Option<Text>,
    pub(super) sessions_max: Option<NonZeroU32>,
    pub(super) sessions_per_identity_max: Option<NonZeroU32>,
    pub(super) idle_timeout: Option<Text>,
    pub(super) handshake_timeout: Option<Text>,
    pub(super) connections_max: Option<NonZeroU32>,
    pub(super) connections_per_ip_max: Option<NonZeroU32>,
    pub(super) auth_attempts_max: Option<NonZeroU32>,
    pub(super) calls_per_second_max: Option<NonZeroU32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    pub(super) id: Text,
    #[serde(default)]
    pub(super) fingerprints: Vec<Text>,
    pub(super) auth_token_hash: Option<Text>,
    #[serde(default)]
    pub(super) scopes: Vec<Text>,
    #[serde(default)]
    pub(super) resources: BTreeMap<String, Vec<String>>,
    pub(super) display_name: Option<String>,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKey {
    pub(super) prefix: Text,
    pub(super) hash: Text,
    #[serde(default)]
    pub(super) scopes: Vec<Text>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) expires_at: Option<Spanned<Datetime>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Fs {
    pub(super) root: Vec<FsRoot>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FsRoot {
    pub(super) name: Text,
    pub(super) path: Text,
    #[serde(default)]
    pub(super) writable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    pub(super) target: Vec<HttpTarget>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTarget {
    pub(super) name: Text,
    #[serde(default)]
    pub(super) description: String,
    pub(super) base_url: Text,
    pub(super) methods: Option<Vec<Text>>,
    pub(super) path_prefix: Option<String>,
    pub(super) credential_file: Option<Text>,
    pub(super) credential: Option<Text>,
    pub(super) auth: Option<Text>,
    pub(super) auth_name: Option<Text>,
    pub(super) client_id: Option<Text>,
    pub(super) token_url: Option<Text>,
    pub(super) token_scope: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) response_max: Option<Text>,
    #[serde(default)]
    pub(super) allow_private: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Kv {
    pub(super) path: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sandbox {
    pub(super) instances_max: Option<NonZeroU32>,
    pub(super) components_max: Option<NonZeroU32>,
    pub(super) suspended_max: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) name: Text,
    pub(super) requires: Option<Text>,
    pub(super) env: Vec<Text>,
    #[serde(default)]
    pub(super) peer_env: Vec<Text>,
    #[serde(default)]
    pub(super) scopes: Vec<Text>,
    #[serde(default)]
    pub(super) resources: BTreeMap<String, Vec<String>>,
    pub(super) languages: Option<Vec<Text>>,
    #[serde(default)]
    pub(super) limits: ProfileLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProfileLimits {
    pub(super) ttl_default: Option<Text>,
    pub(super) ttl_max: Option<Text>,
    pub(super) idle_max: Option<Text>,
    pub(super) operations_max: Option<NonZeroU32>,
    pub(super) calls_in_flight_max: Option<NonZeroU32>,
    pub(super) examples_max: Option<NonZeroU32>,
    pub(super) schema_max: Option<Text>,
    pub(super) cpu: Option<Text>,
    pub(super) wall: Option<Text>,
    pub(super) memory_max: Option<Text>,
    pub(super) source_max: Option<Text>,
    pub(super) component_max: Option<Text>,
    pub(super) input_max: Option<Text>,
    pub(super) output_max: Option<Text>,
    pub(super) log_max: Option<Text>,
    pub(super) host_calls_max: Option<NonZeroU32>,
    pub(super) host_calls_in_flight_max: Option<NonZeroU32>,
    pub(super) host_call_max: Option<Text>,
    pub(super) host_buffer_max: Option<Text>,
    pub(super) suspend_after: Option<Text>,
}

fn yes() -> bool {
    true
}
