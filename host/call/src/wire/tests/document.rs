//! The document of the wire says what the code does.

use serde_json::Value;

use crate::Limits;
use crate::wire::{Encoder, Event, Outbound, spec_from_json, spec_to_json};

const DOCUMENT: &str = include_str!("../../../../../docs/protocol.md");

fn examples() -> Vec<&'static str> {
    let fenced = DOCUMENT.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    fenced.flat_map(str::lines).collect()
}

#[test]
fn the_examples_of_the_document_are_byte_exact() {
    let mut events = std::collections::BTreeMap::new();
    for example in examples() {
        let said: Value = serde_json::from_str(example).unwrap();
        let kind = said["type"].as_str().unwrap_or_else(|| panic!("no event: {example}")).to_owned();
        let parsed = Event::parse(example.as_bytes());
        let written = match parsed.unwrap_or_else(|fault| panic!("{fault}: {example}")) {
            Event::Requested { id, request } => {
                let request = request.unwrap();
                let token =
                    request.auth_token.as_ref().map(|token| std::str::from_utf8(token.as_bytes()).unwrap());
                let on_behalf_of = request.on_behalf_of.as_ref();
                let (name, input) = (request.name.as_str(), &request.input);
                Encoder::request(&id, &Outbound { name, input, auth_token: token, on_behalf_of }).unwrap()
            }
            Event::Answered { id, result } => Encoder::answer(&id, &result),
            Event::Published { id, chunk } => Encoder::chunk(&id, &chunk).unwrap(),
            Event::Completed { id } => Encoder::completed(&id),
            Event::Aborted { id } => Encoder::abort(&id),
            Event::Unknown => panic!("an event that nobody knows: {example}"),
        };
        assert_eq!(std::str::from_utf8(&written[4..]).unwrap(), example);
        *events.entry(kind).or_insert(0) += 1;
    }
    let known = [
        "call.aborted",
        "call.completed",
        "call.error",
        "call.published",
        "call.requested",
        "call.responded",
    ];
    assert_eq!(events.keys().collect::<Vec<_>>(), known, "each event has an example");
}

#[test]
fn the_specifications_of_the_document_can_be_imported() {
    let mut count = 0;
    for example in examples() {
        let said: Value = serde_json::from_str(example).unwrap();
        let (announced, shown) = (&said["payload"]["input"]["spec"], &said["payload"]["output"]);
        if announced.is_object() {
            spec_from_json(announced.clone(), 1 << 20).unwrap();
            count += 1;
        }
        if shown["input_schema"].is_object() {
            let spec = spec_from_json(shown.clone(), 1 << 20).unwrap();
            assert_eq!(spec_to_json(&spec), *shown);
            count += 1;
        }
    }
    assert_eq!(count, 2);
}

#[test]
fn the_document_has_every_limit_and_every_code() {
    let limits = format!("{:?}", Limits::default());
    let names = limits.split([' ', '{']).filter_map(|word| word.strip_suffix(':'));
    for name in names {
        assert!(DOCUMENT.contains(&format!("| `{name}` |")), "the limit {name}");
    }
    for code in crate::ErrorCode::PROTOCOL {
        assert!(DOCUMENT.contains(&format!("| `{code}` |")), "the code {code}");
    }
}
