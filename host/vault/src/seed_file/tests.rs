use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;

const PASSWORD: &str = "correct horse";

fn sealed(words: usize) -> (Mnemonic, SeedFile) {
    let mnemonic = Mnemonic::generate(words).unwrap();
    let file = SeedFile::seal(&mnemonic, PASSWORD, Cost::MIN).unwrap();
    (mnemonic, file)
}

#[test]
fn what_was_sealed_opens_with_its_password_alone() {
    for words in [12, 24] {
        let (mnemonic, file) = sealed(words);
        assert_eq!(file.as_bytes().len(), 97);
        let read = SeedFile::parse(file.as_bytes()).unwrap();
        assert_eq!(read.cost(), Cost::MIN);
        assert_eq!(read.open(PASSWORD).unwrap().phrase(), mnemonic.phrase());
        assert!(matches!(read.open("correct horsf"), Err(SeedFileError::Closed)));
        assert!(matches!(read.open(""), Err(SeedFileError::Closed)));
    }
    // The same letters, composed in two ways.
    let (mnemonic, _) = sealed(12);
    let file = SeedFile::seal(&mnemonic, "caf\u{e9}-caf\u{e9}", Cost::MIN).unwrap();
    assert_eq!(file.open("cafe\u{301}-cafe\u{301}").unwrap().phrase(), mnemonic.phrase());
}

#[test]
fn two_files_of_one_seed_share_nothing_but_the_header() {
    let mnemonic = Mnemonic::generate(24).unwrap();
    let seal = || SeedFile::seal(&mnemonic, PASSWORD, Cost::MIN).unwrap();
    let (one, two) = (seal(), seal());
    assert_eq!(one.as_bytes()[..SALT_AT], two.as_bytes()[..SALT_AT]);
    assert_ne!(one.as_bytes()[SALT_AT..HEADER_BYTES], two.as_bytes()[SALT_AT..HEADER_BYTES]);
    assert_ne!(one.as_bytes()[HEADER_BYTES..], two.as_bytes()[HEADER_BYTES..]);
}

#[test]
fn weak_passwords_and_costs_are_refused() {
    let mnemonic = Mnemonic::generate(12).unwrap();
    let seal = |password, cost| SeedFile::seal(&mnemonic, password, cost);
    assert!(matches!(seal("1234567", Cost::MIN), Err(SeedFileError::Password)));
    for cost in [
        Cost { memory_kib: 19_455, ..Cost::MIN },
        Cost { passes: 1, ..Cost::MIN },
        Cost { lanes: 0, ..Cost::MIN },
        Cost { memory_kib: (1 << 20) + 1, ..Cost::MIN },
        Cost { passes: 65, ..Cost::MIN },
        Cost { lanes: 65, ..Cost::MIN },
    ] {
        assert!(matches!(seal(PASSWORD, cost), Err(SeedFileError::Cost)), "{cost:?}");
        let (_, good) = sealed(12);
        let mut bytes = good.as_bytes().to_vec();
        put(&mut bytes, COST_AT, &cost.memory_kib.to_be_bytes());
        put(&mut bytes, COST_AT + 4, &cost.passes.to_be_bytes());
        put(&mut bytes, COST_AT + 8, &cost.lanes.to_be_bytes());
        assert!(matches!(SeedFile::parse(&bytes), Err(SeedFileError::Cost)), "{cost:?}");
    }
    assert_eq!(Cost::default(), Cost { memory_kib: 65_536, passes: 3, lanes: 4 });
}

#[test]
fn damage_is_found_and_looks_like_a_wrong_password() {
    let (_, good) = sealed(24);
    for length in [0, 1, 7, 8, 48, 96, 98] {
        let bytes: Vec<u8> = good.as_bytes().iter().copied().chain([0]).take(length).collect();
        assert!(matches!(SeedFile::parse(&bytes), Err(SeedFileError::Malformed)), "{length}");
    }
    // One bit of every part: salt, nonce, length, entropy, tag. Not of the cost, which may make it slow.
    for byte in [SALT_AT, SALT_AT + 15, SALT_AT + 16, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 20, 96] {
        let mut bytes = good.as_bytes().to_vec();
        bytes[byte] ^= 1;
        let error = SeedFile::parse(&bytes).unwrap().open(PASSWORD).unwrap_err();
        assert_eq!(error.to_string(), "wrong password, or the seed file is damaged", "byte {byte}");
    }
    for byte in 0..COST_AT {
        let mut bytes = good.as_bytes().to_vec();
        bytes[byte] ^= 1;
        assert!(matches!(SeedFile::parse(&bytes), Err(SeedFileError::Malformed)), "byte {byte}");
    }
    // A cost that is accepted, but not the one it was sealed with.
    let mut bytes = good.as_bytes().to_vec();
    bytes[COST_AT + 7] = 3;
    assert!(matches!(SeedFile::parse(&bytes).unwrap().open(PASSWORD), Err(SeedFileError::Closed)));
}

#[test]
fn files_are_private_and_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seed");
    let (_, one) = sealed(12);
    let (_, two) = sealed(12);
    one.write_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(SeedFile::read(&path).unwrap(), one);
    assert!(matches!(two.write_new(&path), Err(SeedFileError::Io { .. })));
    assert_eq!(SeedFile::read(&path).unwrap(), one, "nothing was overwritten");
    two.replace(&path).unwrap();
    assert_eq!(SeedFile::read(&path).unwrap(), two);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["seed"], "nothing is left behind");
    for mode in [0o644, 0o640, 0o602, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = SeedFile::read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {mode:04o}")) && error.contains("chmod 600"), "{error}");
    }
    assert!(matches!(SeedFile::read(&dir.path().join("none")), Err(SeedFileError::Io { .. })));
    assert!(matches!(SeedFile::read(dir.path()), Err(SeedFileError::Malformed | SeedFileError::Io { .. })));
    assert!(matches!(one.write_new(&dir.path().join("no/such")), Err(SeedFileError::Io { .. })));
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), magic: bool, fit: bool) {
        if fit {
            bytes.resize(FILE_BYTES, 0);
        }
        if magic {
            put(&mut bytes, 0, MAGIC);
        }
        match SeedFile::parse(&bytes) {
            Ok(file) => prop_assert!(file.cost().is_accepted()),
            Err(error) => prop_assert!(matches!(error, SeedFileError::Malformed | SeedFileError::Cost)),
        }
    }
}
