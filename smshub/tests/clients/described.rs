//! The description at `/api/schema/` is what the API does: requests made from it, right and
//! wrong ones, are answered as it says.

use crate::world::{World, run, tool};
use std::time::Duration;
use tokio::process::Command;

/// Bodies of kinds that schemathesis does not know go as they are.
const HOOKS: &str = "import schemathesis\n\n\
    schemathesis.serializer.alias([\"text/csv\", \"application/x-ndjson\"], \"application/octet-stream\")\n";
/// The same requests at every run.
const SEED: &str = "20261121";
/// What JSON Schema cannot say: which numbers exist, which sender lines an account has, how many
/// segments a text takes, how much money there is. All else that a valid request gets is checked.
const LEFT_OUT: &str = "positive_data_acceptance";
/// Made for each endpoint and phase.
const EXAMPLES: &str = "30";
const LIMIT: Duration = Duration::from_secs(300);

/// What administrators may do, which needs another key.
const ADMINISTRATORS: &str = "^/v1/(admin|accounts)/";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_made_from_the_description_are_answered_as_it_says() {
    let world = World::new().await;
    check(&world, world.customer.key(), "--exclude-path-regex").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_are_those_of_administrators() {
    let world = World::new().await;
    let account = world.gateway.must(&["account", "create", "--name", "us", "--line", "100002"]);
    let key = world.gateway.must(&["key", "create", "--account", &account, "--scope", "admin"]);
    check(&world, &key, "--include-path-regex").await;
    world.close().await;
}

async fn check(world: &World, key: &str, which: &str) {
    std::fs::write(world.gateway.folder().join("hooks.py"), HOOKS).unwrap();
    let mut schemathesis = Command::new(tool("python/bin/python"));
    schemathesis
        .args(["-m", "schemathesis.cli", "run", &world.schema()])
        .args(["--header", &format!("Authorization: Bearer {key}"), which, ADMINISTRATORS])
        .args([
            "--seed",
            SEED,
            "--max-examples",
            EXAMPLES,
            "--generation-database",
            "none",
            "--no-color",
            "--exclude-checks",
            LEFT_OUT,
        ])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", world.gateway.folder())
        .current_dir(world.gateway.folder());
    run(&mut schemathesis, LIMIT).await;
}
