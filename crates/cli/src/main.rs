//! `incamera-cli`.
fn main() {}
