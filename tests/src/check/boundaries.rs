//! The crate map of ARCHITECTURE.md, held against what the manifests and sources say.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use super::{Finding, Repository};

/// Names that a sans-IO crate has no business with; time, randomness and bytes are handed to it.
const OUTSIDE_WORLD: [&str; 11] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io::",
    "Instant::now",
    "SystemTime",
    "SystemRandom",
    "OsRng",
    "tokio",
];

#[derive(Deserialize)]
struct Allowed {
    #[serde(default)]
    core: bool,
    ours: Vec<String>,
    theirs: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>, String> {
    let table = repository.text("tests/boundaries.toml");
    let allowed: BTreeMap<String, Allowed> =
        toml::from_str(&table).map_err(|why| format!("tests/boundaries.toml: {why}"))?;
    let mut findings = edges(repository, &allowed)?;
    for (name, _) in allowed.iter().filter(|(_, allowed)| allowed.core) {
        findings.extend(outside_world(repository, name));
    }
    Ok(findings)
}

fn edges(repository: &Repository, allowed: &BTreeMap<String, Allowed>) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for package in metadata(repository)?.packages {
        let name = package.name.strip_prefix("incamera-").unwrap_or(&package.name);
        if name == "tests" {
            continue;
        }
        let Some(rule) = allowed.get(name) else {
            findings.push(format!("crate {name} has no entry in tests/boundaries.toml"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")) {
            let fine = match dependency.name.strip_prefix("incamera-") {
                Some(ours) => rule.ours.iter().any(|name| name == ours),
                None => rule.theirs.contains(&dependency.name),
            };
            if !fine {
                findings.push(format!("crate {name} may not depend on {}", dependency.name));
            }
        }
    }
    Ok(findings)
}

fn metadata(repository: &Repository) -> Result<Metadata, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(repository.root())
        .output()
        .map_err(|why| format!("cargo cannot be run: {why}"))?;
    serde_json::from_slice(&output.stdout).map_err(|why| format!("cargo metadata: {why}"))
}

fn outside_world(repository: &Repository, name: &str) -> Vec<Finding> {
    let folder = format!("crates/{name}/src/");
    let mut findings = Vec::new();
    for path in repository.rust().filter(|path| path.starts_with(&folder)) {
        let text = repository.text(path);
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(shipped.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            for outside in OUTSIDE_WORLD.iter().filter(|outside| code.contains(**outside)) {
                findings.push(format!("{path}:{number}: core crate {name} names {outside}"));
            }
        }
    }
    findings
}
