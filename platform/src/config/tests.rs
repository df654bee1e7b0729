#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::*;

const DEFAULTS: &str = r#"
[http]
port = 8080
connections = 100
verbose = false
ratio = 0.5
hosts = ["a"]
name = "hub"
[database]
password = "default-password"
"#;

#[derive(Debug, Deserialize, Serialize)]
struct Settings {
    http: Http,
    database: Database,
    #[serde(default)]
    connectors: std::collections::BTreeMap<String, Connector>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Http {
    port: u16,
    connections: u64,
    verbose: bool,
    ratio: f64,
    hosts: Vec<String>,
    name: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Database {
    password: Secret,
    socket: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Connector {
    window: u32,
}

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into_iter()
}

fn from(file: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let mut temporary = tempfile::NamedTempFile::new().unwrap();
    temporary.write_all(file.as_bytes()).unwrap();
    load(DEFAULTS, Some(temporary.path()), env(environment))
}

fn problems(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match from(file, environment) {
        Err(ConfigError::Refused(problems)) => problems,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn the_environment_is_over_the_file_is_over_the_defaults() {
    let settings = from(
        "[http]\nport = 1\nconnections = 2\nratio = 2",
        &[("SMSHUB__HTTP__PORT", "3"), ("SMSHUB_KEY", "not ours"), ("PATH", "/bin")],
    )
    .unwrap();
    assert_eq!((settings.http.port, settings.http.connections), (3, 2));
    assert!((settings.http.ratio - 2.0).abs() < f64::EPSILON, "an integer is a number");
    assert_eq!(settings.http.name, "hub");
    assert!(load::<Settings>(DEFAULTS, None, env(&[])).is_ok());
}

#[test]
fn the_environment_takes_the_kind_of_the_default() {
    let settings = from(
        "",
        &[
            ("SMSHUB__HTTP__HOSTS", "x, y"),
            ("SMSHUB__HTTP__VERBOSE", "true"),
            ("SMSHUB__HTTP__NAME", "42"),
            ("SMSHUB__DATABASE__SOCKET", "7"),
            ("SMSHUB__CONNECTORS__MAGFA__WINDOW", "10"),
        ],
    )
    .unwrap();
    assert_eq!(settings.http.hosts, ["x", "y"]);
    assert!(settings.http.verbose);
    assert_eq!(settings.http.name, "42");
    assert_eq!(settings.database.socket.as_deref(), Some("7"), "a setting without a default");
    assert_eq!(settings.connectors["magfa"].window, 10);
    assert!(from("", &[("SMSHUB__HTTP__HOSTS", "")]).unwrap().http.hosts.is_empty());
}

#[test]
fn every_unknown_key_is_named() {
    let found = problems(
        "nonsense = 1\n[http]\nprot = 1\n[database]\nsokcet = 'x'",
        &[("SMSHUB__HTTP__CONECTIONS", "5")],
    );
    assert_eq!(
        found,
        [
            "database.sokcet: unknown key",
            "http.conections: unknown key",
            "http.prot: unknown key",
            "nonsense: unknown key"
        ]
    );
    let strict = problems("[connectors.magfa]\nwindow = 1\nwidnow = 2", &[]);
    assert!(strict[0].contains("connectors.magfa") && strict[0].contains("widnow"), "{strict:?}");
}

#[test]
fn a_wrong_type_names_key_expectation_and_source() {
    let found = problems("[http]\nport = 1.5\nverbose = 'yes'", &[("SMSHUB__HTTP__CONNECTIONS", "many")]);
    assert_eq!(found[0], "http.connections: expected an integer (in SMSHUB__HTTP__CONNECTIONS)");
    assert!(found[1].starts_with("http.port: expected an integer, found a number (in /"), "{found:?}");
    assert!(found[2].starts_with("http.verbose: expected true or false, found a string (in "), "{found:?}");

    let too_large = problems("", &[("SMSHUB__HTTP__PORT", "65536")]);
    assert!(too_large[0].starts_with("http.port: "), "{too_large:?}");
    let optional = problems("[connectors.magfa]\nwindow = 'wide'", &[]);
    assert!(optional[0].starts_with("connectors.magfa.window: expected an integer (in "), "{optional:?}");
    assert_eq!(problems("[connectors.magfa]", &[]), ["connectors.magfa.window: missing"]);
}

#[test]
fn names_that_are_not_ours_in_form_are_refused() {
    for name in ["SMSHUB__http__port", "SMSHUB__HTTP____PORT", "SMSHUB__", "SMSHUB__HTTP[0]"] {
        assert!(problems("", &[(name, "1")])[0].starts_with(name));
    }
    assert_eq!(
        problems("", &[("SMSHUB__HTTP", "1")]),
        ["http: expected a key inside this section (in SMSHUB__HTTP)"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = load::<Settings>(DEFAULTS, Some("/no/such/file".as_ref()), env(&[])).unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/file: "), "{missing}");
    let broken = from("[database]\npassword = 'hunter2", &[]).unwrap_err();
    assert!(matches!(broken, ConfigError::Unreadable { .. }), "{broken}");
    assert!(broken.to_string().contains("line 2") && !broken.to_string().contains("hunter2"), "{broken}");
}

#[test]
fn a_secret_is_never_shown() {
    for settings in [
        from("[database]\npassword = 'hunter2'", &[]).unwrap(),
        from("", &[("SMSHUB__DATABASE__PASSWORD", "hunter2")]).unwrap(),
    ] {
        assert_eq!(settings.database.password.expose(), "hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let dumped = dump(&settings).unwrap();
        assert!(dumped.contains("password = \"***\"") && !dumped.contains("hunter2"), "{dumped}");
        assert!(dumped.contains("port = 8080"), "{dumped}");
    }
    let misplaced = problems("[http]\nport = 'hunter2'", &[]);
    assert!(!misplaced.join("").contains("hunter2"), "{misplaced:?}");
}

#[test]
fn all_violations_are_listed_at_once() {
    let mut violations = Violations::new();
    violations.range("http.port", 0, 1..=65_535);
    violations.range("http.connections", 5, 1..=10);
    violations.require(false, "http.drain_ms", "less than lifecycle.stop_accepting_ms");
    let refused = violations.into_result().unwrap_err().to_string();
    assert_eq!(
        refused,
        "http.drain_ms: expected less than lifecycle.stop_accepting_ms\nhttp.port: expected from 1 to 65535, is 0"
    );
    assert!(Violations::new().into_result().is_ok());
}
