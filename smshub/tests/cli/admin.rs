//! What people decide about customers, on real Postgres: each command, and the row it leaves.

use crate::support::Installation;
use serde_json::{Value, json};
use std::io::Write;

/// Changes of a subject, the first first: what, before, after. Each by whoever runs this test.
async fn told(installation: &Installation, subject: &str) -> Vec<(String, Value, Value)> {
    let rows: Vec<(String, String, Option<String>, Option<String>)> = sqlx::query_as(
        "select who, what, before::text, after::text from change where subject = $1 order by id",
    )
    .bind(subject)
    .fetch_all(installation.schema.pool())
    .await
    .unwrap();
    let value = |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    rows.into_iter()
        .map(|(who, what, before, after)| {
            let (user, host) = who.strip_prefix("cli ").unwrap().split_once('@').unwrap();
            assert!(!user.is_empty() && !host.is_empty(), "{who}");
            (what, value(before), value(after))
        })
        .collect()
}

fn whats(told: &[(String, Value, Value)]) -> Vec<&str> {
    told.iter().map(|(what, ..)| what.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_lines_are_set() {
    let installation = Installation::tables().await;
    let id = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    let set = installation.line(&["account", "set-limit", &id, "--standard", "5000", "--express", "600"]);
    assert_eq!(set, "account 1: segments a minute: standard 5000, express 600");
    let set = installation.line(&["account", "set-limit", &id, "--standard", "default"]);
    assert_eq!(set, "account 1: segments a minute: standard as the settings say, express 600");
    let set = installation.line(&["account", "set-line", &id, "--line", "3000", "--line", "100002"]);
    assert_eq!(set, "account 1 may use 3000, 100002");
    let (code, _, error) = installation.run(&["account", "set-line", &id, "--line", "1", "--line", "1"]);
    assert_eq!((code, error.as_str()), (1, "smshub: expected each line once, and 1 stands there twice\n"));
    let given = installation.line(&["line", "assign", "4000", "--account", &id]);
    assert_eq!(given, "account 1 may use 3000, 100002, 4000");
    let given = installation.line(&["line", "assign", "4000", "--account", &id, "--default"]);
    assert_eq!(given, "account 1 may use 4000, 3000, 100002");
    let told = told(&installation, "account 1").await;
    let expected = ["create", "set-limit", "set-limit", "set-line", "set-line", "set-line"];
    assert_eq!(whats(&told), expected.map(|what| format!("account.{what}")));
    let limits = |standard: Option<u32>| json!({"rate_limit_per_minute": standard, "express_rate_limit_per_minute": 600});
    assert_eq!((&told[2].1, &told[2].2), (&limits(Some(5_000)), &limits(None)));

    for arguments in [
        &["account", "set-limit", "9", "--standard", "1"][..],
        &["account", "set-line", "9", "--line", "1"],
        &["line", "assign", "1", "--account", "9"],
        &["account", "suspend", "9", "--yes"],
        &["account", "resume", "9"],
        &["account", "show", "9"],
    ] {
        let (code, out, error) = installation.run(arguments);
        assert_eq!((code, out.as_str(), error.as_str()), (1, "", "smshub: no account 9\n"), "{arguments:?}");
    }
    installation.drop().await;
}

/// What is under way is shown first; nothing happens unless it is meant.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_suspended_when_it_is_meant() {
    let installation = Installation::tables().await;
    let id = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    installation.line(&["account", "charge", &id, "5000"]);
    sqlx::raw_sql(
        "insert into account_hour (account_id, hour, lane, status, messages)
         select 1, date_trunc('hour', clock_timestamp(), 'UTC'), 'bulk', status, messages
         from (values ('submitted', 9), ('delivered', 5)) as n (status, messages);
         update account set balance = 1000, held = 4000",
    )
    .execute(installation.schema.pool())
    .await
    .unwrap();
    let shows = "account 1 (Acme): 4 messages are in flight, 4000 are held for them; they go on\n";
    let (code, out, _) = installation.run(&["account", "suspend", &id, "--dry-run"]);
    assert_eq!((code, out), (0, format!("{shows}nothing was changed: this was a dry run\n")));
    let (code, out, error) = installation.run(&["account", "suspend", &id]);
    assert_eq!((code, out.as_str()), (1, shows));
    let says = "smshub: nothing was changed: nobody can be asked here; repeat it with --yes if it is meant\n";
    assert_eq!(error, says);
    let (_, shown, _) = installation.run(&["account", "show", &id]);
    assert!(shown.contains("state      active\n") && shown.contains("in flight  4 messages\n"), "{shown}");

    let (code, out, _) = installation.run(&["account", "suspend", &id, "--yes"]);
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    assert!(out.ends_with("suspended account 1: within seconds it sends nothing more; it may still read\n"));
    let (_, shown, _) = installation.run(&["account", "show", &id]);
    assert!(shown.contains("state      SUSPENDED since 2"), "{shown}");
    let (_, listed, _) = installation.run(&["account", "list"]);
    assert!(listed.lines().nth(1).unwrap().ends_with("suspended  Acme"), "{listed}");
    assert!(
        installation
            .line(&["account", "suspend", &id, "--yes"])
            .starts_with("account 1 is suspended since 2")
    );
    assert_eq!(installation.line(&["account", "resume", &id]), "account 1 may send, within seconds");
    assert_eq!(installation.line(&["account", "resume", &id]), "account 1 may send, within seconds");
    let told = told(&installation, "account 1").await;
    assert_eq!(whats(&told), ["account.create", "account.charge", "account.suspend", "account.resume"]);
    assert_eq!((&told[2].1, &told[2].2), (&json!({"suspended": false}), &json!({"suspended": true})));
    assert_eq!((&told[3].1, &told[3].2), (&json!({"suspended": true}), &json!({"suspended": false})));
    installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_lines_are_listed_page_by_page() {
    let installation = Installation::tables().await;
    for name in ["a", "b", "c"] {
        installation.line(&["account", "create", "--name", name, "--line", &format!("10{name}")]);
    }
    let (_, out, error) = installation.run(&["account", "list", "--limit", "2"]);
    assert_eq!(error, "2 accounts are shown, and there are more: --below 2\n");
    let names: Vec<&str> = out.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names, ["c", "b"]);
    let (_, out, error) = installation.run(&["account", "list", "--limit", "2", "--below", "2"]);
    assert!(out.ends_with("active     a\n") && error.is_empty(), "{out}{error}");

    let (_, out, error) = installation.run(&["line", "list", "--limit", "2"]);
    assert_eq!(out, "10a  ordinary  1 accounts (1)\n10b  ordinary  1 accounts (2)\n");
    assert_eq!(error, "2 lines are shown, and there are more: --after 10b\n");
    let (_, out, error) = installation.run(&["line", "list", "--after", "10b"]);
    assert_eq!((out.as_str(), error.as_str()), ("10c  ordinary  1 accounts (3)\n", ""));
    installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_marked_when_it_is_meant() {
    let installation = Installation::tables().await;
    installation.line(&["account", "create", "--name", "Acme", "--line", "3000"]);
    let mark = ["line", "set", "3000", "--advertising", "true", "--note", "of the shop"];
    let (code, out, _) = installation.run(&[&mark[..], &["--dry-run"]].concat());
    let shows = "now: 3000  ordinary  1 accounts (1)\n\
                 what these accounts send over it will wait at night, login codes too\n";
    assert_eq!((code, out), (0, format!("{shows}nothing was changed: this was a dry run\n")));
    assert_eq!(installation.run(&mark).0, 1);
    assert_eq!(told(&installation, "line 3000").await, []);
    let (code, out, _) = installation.run(&[&mark[..], &["--yes"]].concat());
    assert_eq!((code, out), (0, format!("{shows}set: 3000  ADVERTISING  1 accounts (1)  of the shop\n")));
    let (_, out, _) = installation.run(&["line", "set", "7", "--advertising", "false", "--yes"]);
    assert!(out.starts_with("now: 7 is not known"), "{out}");
    let told = told(&installation, "line 3000").await;
    let line = |advertising: bool, note: &str| json!({"advertising": advertising, "note": note});
    assert_eq!(told, [("line.set".to_owned(), line(false, ""), line(true, "of the shop"))]);
    installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_takes_the_place_of_another() {
    let installation = Installation::tables().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    let key = installation.line(&["key", "create", "--account", &account]);
    let id = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    let old = id(&installation.line(&["key", "list", "--account", &account]));
    let new = installation.line(&["key", "rotate", &old, "--grace", "7d"]);
    assert!(new.starts_with("sk_") && new != key, "{new}");
    let (_, listed, _) = installation.run(&["key", "list", "--account", &account]);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].ends_with("  in use") && lines[0].contains("  send,read  "), "{listed}");
    assert!(lines[1].starts_with(&old) && lines[1].contains("  in use until 2"), "{listed}");
    installation.line(&["key", "rotate", &old, "--grace", "0s"]);
    let (_, listed, _) = installation.run(&["key", "list", "--account", &account]);
    assert!(listed.lines().nth(2).unwrap().contains("  ended 2"), "{listed}");
    let (code, _, error) = installation.run(&["key", "rotate", &old]);
    assert_eq!((code, error), (1, format!("smshub: key {old} is not in use any more\n")));
    installation.line(&["key", "revoke", &old]);
    let told = told(&installation, "account 1").await;
    assert_eq!(whats(&told[1..]), ["key.create", "key.rotate", "key.rotate", "key.revoke"]);
    assert!(!format!("{told:?}").contains(&key[3..]) && !format!("{told:?}").contains(&new[3..]));
    installation.drop().await;
}

const PRICES: [&str; 8] = [
    "--price",
    "express=1600",
    "--price",
    "standard=900",
    "--price",
    "bulk=1000",
    "--price",
    "bulk/98990/ucs2=0",
];

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_shown_side_by_side_and_set_when_it_is_meant() {
    let installation = Installation::tables().await;
    let set = |more: &[&'static str]| [&["tariff", "set"][..], &PRICES, more].concat();
    let (code, out, _) = installation.run(&set(&["--dry-run"]));
    assert_eq!(code, 0);
    let expected = "\
a segment, by version 1 and by the new one:
lane      prefix          encoding           old           new
express   any             any               1500          1600  +6.6 %
standard  any             any               1000           900  -10.0 %
bulk      any             any               1000          1000
bulk      98990           gsm7              1000          1000
bulk      98990           ucs2              1000             0  -100.0 %
the messages of the last 7 days would have cost:
lane          messages               old               new
express              0                 0                 0
standard             0                 0                 0
bulk                 0                 0                 0
nothing was changed: this was a dry run
";
    assert_eq!(out, expected);
    assert_eq!(installation.run(&set(&[])).0, 1, "nobody can be asked");
    assert_eq!(told(&installation, "tariff 2").await, []);

    let (code, out, error) = installation.run(&set(&["--yes"]));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.ends_with("\nversion 2 holds from now on\n"), "{out}");
    let (code, out, _) = installation.run(&set(&["--effective-at", "2096-12-01T00:00:00+03:30", "--yes"]));
    assert_eq!(code, 0);
    assert!(out.ends_with("\nversion 3 holds from 2096-11-30 20:30:00 UTC on\n"), "{out}");
    let (_, shown, _) = installation.run(&["tariff", "show"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "version 3     comes      from 2096-11-30 20:30:00 UTC on");
    assert!(lines[1].starts_with("version 2     HOLDS NOW  from 20"), "{shown}");
    assert_eq!(lines[2], "version 1     past       from the beginning on");
    assert_eq!(lines[3], "prices of version 2, a segment:");
    assert_eq!(lines[7], "bulk      98990           ucs2                 0");
    let told = told(&installation, "tariff 2").await;
    assert_eq!((told[0].0.as_str(), &told[0].1["version"]), ("tariff.set", &json!(1)));
    assert_eq!(
        told[0].2["prices"][0],
        json!({"lane": "express", "encoding": null, "prefix": "", "price": 1600})
    );
    installation.drop().await;
}

/// What is shown as CSV is taken as CSV; what is wrong in a file is named with its line.
#[tokio::test(flavor = "multi_thread")]
async fn prices_are_read_from_a_file() {
    let installation = Installation::tables().await;
    let (_, csv, _) = installation.run(&["tariff", "show", "1", "--csv"]);
    assert_eq!(csv, "lane,encoding,prefix,price\nexpress,,,1500\nstandard,,,1000\nbulk,,,1000\n");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut with = |text: &str, more: &[&str]| {
        file.as_file_mut().set_len(0).unwrap();
        std::fs::write(file.path(), text).unwrap();
        file.flush().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let (code, out, error) = installation.run(&[&["tariff", "set", "--file", &path][..], more].concat());
        (code, out, error.replace(&path, "FILE"))
    };
    let (code, out, error) = with(&format!("{csv}bulk, ucs2, 98990, 7\n"), &["--yes"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.ends_with("version 2 holds from now on\n"), "{out}");
    for (text, says) in [
        ("lane,price\nbulk,1\n", "FILE: expected the columns lane,encoding,prefix,price in its first line"),
        (&format!("{csv}fast,,,1\n"), "FILE, line 5: lane: expected"),
        (&format!("{csv}bulk,,0912,1\n"), "FILE, line 5: prefix: expected"),
        (&format!("{csv}bulk,,98,1.5\n"), "FILE, line 5: price: expected a whole number, 0 to 1000000000000"),
        (&format!("{csv}bulk,,98\n"), "FILE cannot be read"),
        (
            "lane,encoding,prefix,price\nbulk,,,1\n",
            "expected a row for lane express with neither encoding nor prefix",
        ),
        (&format!("{csv}bulk,,,2\n"), "row 3 repeats an earlier one"),
    ] {
        let (code, out, error) = with(text, &["--yes"]);
        assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{text}: {error}");
        assert!(error.contains(says), "{text}: {error}");
    }
    let past = ["--effective-at", "2026-01-01T00:00:00Z", "--yes"];
    let (code, _, error) = with(&csv, &past);
    assert_eq!((code, error.as_str()), (1, "smshub: expected a time that is not over\n"));
    let (code, _, error) = installation.run(&["tariff", "show", "3"]);
    assert_eq!((code, error.as_str()), (1, "smshub: there is no version 3 of the tariff\n"));
    installation.drop().await;
}
