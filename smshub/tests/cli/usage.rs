//! Help, and wrong usage.

use crate::support::{ended, smshub};

fn run(arguments: &[&str]) -> (i32, String, String) {
    ended(smshub().args(arguments))
}

#[test]
fn help_says_what_there_is() {
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for verb in
        ["run", "migrate", "topics", "config", "account", "key", "tariff", "line", "send", "audit", "trace"]
    {
        assert!(out.contains(&format!("\n  {verb} ")), "{verb}: {out}");
        let (code, help, _) = run(&[verb, "--help"]);
        assert_eq!(code, 0, "{verb}");
        assert!(help.contains("Example") && help.contains("Usage: smshub"), "{help}");
    }
    assert!(out.contains("Exit codes: 0 done, 1 failed"), "{out}");
}

#[test]
fn wrong_usage_is_code_2_and_says_what_is_wrong() {
    for (arguments, says) in [
        (&[][..], "Usage: smshub"),
        (&["fly"], "unrecognized subcommand 'fly'"),
        (&["run"], "--target <ROLES>"),
        (
            &["run", "--target", "mailer"],
            "expected ingest, billing-consumer, sender or dlr-reconciler, or all",
        ),
        (&["account", "create", "--name", "x"], "--line <LINE>"),
        (&["account", "create", "--name", " ", "--line", "1"], "expected 1 to 200 characters of one line"),
        (&["account", "create", "--name", "x", "--line", "1 2"], "expected 1 to 20 letters or digits"),
        (&["account", "create", "--name", "x", "--line", "1", "--id", "0"], "0 is not in 1.."),
        (&["account", "charge", "1", "0"], "expected an amount of at least 1"),
        (&["account", "charge", "1", "-5"], "a charge cannot be negative"),
        (&["account", "charge", "1", "1.5"], "no fractions"),
        (&["account", "charge", "1", "9223372036854775808"], "at most 9223372036854775807"),
        (&["account", "charge", "-1", "5"], "-1"),
        (
            &["key", "create", "--account", "1", "--scope", "send,fly"],
            "expected one of send, read, charge, admin",
        ),
        (&["key", "revoke", "x"], "invalid value 'x'"),
        (&["key", "rotate", "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e", "--grace", "31d"], "at most 30d"),
        (&["key", "rotate", "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e", "--grace", "24"], "a number with a unit"),
        (&["account", "set-limit", "1"], "--standard <SEGMENTS>|--express <SEGMENTS>"),
        (&["account", "set-limit", "1", "--standard", "0"], "expected 1 to 100000000 segments, or default"),
        (&["account", "set-line", "1"], "--line <LINE>"),
        (&["account", "suspend", "1", "--yes", "--dry-run"], "cannot be used with"),
        (&["account", "list", "--limit", "0"], "0 is not in 1..=10000"),
        (&["line", "assign", "3-0", "--account", "1"], "expected 1 to 20 letters or digits"),
        (&["line", "set", "3000"], "--advertising <true|false>|--note <NOTE>"),
        (&["line", "set", "3000", "--advertising", "maybe"], "possible values: true, false"),
        (&["tariff", "set"], "--price <LANE[/PREFIX[/ENCODING]]=AMOUNT>|--file <FILE>"),
        (&["tariff", "set", "--price", "fast=1"], "lane: expected"),
        (&["tariff", "set", "--price", "bulk=1", "--effective-at", "tomorrow"], "a time with its offset"),
        (&["tariff", "show", "0"], "0 is not in 1.."),
        (&["send"], "--file <FILE>"),
        (&["send", "--file", "x", "--lane", "express"], "possible values: bulk, standard"),
        (&["send", "--file", "x", "--batch", "10001"], "10001 is not in 1..=10000"),
        (&["send", "--file", "x", "--text", "a", "--column-of-text", "b"], "cannot be used with"),
        (&["trace", "0"], "whole number from 256 to 9223372036854775807"),
        (&["trace", "9223372036854775808"], "whole number from 256 to"),
        (&["--config"], "--config <FILE>"),
    ] {
        let (code, out, error) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

/// Errors are one line, without anything of Rust in it.
#[test]
fn what_cannot_be_reached_is_named_with_its_setting() {
    let postgres = ended(
        smshub()
            .args(["account", "show", "1"])
            .env("SMSHUB__POSTGRES__URL", "postgres://user:hunter2@127.0.0.1:9/nowhere"),
    );
    assert_eq!((postgres.0, postgres.1.as_str()), (1, ""));
    assert_eq!(postgres.2.lines().count(), 1, "{}", postgres.2);
    let says = "smshub: Postgres at 127.0.0.1:9, database nowhere, cannot be used: is it up? (setting postgres.url): ";
    assert!(postgres.2.starts_with(says), "{}", postgres.2);
    assert!(!postgres.2.contains("hunter2") && !postgres.2.contains("Error"), "{}", postgres.2);
}
