//! Settling and voiding: every message once, the first decision stands.

use crate::support::{Books, bits, each, ends, uniform};
use domain::bits::Bits;
use domain::money::Money;
use ledger::LedgerError;
use ledger::audit::Expect;
use ledger::hold::Booked;
use ledger::settle::Finals;
use std::collections::BTreeMap;

#[tokio::test]
async fn settled_is_revenue_and_voided_comes_back() {
    let books = Books::open().await;
    let account = books.account(100_000).await;
    let prices = each(&[1_000, 2_000, 3_000, 4_000]);
    let chunk = books.chunk(0);
    books.book(&[books.request(0, account, prices)]).await.unwrap();
    assert_eq!(books.stands(account).await, (90_000, 10_000));

    let got = books.finals(&ends(chunk, bits([1]), bits([3]))).await.unwrap();
    let settlement = got[&chunk];
    assert_eq!(
        (settlement.account, settlement.settled, settlement.refunded),
        (account, Money::new(2_000), Money::new(4_000))
    );
    assert_eq!((settlement.movement.settle, settlement.movement.void), (bits([1]), bits([3])));
    assert_eq!(books.stands(account).await, (94_000, 4_000));
    assert_eq!(books.assert_clean(Expect::Traffic).await.in_flight, 2);

    books.finals(&ends(chunk, bits([0]), bits([2]))).await.unwrap();
    assert_eq!(books.stands(account).await, (97_000, 0));
    let row = books.row(chunk).await.unwrap();
    assert_eq!((row.decided.settled(), row.decided.voided()), (bits([0, 1]), bits([2, 3])));
    // One charge, two entries a step.
    assert_eq!(books.entries().await, 5);
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn repeated_and_contradicting_finals_move_nothing_and_leave_no_entry() {
    let books = Books::open().await;
    let account = books.account(10_000).await;
    let chunk = books.chunk(0);
    books.book(&[books.request(0, account, uniform(1_000, 4))]).await.unwrap();
    // Of what comes together the settlement wins.
    let got = books.finals(&ends(chunk, bits([0, 1]), bits([1, 2]))).await.unwrap();
    assert_eq!((got[&chunk].movement.settle, got[&chunk].movement.void), (bits([0, 1]), bits([2])));
    let (before, entries) = (books.stands(account).await, books.entries().await);
    assert_eq!(before, (7_000, 1_000));
    let repeated = [
        (bits([0, 1]), bits([1, 2])),
        (bits([2]), bits([0, 1])),
        (bits([]), bits([])),
        (bits([0]), bits([])),
    ];
    for (settle, void) in repeated {
        let got = books.finals(&ends(chunk, settle, void)).await.unwrap();
        assert!(got[&chunk].movement.is_empty());
        assert_eq!((got[&chunk].settled, got[&chunk].refunded), (Money::ZERO, Money::ZERO));
    }
    assert_eq!((books.stands(account).await, books.entries().await), (before, entries));
    // Half new: only the new half moves.
    let got = books.finals(&ends(chunk, bits([2, 3]), bits([0]))).await.unwrap();
    assert_eq!((got[&chunk].movement.settle, got[&chunk].movement.void), (bits([3]), Bits::EMPTY));
    assert_eq!(books.stands(account).await, (7_000, 0));
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn what_was_not_paid_for_cannot_be_settled_or_refunded() {
    let books = Books::open().await;
    let account = books.account(3_000).await;
    let (part, none) = (books.chunk(0), books.chunk(1));
    let requests =
        [books.request(0, account, uniform(1_000, 256)), books.request(1, account, uniform(1_000, 2))];
    assert_eq!(books.book(&requests).await.unwrap(), [Booked::Paid(3), Booked::Refused]);
    let all = Bits::prefix(256);
    let finals = BTreeMap::from([
        (part, Finals { settle: bits([0, 255]), void: all }),
        (none, Finals { settle: bits([0]), void: all }),
    ]);
    let got = books.finals(&finals).await.unwrap();
    assert_eq!((got[&part].movement.settle, got[&part].movement.void), (bits([0]), bits([1, 2])));
    assert!(got[&none].movement.is_empty());
    assert_eq!(books.stands(account).await, (2_000, 0));
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn many_chunks_of_several_accounts_in_one_call() {
    let books = Books::open().await;
    let accounts = [books.account(50_000).await, books.account(50_000).await, books.account(0).await];
    let requests: Vec<_> = (0..8)
        .map(|k| books.request(k, accounts[k as usize % 2], uniform(100 * (i64::from(k) + 1), 10)))
        .collect();
    books.book(&requests).await.unwrap();
    let finals: BTreeMap<_, _> = requests
        .iter()
        .map(|request| (request.chunk, Finals { settle: Bits::prefix(6), void: Bits::prefix(10) }))
        .collect();
    let got = books.finals(&finals).await.unwrap();
    for (k, request) in requests.iter().enumerate() {
        let price = 100 * (k as i64 + 1);
        let settlement = got[&request.chunk];
        assert_eq!((settlement.settled, settlement.refunded), (Money::new(price * 6), Money::new(price * 4)));
    }
    // Even: prices 100, 300, 500, 700; odd: 200, 400, 600, 800. Six of ten were delivered.
    assert_eq!(books.stands(accounts[0]).await, (50_000 - 1_600 * 6, 0));
    assert_eq!(books.stands(accounts[1]).await, (50_000 - 2_000 * 6, 0));
    assert_eq!(books.stands(accounts[2]).await, (0, 0));
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn free_messages_are_decided_too() {
    let books = Books::open().await;
    let account = books.account(0).await;
    let chunk = books.chunk(0);
    assert_eq!(books.book(&[books.request(0, account, uniform(0, 3))]).await.unwrap(), [Booked::Paid(3)]);
    books.finals(&ends(chunk, bits([0]), bits([1, 2]))).await.unwrap();
    let row = books.row(chunk).await.unwrap();
    assert_eq!((row.decided.settled(), row.decided.voided()), (bits([0]), bits([1, 2])));
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn a_chunk_without_a_hold_is_named_and_nothing_of_the_call_happens() {
    let books = Books::open().await;
    let account = books.account(5_000).await;
    books.book(&[books.request(0, account, uniform(1_000, 2))]).await.unwrap();
    let missing = books.chunk(1);
    let end = Finals { settle: bits([0]), void: Bits::EMPTY };
    let refused = books.finals(&BTreeMap::from([(books.chunk(0), end), (missing, end)])).await;
    assert!(matches!(refused, Err(LedgerError::NoHold(chunk)) if chunk == missing), "{refused:?}");
    assert_eq!(books.stands(account).await, (3_000, 2_000));
    assert_eq!(books.finals(&BTreeMap::new()).await.unwrap(), BTreeMap::new());
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}
