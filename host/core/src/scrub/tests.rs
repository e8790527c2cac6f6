use super::*;

const SECRET: &str = "sk-5up3r/s3cret+Key_09?~";

fn live() -> LiveSecrets {
    let live = LiveSecrets::default();
    live.add([("openai", &Secret::new(SECRET.to_owned())), ("short", &Secret::new("1234567".to_owned()))]);
    live
}

fn percent_all(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn base64_of(bytes: &[u8]) -> String {
    // The encoder under test, at offset 0, with the padding that makes it whole.
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().div_ceil(3) * 3, 0);
    let mut text = String::from_utf8(base64_at(&padded, 0, false).to_vec()).unwrap();
    let surplus = padded.len() - bytes.len();
    text.truncate(text.len() - surplus);
    text + &"=".repeat(surplus)
}

#[test]
fn base64_is_base64() {
    for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64_of(text.as_bytes()), expected);
    }
}

#[test]
fn every_form_is_found() {
    let scrubber = live().scrubber();
    let wrapped: String = base64_of(SECRET.as_bytes()).chars().flat_map(|c| [c, '\n']).collect();
    let colons: String = SECRET.bytes().map(|byte| format!("{byte:02X}:")).collect();
    let wide: String = SECRET.chars().flat_map(|c| [c, '\0']).collect();
    let json: String = SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let html: String = SECRET.bytes().map(|byte| format!("&#{byte};")).collect();
    let html_hex: String = SECRET.bytes().map(|byte| format!("&#x{byte:X};")).collect();
    let forms = [
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        format!("x{SECRET}y"),
        base64_of(SECRET.as_bytes()),
        base64_of(format!("a{SECRET}").as_bytes()),
        base64_of(format!("ab{SECRET}cd").as_bytes()),
        base64_of(SECRET.as_bytes()).replace('+', "-").replace('/', "_"),
        base64_of(format!("user:{SECRET}").as_bytes()).replace('=', ""),
        base64_of(base64_of(SECRET.as_bytes()).as_bytes()),
        base64_of(hex::encode(SECRET).as_bytes()),
        hex::encode(SECRET),
        hex::encode_upper(SECRET),
        hex::encode(hex::encode(SECRET)),
        percent_all(SECRET),
        percent_all(SECRET).to_uppercase(),
        percent_all(&percent_all(SECRET)),
        percent_all(&base64_of(SECRET.as_bytes())),
        SECRET.replace('/', "%2F").replace('+', "%2b").replace('?', "%3F"),
        SECRET.replace('/', "\\/"),
        json,
        html,
        html_hex,
        wrapped,
        colons,
        wide,
        SECRET.chars().flat_map(|c| [c, ' ']).collect(),
    ];
    for form in forms {
        let text = format!("before {form} after");
        let scrubbed = scrubber.text(&text).unwrap_or_else(|| panic!("{form}"));
        assert!(
            scrubbed.content.starts_with("before ") && scrubbed.content.ends_with("after"),
            "{scrubbed:?}"
        );
        assert!(scrubbed.content.contains(REDACTED) && scrubbed.content.len() < 60, "{scrubbed:?}");
        assert_eq!(scrubbed.found.iter().map(|name| &**name).collect::<Vec<_>>(), ["openai"]);
        assert_eq!(scrubber.text(&scrubbed.content), None, "nothing is left");
    }
}

#[test]
fn harmless_texts_are_left_alone() {
    let scrubber = live().scrubber();
    let close = &SECRET[..SECRET.len() - 1];
    for text in [
        "",
        "1234567",
        "sk-5up3r",
        close,
        &hex::encode(close)[..20],
        "%zz%",
        "\\u12",
        "&#;&#x;&bogus;",
        "é – ü",
    ] {
        assert_eq!(scrubber.text(text), None, "{text}");
    }
    assert_eq!(Scrubber::default().text(SECRET), None);
}

#[test]
fn several_secrets_are_told_apart() {
    let live = live();
    live.add([("github", &Secret::new("ghp_abcdefgh".to_owned()))]);
    let scrubbed = live.scrubber().text(&format!("é{SECRET}ghp_abcdefghghp_abcdefgh–")).unwrap();
    assert_eq!(scrubbed.content, format!("é{REDACTED}{REDACTED}{REDACTED}–"));
    live.count(&scrubbed.found);
    assert_eq!((live.hits(), scrubbed.found.len()), (1, 2));
    assert!(!format!("{live:?} {scrubbed:?}").contains("5up3r"));
}

#[test]
fn what_was_replaced_is_still_known_and_the_number_is_bounded() {
    let live = live();
    live.add([("openai", &Secret::new("another-value".to_owned()))]);
    assert!(live.scrubber().text(SECRET).is_some() && live.scrubber().text("another-value").is_some());
    let many: Vec<Secret> =
        (0..LiveSecrets::KEPT_MAX).map(|index| Secret::new(format!("value-{index:08}"))).collect();
    live.add(many.iter().map(|secret| ("many", secret)));
    assert_eq!(live.scrubber().text(SECRET), None);
    assert!(live.scrubber().text("value-00000000").is_some());
}
