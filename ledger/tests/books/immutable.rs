//! What the tables themselves refuse, whoever writes.

use crate::support::{Books, bits, ends, uniform};
use domain::bits::Bits;
use ledger::audit::Expect;

async fn written() -> Books {
    let books = Books::open().await;
    let account = books.account(100_000).await;
    books.book(&[books.request(0, account, uniform(1_000, 10))]).await.unwrap();
    books.finals(&ends(books.chunk(0), bits([0]), bits([1]))).await.unwrap();
    books
}

#[tokio::test]
async fn entries_are_never_changed_or_taken_away() {
    let books = written().await;
    for statement in [
        "update entry set amount = amount + 1",
        "update entry set account_id = 2 where kind = 'charge'",
        "update entry set reference = 'later'",
        "delete from entry",
        "delete from entry where id = 1",
        "truncate entry",
    ] {
        let refusal = books.refused(statement).await;
        assert!(refusal.contains("rows of entry are immutable"), "{statement}: {refusal}");
    }
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn a_hold_changes_in_its_two_maps_only() {
    let books = written().await;
    for column in [
        "chunk_id = chunk_id + 256",
        "account_id = account_id + 1",
        "topic = 'another'",
        "partition = 1",
        "source_offset = 9",
        "request_hash = 0",
        "size = 11",
        "prices = '{5}'",
        "price_index = '\\x00'",
        "paid = 9",
        "cost = 1",
        "billed_at = now()",
    ] {
        let refusal = books.refused(&format!("update hold set {column}")).await;
        assert!(refusal.contains("immutable"), "{column}: {refusal}");
    }
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

/// Nor does it help to write past the whole table, to the day's part of it.
#[tokio::test]
async fn a_day_of_holds_is_as_immutable_as_the_whole() {
    let books = written().await;
    let day: String = sqlx::query_scalar("select tableoid::regclass::text from hold limit 1")
        .fetch_one(books.schema.pool())
        .await
        .unwrap();
    for statement in
        [format!("update {day} set cost = 1"), format!("delete from {day}"), "delete from hold".to_owned()]
    {
        let refusal = books.refused(&statement).await;
        assert!(refusal.contains("immutable"), "{statement}: {refusal}");
    }
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}

/// L4 cannot be broken by SQL either.
#[tokio::test]
async fn the_maps_stay_apart_and_inside_the_paid_prefix() {
    let books = written().await;
    let overlap = books.refused("update hold set voided = settled").await;
    assert!(overlap.contains("l4_disjoint"), "{overlap}");
    for outside in [bits([10]), bits([255]), Bits::prefix(11)] {
        let map = outside.to_bit_string();
        for (column, other) in [("settled", "voided"), ("voided", "settled")] {
            let refusal =
                books.refused(&format!("update hold set {other} = 0::bit(256), {column} = '{map}'")).await;
            assert!(refusal.contains("l4_inside_the_paid_prefix"), "{refusal}");
        }
    }
    let inside = bits([9]).to_bit_string();
    let allowed = format!("update hold set settled = '{inside}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(allowed))
        .execute(books.schema.pool())
        .await
        .expect("position 9 was paid for");
    books.schema.drop().await;
}

#[tokio::test]
async fn amounts_and_sizes_have_their_bounds() {
    let books = written().await;
    let chunk = books.chunk(5).get();
    let hold = |size: i32, prices: &str, paid: i32, cost: i64| {
        format!(
            "insert into hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                               prices, price_index, paid, cost)
             values ({chunk}, 1, 't', 0, 0, 0, {size}, '{prices}', '', {paid}, {cost})"
        )
    };
    let seventeen = format!("{{{}}}", vec!["1"; 17].join(","));
    for statement in [
        hold(0, "{1}", 0, 0),
        hold(257, "{1}", 0, 0),
        hold(1, "{}", 0, 0),
        hold(1, &seventeen, 0, 0),
        hold(1, "{1}", 2, 2),
        hold(1, "{1}", -1, 0),
        hold(1, "{1}", 1, -1),
        "update account set balance = -1".into(),
        "update account set held = -1".into(),
        "insert into entry (account_id, kind, amount) values (1, 'charge', 0)".into(),
        "insert into entry (account_id, kind, amount) values (1, 'charge', -1)".into(),
        "insert into entry (account_id, kind, amount) values (1, 'gift', 1)".into(),
        "insert into entry (account_id, kind, amount) values (1, 'settle', 1)".into(),
        "insert into entry (account_id, kind, amount, chunk_id) values (1, 'void', 1, 256)".into(),
        "insert into entry (account_id, kind, amount, chunk_id, bits) values (1, 'charge', 1, 256, 1::bit(256))".into(),
    ] {
        let refusal = books.refused(&statement).await;
        assert!(refusal.contains("violates check constraint"), "{statement}: {refusal}");
    }
    let twice = books
        .refused(
            "insert into hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                               prices, price_index, paid, cost)
             select chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                    prices, price_index, paid, cost from hold",
        )
        .await;
    assert!(twice.contains("violates unique constraint"), "L3: {twice}");
    books.assert_clean(Expect::Traffic).await;
    books.schema.drop().await;
}
