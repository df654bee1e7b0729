//! At the end of 63 bits.

use crate::support::{Books, bits, ends, uniform};
use domain::bits::Bits;
use domain::money::Money;
use ledger::LedgerError;
use ledger::audit::Expect;
use ledger::hold::Booked;

const MOST: i64 = i64::MAX;

#[tokio::test]
async fn a_balance_stops_at_63_bits_and_counts_what_may_come_back() {
    let books = Books::open().await;
    let account = books.account(MOST - 10).await;
    let too_much = |refused| matches!(refused, Err(LedgerError::TooMuch(named)) if named == account);
    assert!(too_much(books.charge(account, 11).await));
    assert_eq!(books.charge(account, 10).await.unwrap(), Money::new(MOST));
    assert!(too_much(books.charge(account, 1).await));
    // What is held may be voided: room that a hold makes is no room for a charge.
    let chunk = books.chunk(0);
    assert_eq!(books.book(&[books.request(0, account, uniform(MOST, 1))]).await.unwrap(), [Booked::Paid(1)]);
    assert_eq!(books.stands(account).await, (0, MOST));
    assert!(too_much(books.charge(account, 1).await));
    books.finals(&ends(chunk, Bits::EMPTY, bits([0]))).await.unwrap();
    assert_eq!(books.stands(account).await, (MOST, 0));
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

/// Sums over accounts and over years pass 63 bits where no single balance does.
#[tokio::test]
async fn the_books_as_a_whole_may_pass_63_bits() {
    let books = Books::open().await;
    let (one, two) = (books.account(MOST).await, books.account(MOST).await);
    books.assert_clean(Expect::Quiescence).await;
    for k in 0..3 {
        assert_eq!(books.book(&[books.request(k, one, uniform(MOST, 1))]).await.unwrap(), [Booked::Paid(1)]);
        books.finals(&ends(books.chunk(k), bits([0]), Bits::EMPTY)).await.unwrap();
        books.charge(one, MOST).await.unwrap();
    }
    assert_eq!((books.stands(one).await, books.stands(two).await), ((MOST, 0), (MOST, 0)));
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn a_batch_larger_than_63_bits_takes_what_there_is() {
    let books = Books::open().await;
    let account = books.account(MOST).await;
    let requests: Vec<_> = (0..4).map(|k| books.request(k, account, uniform(MOST / 2, 2))).collect();
    let booked = books.book(&requests).await.unwrap();
    // Two halves and one that is left over.
    assert_eq!(booked, [Booked::Paid(2), Booked::Refused, Booked::Refused, Booked::Refused]);
    assert_eq!(books.stands(account).await, (1, MOST - 1));
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}
