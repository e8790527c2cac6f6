use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::project::{Project, read_key};

/// Every path below a folder, with its mode.
fn tree(dir: &Path) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.symlink_metadata().unwrap().permissions().mode() & 0o777;
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(tree(&path).into_iter().map(|(below, mode)| (format!("{name}/{below}"), mode)));
        }
        found.insert((name, mode));
    }
    found
}

fn new() -> NewKey {
    NewKey::File(Box::new(Ed25519SecretKey::generate().unwrap()))
}

#[test]
fn a_project_is_complete_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("deep/er");
    let done = init(&project, new()).unwrap();
    let modes = tree(&project);
    for (path, mode) in [
        (".alknet-agent", 0o700),
        (".alknet-agent/host.key", 0o600),
        (".alknet-agent/operator.key", 0o600),
        (".alknet-agent/.gitignore", 0o600),
        (".alknet-agent/audit", 0o700),
        (".alknet-agent/cache", 0o700),
        ("alknet-agent.toml", 0o600),
    ] {
        assert!(modes.contains(&(path.to_owned(), mode)), "{path} {modes:?}");
    }
    assert_eq!(modes.len(), 9, "{modes:?}");

    let opened = Project::open(&done.config).unwrap();
    let host = read_key(&opened.layout.host_key()).unwrap().public();
    let operator = read_key(&opened.layout.operator_key()).unwrap().public();
    assert_eq!(Fingerprint::from(&host), done.host);
    assert_ne!(done.host, done.operator);
    let peers = &opened.config.access.policy.peers;
    assert_eq!(peers[0].peer_id.as_str(), "operator");
    assert_eq!(peers[0].fingerprints, [Fingerprint::from(&operator)]);
    assert!(peers[0].grants.has_scope("admin"));
    assert_eq!(opened.config.settings.fs_roots[0].path, project.join("files"));
    let text = fs::read_to_string(&done.config).unwrap();
    for key in [opened.layout.host_key(), opened.layout.operator_key()] {
        let secret = fs::read_to_string(key).unwrap();
        assert!(!text.contains(secret.trim()), "no private key is in the configuration");
    }
}

#[test]
fn a_project_with_a_vault_has_no_key_file() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Box::new(NewVault::new(None, "correct horse").unwrap());
    let done = init(dir.path(), NewKey::Vault(vault)).unwrap();
    let modes = tree(dir.path());
    for name in ["seed", "keys.json"] {
        assert!(modes.contains(&(format!(".alknet-agent/{name}"), 0o600)), "{modes:?}");
    }
    assert!(!modes.iter().any(|(name, _)| name.ends_with("host.key")), "{modes:?}");
    let keys = crate::vault::PublicKeys::of(&done.layout).unwrap();
    assert_eq!(Fingerprint::from(&keys.identity), done.host);
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), new()).unwrap();
    let before = fs::read(dir.path().join(FILE_NAME)).unwrap();
    let error = init(dir.path(), new()).unwrap_err().to_string();
    assert!(
        error.contains(FILE_NAME) && error.contains(DATA_DIR) && error.contains("nothing was changed"),
        "{error}"
    );
    assert_eq!(fs::read(dir.path().join(FILE_NAME)).unwrap(), before);

    for (existing, other) in [(FILE_NAME, DATA_DIR), (DATA_DIR, FILE_NAME)] {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join(existing)).unwrap();
        let error = init(dir.path(), new()).unwrap_err().to_string();
        assert!(error.contains(&format!("{existing} exists already")), "{error}");
        assert!(!dir.path().join(other).exists() && !dir.path().join(FILES_DIR).exists());
    }
}

#[test]
fn an_existing_folder_of_files_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(FILES_DIR)).unwrap();
    init(dir.path(), new()).unwrap();
    assert_eq!(fs::read_dir(dir.path().join(FILES_DIR)).unwrap().count(), 0);
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    // `files` is in the way after keys and folders were made.
    fs::write(dir.path().join(FILES_DIR), "mine").unwrap();
    let before = tree(dir.path());
    let error = init(dir.path(), new()).unwrap_err().to_string();
    assert!(error.starts_with("cannot create ") && error.contains(FILES_DIR), "{error}");
    assert_eq!(tree(dir.path()), before);

    let error = init(&dir.path().join(FILES_DIR).join("below"), new()).unwrap_err().to_string();
    assert!(error.starts_with("cannot create "), "{error}");
    assert_eq!(tree(dir.path()), before);
}
