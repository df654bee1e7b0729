//! What those who take messages are told: balances and positions of one snapshot, and verdicts.

use crate::support::{Books, TOPIC, uniform};
use ledger::funds::{Snapshot, Verdict, snapshot, verdicts};
use sqlx::PgConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// While one transaction after the other takes one chunk's price and moves the position by one,
/// whoever reads sees both or neither.
#[tokio::test(flavor = "multi_thread")]
async fn balance_and_position_are_of_one_snapshot() {
    let books = Arc::new(Books::open().await);
    let account = books.account(1_000_000).await;
    sqlx::query("insert into position (role, topic, partition) values ('billing-consumer', $1, 3), ('sender', $1, 3), ('billing-consumer', 'another', 3)")
        .bind(TOPIC)
        .execute(books.schema.pool())
        .await
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (writer, ended) = (Arc::clone(&books), Arc::clone(&done));
    let billing = tokio::spawn(async move {
        for k in 0..200 {
            let mut transaction = writer.schema.pool().begin().await.unwrap();
            sqlx::query("update position set next_offset = next_offset + 1 where role = 'billing-consumer' and topic = $1")
                .bind(TOPIC)
                .execute(&mut *transaction)
                .await
                .unwrap();
            let request = writer.request(k, account, uniform(1_000, 1));
            ledger::hold::book(&mut transaction, &[request]).await.unwrap();
            transaction.commit().await.unwrap();
        }
        ended.store(true, Ordering::SeqCst);
    });
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let mut seen = 0;
    while !done.load(Ordering::SeqCst) {
        let Snapshot { balances, positions } = read(&mut connection, &[account, 999], Some(3)).await;
        let [(of, balance)] = balances[..] else { panic!("{balances:?}") };
        let [(topic, 3, next)] = &positions[..] else { panic!("{positions:?}") };
        assert_eq!((of, topic.as_str()), (account, TOPIC));
        assert_eq!(balance.get() + 1_000 * next, 1_000_000);
        seen += 1;
    }
    billing.await.unwrap();
    assert!(seen > 10, "{seen}");
    assert_eq!(read(&mut connection, &[], None).await.positions, [(TOPIC.to_owned(), 3, 200)]);
    assert_eq!(read(&mut connection, &[account], Some(4)).await.positions, []);
}

async fn read(connection: &mut PgConnection, accounts: &[i64], partition: Option<i32>) -> Snapshot {
    snapshot(connection, accounts, &[TOPIC.to_owned()], partition).await.unwrap()
}

#[tokio::test]
async fn a_verdict_is_how_many_are_paid() {
    let books = Books::open().await;
    let account = books.account(3_500).await;
    let requests =
        [2, 2, 1].iter().zip(0..).map(|(size, k)| books.request(k, account, uniform(1_000, *size)));
    books.book(&requests.collect::<Vec<_>>()).await.unwrap();
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let asked = [3, 2, 1, 0].map(|k| books.chunk(k));
    let mut told = verdicts(&mut connection, &asked).await.unwrap();
    told.sort_by_key(|verdict| verdict.chunk);
    let verdict = |k, paid, size| Verdict { chunk: books.chunk(k), paid, size };
    assert_eq!(told, [verdict(0, 2, 2), verdict(1, 1, 2), verdict(2, 0, 1)], "the fourth is not judged");
    assert_eq!(verdicts(&mut connection, &[]).await.unwrap(), []);
    assert_eq!(books.stands(account).await, (500, 3_000));
}
