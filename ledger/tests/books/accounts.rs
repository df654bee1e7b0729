//! Accounts and charges.

use crate::support::Books;
use domain::money::Money;
use ledger::LedgerError;
use ledger::account::{create, read};
use ledger::audit::Expect;

#[tokio::test]
async fn an_account_is_made_once_and_read_as_made() {
    let books = Books::open().await;
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let lines = ["30001".to_owned(), "30002".to_owned()];
    assert_eq!(create(&mut connection, Some(7), "seven", &lines).await.unwrap(), Some(7));
    assert_eq!(create(&mut connection, Some(7), "another", &lines).await.unwrap(), None);
    let account = read(&mut connection, 7).await.unwrap().unwrap();
    assert_eq!((account.name.as_str(), account.lines.as_slice()), ("seven", lines.as_slice()));
    assert_eq!((account.balance, account.held), (Money::ZERO, Money::ZERO));
    assert_eq!(read(&mut connection, 8).await.unwrap(), None);
    for id in [0, -1] {
        assert!(create(&mut connection, Some(id), "none", &lines).await.is_err(), "ids are positive");
    }
    assert!(create(&mut connection, None, "none", &[]).await.is_err(), "an account has a line");
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn ids_chosen_by_hand_are_passed_over() {
    let books = Books::open().await;
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let lines = ["30001".to_owned()];
    let first = create(&mut connection, None, "a", &lines).await.unwrap().unwrap();
    for ahead in 1..=3 {
        create(&mut connection, Some(first + ahead), "by hand", &lines).await.unwrap().unwrap();
    }
    let next = create(&mut connection, None, "b", &lines).await.unwrap().unwrap();
    assert!(next > first + 3);
    let after = create(&mut connection, None, "c", &lines).await.unwrap().unwrap();
    assert!(after > next);
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn a_charge_is_an_entry_and_a_balance() {
    let books = Books::open().await;
    let account = books.account(0).await;
    assert_eq!(books.charge(account, 1).await.unwrap(), Money::new(1));
    assert_eq!(books.charge(account, 999).await.unwrap(), Money::new(1_000));
    let entries: Vec<(i64, String, i64, Option<String>)> =
        sqlx::query_as("select account_id, kind, amount, reference from entry order by id")
            .fetch_all(books.schema.pool())
            .await
            .unwrap();
    let charge = |amount| (account, "charge".to_owned(), amount, Some("r".to_owned()));
    assert_eq!(entries, [charge(1), charge(999)]);
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn what_is_no_charge_is_refused_and_changes_nothing() {
    let books = Books::open().await;
    let account = books.account(5).await;
    for amount in [0, -1, i64::MIN] {
        let refused = books.charge(account, amount).await;
        assert!(matches!(refused, Err(LedgerError::NotACharge(named)) if named == amount), "{refused:?}");
    }
    let refused = books.charge(account + 1, 1).await;
    assert!(matches!(refused, Err(LedgerError::NoAccount(named)) if named == account + 1), "{refused:?}");
    assert_eq!((books.stands(account).await, books.entries().await), ((5, 0), 1));
    books.schema.drop().await;
}
