//! The fence of transactions that move no position: the partitions' ownership rows.

use platform::ownership::Role;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeSet;

/// Those of `partitions` that `process` holds. Nobody takes them until the transaction ends.
pub(crate) async fn keep(
    connection: &mut PgConnection,
    process: Uuid,
    partitions: &[i32],
) -> Result<BTreeSet<i32>, sqlx::Error> {
    let held: Vec<(i32,)> = sqlx::query_as(
        "select partition from ownership where role = $1 and process = $2 and partition = any($3)
         order by partition for share",
    )
    .bind(Role::DlrReconciler.as_str())
    .bind(process)
    .bind(partitions)
    .fetch_all(connection)
    .await?;
    Ok(held.into_iter().map(|(partition,)| partition).collect())
}

/// The partitions that `process` holds now.
pub(crate) async fn all(connection: &mut PgConnection, process: Uuid) -> Result<Vec<i32>, sqlx::Error> {
    let held: Vec<(i32,)> =
        sqlx::query_as("select partition from ownership where role = $1 and process = $2 order by partition")
            .bind(Role::DlrReconciler.as_str())
            .bind(process)
            .fetch_all(connection)
            .await?;
    Ok(held.into_iter().map(|(partition,)| partition).collect())
}
