//! Every security property of SECURITY.md has a test that names it.

use std::collections::BTreeSet;

use super::{Finding, Repository};

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>, String> {
    let security = repository.text("SECURITY.md");
    let rows: Vec<&str> = security.lines().filter(|line| line.starts_with("| SEC-")).collect();
    if rows.is_empty() {
        return Err("SECURITY.md has no table of SEC ids".to_owned());
    }
    let promised: BTreeSet<&str> =
        rows.iter().filter(|row| !row.contains("| later |")).filter_map(|row| row.get(2..8)).collect();
    let mut tested = BTreeSet::new();
    for path in repository.rust() {
        let text = repository.text(path);
        let tests = if path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("tests.rs") {
            text.as_str()
        } else {
            text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests)
        };
        tested.extend(promised.iter().filter(|id| tests.contains(**id)));
    }
    Ok(promised.difference(&tested).map(|id| format!("{id} of SECURITY.md is named by no test")).collect())
}
