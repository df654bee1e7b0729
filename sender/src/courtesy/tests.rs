//! What is read, on real Postgres.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use platform::health::Health;
use sqlx::PgPool;
use std::sync::Arc;
use testkit::postgres::Schema;
use wire::submitted::{Chunk, Text};

const NUMBER: i64 = 989_120_000_000;

struct World {
    schema: Schema,
    courtesy: Arc<Courtesy>,
    reader: Reader,
}

async fn world(opt_outs_max: usize) -> World {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let settings = CourtesySettings {
        read_every_ms: 1_000,
        opt_outs_max,
        canceled_max: 2,
        advertising_from: "07:00".into(),
        advertising_until: "22:00".into(),
        utc_ahead_minutes: 210,
    };
    let courtesy = Arc::new(Courtesy::new(&settings));
    let reader = Reader::new(schema.pools().common(), &Health::new(), &courtesy, &settings);
    World { schema, courtesy, reader }
}

impl World {
    fn pool(&self) -> &PgPool {
        self.schema.pool()
    }

    /// Those of the numbers 0 to 9 that may not be written to, as of the next reading.
    async fn out(&mut self) -> Vec<u8> {
        self.reader.round().await.unwrap();
        self.courtesy.rules().opted_out(&chunk(0), Bits::prefix(10)).iter().collect()
    }
}

const CHANGE: &str = "insert into opt_out_change (account_id, number, line, removed) values (7, $1, $2, $3)";

async fn change(pool: &PgPool, number: i64, line: &str, removed: bool) {
    sqlx::query(CHANGE).bind(NUMBER + number).bind(line).bind(removed).execute(pool).await.unwrap();
}

/// A chunk of account 7 to ten numbers.
fn chunk(campaign: i64) -> Chunk {
    let id = ChunkId::new(1 << 30).unwrap();
    let recipients = (0..10).map(|n| Msisdn::from_canonical((NUMBER + n).unsigned_abs()).unwrap());
    Chunk {
        id,
        account: 7,
        asked_lane: Lane::Bulk,
        line: "100002".into(),
        recipients: recipients.collect(),
        texts: vec![Text { body: "x".into(), encoding: Encoding::Gsm7, segments: 1 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: UnixMillis(0),
        send_by: UnixMillis(1_000_000),
        call_id: id,
        call_chunks: 1,
        call_messages: 10,
        campaign,
    }
}

#[tokio::test]
async fn opting_out_and_in_again_is_seen_by_the_next_reading() {
    let mut world = world(100).await;
    assert_eq!(world.out().await, [] as [u8; 0]);
    for (number, line) in [(1, ""), (2, "100002"), (3, "100003"), (4, "")] {
        change(world.pool(), number, line, false).await;
    }
    assert_eq!(world.out().await, [1, 2, 4]);
    change(world.pool(), 4, "", true).await;
    assert_eq!(world.out().await, [1, 2]);
    world.schema.drop().await;
}

/// Ids are drawn before they are committed: what is committed late lies below what was read.
#[tokio::test]
async fn what_is_committed_late_is_not_passed_over() {
    let mut world = world(100).await;
    let mut late = world.pool().begin().await.unwrap();
    sqlx::query(CHANGE).bind(NUMBER + 1).bind("").bind(false).execute(&mut *late).await.unwrap();
    change(world.pool(), 2, "", false).await;
    assert_eq!(world.out().await, [2]);
    change(world.pool(), 3, "", false).await;
    assert_eq!(world.out().await, [2, 3]);
    late.commit().await.unwrap();
    assert_eq!(world.out().await, [1, 2, 3]);
    world.schema.drop().await;
}

#[tokio::test]
async fn cancelled_campaigns_and_lines_of_advertising_are_read() {
    let mut world = world(100).await;
    let pool = world.pool();
    sqlx::query("insert into account (id, name, lines) values (7, 'a', '{100002}')")
        .execute(pool)
        .await
        .unwrap();
    let insert =
        "insert into campaign (id, account_id, name, text, line, ttl_seconds, on_error, status, canceled_at)
        overriding system value values
        (1, 7, '', '', '100002', 60, 'skip', 'canceled', clock_timestamp()),
        (2, 7, '', '', '100002', 60, 'skip', 'open', null),
        (3, 7, '', '', '100002', 60, 'skip', 'canceled', clock_timestamp() - interval '75 hours')";
    sqlx::query(insert).execute(pool).await.unwrap();
    let line = "insert into line (line, advertising) values ('100002', true), ('100003', false)";
    sqlx::query(line).execute(pool).await.unwrap();
    assert!(!world.courtesy.is_known(0, 0), "nothing was read yet");
    world.reader.round().await.unwrap();
    {
        let rules = world.courtesy.rules();
        assert_eq!((0..4).filter(|id| rules.is_canceled(*id)).collect::<Vec<_>>(), [1]);
        assert!(!rules.are_not_all());
        // Midnight of UTC is half past three in Tehran.
        let morning = Some(UnixMillis(3 * 3_600_000 + 1_800_000));
        assert_eq!(rules.quiet_until("100002", UnixMillis(0)), morning);
        assert_eq!(rules.quiet_until("100003", UnixMillis(0)), None);
        let read_at = rules.read_at().unwrap();
        assert!(world.courtesy.is_known(read_at, read_at + STALE_AFTER_MS - 1));
        assert!(
            !world.courtesy.is_known(read_at + 1, read_at + 1),
            "a new holder waits for a reading of its own"
        );
        assert!(!world.courtesy.is_known(read_at, read_at + STALE_AFTER_MS), "it is too old");
    }
    // More than are kept: Postgres is asked.
    sqlx::query("update campaign set canceled_at = clock_timestamp(), status = 'canceled'")
        .execute(world.pool())
        .await
        .unwrap();
    world.reader.round().await.unwrap();
    assert!(world.courtesy.rules().are_not_all());
    world.schema.drop().await;
}

#[tokio::test]
async fn where_there_is_more_than_is_kept_postgres_is_asked() {
    let mut world = world(20).await;
    sqlx::query("insert into account (id, name, lines) values (7, 'a', '{100002}')")
        .execute(world.pool())
        .await
        .unwrap();
    for number in 0..20 {
        change(world.pool(), number, "", false).await;
    }
    assert_eq!(world.out().await.len(), 10);
    assert!(!world.courtesy.rules().are_not_all());
    change(world.pool(), 20, "", false).await;
    world.reader.round().await.unwrap();
    assert!(world.courtesy.rules().are_not_all());

    let listed = "insert into opt_out (account_id, number, line) values (7, $1, ''), (7, $2, '100002'), (7, $3, '100003')";
    let numbers = [NUMBER + 1, NUMBER + 2, NUMBER + 3];
    sqlx::query(listed)
        .bind(numbers[0])
        .bind(numbers[1])
        .bind(numbers[2])
        .execute(world.pool())
        .await
        .unwrap();
    let canceled = "insert into campaign
            (id, account_id, name, text, line, ttl_seconds, on_error, status, canceled_at)
        overriding system value
        values (5, 7, '', '', '100002', 60, 'skip', 'canceled', clock_timestamp())";
    sqlx::query(canceled).execute(world.pool()).await.unwrap();
    let leaving = |campaign, position| Leaving {
        chunk: Arc::new(chunk(campaign)),
        position,
        attempt: 1,
        attempted_at: UnixMillis(0),
        elsewhere: None,
    };
    let pool = world.schema.pools().common().clone();
    let of_none: Vec<Leaving> = (0..4).map(|position| leaving(0, position)).collect();
    let id = of_none[0].chunk.id;
    let expected = [((id, 1), Refusal::OptedOut), ((id, 2), Refusal::OptedOut)];
    assert_eq!(ask(&pool, &of_none).await.unwrap(), expected.into());
    let of_one: Vec<Leaving> = (0..2).map(|position| leaving(5, position)).collect();
    let expected = [((id, 0), Refusal::Canceled), ((id, 1), Refusal::Canceled)];
    assert_eq!(ask(&pool, &of_one).await.unwrap(), expected.into());

    // Old ones do not matter any more: what is left fits in again.
    let age = "update opt_out_change set at = at - interval '75 hours' where number < $1";
    sqlx::query(age).bind(NUMBER + 8).execute(world.pool()).await.unwrap();
    assert!(!world.reader.tidy().await.unwrap(), "there is no more");
    assert!(!world.courtesy.rules().are_not_all());
    assert_eq!(world.out().await, [8, 9]);
    world.schema.drop().await;
}
