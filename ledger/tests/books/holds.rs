//! Holding: the longest affordable prefix, once.

use crate::support::{Books, each, uniform};
use domain::hold::Prices;
use domain::money::Money;
use ledger::LedgerError;
use ledger::audit::Expect;
use ledger::hold::Booked;

#[tokio::test]
async fn a_whole_chunk_moves_from_the_balance_to_what_is_held() {
    let books = Books::open().await;
    let account = books.account(10_000).await;
    let request = books.request(0, account, uniform(1_000, 7));
    assert_eq!(books.book(std::slice::from_ref(&request)).await.unwrap(), [Booked::Paid(7)]);
    assert_eq!(books.stands(account).await, (3_000, 7_000));
    let row = books.row(request.chunk).await.unwrap();
    assert_eq!((row.chunk, row.account, row.source, row.partition), (request.chunk, account, 0, 3));
    assert_eq!((row.topic.as_str(), row.request_hash), (request.topic.as_str(), request.request_hash));
    assert_eq!((row.paid, row.cost, &row.prices), (7, Money::new(7_000), &request.prices));
    assert!(row.decided.settled().is_empty() && row.decided.voided().is_empty());
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn the_longest_prefix_that_the_balance_covers() {
    let books = Books::open().await;
    // Exactly, one short, one over; with prices that differ the cheap ones behind do not jump the queue.
    for (k, (balance, prices, paid, cost)) in [
        (3_000, each(&[1_000; 5]), 3, 3_000),
        (2_999, each(&[1_000; 5]), 2, 2_000),
        (5_001, each(&[1_000; 5]), 5, 5_000),
        (2_000, each(&[1_000, 1_500, 100]), 1, 1_000),
        (2_600, each(&[1_000, 1_500, 100]), 3, 2_600),
        (1, each(&[0, 0, 1, 0, 1]), 4, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let account = books.account(balance).await;
        let request = books.request(u32::try_from(k).unwrap(), account, prices);
        assert_eq!(
            books.book(std::slice::from_ref(&request)).await.unwrap(),
            [Booked::Paid(paid)],
            "case {k}"
        );
        assert_eq!(books.stands(account).await, (balance - cost, cost), "case {k}");
        assert_eq!(books.row(request.chunk).await.unwrap().cost, Money::new(cost), "case {k}");
    }
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn chunks_of_one_batch_draw_on_one_balance_in_their_order() {
    let books = Books::open().await;
    let (rich, poor) = (books.account(100_000).await, books.account(7_500).await);
    let batch = [
        // Ids fall, accounts change: the order is that of the requests.
        books.request(9, poor, uniform(1_000, 3)),
        books.request(8, rich, uniform(1_000, 3)),
        books.request(7, poor, uniform(2_000, 3)),
        books.request(6, poor, uniform(600, 1)),
        books.request(5, poor, uniform(500, 1)),
        books.request(4, rich, uniform(1_000, 3)),
    ];
    let booked = books.book(&batch).await.unwrap();
    let paid = Booked::Paid;
    assert_eq!(booked, [paid(3), paid(3), paid(2), Booked::Refused, paid(1), paid(3)]);
    assert_eq!(books.stands(poor).await, (0, 7_500));
    assert_eq!(books.stands(rich).await, (94_000, 6_000));
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn a_refusal_is_stored_and_stands_after_a_charge() {
    let books = Books::open().await;
    let account = books.account(999).await;
    let request = [books.request(0, account, uniform(1_000, 2))];
    assert_eq!(books.book(&request).await.unwrap(), [Booked::Refused]);
    assert_eq!(books.stands(account).await, (999, 0));
    let row = books.row(request[0].chunk).await.expect("a refusal has a row");
    assert_eq!((row.paid, row.cost), (0, Money::ZERO));
    books.charge(account, 1_000_000).await.unwrap();
    assert_eq!(books.book(&request).await.unwrap(), [Booked::Repetition]);
    assert_eq!(books.stands(account).await, (1_000_999, 0));
    // Nothing is in flight: a refused message is in neither map and costs nothing.
    assert_eq!(books.assert_clean(Expect::Quiescence).await.in_flight, 0);
    books.schema.drop().await;
}

#[tokio::test]
async fn the_same_id_again_is_a_repetition_or_a_collision_and_moves_nothing() {
    let books = Books::open().await;
    let account = books.account(100_000).await;
    let first = books.request(0, account, uniform(1_000, 5));
    assert_eq!(books.book(std::slice::from_ref(&first)).await.unwrap(), [Booked::Paid(5)]);
    let mut again = first.clone();
    (again.source, again.partition) = (77, 5);
    let mut other = first.clone();
    other.request_hash ^= 1;
    // Apart and in one batch, behind the first of a new id too.
    let new = books.request(1, account, uniform(1_000, 2));
    let mut new_again = new.clone();
    new_again.source = 78;
    let mut new_other = new.clone();
    new_other.request_hash = 0;
    let batch = [again, other, new, new_again, new_other];
    let booked = books.book(&batch).await.unwrap();
    let expected =
        [Booked::Repetition, Booked::Collision, Booked::Paid(2), Booked::Repetition, Booked::Collision];
    assert_eq!(booked, expected);
    assert_eq!(books.stands(account).await, (93_000, 7_000));
    let row = books.row(first.chunk).await.unwrap();
    assert_eq!((row.source, row.partition, row.request_hash), (0, 3, first.request_hash), "the first stays");
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn an_unknown_account_is_named_and_does_not_disturb_the_others() {
    let books = Books::open().await;
    let account = books.account(5_000).await;
    let batch = [
        books.request(0, account + 1_000, uniform(1, 1)),
        books.request(1, account, uniform(1_000, 1)),
        books.request(2, -5, uniform(0, 256)),
    ];
    let booked = books.book(&batch).await.unwrap();
    assert_eq!(booked, [Booked::NoAccount, Booked::Paid(1), Booked::NoAccount]);
    assert!(books.row(batch[0].chunk).await.is_none() && books.row(batch[2].chunk).await.is_none());
    assert_eq!(books.stands(account).await, (4_000, 1_000));
    assert_eq!(books.book(&[]).await.unwrap(), []);
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn prices_come_back_as_they_were_uniform_and_indexed() {
    let books = Books::open().await;
    let account = books.account(i64::MAX / 2).await;
    let sixteen: Vec<i64> = (0..256).map(|k| (k * 7 % 16) * 1_000).collect();
    let long_index = Prices::new(vec![Money::new(5)], vec![0; 256], 256).unwrap();
    let twice = Prices::new(vec![Money::new(5), Money::new(5)], vec![0, 1, 1], 3).unwrap();
    let kinds = [uniform(0, 1), uniform(1_500, 256), each(&sixteen), each(&[1, 2]), long_index, twice];
    let requests: Vec<_> = kinds
        .into_iter()
        .enumerate()
        .map(|(k, prices)| books.request(u32::try_from(k).unwrap(), account, prices))
        .collect();
    let booked = books.book(&requests).await.unwrap();
    for (request, booked) in requests.iter().zip(booked) {
        assert_eq!(booked, Booked::Paid(u16::try_from(request.prices.count()).unwrap()));
        assert_eq!(books.row(request.chunk).await.unwrap().prices, request.prices);
    }
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn what_the_caller_rolls_back_never_was() {
    let books = Books::open().await;
    let account = books.account(5_000).await;
    let request = [books.request(0, account, uniform(1_000, 5))];
    let mut transaction = books.schema.pool().begin().await.unwrap();
    ledger::hold::book(&mut transaction, &request).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(books.stands(account).await, (5_000, 0));
    assert_eq!(books.book(&request).await.unwrap(), [Booked::Paid(5)]);
    books.schema.drop().await;
}

/// Two partitions book the same id at the same moment: one of them fails whole, and its
/// next try is told the truth.
#[tokio::test]
async fn an_id_booked_elsewhere_at_this_very_moment_fails_and_is_then_a_collision() {
    let books = Books::open().await;
    let (one, two) = (books.account(9_000).await, books.account(9_000).await);
    let first = books.request(0, one, uniform(1_000, 1));
    let mut second = books.request(0, two, uniform(1_000, 4));
    second.request_hash = 1;
    let mut open = books.schema.pool().begin().await.unwrap();
    ledger::hold::book(&mut open, &[first]).await.unwrap();
    let batch = [second];
    let (late, committed) = tokio::join!(books.book(&batch), async {
        wait_for_a_waiter(&books).await;
        open.commit().await
    });
    committed.unwrap();
    let Err(LedgerError::Postgres(error)) = late else { panic!("{late:?}") };
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("23505"));
    assert_eq!(books.stands(two).await, (9_000, 0));
    assert_eq!(books.book(&batch).await.unwrap(), [Booked::Collision]);
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

/// Waits until a statement of this schema's connections waits for a lock.
async fn wait_for_a_waiter(books: &Books) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let (waiting,): (i64,) = sqlx::query_as(
            "select count(*) from pg_locks l join pg_locks mine on mine.pid = l.pid
             where not l.granted and mine.relation = 'hold'::regclass",
        )
        .fetch_one(books.schema.pool())
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "nobody came to wait");
        tokio::task::yield_now().await;
    }
}
