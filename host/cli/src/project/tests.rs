use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_configuration_is_found_upward() {
    let dir = folder();
    let deep = dir.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    assert_eq!(search(&deep), None);
    let file = dir.path().join(config::FILE_NAME);
    fs::write(&file, "").unwrap();
    assert_eq!(search(&deep), Some(file.clone()));
    fs::create_dir(dir.path().join("a").join(config::FILE_NAME)).unwrap();
    assert_eq!(search(&deep), Some(file), "a folder of that name is no configuration");
}

#[test]
fn an_unreadable_configuration_is_named() {
    let dir = folder();
    let file = dir.path().join("other.toml");
    let shown = |file: &Path| Project::open(file).unwrap_err().to_string();
    assert!(shown(&file).starts_with(&format!("cannot read {}: ", file.display())));
    assert!(shown(dir.path()).starts_with("cannot read "));
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert_eq!(shown(&file), format!("{} is not UTF-8 text", file.display()));
    fs::write(&file, "[host]\nx = 1").unwrap();
    assert!(shown(&file).starts_with(&format!("{}:2:1: `host.x`: ", file.display())));
}

#[test]
fn a_key_must_be_private_and_a_key() {
    let dir = folder();
    let file = dir.path().join("x.key");
    let digits = "0a".repeat(32);
    create_private_file(&file, format!("{digits}\n").as_bytes()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(*read_key(&file).unwrap().to_bytes(), [0x0a; 32]);
    assert!(create_private_file(&file, b"again").is_err(), "nothing is overwritten");

    for mode in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let shown = read_key(&file).unwrap_err().to_string();
        assert!(shown.contains(&format!("mode {mode:04o}")), "{shown}");
        assert!(shown.ends_with(&format!("run: chmod 600 '{}'", file.display())), "{shown}");
    }
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    for content in
        ["s3cret", &digits[1..], &format!("{digits}00"), &format!("{digits}\n{digits}\n"), &"x".repeat(64)]
    {
        fs::write(&file, content).unwrap();
        let shown = read_key(&file).unwrap_err().to_string();
        assert!(shown.contains("64 hexadecimal digits") && !shown.contains("s3cret"), "{shown}");
    }
    for content in ["", &"0".repeat(5000)] {
        fs::write(&file, content).unwrap();
        assert!(matches!(read_key(&file), Err(KeyFileError::Unfit { .. })));
    }
    assert!(matches!(read_key(dir.path()), Err(KeyFileError::Unfit { .. })));
    assert!(matches!(read_key(&dir.path().join("none")), Err(KeyFileError::Read { .. })));
}

#[test]
fn the_data_folder_must_be_private() {
    let dir = folder();
    let data = dir.path().join("data");
    create_private_dir(&data).unwrap();
    check_private_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o750)).unwrap();
    let shown = check_private_dir(&data).unwrap_err().to_string();
    assert!(shown.contains("mode 0750") && shown.contains("chmod 700"), "{shown}");
    assert!(check_private_dir(&dir.path().join("none")).is_err());
}

#[test]
fn a_running_host_is_found_until_it_ends() {
    let dir = folder();
    let file = Layout::new(dir.path().to_owned()).runtime_file();
    assert_eq!(file.read(), None);
    let fingerprint = format!("ed25519:{}", "ab".repeat(32));
    let quic = "127.0.0.1:7443".parse().ok();
    let mut info = RuntimeInfo { quic, iroh: None, socket: None, fingerprint, pid: 7 };
    file.write(&info).unwrap();
    assert_eq!(file.read().as_ref(), Some(&info));
    info.pid = 8;
    file.write(&info).unwrap();
    file.remove(7).unwrap();
    assert_eq!(file.read(), Some(info), "another host's file is left alone");
    file.remove(8).unwrap();
    file.remove(8).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
