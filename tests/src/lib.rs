//! What the tests of the whole product share: checks of the repository, the demo meeting and its verdict,
//! interoperation with software that is not ours, and measuring tools.
//!
//! Nothing here is linked into the product. The programs in `src/bin/` are reached through `./dev`.

pub mod check;
pub mod demo;
pub mod desktop;
pub mod fuzzing;
pub mod interop;
pub mod measure;
pub mod stage;
pub mod studio;
