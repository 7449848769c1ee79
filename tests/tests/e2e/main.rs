//! Whole meetings of real processes, judged from outside: exit codes, events, and what was decoded.

mod bad_input;
mod canary;
mod crash;
mod hostile_sfu;
mod lobby;
mod outage;
mod quality;
mod turn;
