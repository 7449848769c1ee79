//! The live table on standard error.

use std::time::Duration;

use serde_json::Value;

use super::participant::{Participant, number};

/// Shows who receives what, once a second on a terminal, every fifth second elsewhere.
pub(super) struct Table {
    on_terminal: bool,
    shown: u32,
    lines: usize,
}

impl Table {
    pub(super) const fn new(on_terminal: bool) -> Self {
        Self { on_terminal, shown: 0, lines: 0 }
    }

    pub(super) fn show(&mut self, people: &[Participant], left: Duration) {
        self.shown += 1;
        if !self.on_terminal && self.shown % 5 != 1 {
            return;
        }
        if self.on_terminal && self.lines > 0 {
            eprint!("\x1b[{}A\x1b[J", self.lines);
        }
        let rows: Vec<String> = people.iter().flat_map(rows_of).collect();
        eprintln!(
            "{:<8} {:<26} {:>5}  from     {:>4} {:>7} {:>6} {:>8} {:>8}",
            "who", "room code", "epoch", "fps", "kbit/s", "lost", "latency", "unopened"
        );
        for row in &rows {
            eprintln!("{row}");
        }
        eprintln!("{} s left", left.as_secs());
        self.lines = rows.len() + 2;
    }
}

fn rows_of(person: &Participant) -> Vec<String> {
    let code = person.room_code.as_deref().unwrap_or("—");
    let epoch = person.epoch.map_or("—".to_owned(), |epoch| epoch.to_string());
    let row = |row: &Value| {
        let from = row.get("from").and_then(Value::as_str).unwrap_or("?");
        let latency = row.get("latency_ms_p50").and_then(Value::as_f64);
        format!(
            "{:<8} {code:<26} {epoch:>5}  {from:<8} {:>4} {:>7} {:>6} {:>5} ms {:>8}",
            person.name,
            number(row, "video_fps"),
            number(row, "kbps"),
            number(row, "lost_packets"),
            latency.map_or("—".to_owned(), |ms| format!("{ms:.0}")),
            number(row, "undecryptable"),
        )
    };
    let mut rows: Vec<String> = person.rows().map(row).collect();
    if rows.is_empty() {
        rows.push(format!("{:<8} {code:<26} {epoch:>5}  (receives nothing yet)", person.name));
    }
    rows
}
