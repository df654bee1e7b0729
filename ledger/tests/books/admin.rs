//! What people decide, and the rows that tell of it.

mod tariff;

use crate::support::Books;
use domain::money::Money;
use ledger::LedgerError;
use ledger::admin::account::{Alteration, Terms, alter, assign, create, list, read};
use ledger::admin::change::{Change, list as changes};
use ledger::admin::charge::charge;
use ledger::admin::{Who, line, subject_of_account};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::task::JoinSet;

fn who() -> Who {
    Who::cli("ali", "gateway-1")
}

/// What was noted of an account, the first first: what, before, after.
async fn told(books: &Books, account: i64) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let subject = subject_of_account(account);
    let mut found = changes(&mut connection, Some(&subject), None, 1_000).await.unwrap();
    found.reverse();
    found
        .into_iter()
        .map(|Change { who, what, before, after, .. }| {
            assert_eq!(who, "cli ali@gateway-1");
            (what, before, after)
        })
        .collect()
}

async fn altered(books: &Books, account: i64, alteration: Alteration) -> Result<(), LedgerError> {
    let mut transaction = books.schema.pool().begin().await?;
    alter(&mut transaction, &who(), account, &alteration).await?;
    Ok(transaction.commit().await?)
}

fn standard(limit: i32) -> Alteration {
    Alteration { rate_limit: Some(Some(limit)), ..Alteration::default() }
}

#[tokio::test]
async fn every_kind_of_change_has_a_row_of_its_own() {
    let books = Books::open().await;
    let mut transaction = books.schema.pool().begin().await.unwrap();
    let terms = Terms::new("Acme".into(), vec!["3000".into()]);
    let id = create(&mut transaction, &who(), None, &terms).await.unwrap().id;
    transaction.commit().await.unwrap();
    let all = Alteration {
        name: Some("Acme Ltd".into()),
        lines: Some(vec!["4000".into(), "3000".into()]),
        rate_limit: Some(Some(5_000)),
        express_rate_limit: None,
        suspended: Some(true),
    };
    altered(&books, id, all.clone()).await.unwrap();
    altered(&books, id, all).await.unwrap();
    altered(&books, id, Alteration::default()).await.unwrap();
    let back = Alteration { rate_limit: Some(None), suspended: Some(false), ..Alteration::default() };
    altered(&books, id, back).await.unwrap();

    let limits = |standard: Option<i32>| {
        Some(json!({"rate_limit_per_minute": standard, "express_rate_limit_per_minute": null}))
    };
    let made = json!({"name": "Acme", "lines": ["3000"], "rate_limit_per_minute": null,
                      "express_rate_limit_per_minute": null, "suspended": false});
    let expected = [
        ("account.create", None, Some(made)),
        ("account.rename", Some(json!({"name": "Acme"})), Some(json!({"name": "Acme Ltd"}))),
        ("account.set-line", Some(json!({"lines": ["3000"]})), Some(json!({"lines": ["4000", "3000"]}))),
        ("account.set-limit", limits(None), limits(Some(5_000))),
        ("account.suspend", Some(json!({"suspended": false})), Some(json!({"suspended": true}))),
        ("account.set-limit", limits(Some(5_000)), limits(None)),
        ("account.resume", Some(json!({"suspended": true})), Some(json!({"suspended": false}))),
    ];
    let expected: Vec<_> = expected.map(|(what, before, after)| (what.to_owned(), before, after)).into();
    assert_eq!(told(&books, id).await, expected, "and what changes nothing leaves no row");
    books.schema.drop().await;
}

/// Not one without the other, whichever way a transaction ends.
#[tokio::test]
async fn a_change_and_its_row_are_stored_together_or_not_at_all() {
    let books = Books::open().await;
    let id = books.account(100).await;
    let mut transaction = books.schema.pool().begin().await.unwrap();
    alter(&mut transaction, &who(), id, &standard(7)).await.unwrap();
    charge(&mut transaction, &who(), id, Money::new(5), None).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let account = read(&mut connection, id).await.unwrap().unwrap();
    assert_eq!((account.terms.rate_limit, account.balance), (None, Money::new(100)));
    assert_eq!(told(&books, id).await, []);

    let no_account = altered(&books, 99, standard(7)).await;
    assert!(matches!(no_account, Err(LedgerError::NoAccount(99))), "{no_account:?}");
    let terms = Terms::new("another".into(), vec!["1".into()]);
    let taken = create(&mut connection, &who(), Some(id), &terms).await;
    assert!(matches!(taken, Err(LedgerError::Taken(taken)) if taken == id), "{taken:?}");
    let (rows,): (i64,) =
        sqlx::query_as("select count(*) from change").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(rows, 0);
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn changes_are_never_changed_or_taken_away() {
    let books = Books::open().await;
    let id = books.account(0).await;
    altered(&books, id, standard(7)).await.unwrap();
    for statement in [
        "update change set who = 'nobody'",
        "update change set after = null where id = 1",
        "delete from change",
        "delete from change where id = 1",
        "truncate change",
    ] {
        let refusal = books.refused(statement).await;
        assert!(refusal.contains("rows of change are immutable"), "{statement}: {refusal}");
    }
    assert_eq!(told(&books, id).await.len(), 1);
    books.schema.drop().await;
}

/// Each row's before is the after of the row in front of it: what is noted is what was changed,
/// however many change the same at once.
#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_each_tell_what_they_changed() {
    let books = Books::open().await;
    let id = books.account(0).await;
    let mut tasks = JoinSet::new();
    for limit in 1..=12 {
        let pool = books.schema.pool().clone();
        tasks.spawn(async move {
            let mut transaction = pool.begin().await.unwrap();
            alter(&mut transaction, &who(), id, &standard(limit)).await.unwrap();
            charge(&mut transaction, &who(), id, Money::new(10), None).await.unwrap();
            transaction.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    let rows = told(&books, id).await;
    let (mut limit, mut balance) = (Value::Null, json!(0));
    let mut seen = BTreeSet::new();
    for (what, before, after) in rows {
        let (before, after) = (before.unwrap(), after.unwrap());
        let (last, name) = match what.as_str() {
            "account.set-limit" => (&mut limit, "rate_limit_per_minute"),
            _ => (&mut balance, "balance"),
        };
        assert_eq!(before[name], *last, "{what}");
        *last = after[name].clone();
        seen.insert((what, last.to_string()));
    }
    assert_eq!(seen.len(), 24, "no change without its row");
    assert_eq!(balance, json!(120));
    assert_eq!(books.stands(id).await, (120, 0));
    books.schema.drop().await;
}

#[tokio::test]
async fn lists_are_pages_the_newest_first() {
    let books = Books::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(books.account(0).await);
    }
    ids.reverse();
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let mut found = Vec::new();
    loop {
        let page = list(&mut connection, found.last().copied(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|account| account.id));
    }
    assert_eq!(found, ids);
    for limit in 1..=3 {
        alter(&mut connection, &who(), ids[0], &standard(limit)).await.unwrap();
        alter(&mut connection, &who(), ids[1], &standard(limit)).await.unwrap();
    }
    let all = changes(&mut connection, None, None, 4).await.unwrap();
    assert_eq!(all.len(), 4);
    assert!(all.is_sorted_by(|a, b| a.id > b.id));
    let further = changes(&mut connection, None, all.last().map(|change| change.id), 4).await.unwrap();
    assert_eq!(further.len(), 2);
    let subject = subject_of_account(ids[1]);
    let of_one = changes(&mut connection, Some(&subject), Some(all[0].id + 1), 10).await.unwrap();
    assert_eq!(of_one.len(), 3);
    assert!(of_one.iter().all(|change| change.subject == subject));
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn a_line_is_given_to_accounts_and_marked() {
    let books = Books::open().await;
    let (a, b) = (books.account(0).await, books.account(0).await);
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let lines = |account: ledger::admin::account::Customer| account.terms.lines;
    let given = assign(&mut connection, &who(), a, "100", false).await.unwrap();
    assert_eq!(lines(given), ["3000", "100"]);
    let again = assign(&mut connection, &who(), a, "100", false).await.unwrap();
    assert_eq!(lines(again), ["3000", "100"]);
    let first = assign(&mut connection, &who(), b, "100", true).await.unwrap();
    assert_eq!(lines(first), ["100", "3000"]);
    assert_eq!((told(&books, a).await.len(), told(&books, b).await.len()), (1, 1));

    let known = line::list(&mut connection, None, 10).await.unwrap();
    let names: Vec<_> = known.iter().map(|line| (line.line.as_str(), line.accounts)).collect();
    assert_eq!(names, [("100", 2), ("3000", 2)]);
    let set = line::set(&mut connection, &who(), "100", Some(true), None).await.unwrap();
    assert_eq!((set.advertising, set.note.as_str(), set.first_accounts), (true, "", vec![a, b]));
    let set = line::set(&mut connection, &who(), "100", None, Some("of the shop")).await.unwrap();
    assert_eq!((set.advertising, set.note.as_str()), (true, "of the shop"));
    line::set(&mut connection, &who(), "100", Some(true), Some("of the shop")).await.unwrap();
    let told = changes(&mut connection, Some("line 100"), None, 10).await.unwrap();
    let told: Vec<_> =
        told.into_iter().map(|change| (change.before.unwrap(), change.after.unwrap())).collect();
    let line = |advertising: bool, note: &str| json!({"advertising": advertising, "note": note});
    assert_eq!(
        told,
        [(line(true, ""), line(true, "of the shop")), (line(false, ""), line(true, ""))],
        "and the third changed nothing"
    );

    line::set(&mut connection, &who(), "20", Some(false), None).await.unwrap();
    line::set(&mut connection, &who(), "Shop", Some(false), None).await.unwrap();
    let mut names: Vec<String> = Vec::new();
    while let Some(page) =
        line::list(&mut connection, names.last().map(String::as_str), 1).await.unwrap().pop()
    {
        names.push(page.line);
    }
    assert_eq!(names, ["100", "20", "3000", "Shop"], "page by page");
    drop(connection);
    books.schema.drop().await;
}
