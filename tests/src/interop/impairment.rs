//! A bad network between one participant and the server: `incamera-impair`, then the server's own port.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::port_finder::{ManyPorts, PortFinder};

/// A running bad network; ends when dropped.
pub(super) struct Impairment {
    process: Child,
    said: BufReader<ChildStdout>,
    address: SocketAddr,
    _finder: PortFinder,
}

/// What it did to packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Damage {
    /// Packets that came in, both ways.
    pub(super) received: u64,
    /// Packets that were lost on purpose, both ways.
    pub(super) lost: u64,
}

impl Impairment {
    /// Starts it with these arguments of `incamera-impair`, for a participant at `own`.
    pub(super) fn start(
        programs: &Path,
        own: IpAddr,
        server: ManyPorts,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let finder = PortFinder::start(own, server).map_err(|why| format!("port finder: {why}"))?;
        let mut process = Command::new(programs.join("incamera-impair"))
            .args(["--listen", &SocketAddr::new(own, 0).to_string()])
            .args(["--to", &finder.address().to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| format!("incamera-impair: {why}"))?;
        let said = process.stdout.take().map(BufReader::new).ok_or("no standard output")?;
        let unknown = SocketAddr::new(own, 0);
        let mut impairment = Self { process, said, address: unknown, _finder: finder };
        let listening = impairment.next_line()?;
        let address = listening["listening"].as_str().and_then(|text| text.parse().ok());
        impairment.address = address.ok_or("incamera-impair does not say where it listens")?;
        Ok(impairment)
    }

    /// What a participant's environment needs so that its media goes this way.
    pub(super) fn environment(&self) -> (String, String) {
        ("INCAMERA_CANDIDATES_THROUGH".to_owned(), format!("{0},{0}", self.address))
    }

    /// Ends it and tells what it did.
    pub(super) fn finish(mut self) -> Result<Damage, String> {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or("a process id that is none")?;
        rustix::process::kill_process(pid, rustix::process::Signal::INT).map_err(|why| why.to_string())?;
        let report = self.next_line()?;
        let sum =
            |key: &str| ["to_server", "to_client"].iter().filter_map(|way| report[way][key].as_u64()).sum();
        Ok(Damage { received: sum("received"), lost: sum("lost") })
    }

    fn next_line(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.said.read_line(&mut line).map_err(|why| format!("incamera-impair: {why}"))?;
        serde_json::from_str(&line).map_err(|_| "incamera-impair says nothing that can be read".to_owned())
    }
}

impl Drop for Impairment {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
