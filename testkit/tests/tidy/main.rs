//! Rules about the text of the code itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod source;

use source::{Source, sources};

/// Lines of a file at most; tests may be longer.
const LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 600;
/// A sleep in a test says why it is no hope, in a comment with one of these words.
const WHY_A_SLEEP: [&str; 3] = ["not a hope", "deadline", "on purpose"];

/// Tests of what time itself does: here sleeping is the matter, not waiting for something.
const ABOUT_TIME: [&str; 2] = ["platform/src/http/tests/heads.rs", "platform/src/lifecycle/tests.rs"];

fn report(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

fn product() -> impl Iterator<Item = Source> {
    let tools = |source: &Source| ["testkit/", "benches/"].iter().any(|tool| source.path.starts_with(tool));
    sources().into_iter().filter(move |source| !source.is_test && !tools(source))
}

#[test]
fn files_are_short() {
    let found: Vec<String> = sources()
        .iter()
        .map(|source| (source, source.lines.len(), if source.is_test { TEST_LINES_MAX } else { LINES_MAX }))
        .filter(|(_, length, most)| length > most)
        .map(|(source, length, most)| format!("{} has {length} lines, at most {most}", source.path))
        .collect();
    report(&found, "one job one file");
}

/// Clippy says it too; an `allow` there would go unseen.
#[test]
fn nothing_that_panics_outside_tests() {
    let words = [
        ".unwrap()",
        ".expect(\"",
        ".expect(&",
        ".expect_err(",
        ".unwrap_err()",
        "todo!(",
        "dbg!(",
        "unimplemented!(",
    ];
    let mut found = Vec::new();
    for source in product() {
        found.extend(
            source.code().filter(|(_, line)| words.iter().any(|word| line.contains(word))).map(source.at()),
        );
    }
    report(&found, "errors are returned");
}

#[test]
fn no_state_in_statics() {
    let cells = ["Atomic", "Cell", "LazyLock", "Mutex", "Once", "RwLock", "Lazy<"];
    let mut found = Vec::new();
    for source in product() {
        let state = |line: &str| {
            let code = line.trim_start();
            let code = code.strip_prefix("pub ").or(code.strip_prefix("pub(crate) ")).unwrap_or(code);
            code.starts_with("static mut ")
                || code.starts_with("thread_local!")
                || code.starts_with("static ") && cells.iter().any(|cell| code.contains(cell))
        };
        found.extend(source.code().filter(|(_, line)| state(line)).map(source.at()));
    }
    report(&found, "state is handed over, never static");
}

/// A test waits for a condition with a deadline. A sleep inside a loop is the pause between
/// two looks; any other says in a comment why it is no hope.
#[test]
fn tests_do_not_sleep_and_hope() {
    let mut found = Vec::new();
    let waiting = |source: &Source| source.is_test && !ABOUT_TIME.contains(&source.path.as_str());
    for source in sources().into_iter().filter(waiting) {
        for (number, line) in source.lines.iter().enumerate() {
            let sleeps = line.contains("time::sleep(") || line.contains("thread::sleep(");
            if sleeps && !source.is_in_a_loop(number) && !source.says(number, &WHY_A_SLEEP) {
                found.push(source.at()((number, line)));
            }
        }
    }
    report(&found, "a sleep that hopes");
}

/// Dashboards and alerts are written against these names.
#[test]
fn metrics_are_named_after_us() {
    let (mut found, mut seen) = (Vec::new(), 0);
    for source in product() {
        for (number, line) in source.code() {
            for name in source.metric_names(number, line) {
                seen += 1;
                let plain = name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
                if !name.starts_with("smshub_") || !plain {
                    found.push(format!("{}:{}: {name}", source.path, number + 1));
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} names were seen: this test looks past them");
    report(&found, "metrics begin with smshub_");
}

/// One ordered list for all tables.
#[test]
fn migrations_are_numbered_without_a_gap() {
    let folder = source::root().join("ledger/migrations");
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty());
    for (place, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", place + 1)), "{name} is not number {}", place + 1);
        let words = name[5..].strip_suffix(".sql").unwrap_or_else(|| panic!("{name} is not SQL"));
        assert!(
            !words.is_empty() && words.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
    }
}
