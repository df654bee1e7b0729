//! The audit can fail: each corruption is named under its invariant, and under no other
//! that still holds.

use crate::support::{Books, bits, broken, ends, uniform};
use domain::bits::Bits;
use domain::invariant::Invariant::{L1, L2, L3, L4, L5, O2, S1};
use ledger::audit::{Expect, Report};
use std::collections::BTreeSet;

/// Two accounts, an undecided chunk of ten, a decided one of four (half delivered), a refused one.
async fn written() -> (Books, i64, i64) {
    let books = Books::open().await;
    let (one, two) = (books.account(100_000).await, books.account(50_000).await);
    let requests = [
        books.request(0, one, uniform(1_000, 10)),
        books.request(1, two, uniform(1_000, 4)),
        books.request(2, two, uniform(60_000, 1)),
    ];
    books.book(&requests).await.unwrap();
    books.finals(&ends(books.chunk(1), bits([0, 1]), bits([2, 3]))).await.unwrap();
    let report = books.assert_clean(Expect::Traffic).await;
    assert_eq!(report.in_flight, 10);
    (books, one, two)
}

fn of<const N: usize>(broken: [domain::invariant::Invariant; N]) -> BTreeSet<domain::invariant::Invariant> {
    broken.into_iter().collect()
}

fn names(report: &Report, invariant: domain::invariant::Invariant, words: &[&str]) {
    let named = &report.findings[&invariant].named;
    let all = |line: &String| words.iter().all(|word| line.contains(word));
    assert!(named.iter().any(all), "{words:?} are not in {named:?}");
}

#[tokio::test]
async fn sound_books_are_looked_at_whole() {
    let (books, ..) = written().await;
    let report = books.audit(Expect::Traffic).await;
    for (invariant, checked) in [(L2, 2), (L5, 2), (L3, 3), (L4, 3)] {
        assert_eq!(report.findings[&invariant].checked, checked, "{invariant}");
    }
    assert!(report.findings[&L1].checked > 0);
    books.schema.drop().await;
}

#[tokio::test]
async fn l1_a_hold_that_is_not_the_price_of_its_prefix() {
    let (books, one, _) = written().await;
    let chunk = books.chunk(0);
    // The account row agrees with it, so only the transfer is wrong.
    books
        .corrupt(&format!(
            "update hold set cost = cost + 7 where chunk_id = {chunk};
             update account set balance = balance - 7, held = held + 7 where id = {one}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L1]));
    names(&report, L1, &[&chunk.to_string(), "10007", "10000"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l1_an_entry_that_is_not_the_price_of_its_messages() {
    let (books, _, two) = written().await;
    books
        .corrupt(&format!(
            "update entry set amount = amount + 5 where kind = 'void';
             update account set balance = balance + 5, held = held - 5 + 5 where id = {two}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert!(broken(&report).contains(&L1), "{report:?}");
    names(&report, L1, &[&books.chunk(1).to_string(), "2005"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l1_an_entry_that_pays_another_account() {
    let (books, one, _) = written().await;
    books.corrupt(&format!("update entry set account_id = {one} where kind = 'void'")).await;
    let report = books.audit(Expect::Traffic).await;
    names(&report, L1, &[&books.chunk(1).to_string(), &format!("account {one}")]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l1_money_from_nowhere() {
    let (books, one, _) = written().await;
    books.corrupt(&format!("update account set balance = balance + 1 where id = {one}")).await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L1, L2]));
    names(&report, L1, &["150001", "150000"].map(|_| "150000"));
    names(&report, L2, &[&format!("account {one}"), "90001", "90000"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l2_money_in_the_wrong_account() {
    let (books, one, two) = written().await;
    books
        .corrupt(&format!(
            "update account set balance = balance - 9 where id = {one};
             update account set balance = balance + 9 where id = {two}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L2]));
    assert_eq!(report.findings[&L2].violations, 2);
    books.schema.drop().await;
}

#[tokio::test]
async fn l2_a_hold_of_an_account_that_does_not_exist() {
    let (books, one, _) = written().await;
    let ghost = one + 999;
    books
        .corrupt(&format!(
            "insert into hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                               prices, price_index, paid, cost)
             values ({}, {ghost}, 't', 0, 50, 0, 1, '{{5000}}', '', 1, 5000)",
            books.chunk(50)
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L2]));
    names(&report, L2, &[&format!("account {ghost}"), "5000"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l3_a_record_billed_twice_and_an_id_with_two_hashes() {
    let (books, ..) = written().await;
    let (first, second) = (books.chunk(2), books.chunk(60));
    books
        .corrupt(&format!(
            "insert into hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                               prices, price_index, paid, cost)
             select {second}, account_id, topic, partition, source_offset, request_hash, size,
                    prices, price_index, paid, cost from hold where chunk_id = {first}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L3]));
    names(&report, L3, &["sms.submitted.standard/3@2", "2 times"]);

    books
        .corrupt(&format!(
            "delete from hold where chunk_id = {second};
             insert into parked (topic, partition, source_offset, reason, chunk_id, record)
             values ('t', 1, 9, 'collision', {first}, ''), ('t', 1, 10, 'undecodable', null, '')"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!((broken(&report), report.parked), (of([L3]), 2));
    names(&report, L3, &[&first.to_string(), "t/1@9"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l4_maps_and_entries_that_differ() {
    let (books, ..) = written().await;
    let (open, done) = (books.chunk(0), books.chunk(1));
    books
        .corrupt(&format!(
            "update hold set settled = '{}' where chunk_id = {open}",
            bits([4]).to_bit_string()
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L4]));
    names(&report, L4, &[&open.to_string()]);
    // And the other way round: entries whose bits are not in the maps.
    books
        .corrupt(&format!(
            "update hold set settled = 0::bit(256) where chunk_id = {open};
             update hold set voided = 0::bit(256) where chunk_id = {done}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L4]));
    names(&report, L4, &[&done.to_string()]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l4_a_message_in_two_entries() {
    let (books, _, two) = written().await;
    books
        .corrupt(&format!(
            "insert into entry (account_id, kind, amount, chunk_id, bits)
             select account_id, kind, amount, chunk_id, bits from entry where kind = 'void';
             update account set balance = balance + 2000 where id = {two}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert!(broken(&report).contains(&L4), "{report:?}");
    names(&report, L4, &[&books.chunk(1).to_string(), "two entries"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn l4_an_entry_without_a_hold() {
    let (books, ..) = written().await;
    books.corrupt(&format!("delete from hold where chunk_id = {}", books.chunk(1))).await;
    let report = books.audit(Expect::Traffic).await;
    assert!(broken(&report).contains(&L4));
    names(&report, L4, &[&books.chunk(1).to_string(), "no hold"]);
    books.schema.drop().await;
}

/// Rows that break their own rule are each named once, wherever they stand, and do not hide
/// the rows behind them.
#[tokio::test]
async fn l4_rows_that_break_their_own_rule() {
    let (books, ..) = written().await;
    // More than a page of them, before and behind a sound row with a fault of its own.
    books
        .corrupt(&format!(
            "alter table hold drop constraint l4_disjoint;
             insert into hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                               prices, price_index, paid, cost, settled, voided)
             select {first} + k * 256, 1, 't', 0, k, 0, 1, '{{0}}', '', 1, 0, '{map}', '{map}'
             from generate_series(1, 4001) as k;
             update hold set settled = 0::bit(256), voided = 0::bit(256), cost = 3
             where chunk_id = {first} + 3000 * 256;
             update account set balance = balance - 3, held = held + 3 where id = 1",
            first = books.chunk(100),
            map = bits([0]).to_bit_string(),
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([L1, L4]));
    assert_eq!((report.findings[&L4].violations, report.findings[&L1].violations), (4_000, 1));
    assert!(report.findings[&L4].named.len() <= 20, "named one by one only up to a bound");
    books.schema.drop().await;
}

#[tokio::test]
async fn l5_a_negative_balance() {
    let (books, one, _) = written().await;
    books
        .corrupt(&format!(
            "alter table account drop constraint account_balance_check, drop constraint account_held_check;
             update account set balance = -1, held = -2 where id = {one}"
        ))
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert!(broken(&report).contains(&L5), "{report:?}");
    names(&report, L5, &[&format!("account {one}")]);
    books.schema.drop().await;
}

#[tokio::test]
async fn o2_published_beyond_what_is_billed() {
    let (books, ..) = written().await;
    books
        .corrupt(
            "insert into position (role, topic, partition, next_offset, published)
             values ('billing-consumer', 'a', 0, 5, 5), ('billing-consumer', 'b', 1, 5, 6),
                    ('sender', 'c', 1, 5, 6)",
        )
        .await;
    let report = books.audit(Expect::Traffic).await;
    assert_eq!((broken(&report), report.findings[&O2].violations), (of([O2]), 1));
    names(&report, O2, &["b/1", "6", "5"]);
    books.schema.drop().await;
}

#[tokio::test]
async fn s1_what_is_undecided_at_quiescence() {
    let (books, ..) = written().await;
    assert!(books.audit(Expect::Traffic).await.is_clean());
    let report = books.audit(Expect::Quiescence).await;
    assert_eq!((broken(&report), report.findings[&S1].violations), (of([S1]), 1));
    names(&report, S1, &[&books.chunk(0).to_string(), "10 messages"]);
    books.finals(&ends(books.chunk(0), Bits::prefix(9), bits([9]))).await.unwrap();
    books.assert_clean(Expect::Quiescence).await;
    books.schema.drop().await;
}

#[tokio::test]
async fn s1_money_that_was_left_behind_when_its_chunk_went_to_history() {
    let (books, ..) = written().await;
    let (open, decided) = (books.chunk(0), books.chunk(1));
    for chunk in [open, decided] {
        books
            .corrupt(&format!(
                "insert into history_chunk values ({chunk}, 1, 'bulk', 0, {chunk}, 1, 1, '\\x00', '\\x00', 1, '')"
            ))
            .await;
    }
    let report = books.audit(Expect::Traffic).await;
    assert_eq!(broken(&report), of([S1]));
    assert_eq!(report.findings[&S1].violations, 1);
    names(&report, S1, &[&open.to_string(), "history"]);
    books.schema.drop().await;
}
