//! Every source file is part of something that is compiled: a test in a file that no module names passes by
//! never running.

use super::{Finding, Repository};

/// Folders whose files cargo finds by itself.
const TARGETS: [&str; 4] = ["bin", "tests", "benches", "examples"];

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let manifests: Vec<String> = repository.ending("Cargo.toml").map(|path| repository.text(path)).collect();
    repository
        .rust()
        .filter(|path| !is_target(path, &manifests) && !is_named(repository, path))
        .map(|path| format!("{path}: no module names this file, so it is never compiled"))
        .collect()
}

fn is_target(path: &str, manifests: &[String]) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = folder.rsplit('/').next().unwrap_or_default();
    let declared = |manifest: &String| {
        manifest.lines().any(|line| line.starts_with("path = ") && line.contains(&format!("{file}\"")))
    };
    matches!(file, "lib.rs" | "main.rs" | "build.rs")
        || TARGETS.contains(&parent)
        || manifests.iter().any(declared)
}

/// Whether the file in which the module belongs says `mod`.
fn is_named(repository: &Repository, path: &str) -> bool {
    let path = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs")).unwrap_or(path);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parents = [
        format!("{folder}.rs"),
        format!("{folder}/mod.rs"),
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
    ];
    let declaration = format!("mod {name};");
    let names = |line: &str| {
        line.trim_start()
            .strip_suffix(&declaration)
            .is_some_and(|before| before.is_empty() || (before.starts_with("pub") && before.ends_with(' ')))
    };
    parents.iter().any(|parent| repository.text(parent).lines().any(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_targets_need_no_module() {
        let manifest = ["[[bin]]\npath = \"fuzz_targets/log.rs\"\n".to_owned()];
        for path in
            ["crates/a/src/lib.rs", "tests/src/bin/check.rs", "fuzz/fuzz_targets/log.rs", "a/build.rs"]
        {
            assert!(is_target(path, &manifest), "{path}");
        }
        assert!(!is_target("crates/a/src/machine/forgotten.rs", &manifest));
    }
}
