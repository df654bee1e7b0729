//! `smshub opt-out`, on real Postgres.

use crate::support::Installation;

fn listed(installation: &Installation, account: &str) -> Vec<String> {
    let (code, out, error) = installation.run(&["opt-out", "list", "--account", account]);
    assert_eq!((code, error.as_str()), (0, ""));
    out.lines().map(|line| line.split("  since").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn numbers_are_added_imported_listed_and_removed() {
    let installation = Installation::tables().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    let of = ["--account", &account];
    let run = |verb: &str, rest: &[&str]| installation.line(&[&["opt-out", verb], &of[..], rest].concat());
    assert_eq!(run("add", &["09123456789", "+98 912 345 6780"]), "2 added");
    assert_eq!(run("add", &["--line", "100002", "09123456789"]), "1 added");
    assert_eq!(run("add", &["00989123456789"]), "0 added");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "mobile\n09123456781\n12\n09123456782,100002\n").unwrap();
    let (code, out, error) =
        installation.run(&["opt-out", "import", "--account", &account, file.path().to_str().unwrap()]);
    assert_eq!((code, out.trim()), (0, "3 rows, 2 added, 1 left out"));
    assert_eq!(error.trim(), "row 3: InvalidRecipient");

    assert_eq!(run("remove", &["09123456780", "09123456779"]), "1 removed");
    let expected = ["+989123456782  100002", "+989123456781  *", "+989123456789  100002", "+989123456789  *"];
    assert_eq!(listed(&installation, &account), expected);
    installation.drop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_one_line() {
    let installation = Installation::tables().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    for (arguments, expected) in [
        (["add", "--account", "999", "09123456789"].as_slice(), "no account 999"),
        (&["add", "--account", &account, "--line", "3000", "09123456789"], "does not have the line 3000"),
        (&["add", "--account", &account, "12"], "number 1"),
        (&["import", "--account", &account, "/nowhere.csv"], "/nowhere.csv cannot be read"),
    ] {
        let (code, out, error) = installation.run(&[&["opt-out"], arguments].concat());
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(error.contains(expected) && error.trim().lines().count() == 1, "{error}");
        assert!(!error.contains("0912"), "no number stands in an error: {error}");
    }
    assert_eq!(listed(&installation, &account), [""; 0]);
    installation.drop().await;
}
