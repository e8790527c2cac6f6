//! The configuration file that `init` writes: the reference of every key, with its default.

use std::fmt::Write as _;
use std::net::SocketAddr;

use alknet_core::Fingerprint;

use super::DATA_DIR;

/// What differs from one generated configuration to the next.
#[derive(Debug)]
pub(crate) struct Template<'a> {
    /// The data folder; `None` for the default.
    pub(crate) data_dir: Option<&'a str>,
    /// Where to listen for direct QUIC; `None` for the default.
    pub(crate) listen: Option<SocketAddr>,
    /// The folder to show as the file root `project`, read-only.
    pub(crate) root: &'a str,
    /// The peers to let in.
    pub(crate) peers: &'a [PeerLine<'a>],
}

/// A peer to let in.
#[derive(Debug)]
pub(crate) struct PeerLine<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// Its key.
    pub(crate) fingerprint: Fingerprint,
    /// What it holds.
    pub(crate) scopes: &'a [&'a str],
    /// A name for people.
    pub(crate) display_name: &'a str,
}

/// Every scope the host's own operations ask for, with what it opens.
pub(crate) const SCOPES: [(&str, &str); 10] = [
    ("session", "open sessions, write and run tools"),
    ("fs:read", "fs/read, fs/list, fs/stat, fs/search"),
    ("fs:write", "fs/write, where the root is writable"),
    ("kv:read", "kv/get, kv/list"),
    ("kv:write", "kv/put, kv/delete, kv/import"),
    ("http:fetch", "http/fetch"),
    ("audit:read", "audit/*, everybody's records"),
    ("audit:prune", "audit/prune"),
    ("op:register", "op/register: serve operations to this host"),
    ("admin", "host/status"),
];

/// The scopes of an operator: all that the host's own operations ask for.
pub(crate) fn operator_scopes() -> Vec<&'static str> {
    SCOPES.iter().map(|(scope, _)| *scope).collect()
}

impl Template<'_> {
    /// The text of the file.
    pub(crate) fn render(&self) -> String {
        let data_dir = setting("data_dir", self.data_dir.map(quote), &quote(DATA_DIR));
        let listen =
            setting("listen", self.listen.map(|addr| quote(&addr.to_string())), &quote("127.0.0.1:7443"));
        TEMPLATE
            .replace("@data_dir@", &data_dir)
            .replace("@listen@", &listen)
            .replace("@scope_lines@", scope_lines().trim_end())
            .replace("@peers@\n", &self.peers())
            .replace("@fs_roots@\n", &self.fs_roots())
            .replace("@profiles@\n", PROFILES)
            .replace("@example_key@", &"0123456789abcdef".repeat(4))
            .replace("@example_hash@", &"fedcba9876543210".repeat(4))
    }

    fn peers(&self) -> String {
        self.peers.iter().fold(String::new(), |text, peer| text + &peer.block() + "\n")
    }

    fn fs_roots(&self) -> String {
        let path = quote(self.root);
        format!("[[fs.root]]\nname = \"project\"\npath = {path}\n#writable = false\n\n")
    }
}

impl PeerLine<'_> {
    /// The peer as a `[[peer]]` block.
    fn block(&self) -> String {
        let scopes: Vec<String> = self.scopes.iter().map(|scope| quote(scope)).collect();
        let (id, name) = (quote(self.id), quote(self.display_name));
        let (fingerprint, scopes) = (quote(&self.fingerprint.to_string()), scopes.join(", "));
        format!(
            "[[peer]]\nid = {id}\nfingerprints = [{fingerprint}]\nscopes = [{scopes}]\ndisplay_name = {name}\n#enabled = true\n"
        )
    }
}

/// A text as a TOML string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn setting(key: &str, value: Option<String>, default: &str) -> String {
    value.map_or_else(|| format!("#{key} = {default}"), |value| format!("{key} = {value}"))
}

fn scope_lines() -> String {
    SCOPES.iter().fold(String::new(), |mut text, (scope, opens)| {
        // Writing to a string cannot fail.
        writeln!(text, "#     {scope:<12} {opens}").unwrap_or_default();
        text
    })
}

const TEMPLATE: &str = include_str!("template.toml");
const PROFILES: &str = include_str!("profile.toml");
