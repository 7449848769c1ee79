//! Documents that must not drift from the code: links inside the repository, and the table of error codes.

use super::{Finding, Repository};

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in repository.ending(".md") {
        findings.extend(broken_links(repository, path));
    }
    findings.extend(undocumented_codes(repository));
    Ok(findings)
}

fn broken_links(repository: &Repository, path: &str) -> Vec<Finding> {
    let folder = repository.root().join(path).parent().map(std::path::Path::to_owned).unwrap_or_default();
    let text = repository.text(path);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{path}: link to {target}, which does not exist"))
        .collect()
}

/// Codes are written in the sources as `=> "family.part.kind"` in `fn code`; `docs/errors.md` lists each.
fn undocumented_codes(repository: &Repository) -> Vec<Finding> {
    let listed = repository.text("docs/errors.md");
    let mut findings = Vec::new();
    for path in repository.rust().filter(|path| path.starts_with("crates/")) {
        let text = repository.text(path);
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for body in shipped.split("fn code(&self)").skip(1) {
            let body = body.split("\n    }").next().unwrap_or_default();
            for code in body.split('"').skip(1).step_by(2).filter(|code| code.contains('.')) {
                if !listed.contains(&format!("`{code}`")) {
                    findings.push(format!("{path}: code {code} is not in docs/errors.md"));
                }
            }
        }
    }
    findings
}
