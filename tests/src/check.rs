//! Checks of the repository itself: who may name whom, whether every file is compiled, how large things are,
//! whether what is promised has a test, and whether the documents name what exists. `./dev check` runs them.

mod boundaries;
mod documents;
mod modules;
mod security_ids;
mod sizes;
mod sources;

pub use sources::Repository;

/// One thing that is wrong with the repository, in words that say where and what to do.
pub type Finding = String;

/// Runs every check and gives all findings, sorted by check.
///
/// # Errors
/// When the repository cannot be read at all.
pub fn run(repository: &Repository) -> Result<Vec<Finding>, String> {
    let mut findings = boundaries::check(repository)?;
    findings.extend(modules::check(repository));
    findings.extend(sizes::check(repository));
    findings.extend(security_ids::check(repository)?);
    findings.extend(documents::check(repository)?);
    Ok(findings)
}
