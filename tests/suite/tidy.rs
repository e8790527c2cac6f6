//! What must be true of the sources: sizes, the arrows between crates, words that must not be left in, and files
//! that must say the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::support::repository;

/// Lines of code in one file, tests and comments not counted.
const FILE_LINES_MAX: usize = 600;

/// The files of the repository, those included that are not added yet.
fn sources() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    let listed = git
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    let files = names.split_terminator('\0').map(|name| repository().join(name));
    files.filter(|file| file.is_file()).collect()
}

fn name_of(file: &Path) -> String {
    file.strip_prefix(repository()).unwrap().display().to_string()
}

fn read(name: &str) -> String {
    let file = repository().join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn manifest(name: &str) -> Table {
    read(name).parse().unwrap()
}

#[test]
fn files_are_short() {
    let mut too_long = Vec::new();
    for file in sources() {
        if file.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().lines();
        let lines = code.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        if lines > FILE_LINES_MAX {
            too_long.push(format!("{}: {lines}", name_of(&file)));
        }
    }
    assert!(too_long.is_empty(), "split these files: {too_long:#?}");
}

#[test]
fn nothing_is_left_to_do_and_nothing_names_where_it_was_made() {
    // In two parts, so that this file does not hold them.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("/wo", "rk/"),
        concat!("iss", "ue #"),
    ];
    // A tool that finds the first two, and tests of a search for them.
    let about_them = ["examples/agent-tools/find_todos.", "host/agent/src/builtin/fs/tests/search.rs"];
    let mut found = Vec::new();
    for file in sources() {
        let name = name_of(&file);
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        if about_them.iter().any(|known| name.starts_with(known)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The crates of the workspace by their folders.
fn crates() -> BTreeMap<String, Table> {
    let workspace = manifest("Cargo.toml");
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let folders = members.iter().map(|member| member.as_str().unwrap().to_owned());
    folders.map(|folder| (folder.clone(), manifest(&format!("{folder}/Cargo.toml")))).collect()
}

#[test]
fn crates_depend_on_what_they_may() {
    let all = ["agent", "audit", "call", "core", "net", "sandbox", "store"];
    let with_vault = ["agent", "audit", "call", "core", "net", "sandbox", "store", "vault"];
    let allowed: [(&str, &[&str]); 11] = [
        ("host/core", &[]),
        ("host/call", &["core"]),
        ("host/net", &["core"]),
        ("host/audit", &["core", "call"]),
        ("host/store", &["core"]),
        ("host/vault", &[]),
        ("sandbox/runtime", &[]),
        ("host/agent", &["core", "call", "sandbox", "audit"]),
        // The only crate that sees the vault.
        ("host/cli", &with_vault),
        ("tests", &all),
        ("examples/quickstart", &all),
    ];
    let crates = crates();
    assert_eq!(crates.len(), allowed.len(), "a crate is missing in this table");
    for (folder, allowed) in allowed {
        let manifest = crates.get(folder).unwrap_or_else(|| panic!("{folder} is no member"));
        for name in dependencies(manifest) {
            let Some(ours) = name.strip_prefix("alknet-") else {
                continue;
            };
            assert!(allowed.contains(&ours), "{folder} must not depend on {name}");
        }
    }
    // What keeps the rules apart from the machinery.
    for (folder, apart_from) in [
        ("host/core", ["quinn", "iroh", "rustls", "wasmtime", "rusqlite"]),
        ("host/call", ["quinn", "iroh", "rustls", "wasmtime", "rusqlite"]),
        ("host/net", ["wasmtime", "rusqlite", "serde_json", "jsonschema", "reqwest"]),
        ("host/vault", ["tokio", "async-trait", "rustls", "rusqlite", "tracing"]),
        ("sandbox/runtime", ["quinn", "iroh", "rustls", "rusqlite", "reqwest"]),
    ] {
        let names = dependencies(&crates[folder]);
        assert!(!names.iter().any(|name| apart_from.contains(&name.as_str())), "{folder}: {names:?}");
    }
}

/// What a crate depends on, for whatever target; what only its tests need does not count.
fn dependencies(manifest: &Table) -> Vec<String> {
    let tables = |table: &Table| -> Vec<String> {
        let kinds = ["dependencies", "build-dependencies"];
        let found = kinds.iter().filter_map(|kind| table.get(*kind)?.as_table());
        found.flat_map(|dependencies| dependencies.keys().cloned()).collect()
    };
    let targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut names = tables(manifest);
    names.extend(of_targets.flat_map(tables));
    names
}

#[test]
fn every_crate_keeps_the_rules_of_the_workspace() {
    for (folder, manifest) in crates() {
        let inherited = |value: Option<&Value>| {
            value.and_then(|value| value.get("workspace")) == Some(&Value::Boolean(true))
        };
        assert!(inherited(manifest.get("lints")), "{folder} has no `[lints] workspace = true`");
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(inherited(manifest["package"].get(key)), "{folder} has its own {key}");
        }
        for (name, dependency) in manifest.get("dependencies").and_then(Value::as_table).into_iter().flatten()
        {
            assert!(inherited(Some(dependency)), "{folder} has its own version of {name}");
        }
    }
    let workspace = &manifest("Cargo.toml")["workspace"];
    assert_eq!(workspace["default-members"].as_array().unwrap(), &[Value::from("host/cli")]);
    let toolchain: Table = manifest("rust-toolchain.toml");
    assert_eq!(toolchain["toolchain"]["channel"], workspace["package"]["rust-version"]);
}

#[test]
fn every_module_of_these_tests_is_declared() {
    let main = read("tests/suite/main.rs");
    let support = read("tests/suite/support.rs");
    let conformance = read("tests/suite/conformance.rs");
    for (folder, root) in
        [("tests/suite", &main), ("tests/suite/support", &support), ("tests/suite/conformance", &conformance)]
    {
        for entry in repository().join(folder).read_dir().unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let declared = root.lines().any(|line| line == format!("mod {stem};"));
            assert!(declared || stem == "main", "{} is not compiled", name_of(&path));
        }
    }
}

#[test]
fn the_guest_is_the_one_whose_sum_is_kept() {
    let sums = read("sandbox/quickjs/SHA256SUMS");
    assert!(sums.contains("quickjs.wasm"));
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        let bytes = std::fs::read(repository().join("sandbox/quickjs").join(file)).unwrap();
        assert_eq!(hex::encode(Sha256::digest(bytes)), sum, "{file}");
    }
}

#[test]
fn the_readme_tells_how_to_begin() {
    let readme = read("README.md");
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command), "README.md does not say `{command}`");
    }
}

#[test]
fn the_tests_that_documents_name_exist() {
    let rust = sources().into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    let code: String = rust.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let mut missing = Vec::new();
    for document in ["docs/security.md", "docs/conformance.md", "docs/protocol.md", "docs/architecture.md"] {
        let text = read(document);
        // Names of tests are sentences; three underscores tell them from other names.
        let named = text.split('`').skip(1).step_by(2).filter(|name| {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            name.matches('_').count() >= 3 && name.chars().all(word)
        });
        let absent = named
            .filter(|name| !code.contains(&format!("fn {name}(")) && !code.contains(&format!("{name}:")));
        missing.extend(absent.map(|name| format!("{document}: {name}")));
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}
