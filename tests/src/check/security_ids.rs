//! Every security property of SECURITY.md has a test that is about it.
//!
//! An id counts where it says what a test is for: in the name of a test (`sec_15_…`), in the doc comment of a test or of
//! a module of tests, and in the doc of a file of tests. A mention anywhere else, a comment in a test's body say, does
//! not: nothing would notice that the test has become one of something else.

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
        let claims = claims(&repository.text(path));
        tested.extend(promised.iter().filter(|id| claims.contains(**id)));
    }
    let untested = promised.difference(&tested);
    Ok(untested.map(|id| format!("{id} of SECURITY.md is in no test's name or doc")).collect())
}

/// What the tests of this source say they are about, with ids as in SECURITY.md.
fn claims(source: &str) -> String {
    let mut claims = String::new();
    // What was read since the last line of code: docs, and whether an attribute made it about tests.
    let (mut docs, mut of_test) = (String::new(), false);
    let (mut file_docs, mut any_test) = (String::new(), false);
    for line in source.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("//!") {
            file_docs.push_str(doc);
        } else if let Some(doc) = line.strip_prefix("///") {
            docs.push_str(doc);
        } else if is_test_attribute(line) {
            of_test = true;
        } else if !line.is_empty() && !line.starts_with("//") && !line.starts_with("#[") {
            if of_test {
                any_test |= line.contains("fn ");
                claims.push_str(&docs);
                claims.push_str(&line.to_uppercase().replace('_', "-"));
            }
            docs.clear();
            of_test = false;
        }
    }
    // The doc of a file that is a library with tests at its end is about the library.
    let is_file_of_tests = any_test && !source.contains("#[cfg(test)]\nmod tests {");
    if is_file_of_tests {
        claims.push_str(&file_docs);
    }
    claims
}

/// `#[test]`, that of an asynchronous test, or that of a module of tests.
fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[test]")
        || (line.starts_with("#[") && line.contains("::test"))
        || line.starts_with("#[cfg(test)]")
}

#[cfg(test)]
mod tests {
    use super::claims;

    #[test]
    fn names_and_docs_of_tests_claim_properties() {
        for source in [
            "#[test]\nfn sec_03_no_frame_opens_twice() {}",
            "/// SEC-03\n#[tokio::test(start_paused = true)]\nasync fn no_frame_opens_twice() {}",
            "#[test]\n/// Twice (SEC-03).\nfn no_frame_opens_twice() {}",
            "//! Replays: SEC-03.\n\n#[test]\nfn no_frame_opens_twice() {}",
            "fn seal() {}\n\n/// SEC-03\n#[cfg(test)]\nmod tests {\n}",
        ] {
            assert!(claims(source).contains("SEC-03"), "{source}");
        }
    }

    #[test]
    fn other_mentions_claim_nothing() {
        for source in [
            "// SEC-03\n#[test]\nfn no_frame_opens_twice() {}",
            "#[test]\nfn no_frame_opens_twice() {\n    // SEC-03\n}",
            "/// Upholds SEC-03.\nfn open() {}\n\n#[test]\nfn opens() {}",
            "//! Upholds SEC-03.\n\nfn open() {}",
            "//! Upholds SEC-03.\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn opens() {}\n}",
        ] {
            assert!(!claims(source).contains("SEC-03"), "{source}");
        }
    }
}
