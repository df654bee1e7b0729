//! Clients made from the description compile, and work.

use crate::world::{World, run, tool};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(120);
/// A file's bytes, whatever is in them.
const FILES: &str = "content_type_overrides:\n  text/csv: application/octet-stream\n  text/plain: application/octet-stream\n  \
    application/x-ndjson: application/octet-stream\n";
const PYTHON: &str = include_str!("generated.py");
const TYPESCRIPT: &str = include_str!("generated.ts");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_python_client_sends_and_reads() {
    let world = World::new().await;
    let folder = world.gateway.folder();
    let mut generate = Command::new(tool("python/bin/python"));
    generate.args(["-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]);
    generate.args(["--output-path", "smshub_client", "--url", &world.schema()]).current_dir(folder);
    std::fs::write(folder.join("files.yml"), FILES).unwrap();
    generate.args(["--config", "files.yml"]);
    // It formats what it makes by a program that stands beside it.
    generate.env("PATH", format!("{}:/usr/bin:/bin", tool("python/bin").display()));
    run(&mut generate, LIMIT).await;
    // Every file of it, not only those that the program below needs.
    let mut compile = Command::new(tool("python/bin/python"));
    run(compile.args(["-m", "compileall", "-q", "smshub_client"]).current_dir(folder), LIMIT).await;
    std::fs::write(folder.join("generated.py"), PYTHON).unwrap();
    let mut program = Command::new(tool("python/bin/python"));
    let said = run(world.customers(program.arg("generated.py").current_dir(folder)), LIMIT).await;
    assert_eq!(said, "delivered\n");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_typescript_client_sends_and_reads() {
    let world = World::new().await;
    let folder = world.gateway.folder();
    std::os::unix::fs::symlink(tool("node_modules"), folder.join("node_modules")).unwrap();
    std::fs::write(folder.join("package.json"), r#"{"type": "module"}"#).unwrap();
    std::fs::write(folder.join("generated.ts"), TYPESCRIPT).unwrap();
    let mut generate = Command::new(tool("node_modules/.bin/openapi-typescript"));
    run(generate.args([&world.schema(), "--output", "schema.d.ts"]).current_dir(folder), LIMIT).await;
    compile(folder, "generated.ts").await;
    let mut program = Command::new("node");
    let said = run(world.customers(program.arg("generated.js").current_dir(folder)), LIMIT).await;
    assert_eq!(said, "delivered\n");
    world.close().await;
}

/// By the compiler, at its strictest.
pub(crate) async fn compile(folder: &Path, file: &str) {
    let mut compiler = Command::new(tool("node_modules/.bin/tsc"));
    compiler
        .args(["--strict", "--target", "es2022", "--module", "nodenext", "--noUncheckedIndexedAccess"])
        .args(["--types", "node", file])
        .current_dir(folder);
    run(&mut compiler, LIMIT).await;
}
