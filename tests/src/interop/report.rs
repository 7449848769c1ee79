//! What a run came to.

use serde::Serialize;

/// The whole run; its JSON is the last line of `./dev interop SERVER --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether there were cases and all of them went well.
    pub ok: bool,
    /// What was interoperated with.
    pub server: &'static str,
    /// One entry for each case, in the order in which they ran.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Short name, stable.
    pub name: &'static str,
    /// Whether it went as it has to.
    pub ok: bool,
    /// Figures, or what went wrong.
    pub detail: String,
}

impl Report {
    /// A report without cases, which is not ok.
    #[must_use]
    pub const fn new(server: &'static str) -> Self {
        Self { ok: false, server, cases: Vec::new() }
    }

    /// Runs a case and notes its figures, or what went wrong. After an interruption nothing runs any more.
    pub(super) fn case(
        &mut self,
        name: &'static str,
        case: impl FnOnce() -> Result<String, String>,
    ) -> &mut Self {
        let result = if super::is_interrupted() { Err("interrupted".to_owned()) } else { case() };
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        let case = Case { name, ok, detail };
        case.show();
        self.cases.push(case);
        self.ok = self.cases.iter().all(|case| case.ok);
        self
    }
}

impl Case {
    #[expect(clippy::print_stderr, reason = "progress for the person who runs it")]
    fn show(&self) {
        eprintln!("{} {}: {}", if self.ok { "ok    " } else { "FAILED" }, self.name, self.detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_ok_when_it_had_cases_and_all_were() {
        let mut report = Report::new("janus");
        assert!(!report.ok);
        assert!(report.case("one", || Ok("fine".to_owned())).ok);
        assert!(!report.case("two", || Err("not".to_owned())).ok);
        assert!(!report.case("three", || Ok("fine".to_owned())).ok);
    }
}
