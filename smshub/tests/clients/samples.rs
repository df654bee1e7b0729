//! Every program of the guide is run, as it stands there, and its message is delivered.

use crate::generated::compile;
use crate::world::{World, run, tool};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

const GUIDE: &str = include_str!("../../../docs/guide.md");
const LIMIT: Duration = Duration::from_secs(180);

/// The programs of the guide in one language, in order.
fn samples(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = GUIDE.split(&fence).skip(1);
    let samples: Vec<String> =
        blocks.map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned()).collect();
    assert!(!samples.is_empty(), "the guide has no sample in {language}");
    samples
}

/// Runs each by `command`, which is given its folder and file.
async fn each(language: &str, extension: &str, command: impl AsyncFn(&Path, &str) -> Command) {
    let world = World::new().await;
    for (number, sample) in samples(language).into_iter().enumerate() {
        let file = format!("sample{number}.{extension}");
        let folder = world.gateway.folder();
        std::fs::write(folder.join(&file), sample).unwrap();
        let mut program = command(folder, &file).await;
        let said = run(world.customers(program.current_dir(folder)), LIMIT).await;
        assert_eq!(said.lines().last(), Some("delivered"), "{language} {number}: {said}");
    }
    world.close().await;
}

fn by(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl() {
    each("bash", "sh", async |_, file| by("bash", &["-euo", "pipefail", file])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python() {
    each("python", "py", async |_, file| by(tool("python/bin/python"), &[file])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript() {
    each("typescript", "mts", async |folder, file| {
        if !folder.join("node_modules").exists() {
            std::os::unix::fs::symlink(tool("node_modules"), folder.join("node_modules")).unwrap();
        }
        compile(folder, file).await;
        by("node", &[&file.replace(".mts", ".mjs")])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go() {
    each("go", "go", async |_, file| {
        let mut command = by("go", &["run", file]);
        // No module and no network; what it compiled of its library is kept for the next run.
        command.env("GOCACHE", tool("go-cache")).env("GO111MODULE", "off");
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn php() {
    each("php", "php", async |_, file| by("php", &[file])).await;
}
