//! Processes that write a log and are killed, or have no room left: this test program again, as a child.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use alknet_core::SystemClock;

use super::support::*;
use crate::*;

/// What a child is told by its environment: the log's folder, and what to do.
const DIR: &str = "ALKNET_AUDIT_TEST_DIR";
const TASK: &str = "ALKNET_AUDIT_TEST_TASK";
/// Times that a writer is killed.
const KILLS: u64 = 200;

/// A log as a host opens it: on the real disk, with checkpoints all the while.
fn real(dir: &Path, durability: Durability) -> Result<AuditLog, OpenError> {
    let clock = std::sync::Arc::new(SystemClock);
    let often = Options { checkpoint_every: 64, checkpoint_interval: Duration::from_millis(3), ..options() };
    AuditLog::open(dir, Options { durability, clock, ..often })
}

/// This test alone, in a process of its own.
fn child(test: &str, dir: &Path, task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(DIR, dir).env(TASK, task);
    command
}

/// The child: writes records until it is killed, and says of each that it was acknowledged.
fn write_until_killed(dir: &Path, task: &str) {
    let (durability, round) = task.split_once(' ').unwrap();
    let durability = if durability == "disk" { Durability::Disk } else { Durability::Os };
    let log = real(dir, durability).unwrap();
    let mut out = std::io::stdout();
    for number in 0_u64.. {
        let name = format!("{round}/{number}");
        log.append(&session_opened(&name)).unwrap();
        // Nobody may listen any more.
        writeln!(out, "\nacknowledged {name}").and_then(|()| out.flush()).unwrap_or_default();
    }
}

#[test]
fn a_writer_is_killed_again_and_again() {
    if let (Some(dir), Ok(task)) = (std::env::var_os(DIR), std::env::var(TASK)) {
        return write_until_killed(Path::new(&dir), &task);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    let mut covered: Option<String> = None;
    let mut waits = 17_u64;
    for round in 0..KILLS {
        let durability = if round % 4 == 3 { "disk" } else { "os" };
        let test = "tests::kills::a_writer_is_killed_again_and_again";
        let mut command = child(test, dir.path(), &format!("{durability} {round}"));
        let mut writer = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // A different number each time, the same in every run: also none at all, in the middle of the opening.
        waits = (waits * 6_364_136_223 + 1_442_695_041) % 1_000_003;
        let wanted = usize::try_from(waits % 200).unwrap().saturating_sub(20);
        let wanted = if durability == "disk" { wanted / 8 } else { wanted };
        let mut out = BufReader::new(writer.stdout.take().unwrap());
        let name = |line: &str| line.strip_prefix("acknowledged ").map(|name| name.trim_end().to_owned());
        let (mut line, before) = (String::new(), acknowledged.len());
        while acknowledged.len() < before + wanted {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "the writer ended by itself");
            acknowledged.extend(name(&line));
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        // What is cut in the middle of a line was not said.
        let whole = rest.rfind('\n').map_or("", |at| &rest[..at]);
        acknowledged.extend(whole.lines().filter_map(name));

        // The next writer holds it against its checkpoint when it opens; all of it is proved now and then.
        if round % 20 != 19 {
            continue;
        }
        let given = VerifyOptions { checkpoint: covered.clone(), ..signed() };
        let report = verify(dir.path(), &given).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let note = std::fs::read_to_string(dir.path().join("checkpoint")).unwrap();
        assert_eq!(Checkpoint::open(&note, &key().public()).unwrap().size, report.covered);
        covered = Some(note);
    }
    drop(real(dir.path(), Durability::Os).unwrap());
    check(dir.path());
    let mut tail = Tail::open(dir.path(), u64::MAX).unwrap();
    let mut recorded = Vec::new();
    loop {
        let entries = tail.read().unwrap();
        if entries.is_empty() {
            break;
        }
        let session = |entry: &Entry| entry.record["session"].as_str().map(str::to_owned);
        recorded.extend(entries.iter().filter_map(session));
    }
    let mut there = recorded.iter();
    for name in &acknowledged {
        assert!(there.any(|found| found == name), "{name} was acknowledged and is lost");
    }
    // Nothing is there that was not written, and nothing twice: names count up within their rounds.
    let order = |name: &String| -> (u64, u64) {
        let (round, number) = name.split_once('/').unwrap();
        (round.parse().unwrap(), number.parse().unwrap())
    };
    assert!(recorded.iter().map(order).is_sorted_by(|a, b| a < b));
}

/// The child: its log is on a file system of 256 KiB, which it fills.
fn fill_the_disk(dir: &Path) {
    for durability in [Durability::Os, Durability::Disk] {
        let name = if durability == Durability::Os { "os" } else { "disk" };
        let (place, filler) = (dir.join(name), dir.join("filler"));
        let log = real(&place, durability).unwrap();
        log.append(&session_opened("before")).unwrap();
        // Somebody else takes what is left, down to the last byte.
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        let mut written = 0;
        let refused = loop {
            match log.append(&session_opened(&format!("during/{written}"))) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 1_000, "the disk is not full");
        };
        assert_eq!(refused, alknet_call::AuditUnavailable);
        for _ in 0..20 {
            assert!(log.append(&session_opened("refused")).is_err());
        }
        assert!(log.store_source(&[b'x'; 9_000]).is_err());
        // It is whole as it lies there.
        verify(&place, &signed()).unwrap();
        drop(file);
        std::fs::remove_file(&filler).unwrap();
        log.append(&session_opened("after")).unwrap();
        log.close().unwrap();
        let report = check(&place);
        assert_eq!(report.covered, report.records);
        let records = kinds(&AuditReader::open(&place).unwrap());
        assert_eq!(records.iter().filter(|kind| *kind == "session.opened").count(), 2 + written);
        std::fs::remove_dir_all(&place).unwrap();
    }
}

#[test]
fn a_full_disk_refuses_and_heals() {
    if let Some(dir) = std::env::var_os(DIR) {
        return fill_the_disk(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    // A file system of its own, in a namespace that ends with the child; needs no rights where users have namespaces.
    let test = "tests::kills::a_full_disk_refuses_and_heals";
    let inner = child(test, dir.path(), "fill");
    let script = "mount -t tmpfs -o size=256k none \"$0\" || exit 77; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script]).arg(dir.path());
    command.arg(inner.get_program()).args(inner.get_args()).env(DIR, dir.path()).env(TASK, "fill");
    match command.output() {
        Ok(output) if output.status.code() == Some(77) => {
            println!("skipped: no file system can be mounted here");
        }
        Ok(output) if String::from_utf8_lossy(&output.stderr).starts_with("unshare:") => {
            println!("skipped: no namespace can be made here");
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let out = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && out.contains("1 passed"), "{out}\n{said}");
        }
        Err(error) => println!("skipped: no unshare: {error}"),
    }
}
