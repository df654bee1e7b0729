//! The rows `process` and `node`: who is alive, and who mints under which number.

use super::Role;
use super::data_folder::DataFolder;
use domain::time::UnixMillis;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;
use wire::Version;

/// What a process registers as.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The roles it runs.
    pub roles: Vec<Role>,
    /// Whether it mints ids and so needs a node number.
    pub mints: bool,
}

/// The right to mint under a node number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) number: u8,
    /// Nothing before this may be minted: an earlier holder may have.
    pub(super) not_before: UnixMillis,
    pub(super) until: UnixMillis,
}

/// What a renewal brought back.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Renewal {
    pub(super) lowest_version: i16,
    pub(super) ingest_processes: i64,
    pub(super) database_ms: i64,
}

/// Makes the row of a new process, and declares its predecessors in the same folder dead:
/// the lock on the folder proves that they are.
pub(super) async fn register(
    connection: &mut PgConnection,
    process: Uuid,
    folder: &DataFolder,
    registration: &Registration,
    alive_ms: i64,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("update process set dead = true where data_folder = $1 and not dead")
        .bind(folder.id())
        .execute(&mut *transaction)
        .await?;
    let roles: Vec<&str> = registration.roles.iter().map(|role| role.as_str()).collect();
    sqlx::query(
        "insert into process (id, data_folder, roles, reads_version, alive_until)
         values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond')",
    )
    .bind(process)
    .bind(folder.id())
    .bind(roles)
    .bind(i16::from(Version::NEWEST.get()))
    .bind(alive_ms)
    .execute(&mut *transaction)
    .await?;
    // Long dead rows are of no use to anyone.
    sqlx::query("delete from process where dead and alive_until < clock_timestamp() - interval '1 day'")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Renews the process's life. Nothing comes back where it has lapsed: others may have
/// declared it dead, and it must not come back under the same id.
pub(super) async fn renew(
    connection: &mut PgConnection,
    process: Uuid,
    alive_ms: i64,
) -> Result<Option<Renewal>, sqlx::Error> {
    sqlx::query_as(
        "update process set alive_until = clock_timestamp() + $2 * interval '1 millisecond'
         where id = $1 and not dead and alive_until > clock_timestamp()
         returning
             (select coalesce(min(reads_version), $3) from process
              where not dead and alive_until > clock_timestamp()) as lowest_version,
             (select count(*) from process
              where not dead and alive_until > clock_timestamp() and $4 = any (roles)) as ingest_processes,
             (extract(epoch from clock_timestamp()) * 1000)::bigint as database_ms",
    )
    .bind(process)
    .bind(alive_ms)
    .bind(i16::from(Version::NEWEST.get()))
    .bind(Role::Ingest.as_str())
    .fetch_optional(connection)
    .await
}

/// Takes a node number: the one this folder's predecessor had, from the millisecond that is
/// reserved in the folder, or else one whose last holder's time is over.
pub(super) async fn take_node(
    connection: &mut PgConnection,
    process: Uuid,
    folder: &DataFolder,
    mint_ms: i64,
) -> Result<Option<Node>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    if let Some(reserved) = folder.reserved() {
        let taken =
            claim(&mut transaction, process, i16::from(reserved.node), Some(reserved.process), mint_ms)
                .await?;
        if let Some(until) = taken {
            transaction.commit().await?;
            let not_before = UnixMillis(reserved.until_ms + 1);
            return Ok(Some(Node { number: reserved.node, not_before, until }));
        }
    }
    let free: Option<(i16, i64)> = sqlx::query_as(
        "select number, (case when mint_until = '-infinity' then 0
                              else extract(epoch from mint_until) * 1000 end)::bigint
         from node where mint_until < clock_timestamp()
         order by mint_until, number limit 1 for update skip locked",
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((number, last_until_ms)) = free else { return Ok(None) };
    let until = claim(&mut transaction, process, number, None, mint_ms).await?;
    transaction.commit().await?;
    let not_before = UnixMillis(last_until_ms + 1);
    let number = u8::try_from(number).ok();
    Ok(number.zip(until).map(|(number, until)| Node { number, not_before, until }))
}

/// Extends the right to mint. Nothing where the number has gone to another process.
pub(super) async fn renew_node(
    connection: &mut PgConnection,
    process: Uuid,
    node: u8,
    mint_ms: i64,
) -> Result<Option<UnixMillis>, sqlx::Error> {
    claim(connection, process, i16::from(node), Some(process), mint_ms).await
}

async fn claim(
    connection: &mut PgConnection,
    process: Uuid,
    number: i16,
    holder: Option<Uuid>,
    mint_ms: i64,
) -> Result<Option<UnixMillis>, sqlx::Error> {
    let until: Option<(i64,)> = sqlx::query_as(
        "update node set process = $2, mint_until = clock_timestamp() + $4 * interval '1 millisecond'
         where number = $1 and ($3::uuid is null or process = $3)
         returning (extract(epoch from mint_until) * 1000)::bigint",
    )
    .bind(number)
    .bind(process)
    .bind(holder)
    .bind(mint_ms)
    .fetch_optional(connection)
    .await?;
    Ok(until.map(|(until,)| UnixMillis(until)))
}

/// A clean stop. The node number is free at once, and its next holder begins after the last
/// id that was minted. The partitions were freed as they were drained; where one was not,
/// something of it may still be at work, and the process counts as alive until it lapses.
pub(super) async fn leave(
    connection: &mut PgConnection,
    process: Uuid,
    node_holder: Uuid,
    minted_until: Option<UnixMillis>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "update node set mint_until = least(mint_until, to_timestamp($2::double precision / 1000))
         where process = $1 and $2 is not null",
    )
    .bind(node_holder)
    .bind(minted_until.map(|until| until.0))
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "update process set dead = true
         where id = $1 and not exists (select from ownership where process = $1)",
    )
    .bind(process)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
