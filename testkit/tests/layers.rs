//! Dependencies point inward: domain ← wire ← platform ← ledger ← the four roles ← smshub.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::BTreeSet;
use std::path::Path;

/// From the inside out; crates of one layer do not know each other.
const LAYERS: [&[&str]; 6] = [
    &["domain"],
    &["wire"],
    &["platform"],
    &["ledger"],
    &["ingest", "billing-consumer", "sender", "dlr-reconciler"],
    &["smshub"],
];
/// What is not part of the product: nothing in it may be needed to run smshub.
const TOOLS: [&str; 3] = ["simulator", "testkit", "benches"];
/// `domain` decides; it asks nobody, waits for nothing and knows no time.
const NOT_IN_DOMAIN: [&str; 16] = [
    "async-std",
    "axum",
    "chrono",
    "futures",
    "hyper",
    "prost",
    "rand",
    "rdkafka",
    "rdkafka-sys",
    "reqwest",
    "rustix",
    "sqlx",
    "time",
    "tokio",
    "tokio-util",
    "uuid",
];

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).no_deps();
    // The lock file is as it is, and nothing is fetched.
    command.other_options(["--offline".to_owned(), "--locked".to_owned()]);
    command.exec().expect("cargo describes the workspace")
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// What a crate needs to be built and run.
fn needs(package: &Package) -> BTreeSet<&str> {
    let product =
        package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    product.map(|dependency| dependency.name.as_str()).collect()
}

#[test]
fn every_crate_has_its_place() {
    let known: BTreeSet<&str> = LAYERS.concat().into_iter().chain(TOOLS).collect();
    let metadata = metadata();
    let found: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(found, known, "a new crate gets its place in this test and in the design");
}

#[test]
fn dependencies_point_inward() {
    for package in &metadata().packages {
        let Some(own) = layer(package.name.as_str()) else { continue };
        for needed in needs(package) {
            if let Some(other) = layer(needed) {
                assert!(other < own, "{} may not depend on {needed}", package.name);
            }
            assert!(!TOOLS.contains(&needed), "{} may not depend on {needed}, a tool", package.name);
        }
    }
}

/// Not even their tests: what roles have to say to each other is in records and tables.
#[test]
fn roles_do_not_know_each_other() {
    let roles = LAYERS[4];
    for package in metadata().packages.iter().filter(|package| roles.contains(&package.name.as_str())) {
        let others = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        let known: Vec<_> = others.filter(|name| roles.contains(name) || *name == "smshub").collect();
        assert!(known.is_empty(), "{} knows {known:?}", package.name);
    }
}

#[test]
fn domain_is_pure() {
    let metadata = metadata();
    let domain = metadata.packages.iter().find(|package| package.name.as_str() == "domain").unwrap();
    let impure: Vec<_> = needs(domain).into_iter().filter(|name| NOT_IN_DOMAIN.contains(name)).collect();
    assert!(impure.is_empty(), "domain depends on {impure:?}");
}

/// It stands for an operator: a mistake shared with us would hide itself.
#[test]
fn the_simulator_shares_nothing_with_us() {
    let metadata = metadata();
    let simulator = metadata.packages.iter().find(|package| package.name.as_str() == "simulator").unwrap();
    let ours = simulator.dependencies.iter().map(|dependency| dependency.name.as_str());
    let shared: Vec<_> = ours.filter(|name| layer(name).is_some() || TOOLS.contains(name)).collect();
    assert!(shared.is_empty(), "simulator depends on {shared:?}");
}

#[test]
fn only_platform_talks_to_the_c_library() {
    for package in &metadata().packages {
        let uses = package.dependencies.iter().any(|dependency| dependency.name == "rdkafka-sys");
        assert_eq!(uses, package.name.as_str() == "platform", "{}", package.name);
    }
}

/// One list of versions, or cargo builds librdkafka and tokio twice.
#[test]
fn versions_stand_in_the_workspace() {
    for package in &metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let mut in_dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains('=') {
                assert!(line.contains("workspace = true"), "{}: {line}", package.manifest_path);
            }
        }
    }
}
