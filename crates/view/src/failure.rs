//! Why something that the person wanted did not happen.

use incamera_client::{ClientError, Fault, Problem};
use incamera_settings::SettingsError;
use serde::Serialize;
use ts_rs::TS;

/// A refusal as the window shows it: what happened, what to do, and the code, small, at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Failure {
    /// Stable code; `docs/errors.md` lists all.
    pub code: &'static str,
    /// What happened and why.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

impl Failure {
    /// What the window asked for contradicts what is going on: a defect of the window.
    #[must_use]
    pub fn out_of_order(what: &str) -> Self {
        Self { code: "app.order.refused", what: what.to_owned(), advice: "Close the app and start it again." }
    }

    /// The failure that `fault` describes.
    #[must_use]
    pub fn of(fault: &impl Fault) -> Self {
        Problem::of(fault).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { code: problem.code, what: problem.what, advice: problem.advice }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::of(&error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::of(&error)
    }
}
