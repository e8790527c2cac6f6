//! The program starts. What it does is tested as a whole, in `tests`; having this test here is what makes
//! `cargo test` build the program.

#![expect(clippy::expect_used, reason = "what supports the test fails like a test")]

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_alknet-agent"));
    program.args(args).output().expect("the program runs")
}

#[test]
fn the_program_tells_its_version_and_its_usage() {
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    let expected = format!("alknet-agent {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);

    let nothing = run(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(nothing.stdout.is_empty());
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("Usage: alknet-agent"));
}
