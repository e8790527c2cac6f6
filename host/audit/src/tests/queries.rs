//! Questions: filters and pages, call trees, provenance, and the index behind them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alknet_call::{CallId, ErrorCode, Recorded};
use alknet_core::ManualClock;
use serde_json::json;

use super::support::*;
use crate::provenance::SourceState;
use crate::*;

struct Story {
    /// The call that invoked version 1 successfully.
    invoke: CallId,
    /// The call of the tool itself in it.
    tool: CallId,
    register: CallId,
    v1: Hash,
    v2: Hash,
}

/// An agent opens a session, registers a tool twice, and calls both versions.
fn tell(log: &AuditLog) -> Story {
    log.append(&session_opened("s1")).unwrap();
    log.append(&session_opened("s2")).unwrap();
    let (v1, v2) = (log.store_source(SOURCE.as_bytes()).unwrap(), log.store_source(b"// v2").unwrap());
    let register = Call::root("session/register");
    drop(register.admit(log));
    log.append(&registered("s1", "session/count", 1, v1, Some(register.id))).unwrap();
    drop(register.finish(log, Ok(&json!({ "version": 1 }))));

    let invoke = Call::root("session/invoke");
    let tool = invoke.child("session/count").in_session("s1", Some(&v1));
    drop(invoke.admit(log));
    drop(tool.admit(log));
    for at in 0..2 {
        tool.child("fs/list").in_session("s1", None).run(log, &json!(at));
    }
    drop(tool.child("admin/stop").in_session("s1", None).refuse(log, "scope", &ErrorCode::FORBIDDEN));
    drop(tool.finish(log, Ok(&json!({ "words": 7 }))));
    drop(invoke.finish(log, Ok(&json!({ "words": 7 }))));

    log.append(&registered("s1", "session/count", 2, v2, None)).unwrap();
    let second = Call::root("session/count").in_session("s1", Some(&v2));
    drop(second.admit(log));
    drop(second.finish(log, Err(&ErrorCode::TIMEOUT)));
    log.append(&session_closed("s1")).unwrap();
    Story { invoke: invoke.id, tool: tool.id, register: register.id, v1, v2 }
}

fn indexes(reader: &AuditReader, filter: &Filter) -> Vec<u64> {
    let page = Page { limit: 1000, ..Page::default() };
    reader.query(filter, &page).unwrap().entries.iter().map(|entry| entry.index).collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn filters() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let story = tell(&log);
    let (invoke, register) = (story.invoke.to_string(), story.register.to_string());
    let cases: [(&[(&str, &str)], usize); 17] = [
        (&[], 18),
        (&[("kind", "call.admitted")], 6),
        (&[("kind", "operation.registered")], 2),
        (&[("session", "s1")], 13),
        (&[("operation", "fs/list")], 4),
        (&[("authority", "composer")], 11),
        (&[("caller", "alice")], 17),
        (&[("outcome", "FORBIDDEN")], 1),
        (&[("outcome", "OK")], 5),
        (&[("outcome", "TIMEOUT"), ("session", "s1")], 1),
        (&[("outcome", "TIMEOUT"), ("session", "s2")], 0),
        (&[("root", &invoke)], 9),
        (&[("call", &register)], 3),
        (&[("call", "no id")], 0),
        (&[("session", "never heard of")], 0),
        (&[("session", "' OR 1=1 --")], 0),
        (&[("kind", "")], 0),
    ];
    for (members, expected) in cases {
        let filter = members.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let filter = serde_json::from_value(serde_json::Value::Object(filter)).unwrap();
        assert_eq!(indexes(log.reader(), &filter).len(), expected, "{members:?}");
    }
}

#[test]
fn times() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(1_000));
    let log = AuditLog::open(dir.path(), Options { clock: Arc::<ManualClock>::clone(&clock), ..options() })
        .unwrap();
    for _ in 0..5 {
        fill(&log, 1);
        clock.advance(Duration::from_micros(10));
    }
    let between = |since, until| indexes(log.reader(), &Filter { since, until, ..Filter::default() });
    assert_eq!(between(Some(1_010), Some(1_030)), [1, 2]);
    assert_eq!(between(None, Some(1_010)), [0]);
    assert_eq!(between(Some(1_040), None), [4]);
    assert_eq!(between(Some(u64::MAX), None), [0_u64; 0]);
}

#[test]
fn pages_stay_the_same_while_the_log_grows() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 600);
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut seen = vec![];
        let mut after = None;
        loop {
            let page = Page { after, limit: 70, order };
            let matches = log.reader().query(&Filter::default(), &page).unwrap();
            assert!(matches.entries.len() == 70 || matches.next.is_none());
            seen.extend(matches.entries.iter().map(|entry| entry.index));
            fill(&log, 2);
            after = matches.next;
            if after.is_none() || seen.len() >= 600 {
                break;
            }
        }
        if order == Order::NewestFirst {
            seen.reverse();
        }
        assert!(seen.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seen:?}");
        assert!(seen.len() >= 600 && seen[0] == 0);
    }
}

#[test]
fn traces() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let story = tell(&log);
    for call in [story.invoke, story.tool] {
        let tree = log.reader().trace(&call.to_string()).unwrap().unwrap();
        assert_eq!(tree.call, story.invoke.to_string());
        assert_eq!(tree.entries.len(), 2);
        let [tool] = tree.calls.as_slice() else { panic!("{tree:?}") };
        assert_eq!((tool.call.as_str(), tool.entries.len()), (story.tool.to_string().as_str(), 2));
        let operations = tool.calls.iter().map(|call| call.entries[0].record["operation"].as_str().unwrap());
        assert_eq!(operations.collect::<Vec<_>>(), ["fs/list", "fs/list", "admin/stop"]);
        assert_eq!(tool.calls[2].entries[0].record["kind"], "call.refused");
    }
    // The event that a call caused is told with it.
    let tree = log.reader().trace(&story.register.to_string()).unwrap().unwrap();
    let kinds = tree.entries.iter().map(|entry| entry.record["kind"].as_str().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["call.admitted", "operation.registered", "call.finished"]);
    assert_eq!(log.reader().trace("00000000000000000000000000000000").unwrap(), None);
    assert_eq!(log.reader().trace("no id").unwrap(), None);
}

#[test]
fn provenances() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let story = tell(&log);
    let ask = |selector: Selector| log.reader().provenance(&selector).unwrap();
    let output = log.digest(&json!({ "words": 7 }));
    let named = |version| Selector::Operation { name: "session/count".to_owned(), session: None, version };
    let selectors = [
        named(Some(1)),
        Selector::Source(story.v1),
        Selector::Call(story.tool.to_string()),
        Selector::Call(story.invoke.to_string()),
        Selector::Output(output),
    ];
    for selector in selectors {
        let found = ask(selector.clone()).unwrap();
        assert_eq!(
            (found.operation.as_str(), found.session.as_str()),
            ("session/count", "s1"),
            "{selector:?}"
        );
        assert_eq!(found.registration.record["version"], 1, "{selector:?}");
        assert_eq!(found.who.as_deref(), Some("alice"));
        assert_eq!(found.source.text.as_deref(), Some(SOURCE));
        assert_eq!((found.source.digest, found.source.state), (story.v1, SourceState::Intact));
        assert_eq!(found.versions.len(), 2);
        assert_eq!(found.opened.unwrap().record["env"], json!(["fs/list"]));
        assert_eq!(found.closed.unwrap().record["reason"], "closed");
        assert_eq!((found.served.finished, found.served.outcomes["OK"]), (1, 1));
        assert_eq!(found.served.last.len(), 1);
        assert_eq!(found.made, [("fs/list".to_owned(), 2)].into());
        assert_eq!(found.refused, [("admin/stop".to_owned(), 1)].into());
        assert_eq!(found.called_by, [("alice".to_owned(), 1)].into());
        assert_eq!(found.called_from, [("session/invoke".to_owned(), 1)].into());
        let newer = found.newer.unwrap();
        assert_eq!((newer.version, newer.source, newer.changed), (2, story.v2, vec![]));
        assert_eq!(newer.diff.unwrap().lines().last(), Some("\\ No newline at end of file"));
    }
    let latest = ask(named(None)).unwrap();
    assert_eq!(latest.source.digest, story.v2);
    assert_eq!(latest.newer, None);
    assert_eq!(latest.served.outcomes, [("TIMEOUT".to_owned(), 1)].into());
    assert_eq!(ask(Selector::Output(output)).unwrap().matched.len(), 2);
    for nothing in [
        named(Some(3)),
        Selector::Operation { name: "session/count".to_owned(), session: text("s2"), version: None },
        Selector::Operation { name: "session/other".to_owned(), session: None, version: None },
        Selector::Source(Hash::of(b"other")),
        Selector::Output(Hash::of(b"other")),
        Selector::Call("no id".to_owned()),
        Selector::Call(story.register.to_string()),
    ] {
        assert_eq!(ask(nothing.clone()), None, "{nothing:?}");
    }
}

#[test]
fn the_index_can_be_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    tell(&log);
    fill(&log, 1000);
    let expected = indexes(log.reader(), &Filter { operation: text("time/now"), ..Filter::default() });
    assert_eq!(expected.len(), 1000);
    log.close().unwrap();
    drop(log);
    let other = tempfile::tempdir().unwrap();
    let of_another_log = open(other.path());
    fill(&of_another_log, 700);
    indexes(of_another_log.reader(), &Filter::default());
    of_another_log.close().unwrap();
    drop(of_another_log);
    let index = |dir: &Path| dir.join("index.sqlite");
    let spoils: [&dyn Fn(&Path); 5] = [
        &|_| {},
        &|dir| fs::remove_file(index(dir)).unwrap(),
        &|dir| fs::write(index(dir), "no database at all, however long").unwrap(),
        &|dir| {
            let bytes = fs::read(index(dir)).unwrap();
            fs::write(index(dir), &bytes[..bytes.len() / 2]).unwrap();
        },
        &|dir| assert!(fs::copy(index(other.path()), index(dir)).is_ok()),
    ];
    for spoil in spoils {
        let image = image(dir.path());
        spoil(image.path());
        let log = open(image.path());
        let found = indexes(log.reader(), &Filter { operation: text("time/now"), ..Filter::default() });
        assert_eq!(found, expected);
    }
    // Without the writer the index is in memory, and the directory untouched.
    let image = image(dir.path());
    fs::remove_file(index(image.path())).unwrap();
    let reader = AuditReader::open(image.path()).unwrap();
    assert_eq!(indexes(&reader, &Filter { operation: text("time/now"), ..Filter::default() }), expected);
    assert!(!index(image.path()).exists());
    assert!(AuditReader::open(&image.path().join("nowhere")).is_err());
}

/// A log of a few bundles: trees of calls in sessions, refusals, calls that last, events.
fn make_varied(log: &AuditLog) {
    let lasting = Call::root("watch").in_session("s0", None);
    assert!(matches!(lasting.admit(log), Recorded::Done));
    for at in 0..250_u64 {
        let session = format!("s{}", at % 5);
        let source = Hash::of(session.as_bytes());
        if at % 50 == 0 {
            log.append(&session_opened(&format!("s{}", at / 50))).unwrap();
        }
        if at % 7 == 0 {
            let refused = Call::root("admin/stop").refuse(log, "scope", &ErrorCode::FORBIDDEN);
            assert!(matches!(refused, Recorded::Done));
            continue;
        }
        let root = Call::root(["fs/list", "fs/read", "time/now"][usize::try_from(at % 3).unwrap()]);
        assert!(matches!(root.admit(log), Recorded::Done));
        let above = if at % 11 == 0 { &lasting } else { &root };
        let child = above.child("session/count").in_session(&session, (at % 2 == 0).then_some(&source));
        child.run(log, &json!({ "at": at % 20 }));
        assert!(matches!(root.finish(log, Err(&ErrorCode::TIMEOUT)), Recorded::Done));
    }
    assert!(matches!(lasting.finish(log, Ok(&json!("end"))), Recorded::Done));
}

#[test]
fn an_answer_is_what_a_look_at_every_record_finds() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(1_000));
    let options = Options { clock: Arc::<ManualClock>::clone(&clock), ..options() };
    let log = AuditLog::open_on(dir.path(), options, Arc::new(Unsynced)).unwrap();
    make_varied(&log);
    clock.advance(Duration::from_micros(500));
    make_varied(&log);
    let all: Vec<_> = (0..log.size()).map(|index| log.reader().record(index).unwrap()).collect();
    assert!(all.len() > 1500, "{}", all.len());
    let mut dice = Dice::new(7);
    let members = ["kind", "session", "operation", "caller", "authority", "code", "call", "root"];
    for round in 0..400 {
        let example = &all[dice.below(all.len())].record;
        let mut wanted = members.map(|member| {
            let value = example[member].as_str().filter(|_| dice.below(4) == 0);
            value.map(str::to_owned)
        });
        if round % 40 == 0 {
            wanted[dice.below(6)] = Some("nobody has this name".to_owned());
        }
        let [kind, session, operation, caller, authority, outcome, call, root] = wanted.clone();
        let time = |dice: &mut Dice| {
            let time = [999, 1_000, 1_001, 1_500, 1_501][dice.below(5)];
            (dice.below(4) == 0).then_some(time)
        };
        let (since, until) = (time(&mut dice), time(&mut dice));
        let filter =
            Filter { kind, session, operation, caller, authority, outcome, call, root, since, until };
        let order = [Order::OldestFirst, Order::NewestFirst][dice.below(2)];
        let limit = u16::try_from(1 + dice.below(200)).unwrap();
        let mut expected: Vec<_> = all
            .iter()
            .filter(|Entry { record, .. }| {
                let has = |(member, value): (&str, &Option<String>)| {
                    let said = record[member].as_str().or(record[member]["label"].as_str());
                    value.is_none() || said == value.as_deref()
                };
                let at = record["time"].as_u64().unwrap();
                members.into_iter().zip(&wanted).all(has)
                    && since.is_none_or(|since| at >= since)
                    && until.is_none_or(|until| at < until)
            })
            .collect();
        if order == Order::NewestFirst {
            expected.reverse();
        }
        let stats = log.reader().stats(&filter).unwrap();
        assert_eq!(stats.records, u64::try_from(expected.len()).unwrap(), "{filter:?}");
        assert_eq!(stats.kinds.values().sum::<u64>(), stats.records);
        let mut page = Page { after: None, limit, order };
        let mut pages = expected.chunks(usize::from(limit));
        loop {
            let matches = log.reader().query(&filter, &page).unwrap();
            let expected = pages.next().unwrap_or_default();
            assert!(matches.entries.iter().eq(expected.iter().copied()), "{filter:?} {page:?}");
            page.after = matches.next;
            if page.after.is_none() {
                break;
            }
        }
        assert_eq!(pages.next(), None, "{filter:?}");
    }
    log.close().unwrap();
    assert_eq!(check(dir.path()).indexed, Some(u64::try_from(all.len() + 1).unwrap()));
}
