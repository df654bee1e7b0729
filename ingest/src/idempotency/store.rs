//! The table `idempotency`, as far as calls for messages go: many requests in one transaction.

use std::collections::{HashMap, HashSet};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::request::Asked;
use super::row::{Meaning, Row, state};
use super::stamps::{Stamps, Told};

/// A request that wants to be worked on.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) asked: Asked,
    /// Nothing where the request would not be accepted today: then only a row that stands there
    /// already is of interest.
    pub(super) stamps: Option<Stamps>,
    /// See the table.
    pub(super) attempt: i64,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Fate {
    /// Its row was written: nobody asked for this before.
    First,
    /// Somebody did, and does not work on it any more: the row is this attempt's now.
    Again(Stamps),
    Told(Stamps, Told),
    InProgress,
    Conflict,
    /// There is no row.
    Nothing,
}

impl Fate {
    /// Its word in metrics.
    pub(super) fn outcome(&self) -> Option<&'static str> {
        match self {
            Fate::First => Some("first"),
            Fate::Again(_) => Some("taken_over"),
            Fate::Told(..) => Some("replayed"),
            Fate::InProgress => Some("in_progress"),
            Fate::Conflict => Some("conflict"),
            Fate::Nothing => None,
        }
    }
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) struct End {
    pub(super) account: i64,
    pub(super) key: String,
    pub(super) attempt: i64,
    pub(super) how: How,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// By this answer.
    Told(Told),
    /// Something may have been produced, and there is no answer.
    Released,
    /// This attempt produced nothing. If it was the first, nobody did.
    Withdrawn,
}

/// Writes the ends, then begins what can be begun: one fate for each. No key stands there twice
/// among `begins`. `committing` is set when from now on nobody can say that nothing was stored.
pub(super) async fn transact(
    connection: &mut PgConnection,
    process: Uuid,
    ends: &[End],
    begins: &[Begin],
    committing: &mut bool,
) -> Result<Vec<Fate>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    end(&mut transaction, ends).await?;
    let fates = begin(&mut transaction, process, begins).await?;
    *committing = true;
    transaction.commit().await?;
    Ok(fates)
}

async fn begin(
    connection: &mut PgConnection,
    process: Uuid,
    begins: &[Begin],
) -> Result<Vec<Fate>, sqlx::Error> {
    // In the order of the keys, as everybody does: two processes that insert the same keys wait
    // for one another, but never in a circle.
    let mut new: Vec<(&Begin, &Stamps)> =
        begins.iter().filter_map(|begin| Some((begin, begin.stamps.as_ref()?))).collect();
    new.sort_by_key(|(begin, _)| (begin.asked.account, begin.asked.key.as_str()));
    let inserted = insert(connection, process, &new).await?;
    let known: Vec<&Begin> = begins.iter().filter(|begin| !inserted.contains(&begin.attempt)).collect();
    let rows = find(connection, &known).await?;

    let mut free: Vec<(&Begin, &Row)> = Vec::new();
    let mut fates: Vec<Fate> = Vec::with_capacity(begins.len());
    for begin in begins {
        fates.push(match rows.get(&(begin.asked.account, begin.asked.key.as_str())) {
            None if inserted.contains(&begin.attempt) => Fate::First,
            None => Fate::Nothing,
            Some(row) => match row.means(&begin.asked.hash) {
                Meaning::Conflict => Fate::Conflict,
                Meaning::InProgress => Fate::InProgress,
                Meaning::Told(stamps, told) => Fate::Told(stamps, told),
                Meaning::Free(stamps) => {
                    free.push((begin, row));
                    Fate::Again(stamps)
                }
            },
        });
    }
    let taken = take_over(connection, process, &free).await?;
    for (begin, fate) in begins.iter().zip(&mut fates) {
        // Somebody else was faster.
        if matches!(fate, Fate::Again(_)) && !taken.contains(&begin.attempt) {
            *fate = Fate::InProgress;
        }
    }
    Ok(fates)
}

/// Returns the attempts whose rows were written: there was none of their keys.
async fn insert(
    connection: &mut PgConnection,
    process: Uuid,
    new: &[(&Begin, &Stamps)],
) -> Result<HashSet<i64>, sqlx::Error> {
    if new.is_empty() {
        return Ok(HashSet::new());
    }
    let numbers =
        |of: &dyn Fn(&Stamps) -> i64| -> Vec<i64> { new.iter().map(|(_, stamps)| of(stamps)).collect() };
    let counts = |of: &dyn Fn(&Stamps) -> u32| -> Vec<i32> {
        new.iter().map(|(_, stamps)| i32::try_from(of(stamps)).unwrap_or(i32::MAX)).collect()
    };
    let inserted: Vec<(i64,)> = sqlx::query_as(
        "insert into idempotency (account_id, key, request_hash, attempt, taken_at_ms, first_id, price, chunks,
                                  messages, tariff_version, rules, lane, line, left_out, process, state)
         select account, key, hash, attempt, taken_at_ms, first_id, price, chunks, messages, tariff_version, rules,
                lane, line, left_out::integer[], $15, 'working'
         from unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                     $8::integer[], $9::integer[], $10::integer[], $11::integer[], $12::text[], $13::text[],
                     $14::text[])
              as n (account, key, hash, attempt, taken_at_ms, first_id, price, chunks, messages, tariff_version,
                    rules, lane, line, left_out)
         on conflict (account_id, key) do nothing returning attempt",
    )
    .bind(new.iter().map(|(begin, _)| begin.asked.account).collect::<Vec<_>>())
    .bind(new.iter().map(|(begin, _)| begin.asked.key.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|(begin, _)| begin.asked.hash.as_slice()).collect::<Vec<_>>())
    .bind(new.iter().map(|(begin, _)| begin.attempt).collect::<Vec<_>>())
    .bind(numbers(&|stamps| stamps.taken_at.0))
    .bind(numbers(&|stamps| stamps.run.first.get()))
    .bind(numbers(&|stamps| stamps.price.get()))
    .bind(counts(&|stamps| stamps.run.count))
    .bind(counts(&|stamps| stamps.messages))
    .bind(counts(&|stamps| stamps.tariff_version))
    .bind(new.iter().map(|(_, stamps)| stamps.rules).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, stamps)| stamps.lane.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, stamps)| stamps.line.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, stamps)| literal(&stamps.left_out)).collect::<Vec<_>>())
    .bind(process)
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().map(|(attempt,)| attempt).collect())
}

async fn find<'b>(
    connection: &mut PgConnection,
    known: &[&'b Begin],
) -> Result<HashMap<(i64, &'b str), Row>, sqlx::Error> {
    if known.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<&str> = known.iter().map(|begin| begin.asked.key.as_str()).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "select i.account_id, i.key, i.attempt, i.state, i.request_hash, i.taken_at_ms, i.first_id, i.price,
                i.chunks, i.messages, i.tariff_version, i.rules, i.lane, i.line, i.left_out, i.balance, i.paid,
                exists (select from process p where p.id = i.process and not p.dead
                        and p.alive_until > clock_timestamp()) as alive
         from unnest($1::bigint[], $2::text[]) as a (account, key)
              join idempotency i on i.account_id = a.account and i.key = a.key",
    )
    .bind(known.iter().map(|begin| begin.asked.account).collect::<Vec<_>>())
    .bind(&keys)
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<(i64, String), Row> =
        rows.into_iter().map(|row| ((row.account_id, row.key.clone()), row)).collect();
    let of = |begin: &&'b Begin| {
        let row = found.remove(&(begin.asked.account, begin.asked.key.clone()))?;
        Some(((begin.asked.account, begin.asked.key.as_str()), row))
    };
    Ok(known.iter().filter_map(of).collect())
}

/// Compare and set: of two that found a row free, one gets it. Returns the attempts that did.
async fn take_over(
    connection: &mut PgConnection,
    process: Uuid,
    free: &[(&Begin, &Row)],
) -> Result<HashSet<i64>, sqlx::Error> {
    if free.is_empty() {
        return Ok(HashSet::new());
    }
    let taken: Vec<(i64,)> = sqlx::query_as(
        "update idempotency i set attempt = t.mine, process = $6, state = 'working'
         from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
              as t (account, key, attempt, state, mine)
         where i.account_id = t.account and i.key = t.key and i.attempt = t.attempt and i.state = t.state
         returning i.attempt",
    )
    .bind(free.iter().map(|(_, row)| row.account_id).collect::<Vec<_>>())
    .bind(free.iter().map(|(_, row)| row.key.as_str()).collect::<Vec<_>>())
    .bind(free.iter().map(|(_, row)| row.attempt).collect::<Vec<_>>())
    .bind(free.iter().map(|(_, row)| row.state.as_str()).collect::<Vec<_>>())
    .bind(free.iter().map(|(begin, _)| begin.attempt).collect::<Vec<_>>())
    .bind(process)
    .fetch_all(connection)
    .await?;
    Ok(taken.into_iter().map(|(attempt,)| attempt).collect())
}

/// Only rows of these very attempts change: one that was taken over meanwhile is another's.
async fn end(connection: &mut PgConnection, ends: &[End]) -> Result<(), sqlx::Error> {
    let withdrawn: Vec<&End> = ends.iter().filter(|end| matches!(end.how, How::Withdrawn)).collect();
    if !withdrawn.is_empty() {
        // The first attempt's row alone; what was taken over may have been produced by another,
        // and is released below.
        sqlx::query(
            "delete from idempotency i using unnest($1::bigint[], $2::text[], $3::bigint[]) as e (account, key, attempt)
             where i.account_id = e.account and i.key = e.key and i.attempt = e.attempt
                   and i.first_id = e.attempt and i.state = 'working'",
        )
        .bind(withdrawn.iter().map(|end| end.account).collect::<Vec<_>>())
        .bind(withdrawn.iter().map(|end| end.key.as_str()).collect::<Vec<_>>())
        .bind(withdrawn.iter().map(|end| end.attempt).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    if ends.is_empty() {
        return Ok(());
    }
    let columns: Vec<Columns> = ends.iter().map(|end| Columns::of(&end.how)).collect();
    sqlx::query(
        "update idempotency i set state = e.state, balance = e.balance, paid = e.paid::smallint[]
         from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[])
              as e (account, key, attempt, state, balance, paid)
         where i.account_id = e.account and i.key = e.key and i.attempt = e.attempt and i.state = 'working'",
    )
    .bind(ends.iter().map(|end| end.account).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.key.as_str()).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.attempt).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.state).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.balance).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.paid.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns that an end sets.
struct Columns {
    state: &'static str,
    balance: Option<i64>,
    paid: Option<String>,
}

impl Columns {
    fn of(how: &How) -> Self {
        match how {
            How::Told(Told::Accepted(paid)) => {
                let paid = paid.as_deref().and_then(literal);
                Columns { state: state::ACCEPTED, balance: None, paid }
            }
            How::Told(Told::Refused(balance)) => {
                Columns { state: state::REFUSED, balance: Some(balance.get()), paid: None }
            }
            How::Released | How::Withdrawn => Columns { state: state::RELEASED, balance: None, paid: None },
        }
    }
}

/// An array as text, to be cast: unnest would flatten arrays of arrays. Nothing for an empty one.
fn literal<N: ToString>(numbers: &[N]) -> Option<String> {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    (!numbers.is_empty()).then(|| format!("{{{}}}", numbers.join(",")))
}
