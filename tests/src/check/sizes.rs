//! Sizes of docs/style: a file over 800 lines or a function over 120 needs a written reason.

use super::{Finding, Repository};

const FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 120;
/// The app's shell holds no rule of the meeting; what needs more than this does not belong there.
const SHELL_LINES: usize = 2_000;
const SHELL: &str = "src-tauri/";
/// Written beside whatever is larger, with the reason after it.
const REASON: &str = "Longer than usual:";

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut shell_lines = 0;
    for path in repository.rust() {
        let text = repository.text(path);
        let lines: Vec<&str> = text.lines().collect();
        if path.starts_with(SHELL) {
            shell_lines += lines.len();
        }
        if lines.len() > FILE_LINES && !text.contains(REASON) {
            findings.push(format!("{path}: {} lines, at most {FILE_LINES}", lines.len()));
        }
        findings.extend(long_functions(path, &lines));
    }
    if shell_lines >= SHELL_LINES {
        findings.push(format!("{SHELL}: {shell_lines} lines, fewer than {SHELL_LINES} are allowed"));
    }
    findings
}

fn long_functions(path: &str, lines: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[start..].iter().position(|line| *line == close) else { continue };
        let reasoned = lines[start.saturating_sub(6)..start].iter().any(|line| line.contains(REASON));
        if length + 1 > FUNCTION_LINES && !reasoned {
            findings.push(format!("{path}:{}: function of {} lines", start + 1, length + 1));
        }
    }
    findings
}

fn begins_function(line: &str) -> bool {
    let code = line.trim_start();
    let code =
        ["pub(crate) ", "pub(super) ", "pub "].iter().fold(code, |c, p| c.strip_prefix(p).unwrap_or(c));
    let code = ["const ", "async ", "unsafe "].iter().fold(code, |c, p| c.strip_prefix(p).unwrap_or(c));
    code.starts_with("fn ") && !line.trim_end().ends_with(';') && !line.trim_end().ends_with('}')
}
