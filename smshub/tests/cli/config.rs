//! `smshub config`.

use crate::support::{ended, smshub};
use std::io::Write;

#[test]
fn the_defaults_are_right_and_can_be_shown() {
    let (code, out, error) = ended(smshub().args(["config", "check"]));
    assert_eq!((code, out.as_str(), error.as_str()), (0, "the settings are right\n", ""));
    let (code, out, _) = ended(smshub().args(["config", "dump"]));
    assert_eq!(code, 0);
    for section in
        ["[log]", "[management]", "[ingest.limits]", "[sender.connectors.magfa]", "[dlr_reconciler]"]
    {
        assert!(out.contains(section), "{section}: {out}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let (code, out, _) = ended(
        smshub()
            .args(["config", "dump"])
            .env("SMSHUB__POSTGRES__URL", "postgres://smshub:hunter2@db/smshub")
            .env("SMSHUB__SENDER__CONNECTORS__MAGFA__PASSWORD", "hunter3"),
    );
    assert_eq!(code, 0);
    assert!(!out.contains("hunter"), "{out}");
    assert!(out.contains("url = \"***\"") && out.contains("password = \"***\""), "{out}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[kafka]\npartitions = 12\nretention_hours = 1\n[ownership]\nrenew_ms = 4000\n").unwrap();
    let path = file.path().to_str().unwrap();
    let (code, out, error) = ended(smshub().args(["--config", path, "config", "check"]));
    assert_eq!((code, out.as_str()), (1, ""));
    let keys: Vec<_> =
        error.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(
        keys,
        [
            "smshub: ingest.limits.ttl_seconds_max",
            "smshub: kafka.partitions",
            "smshub: kafka.retention_hours",
            "smshub: ownership.renew_ms",
        ],
        "{error}"
    );
    // Nothing else is done with them either.
    let (code, _, error) = ended(smshub().args(["--config", path, "audit"]));
    assert_eq!((code, error.lines().count()), (1, 4), "{error}");
}

#[test]
fn unknown_settings_and_files_are_refused() {
    let (code, _, error) = ended(smshub().args(["config", "check"]).env("SMSHUB__KAFKA__PARTITION", "8"));
    assert_eq!(code, 1);
    assert!(error.starts_with("smshub: kafka") && error.contains("unknown"), "{error}");
    let (code, _, error) = ended(smshub().args(["--config", "/nowhere/smshub.toml", "config", "check"]));
    assert_eq!(code, 1);
    assert!(error.starts_with("smshub: /nowhere/smshub.toml: No such file"), "{error}");
}
