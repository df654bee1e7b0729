//! `smshub dead`, on real Postgres: what it orders, and what it refuses. (What becomes of the
//! orders is shown by the faults' own test.)

use crate::support::{Installation, ended, smshub};
use domain::bits::Bits;
use domain::hold::Prices;
use domain::id::{ChunkId, MessageId};
use domain::money::Money;
use ledger::hold::Request;
use platform::ownership::clock;

const RETRY: u8 = 1;
const LOOK_UP: u8 = 2;
const DEAD: u8 = 3;

/// One message that waits: its position, how often it was tried, why it waits, the code.
type Waits = (u8, u8, u8, i16);

/// A table `deferred` with chunks of six messages, which cost 1000, 1001, … 1005.
struct Table {
    installation: Installation,
    first: ChunkId,
}

impl Table {
    async fn new() -> Self {
        let installation = Installation::tables().await;
        assert_eq!(installation.run(&["migrate"]).0, 0);
        for _ in 0..2 {
            let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
            installation.line(&["account", "charge", &account, "1000000"]);
        }
        let first = ChunkId::new(ChunkId::floor(clock::unix_now())).unwrap();
        Table { installation, first }
    }

    fn chunk(&self, number: u32) -> ChunkId {
        self.first.nth(number).unwrap()
    }

    /// The id of a message, as people type it.
    fn id(&self, number: u32, position: u8) -> String {
        self.chunk(number).message(position).to_string()
    }

    async fn keep(&self, number: u32, account: i64, lane: &str, waits: &[Waits]) {
        let chunk = self.chunk(number);
        let prices: Vec<Money> = (1_000..1_006).map(Money::new).collect();
        let request = Request {
            chunk,
            account,
            topic: format!("sms.submitted.{lane}"),
            partition: 0,
            source: i64::from(number),
            request_hash: 1,
            prices: Prices::of_each(&prices).unwrap(),
        };
        let mut transaction = self.installation.schema.pool().begin().await.unwrap();
        ledger::hold::book(&mut transaction, &[request]).await.unwrap();
        let due = clock::unix_now().plus(60_000).0.to_be_bytes();
        // The first version of rows, which every later one reads.
        let mut messages = vec![1];
        for (position, attempt, why, code) in waits {
            messages.extend([*position, *attempt, 2, 0, *why]);
            messages.extend(code.to_be_bytes());
            messages.extend(due);
        }
        let dead: Bits = waits.iter().filter(|(_, _, why, _)| *why == DEAD).map(|of| of.0).collect();
        sqlx::query(
            "insert into deferred (chunk_id, lane, partition, account_id, billed_offset, due, send_by, dead, messages, record)
             values ($1, $2, 0, $3, $1, now() + interval '1 minute', now() + interval '1 hour', $4::text::bit(256), $5, '\\x')",
        )
        .bind(chunk.get())
        .bind(lane)
        .bind(account)
        .bind(dead.to_bit_string())
        .bind(messages)
        .execute(&mut *transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }

    /// Runs `smshub dead`, which must succeed, and returns what it printed.
    fn must(&self, arguments: &[&str]) -> String {
        let (code, out, error) = self.dead(arguments);
        assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}: {out}");
        out
    }

    /// Runs `smshub dead`, which must fail with one line that says `says`, and order nothing.
    async fn refuses(&self, arguments: &[&str], says: &str) {
        let before = self.orders().await;
        let (code, out, error) = self.dead(arguments);
        assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert_eq!(self.orders().await, before, "{arguments:?}");
    }

    fn dead(&self, arguments: &[&str]) -> (i32, String, String) {
        self.installation.run(&[&["dead"], arguments].concat())
    }

    /// What is ordered: verb and message.
    async fn orders(&self) -> Vec<(String, String)> {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("select chunk_id, verb, messages::text from dead_order order by id")
                .fetch_all(self.installation.schema.pool())
                .await
                .unwrap();
        let of = |(chunk, verb, bits): (i64, String, String)| {
            let bits = Bits::from_bit_string(&bits).unwrap();
            let id = move |position: u8| MessageId::new(chunk + i64::from(position)).unwrap().to_string();
            bits.iter().map(|position| (verb.clone(), id(position))).collect::<Vec<_>>()
        };
        rows.into_iter().flat_map(of).collect()
    }

    fn ordered(&self, verb: &str, messages: &[(u32, u8)]) -> Vec<(String, String)> {
        messages.iter().map(|(chunk, position)| (verb.to_owned(), self.id(*chunk, *position))).collect()
    }
}

#[test]
fn who_does_not_say_what_is_meant_is_told_how() {
    let filters = [&["--lane", "bulk"][..], &["--account", "7"], &["--code", "31"], &["--all"]];
    let run = |arguments: &[&str]| {
        let (code, out, error) = ended(smshub().arg("dead").args(arguments));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {error}");
        error
    };
    for verb in ["drop", "requeue"] {
        for nothing in [&[][..], &["--yes"]] {
            let error = run(&[&[verb], nothing].concat());
            assert!(error.contains("not provided") && error.contains("--all"), "{error}");
        }
        for filter in filters {
            for named in [&["1000"][..], &["--chunk", "1000"]] {
                let error = run(&[&[verb], named, filter].concat());
                assert!(error.contains("cannot be used with"), "{error}");
            }
        }
        for filter in &filters[..3] {
            let error = run(&[&[verb, "--all"], *filter].concat());
            assert!(error.contains("cannot be used with"), "{error}");
        }
        assert!(run(&[verb, "1000", "--chunk", "1000"]).contains("cannot be used with"));
        assert!(run(&[verb, "0"]).contains("whole number from 256 to"));
        assert!(run(&[verb, "--chunk", "x"]).contains("whole number from 256 to"));
    }
    for arguments in [&["show", "0"][..], &["list", "--after", "-1"], &["list", "--limit", "0"]] {
        run(arguments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_a_message_means_that_message_alone() {
    let table = Table::new().await;
    table
        .keep(0, 1, "bulk", &[(1, 1, DEAD, 31), (2, 3, RETRY, 0), (4, 250, DEAD, 0), (5, 1, DEAD, 31)])
        .await;
    table.keep(1, 1, "bulk", &[(1, 1, DEAD, 31)]).await;
    // First the plan, which changes nothing.
    let plan = table.must(&["drop", &table.id(0, 1)]);
    assert!(plan.starts_with("1 message in 1 chunk would be dropped, for ever: 1001 is refunded."), "{plan}");
    assert!(plan.contains("--yes") && plan.contains("account 1: 1 message, 1001"), "{plan}");
    assert_eq!(table.orders().await, []);
    let done = table.must(&["drop", &table.id(0, 1), "--yes"]);
    assert!(done.starts_with("1 message in 1 chunk will be dropped, for ever, within seconds"), "{done}");
    assert_eq!(table.orders().await, table.ordered("drop", &[(0, 1)]));
    table.refuses(&["requeue", &table.id(0, 1), "--yes"], "of 1 message an earlier order waits").await;
    table.must(&["requeue", &table.id(0, 5), "--yes"]);
    let all = [table.ordered("drop", &[(0, 1)]), table.ordered("requeue", &[(0, 5)])].concat();
    assert_eq!(table.orders().await, all);
    let shown = table.must(&["show", &table.id(0, 0)]);
    for line in [
        "refused with the operator's code 31, 1 attempt, ordered: drop",
        "tried too often, 250 attempts, of 250: it cannot be sent again",
        "refused with the operator's code 31, 1 attempt, ordered: requeue",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(shown.lines().count(), 4, "{shown}");
    table.installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_dead_letter_is_refused() {
    let table = Table::new().await;
    table.keep(0, 1, "bulk", &[(1, 1, DEAD, 31), (2, 3, RETRY, 0), (4, 250, DEAD, 15)]).await;
    table.keep(1, 1, "bulk", &[(0, 3, RETRY, 0)]).await;
    for verb in ["drop", "requeue"] {
        for (position, says) in [
            (0, "is no dead letter: `smshub trace"),
            (2, "is no dead letter: `smshub trace"),
            (6, "its chunk has 6 messages"),
            (255, "its chunk has 6 messages"),
        ] {
            table.refuses(&[verb, &table.id(0, position), "--yes"], says).await;
        }
        table.refuses(&[verb, &table.id(1, 0), "--yes"], "no dead letter is in the chunk").await;
        table.refuses(&[verb, "--chunk", &table.id(1, 0), "--yes"], "no dead letter is in the chunk").await;
        table.refuses(&[verb, "--chunk", &table.id(0, 6), "--yes"], "its chunk has 6 messages").await;
        table.refuses(&[verb, &table.id(2, 0), "--yes"], "is in the books").await;
        table.refuses(&[verb, "--chunk", "300", "--yes"], "no message 300 is in the books").await;
    }
    table.refuses(&["show", &table.id(0, 6)], "its chunk has 6 messages").await;
    table.refuses(&["show", &table.id(1, 0)], "no dead letter is in the chunk").await;
    table.refuses(&["show", &table.id(9, 0)], "is in the books").await;
    // Numbers of attempts do not repeat: what has used them up can only be dropped.
    let says = "1 message cannot be sent again: tried 250 times, which is as often as is possible. What is left \
                is `smshub dead drop`";
    table.refuses(&["requeue", &table.id(0, 4), "--yes"], says).await;
    table.refuses(&["requeue", "--code", "15", "--yes"], says).await;
    table.must(&["drop", &table.id(0, 4), "--yes"]);
    assert_eq!(table.orders().await, table.ordered("drop", &[(0, 4)]));
    table.installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_ordered_by_chunk_by_filter_or_all() {
    let table = Table::new().await;
    table
        .keep(0, 1, "bulk", &[(0, 1, DEAD, 31), (1, 249, DEAD, 0), (4, 250, DEAD, 0), (5, 1, RETRY, 31)])
        .await;
    table.keep(1, 2, "express", &[(3, 1, DEAD, 31)]).await;
    table.keep(2, 2, "bulk", &[(2, 1, DEAD, 31), (3, 9, DEAD, 0)]).await;
    table.keep(3, 2, "bulk", &[(0, 9, RETRY, 31)]).await;
    let (all, other) = (table.must(&["drop", "--all"]), table.must(&["drop", "--code", "99", "--yes"]));
    assert!(all.starts_with("6 messages in 3 chunks would be dropped, for ever: 6013 is refunded."), "{all}");
    assert!(all.contains("\n  account 1: 3 messages, 3005\n  account 2: 3 messages, 3008\n"), "{all}");
    assert_eq!(other, "no dead letters\n");
    assert_eq!(table.orders().await, []);
    // Of a chunk, named by any of its messages, what can be sent again.
    let plan = table.must(&["requeue", "--chunk", &table.id(0, 5), "--yes"]);
    assert!(
        plan.starts_with("2 messages in 1 chunk will be sent again, within seconds: 2001 stays held"),
        "{plan}"
    );
    assert!(plan.contains("left out: 1 message cannot be sent again: tried 250 times"), "{plan}");
    let mut expected = table.ordered("requeue", &[(0, 0), (0, 1)]);
    assert_eq!(table.orders().await, expected);
    let plan = table.must(&["drop", "--code", "31", "--account", "2", "--lane", "bulk", "--yes"]);
    assert!(plan.contains("1 message in 1 chunk"), "{plan}");
    expected.extend(table.ordered("drop", &[(2, 2)]));
    assert_eq!(table.orders().await, expected);
    let plan = table.must(&["drop", "--all", "--yes"]);
    assert!(plan.contains("left out: of 3 messages an earlier order waits"), "{plan}");
    expected.extend(table.ordered("drop", &[(0, 4), (1, 3), (2, 3)]));
    assert_eq!(table.orders().await, expected);
    table.installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_say_where_they_end() {
    let table = Table::new().await;
    for number in 0..5 {
        let why = [DEAD, DEAD, RETRY, LOOK_UP, DEAD][number as usize];
        table.keep(number, 1, "bulk", &[(0, 1, why, 31), (1, 1, why, 0)]).await;
    }
    let chunks = |listed: &str| -> Vec<String> {
        listed.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let ids = |numbers: &[u32]| numbers.iter().map(|number| table.id(*number, 0)).collect::<Vec<_>>();
    assert_eq!(chunks(&table.must(&["list"])), ids(&[0, 1, 4]));
    assert_eq!(chunks(&table.must(&["list", "--limit", "3"])), ids(&[0, 1, 4]));
    let (code, out, error) = table.dead(&["list", "--limit", "2"]);
    assert_eq!((code, chunks(&out)), (0, ids(&[0, 1])));
    assert_eq!(error, format!("2 chunks are shown, and there are more: --after {}\n", table.id(1, 0)));
    assert_eq!(chunks(&table.must(&["list", "--after", &table.id(1, 3)])), ids(&[4]));
    assert_eq!(table.must(&["list", "--after", &table.id(4, 0)]), "no dead letters\n");
    assert_eq!(table.must(&["list", "--account", "2"]), "no dead letters\n");
    assert!(
        table.must(&["list", "--code", "31"]).lines().all(|line| line.contains("bulk  1 × code 31  since"))
    );
    let all = table.must(&["list", "--waiting"]);
    assert_eq!(chunks(&all), ids(&[0, 1, 2, 3, 4]));
    let line = |number: usize| all.lines().nth(number).unwrap();
    assert!(
        line(0).contains("1 × code 0, 1 × code 31") && line(2).contains("2 × tried again at 20"),
        "{all}"
    );
    assert!(line(3).contains("2 × asked about at 20"), "{all}");
    table.installation.drop().await;
}
