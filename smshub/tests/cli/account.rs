//! `smshub migrate`, `account` and `key`, on real Postgres.

use crate::support::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_charged_and_shown() {
    let installation = Installation::tables().await;
    let first =
        installation.line(&["account", "create", "--name", "Acme", "--line", "100002", "--line", "100003"]);
    assert_eq!(first, "1");
    assert_eq!(installation.line(&["account", "create", "--name", "x", "--line", "1", "--id", "7"]), "7");
    assert_eq!(installation.line(&["account", "create", "--name", "y", "--line", "1"]), "8");
    let (code, out, error) =
        installation.run(&["account", "create", "--name", "z", "--line", "1", "--id", "7"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(error, "smshub: there is an account 7 already: choose another --id\n");

    let charged = installation.line(&["account", "charge", &first, "5000", "--reference", "invoice 12"]);
    assert_eq!(charged, "charged 5000 to account 1: its balance is 5000");
    let (code, out, _) = installation.run(&["account", "show", &first]);
    assert_eq!(code, 0);
    let expected = "id         1\nname       Acme\nlines      100002, 100003\nbalance    5000\nheld       0\n\
                    in flight  0 messages\n\
                    limits     segments a minute: standard as the settings say, express as the settings say\n\
                    state      active\nkeys       0 in use\nmade       2";
    assert!(out.starts_with(expected), "{out}");
    let (_, changes) = out.split_once("changes, the last first:\n").unwrap();
    let after = r#"{"balance":0} -> {"amount":5000,"balance":5000,"entry":1,"reference":"invoice 12"}"#;
    assert!(changes.lines().next().unwrap().ends_with(&format!("  account.charge  {after}")), "{out}");
    assert!(changes.lines().nth(1).unwrap().contains("  account.create  - -> {"), "{out}");
    installation.drop().await;
}

/// Each with one precise line, and nothing changed.
#[tokio::test(flavor = "multi_thread")]
async fn charges_that_cannot_be_change_nothing() {
    let installation = Installation::tables().await;
    let id = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    installation.line(&["account", "charge", &id, "9223372036854775807"]);
    for (account, amount, code, says) in [
        (id.as_str(), "1", 1, "smshub: the balance of account 1 would pass what 63 bits hold"),
        (&id, "0", 2, "expected an amount of at least 1"),
        (&id, "-1", 2, "a charge cannot be negative"),
        (&id, "0.5", 2, "no fractions"),
        (&id, "9223372036854775808", 2, "at most 9223372036854775807"),
        ("99", "5", 1, "smshub: no account 99"),
    ] {
        let (found, out, error) = installation.run(&["account", "charge", account, amount]);
        assert_eq!((found, out.as_str()), (code, ""), "{amount}: {error}");
        assert!(error.contains(says), "{amount}: {error}");
    }
    let (_, shown, _) = installation.run(&["account", "show", &id]);
    assert!(shown.contains("balance    9223372036854775807\n"), "{shown}");
    let (charges,): (i64,) =
        sqlx::query_as("select count(*) from entry").fetch_one(installation.schema.pool()).await.unwrap();
    assert_eq!(charges, 1);
    installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_and_revoked() {
    let installation = Installation::tables().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    let key = installation.line(&["key", "create", "--account", &account, "--scope", "read,send,read"]);
    assert!(key.starts_with("sk_") && key.len() == 46, "{key}");
    let listed = installation.line(&["key", "list", "--account", &account]);
    assert!(listed.contains("  send,read  made ") && listed.ends_with("  never used  in use"), "{listed}");
    assert!(!listed.contains(&key[3..]), "the key itself is shown once");
    let id = listed.split_whitespace().next().unwrap();
    assert_eq!(installation.line(&["key", "revoke", id]), format!("revoked {id}"));
    assert_eq!(installation.line(&["key", "revoke", id]), format!("revoked {id}"), "again is no fault");
    assert!(installation.line(&["key", "list", "--account", &account]).contains("  revoked 2"));

    for arguments in [&["key", "create", "--account", "99"][..], &["key", "list", "--account", "99"]] {
        let (code, _, error) = installation.run(arguments);
        assert_eq!((code, error.as_str()), (1, "smshub: no account 99\n"));
    }
    let (code, _, error) = installation.run(&["key", "revoke", "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e"]);
    assert_eq!((code, error.as_str()), (1, "smshub: no key 01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e\n"));
    installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_that_the_database_is_to_be_migrated() {
    let installation = Installation::tables().await;
    sqlx::query("delete from _sqlx_migrations where version = 1")
        .execute(installation.schema.pool())
        .await
        .unwrap();
    let (code, _, error) = installation.run(&["account", "show", "1"]);
    assert_eq!(code, 1);
    assert!(error.starts_with("smshub: the database lacks migration 1 ("), "{error}");
    assert!(error.ends_with("): run `smshub migrate` first\n"), "{error}");
    installation.drop().await;
}
