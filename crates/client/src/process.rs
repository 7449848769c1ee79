//! What this process costs, as the operating system accounts it.

use std::time::Instant;

/// Measures CPU between two readings, and memory.
pub(crate) struct ProcessMeter {
    read_at: Instant,
    cpu_seconds: f64,
}

/// One reading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessReading {
    /// CPU of all threads since the last reading, percent of one core.
    pub(crate) cpu_percent: f64,
    /// Resident memory in MiB.
    pub(crate) rss_mb: f64,
}

impl ProcessMeter {
    pub(crate) fn start() -> Self {
        Self { read_at: Instant::now(), cpu_seconds: cpu_seconds().unwrap_or(0.0) }
    }

    /// The cost since the last reading; zeros where the operating system does not say.
    pub(crate) fn read(&mut self) -> ProcessReading {
        let (now, cpu) = (Instant::now(), cpu_seconds().unwrap_or(self.cpu_seconds));
        let wall = now.duration_since(self.read_at).as_secs_f64().max(1e-3);
        let cpu_percent = 100.0 * (cpu - self.cpu_seconds) / wall;
        (self.read_at, self.cpu_seconds) = (now, cpu);
        ProcessReading { cpu_percent, rss_mb: rss_mb().unwrap_or(0.0) }
    }
}

fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

fn rss_mb() -> Option<f64> {
    let pages: f64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64 / (1024.0 * 1024.0))
}
