//! Known answers: BIP-39 (trezor/python-mnemonic), SLIP-0010 vectors 1 and 2, BIP-32 vector 1, and the fingerprint
//! of this scheme.

use alknet_vault::{
    DerivedKey, Mnemonic, MnemonicError, Seed, VaultServiceError, VaultServiceHandle, derive_path_from_seed,
};

pub(super) const V1: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

pub(super) fn unlocked() -> VaultServiceHandle {
    let vault = VaultServiceHandle::new();
    vault.unlock(V1, None).unwrap();
    vault
}

fn seed_of(phrase: &str, passphrase: Option<&str>) -> String {
    hex::encode(Mnemonic::from_phrase(phrase).unwrap().to_seed(passphrase).as_bytes())
}

fn private(key: &DerivedKey) -> String {
    hex::encode(key.private_key())
}

fn public(key: &DerivedKey) -> String {
    hex::encode(key.public_key())
}

#[test]
fn bip39_seeds() {
    let zoo = ["zoo"; 23].join(" ") + " vote";
    for (phrase, passphrase, seed) in [
        (
            V1,
            None,
            "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4",
        ),
        (
            V1,
            Some("TREZOR"),
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            Some("TREZOR"),
            "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607",
        ),
        (
            &zoo,
            Some("TREZOR"),
            "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
        ),
    ] {
        assert_eq!(seed_of(phrase, passphrase), seed);
    }
    assert_eq!(seed_of(V1, Some("")), seed_of(V1, None));
    // Passphrases are normalised: the two spellings of é are one.
    let composed = seed_of(V1, Some("\u{e9}"));
    assert_eq!(composed, seed_of(V1, Some("e\u{301}")));
    assert!(composed.starts_with("f37f8652bf7004d4bd4ba7702e70e647"), "{composed}");
}

#[test]
fn bip39_phrases() {
    let spaced = format!("  {}\n", V1.replace(' ', "   "));
    assert_eq!(*Mnemonic::from_phrase(&spaced).unwrap().phrase(), V1);
    for (phrase, error) in [
        (["abandon"; 12].join(" "), MnemonicError::Checksum),
        (V1.replace("about", "aboud"), MnemonicError::UnknownWord(12)),
        (V1.to_uppercase(), MnemonicError::UnknownWord(1)),
        (format!("{V1} about"), MnemonicError::WordCount(13)),
        (String::new(), MnemonicError::WordCount(0)),
    ] {
        assert_eq!(Mnemonic::from_phrase(&phrase).unwrap_err(), error);
        assert!(!error.to_string().contains("abou"), "{error}");
    }
    for words in [12, 15, 18, 21, 24] {
        let mnemonic = Mnemonic::generate(words).unwrap();
        let phrase = mnemonic.phrase();
        assert_eq!(phrase.split(' ').count(), words);
        assert_eq!(Mnemonic::from_phrase(&phrase).unwrap().phrase(), phrase);
        assert_ne!(Mnemonic::generate(words).unwrap().phrase(), phrase);
    }
    for words in [0, 1, 11, 13, 23, 25, usize::MAX] {
        let refused = Mnemonic::generate(words);
        assert!(matches!(refused, Err(VaultServiceError::Mnemonic(MnemonicError::Generation))));
    }
}

/// BIP-32 and SLIP-0010 vectors have 16-byte seeds, which no mnemonic makes: the master is HMAC of those bytes.
#[test]
fn slip10_vectors() {
    let one = hex::decode("000102030405060708090a0b0c0d0e0f").unwrap();
    let two = hex::decode("fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542").unwrap();
    for (seed, path, chain, private, public) in [
        (
            &one,
            "m",
            "90046a93de5380a72b5e45010748567d5ea02bbf6522f979e05c0d8d8ca9fffb",
            "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
            "a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed",
        ),
        (
            &one,
            "m/0'",
            "8b59aa11380b624e81507a27fedda59fea6d0b779a778918a2fd3590e16e9c69",
            "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
            "8c8a13df77a28f3445213a0f432fde644acaa215fc72dcdf300d5efaa85d350c",
        ),
        (
            &one,
            "m/0'/1'",
            "",
            "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2",
            "1932a5270f335bed617d5b935c80aedb1a35bd9fc1e31acafd5372c30f5c1187",
        ),
        (
            &one,
            "m/0'/1'/2'/2'/1000000000'",
            "",
            "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
            "3c24da049451555d51a7014a37337aa4e12d41e485abccfa46b47dfb2af54b7a",
        ),
        (
            &two,
            "m/0h/2147483647h",
            "",
            "ea4f5bfe8694d8bb74b7b59404632fd5968b774ed545e810de9c32a4fb4192f4",
            "5ba3b9ac6e90e83effcd25ac4e58a1365a9e35a3d3ae5eb07b9e4d90bcf7506d",
        ),
    ] {
        let key = derive_path_from_seed(&Seed::new(seed).unwrap(), path).unwrap();
        assert_eq!(hex::encode(**key.private_key()), private, "{path}");
        assert_eq!(hex::encode(key.public_key()), public, "{path}");
        assert!(chain.is_empty() || hex::encode(**key.chain_code()) == chain, "{path}");
    }
    for refused in ["m/0", "m/0'/1", "m/0'/", "x"] {
        assert!(derive_path_from_seed(&Seed::new(&one).unwrap(), refused).is_err());
    }
}

#[test]
fn the_scheme_of_this_vault() {
    let vault = unlocked();
    let identity = vault.derive_ed25519("m/74'/0'/0'/0'").unwrap();
    assert_eq!(private(&identity), "603aa5c626317fda4afd87b902e5c9de76c33f40834005245e1c5a675e92d700");
    assert_eq!(public(&identity), "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc");
    let device = vault.derive_ed25519("m/74'/0'/0'/1'").unwrap();
    assert_eq!(private(&device), "550f05587732eeb6bd0de879f77b89e3593a655733f794be9a05dad90c3a1d24");
    assert_eq!(public(&device), "733961f7573657324f22e91f06ea4f0b359e2efa0ccffc954616dadee7444daa");
    let ssh = vault.derive_ed25519("m/74'/0'/1'/0'").unwrap();
    assert_eq!(public(&ssh), "6a9dd5c41915fba6cc22b8760263aba45b068cae7bead1d069c7b8eeb0118134");
    for (version, key) in [
        (2, "fbed5fa9110df4214baa259a4cd6bd3902373231472d317b8f3686b1d63df17a"),
        (3, "3ddaf7a4485d755c959c883347420fdc9fa2a64fb1edae8a5f312e82c210f0f0"),
    ] {
        let derived = vault.derive_encryption_key_for_version(version).unwrap();
        assert_eq!(private(&derived), key);
        assert!(derived.public_key().is_empty(), "an AES key has no public half");
    }
    let by_path = vault.derive_encryption_key("m/74'/2'/0'/1'").unwrap();
    assert_eq!(private(&by_path), "3ddaf7a4485d755c959c883347420fdc9fa2a64fb1edae8a5f312e82c210f0f0");
}

#[test]
fn a_private_key_is_the_seed_of_its_public_key() {
    let vault = unlocked();
    for index in 0..50 {
        let key = vault.derive_ed25519(&format!("m/74'/0'/{index}'/7h")).unwrap();
        let signing = ed25519_dalek::SigningKey::from_bytes(key.private_key());
        assert_eq!(signing.verifying_key().as_bytes(), key.public_key());
    }
}

#[cfg(feature = "secp256k1")]
#[test]
fn bip32_vectors() {
    use alknet_vault::derive_secp256k1_path_from_seed;
    let seed = Seed::new(&hex::decode("000102030405060708090a0b0c0d0e0f").unwrap()).unwrap();
    for (path, private, public) in [
        (
            "m",
            "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35",
            "0339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c2",
        ),
        (
            "m/0'/1",
            "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368",
            "03501e454bf00751f24b1b489aa925215d66af2234e3891c3b21a52bedb3cd711c",
        ),
    ] {
        let key = derive_secp256k1_path_from_seed(&seed, path).unwrap();
        assert_eq!(hex::encode(**key.private_key()), private, "{path}");
        assert_eq!(hex::encode(key.public_key()), public, "{path}");
    }
    let master = derive_secp256k1_path_from_seed(&seed, "m").unwrap();
    let chain = "873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508";
    assert_eq!(hex::encode(**master.chain_code()), chain);
    let key = unlocked().derive_ethereum_key("m/44'/60'/0'/0/0").unwrap();
    assert_eq!(private(&key), "1ab42cc412b618bdea3a599e3c9bae199ebf030895b039e9db1e30dafb12b727");
    assert_eq!(public(&key), "0237b0bb7a8288d38ed49a524b5dc98cff3eb5ca824c9f9dc0dfdb3d9cd600f299");
}

#[cfg(not(feature = "secp256k1"))]
#[test]
fn without_the_feature_there_are_no_secp256k1_keys() {
    for (vault, path) in [(unlocked(), "m/44'/60'/0'/0/0"), (VaultServiceHandle::new(), "nonsense")] {
        assert!(matches!(vault.derive_ethereum_key(path), Err(VaultServiceError::UnsupportedKeyType)));
    }
}
