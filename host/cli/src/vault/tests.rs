use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::project::create_key;

const WORDS_OF_TEST: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

struct Folder {
    dir: tempfile::TempDir,
    layout: Layout,
}

impl Folder {
    /// A data folder with a vault, and a password file.
    fn with_vault() -> Self {
        let folder = Self::empty();
        let vault = NewVault::new(Some(WORDS_OF_TEST), "correct horse").unwrap();
        vault.write_seed(&folder.layout).unwrap();
        vault.write_public(&folder.layout).unwrap();
        folder
    }

    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { layout: Layout::new(dir.path().to_owned()), dir }
    }

    fn password(&self, text: &str) -> PasswordSource {
        let file = self.dir.path().join("password");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        PasswordSource::File(file)
    }

    fn refused(&self, password: &str) -> String {
        let before = self.content();
        let error = HostKeys::open(&self.layout, &self.password(password), &BTreeSet::new()).unwrap_err();
        assert_eq!(self.content(), before, "nothing was written");
        CommandError::from(error).to_text()
    }

    fn content(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.layout.data_dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            entries.filter(|path| path.file_name() != Some("password".as_ref())).collect();
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

#[test]
fn a_vault_gives_the_documented_keys() {
    let folder = Folder::with_vault();
    let keys = HostKeys::open(&folder.layout, &folder.password("correct horse\n"), &BTreeSet::new()).unwrap();
    let identity = Fingerprint::from(&keys.identity.public()).to_string();
    assert_eq!(identity, "ed25519:e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc");
    assert_ne!(keys.identity.public(), keys.audit.public());
    assert_eq!(PublicKeys::of(&folder.layout).unwrap(), keys.public());
    assert_eq!(KeyStorage::of(&folder.layout).unwrap(), KeyStorage::Vault);
    assert!(!format!("{keys:?}").contains("603aa5c6"));
}

#[test]
fn what_does_not_open_says_why_and_writes_nothing() {
    let folder = Folder::with_vault();
    let (seed, public) = (folder.layout.seed_file(), folder.layout.public_keys_file());
    let refused = folder.refused("wrong horse");
    assert!(refused.contains("wrong password, or the seed file is damaged"), "{refused}");
    assert!(!refused.contains("horse"));
    assert!(folder.refused("\n").contains("the password is empty"));

    let good = fs::read(&seed).unwrap();
    let check = |content: &[u8], expected: &str| {
        fs::write(&seed, content).unwrap();
        let refused = folder.refused("correct horse");
        assert!(refused.contains(expected) && refused.contains("seed"), "{refused}");
    };
    check(&good[..50], "it was cut short");
    let flip = |byte: usize| {
        let mut bytes = good.clone();
        bytes[byte] ^= 0x10;
        bytes
    };
    check(&flip(90), "wrong password, or the seed file is damaged");
    check(&flip(3), "no seed file of a known version");
    check(&flip(8), "beyond this program's bounds");
    fs::write(&seed, &good).unwrap();

    fs::set_permissions(&seed, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = folder.refused("correct horse");
    assert!(refused.contains("is open to other users (mode 0644); run: chmod 600"), "{refused}");
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o600)).unwrap();

    let other = NewVault::new(None, "correct horse").unwrap();
    other.sealed.replace(&seed).unwrap();
    assert!(folder.refused("correct horse").contains("is not this host's"));
    fs::remove_file(&public).unwrap();
    assert!(folder.refused("correct horse").contains("cannot be used: No such file"));
}

#[test]
fn a_host_has_one_key() {
    let folder = Folder::empty();
    let none = CommandError::from(KeyStorage::of(&folder.layout).unwrap_err()).to_text();
    assert!(none.contains("the host has no key") && none.contains("hint: `alknet-agent init`"), "{none}");
    let key = Ed25519SecretKey::generate().unwrap();
    create_key(&folder.layout.host_key(), &key).unwrap();
    let keys = HostKeys::open(&folder.layout, &PasswordSource::Ask, &BTreeSet::new()).unwrap();
    assert_eq!((keys.identity.public(), keys.audit.public()), (key.public(), log_key(&key).public()));
    NewVault::new(None, "correct horse").unwrap().write_seed(&folder.layout).unwrap();
    let both = KeyStorage::of(&folder.layout).unwrap_err().to_string();
    assert!(both.contains("the host has two keys"), "{both}");
}

#[test]
fn words_and_passwords_that_will_not_do_are_refused() {
    let refused = |words, password| NewVault::new(words, password).map(drop).unwrap_err().to_text();
    assert!(refused(Some("abandon"), "correct horse").contains("has 12, 15, 18, 21 or 24 words, not 1"));
    assert!(refused(None, "short").contains("fewer than 8 characters"));
    assert_eq!(NewVault::new(None, "correct horse").unwrap().phrase().split(' ').count(), 24);
}

#[test]
fn a_key_that_goes_into_a_vault_is_there_whenever_it_is_broken_off() {
    let key = Ed25519SecretKey::generate().unwrap();
    let known = HostKeys::of_key(key.clone()).public();
    let vault = NewVault::new(None, "correct horse").unwrap();
    for steps in 0..=4 {
        let folder = Folder::empty();
        let layout = &folder.layout;
        create_key(&layout.host_key(), &key).unwrap();
        // Twice: an earlier attempt was broken off just before it counted.
        Adoption::new(layout, &vault, &key).unwrap().commit_steps(2).unwrap();
        assert_eq!(KeyStorage::of(layout).unwrap(), KeyStorage::KeyFile);
        Adoption::new(layout, &vault, &key).unwrap().commit_steps(steps).unwrap();
        let storage = if steps < 3 { KeyStorage::KeyFile } else { KeyStorage::Vault };
        assert_eq!(KeyStorage::of(layout).unwrap(), storage, "{steps}");
        assert_eq!(PublicKeys::of(layout).unwrap(), known, "{steps}");
        if storage == KeyStorage::Vault {
            assert!(folder.refused("wrong horse").contains("wrong password"));
        }
        let password = folder.password("correct horse");
        let keys = HostKeys::open(layout, &password, &BTreeSet::new()).unwrap();
        assert_eq!((keys.public(), keys.credentials.is_some()), (known, steps >= 3), "{steps}");
        assert_eq!(layout.host_key().exists(), steps < 3, "a key in the vault is not left in the open");
    }
}

#[test]
fn a_sealed_key_is_its_own_vaults() {
    let folder = Folder::empty();
    let layout = &folder.layout;
    let (key, other) = (Ed25519SecretKey::generate().unwrap(), Ed25519SecretKey::generate().unwrap());
    create_key(&layout.host_key(), &key).unwrap();
    let vault = NewVault::new(None, "correct horse").unwrap();
    Adoption::new(layout, &vault, &key).unwrap().commit().unwrap();
    let sealed = fs::read_to_string(layout.sealed_key_file()).unwrap();
    assert!(!sealed.contains(&hex::encode(*key.to_bytes())));
    // Another key in the open is not taken for a rest of this one.
    create_key(&layout.host_key(), &other).unwrap();
    assert!(folder.refused("correct horse").contains("the host has two keys"));
    fs::remove_file(layout.host_key()).unwrap();
    fs::write(layout.sealed_key_file(), sealed.replace("\"aad_v\":1", "\"aad_v\":0")).unwrap();
    assert!(folder.refused("correct horse").contains("does not open with this vault"));
    // Without it the vault has keys, but not those that the host is known by.
    fs::remove_file(layout.sealed_key_file()).unwrap();
    assert!(folder.refused("correct horse").contains("is not this host's"));
}

#[test]
fn a_password_is_changed_and_the_keys_stay() {
    let folder = Folder::with_vault();
    let layout = &folder.layout;
    let before = PublicKeys::of(layout).unwrap();
    let source = |name: &str, text: &str| {
        let file = folder.dir.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        PasswordSource::File(file)
    };
    let (old, new, short) =
        (source("old", "correct horse"), source("new", "battery staple"), source("short", "x"));
    let seed = fs::read(layout.seed_file()).unwrap();
    let refused = |current: &PasswordSource, new: &PasswordSource| {
        let text = CommandError::from(change_password(layout, current, new).unwrap_err()).to_text();
        assert_eq!(fs::read(layout.seed_file()).unwrap(), seed, "nothing was written");
        text
    };
    assert!(refused(&new, &old).contains("wrong password"));
    assert!(refused(&old, &short).contains("fewer than 8 characters"));
    change_password(layout, &old, &new).unwrap();
    assert!(HostKeys::open(layout, &old, &BTreeSet::new()).is_err());
    assert_eq!(HostKeys::open(layout, &new, &BTreeSet::new()).unwrap().public(), before);
}
