use proptest::prelude::*;

use super::*;

const CONTEXT: Binding<'_> = Binding::Context("credential:openai");

fn key(hex_key: &str) -> EncryptionKey {
    EncryptionKey::from_derived_bytes(&hex::decode(hex_key).unwrap(), 2).unwrap()
}

/// The key of version 2 of the phrase `abandon … about`.
fn v2() -> EncryptionKey {
    key("fbed5fa9110df4214baa259a4cd6bd3902373231472d317b8f3686b1d63df17a")
}

#[test]
fn known_answers() {
    let iv: [u8; 12] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let sealed = v2().seal("hello", Binding::Unbound, &[0; 32], iv).unwrap();
    assert_eq!(
        (sealed.data.as_str(), sealed.iv.as_str()),
        ("Z4F3fEjIZdjRuj2Qil3XwvSMLLNN", "AAECAwQFBgcICQoL")
    );
    let zeros = "\0".repeat(16);
    for (text, expected) in [
        ("", "530f8afbc74536b9a963b4f1c4cb738b"),
        (&zeros, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    ] {
        let sealed = key(&"0".repeat(64)).seal(text, Binding::Unbound, &[], [0; 12]).unwrap();
        assert_eq!(hex::encode(STANDARD.decode(&sealed.data).unwrap()), expected);
    }
}

#[test]
fn the_aad_is_the_documented_one() {
    let salt = [7; 32];
    let mut expected = b"alknet/encrypted-data/1\0".to_vec();
    expected.extend([0, 0, 0, 2, 0, 32]);
    expected.extend(salt);
    expected.extend([0, 0, 0, 17]);
    expected.extend(b"credential:openai");
    assert_eq!(aad(CONTEXT, 2, &salt).unwrap(), expected);
    assert!(aad(Binding::Unbound, 2, &salt).unwrap().is_empty());
}

#[test]
fn every_encryption_is_another() {
    let (one, two) = (v2().encrypt("text", CONTEXT).unwrap(), v2().encrypt("text", CONTEXT).unwrap());
    assert!(one.iv != two.iv && one.salt != two.salt && one.data != two.data);
    assert_eq!((one.salt.len(), one.iv.len(), one.aad_v), (44, 16, 1));
    assert_eq!(STANDARD.decode(&one.data).unwrap().len(), 16 + 4);
    let empty = v2().encrypt("", CONTEXT).unwrap();
    assert_eq!(empty.data.len(), 24);
    assert_eq!(*v2().decrypt(&empty, CONTEXT).unwrap(), "");
}

#[test]
fn whatever_is_changed_does_not_decrypt() {
    let sealed = v2().encrypt("sk-1234", CONTEXT).unwrap();
    assert_eq!(*v2().decrypt(&sealed, CONTEXT).unwrap(), "sk-1234");
    let fails = |changed: &EncryptedData, binding| {
        assert_eq!(v2().decrypt(changed, binding), Err(EncryptionError::Decryption), "{changed:?}");
    };
    fails(&sealed, Binding::Context("credential:github"));
    fails(&sealed, Binding::Context(""));
    fails(&sealed, Binding::Unbound);
    fails(&EncryptedData { aad_v: 0, ..sealed.clone() }, CONTEXT);
    fails(&EncryptedData { aad_v: 0, ..sealed.clone() }, Binding::Unbound);
    fails(&EncryptedData { aad_v: 2, ..sealed.clone() }, CONTEXT);
    fails(&EncryptedData { key_version: 3, ..sealed.clone() }, CONTEXT);
    let other = v2().encrypt("sk-1234", CONTEXT).unwrap();
    fails(&EncryptedData { salt: other.salt, ..sealed.clone() }, CONTEXT);
    let foreign = EncryptionKey::from_derived_bytes(&[9; 32], 2).unwrap();
    assert_eq!(foreign.decrypt(&sealed, CONTEXT), Err(EncryptionError::Decryption));
    let flip = |text: &str, bit: usize| {
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        STANDARD.encode(bytes)
    };
    for bit in 0..12 * 8 {
        fails(&EncryptedData { iv: flip(&sealed.iv, bit), ..sealed.clone() }, CONTEXT);
    }
    for bit in 0..(16 + 7) * 8 {
        fails(&EncryptedData { data: flip(&sealed.data, bit), ..sealed.clone() }, CONTEXT);
    }
    for bit in 0..32 * 8 {
        fails(&EncryptedData { salt: flip(&sealed.salt, bit), ..sealed.clone() }, CONTEXT);
    }
    // Without a binding the salt means nothing, as older data has it; the rest is covered all the same.
    let unbound = v2().encrypt("sk-1234", Binding::Unbound).unwrap();
    fails(&EncryptedData { data: flip(&unbound.data, 0), ..unbound.clone() }, Binding::Unbound);
    fails(&unbound, CONTEXT);
}

#[test]
fn malformed_members_are_told_apart_from_wrong_ones() {
    let sealed = v2().encrypt("text", CONTEXT).unwrap();
    for (changed, member) in [
        (EncryptedData { iv: "AAAA".into(), ..sealed.clone() }, "iv"),
        (EncryptedData { iv: "not base64".into(), ..sealed.clone() }, "iv"),
        (EncryptedData { iv: sealed.iv.replace('=', ""), salt: "?".into(), ..sealed.clone() }, "salt"),
        (EncryptedData { data: "####".into(), ..sealed.clone() }, "data"),
        (EncryptedData { data: "A".repeat(DATA_CHARS_MAX + 4), ..sealed.clone() }, "data"),
    ] {
        assert_eq!(v2().decrypt(&changed, CONTEXT), Err(EncryptionError::Decoding(member)));
    }
    let short = EncryptedData { data: "AAAA".into(), ..sealed };
    assert_eq!(v2().decrypt(&short, CONTEXT), Err(EncryptionError::Decryption));
    assert!(EncryptionKey::from_derived_bytes(&[0; 31], 2).is_err());
    assert!(v2().encrypt(&"x".repeat(PLAINTEXT_BYTES_MAX + 1), CONTEXT).is_err());
}

#[test]
fn the_json_is_the_frozen_one() {
    let text = r#"{"key_version":2,"salt":"","iv":"AAECAwQFBgcICQoL","data":"Z4F3fEjIZdjRuj2Qil3XwvSMLLNN","later":[1]}"#;
    let read: EncryptedData = serde_json::from_str(text).unwrap();
    assert_eq!(*v2().decrypt(&read, Binding::Unbound).unwrap(), "hello");
    assert_eq!(serde_json::to_string(&read).unwrap(), text.replace(",\"later\":[1]", ""));
    let bound = v2().encrypt("x", CONTEXT).unwrap();
    let json = serde_json::to_string(&bound).unwrap();
    assert!(json.ends_with(",\"aad_v\":1}"), "{json}");
    assert_eq!(serde_json::from_str::<EncryptedData>(&json).unwrap(), bound);
}

#[test]
fn keys_do_not_print() {
    assert_eq!(format!("{:?}", v2()), "EncryptionKey { key_version: 2, key: [REDACTED] }");
}

proptest! {
    #[test]
    fn any_blob_decrypts_or_fails(
        key_version: u32, aad_v in 0_u32..3,
        salt in "[A-Za-z0-9+/=]{0,48}", iv in "[A-Za-z0-9+/=]{16}", data in "[A-Za-z0-9+/=]{0,64}|\\PC{0,16}",
    ) {
        let blob = EncryptedData { key_version, salt, iv, data, aad_v };
        prop_assert!(v2().decrypt(&blob, CONTEXT).is_err());
        prop_assert!(v2().decrypt(&blob, Binding::Unbound).is_err());
    }

    #[test]
    fn any_text_comes_back(text in "\\PC{0,200}", context in "\\PC{0,40}") {
        let sealed = v2().encrypt(&text, Binding::Context(&context)).unwrap();
        prop_assert_eq!(&**v2().decrypt(&sealed, Binding::Context(&context)).unwrap(), text.as_str());
    }
}
