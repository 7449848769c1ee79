//! Debian's simple-whip-server and npm's janus-whep-server in front of a Janus, in its network namespace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::janus_server::{JanusServer, ROOM};

/// Sends who publishes or plays to the right one of both.
const GATEWAY: &str = include_str!("../../interop/whip/gateway.mjs");
/// Ports inside of the namespace, where nobody else is.
const GATEWAY_PORT: u16 = 7_000;
const WHIP_PORT: u16 = 7_080;
const WHEP_PORT: u16 = 7_090;
/// What the servers ask for.
pub(super) const TOKEN: &str = "interop";

/// The running servers; they end when this is dropped.
pub(super) struct WhipServers {
    processes: Vec<Child>,
    gateway: String,
    version: String,
    folder: TempDir,
}

impl WhipServers {
    /// Starts them.
    ///
    /// # Errors
    /// In words, what is missing.
    pub(super) fn start(janus: &JanusServer) -> Result<Self, String> {
        let fetched = fetched()?;
        let version = version(&fetched)?;
        let folder = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
        arrange(folder.path(), &fetched, janus).map_err(|why| format!("the WHIP server's folder: {why}"))?;
        let host = janus.theirs().to_string();
        let gateway = format!("http://{host}:{GATEWAY_PORT}");
        let mut servers = Self { processes: Vec::new(), gateway, version, folder };
        servers.run(janus, &["src/server.js"])?;
        servers.run(
            janus,
            &[
                "gateway.mjs",
                &host,
                &GATEWAY_PORT.to_string(),
                &janus.url(),
                &ROOM.to_string(),
                &WHIP_PORT.to_string(),
                &WHEP_PORT.to_string(),
                TOKEN,
            ],
        )?;
        for port in [WHIP_PORT, WHEP_PORT, GATEWAY_PORT] {
            janus.wait_for(port)?;
        }
        Ok(servers)
    }

    /// `--sfu` of a meeting that publishes and plays here with this token.
    pub(super) fn sfu(&self, token: &str) -> String {
        format!("whip:{0}/whip/{{stream}},whep={0}/whep/{{stream}},token={token}", self.gateway)
    }

    /// What they are.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    fn run(&mut self, janus: &JanusServer, arguments: &[&str]) -> Result<(), String> {
        let mut node = janus.command("node");
        node.args(arguments).current_dir(self.folder.path());
        node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(node.spawn().map_err(|why| format!("Node.js cannot be started: {why}"))?);
        Ok(())
    }
}

impl Drop for WhipServers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Failing means that it is gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Where `./dev interop whip` puts what it fetches.
fn fetched() -> Result<PathBuf, String> {
    let cache = std::env::var_os("INCAMERA_CACHE").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cache/incamera"))
    });
    let folder = cache.map(|cache| cache.join("whip")).filter(|folder| folder.join("complete").exists());
    folder.ok_or_else(|| "the WHIP server is not there: `./dev interop whip` fetches it".to_owned())
}

fn version(fetched: &Path) -> Result<String, String> {
    let debian = fs::read_to_string(fetched.join("complete")).map_err(|why| why.to_string())?;
    let whep = fs::read_to_string(fetched.join("node_modules/janus-whep-server/package.json"));
    let whep: serde_json::Value =
        whep.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let whep = whep["version"].as_str().ok_or("janus-whep-server is not there")?;
    Ok(format!("simple-whip-server {} of Debian, janus-whep-server {whep} of npm", debian.trim()))
}

/// The server's own files beside our configuration and the libraries.
fn arrange(folder: &Path, fetched: &Path, janus: &JanusServer) -> std::io::Result<()> {
    let source = folder.join("src");
    fs::create_dir(&source)?;
    for file in ["server.js", "whip-janus.js"] {
        fs::copy(fetched.join("usr/share/simple-whip-server/src").join(file), source.join(file))?;
    }
    let config = format!(
        "module.exports = {{ janus: {{ address: '{}' }}, port: {WHIP_PORT}, rest: '/whip', allowTrickle: false, \
         strictETags: true, iceServers: [] }};\n",
        janus.url()
    );
    fs::write(source.join("config.js"), config)?;
    fs::write(folder.join("gateway.mjs"), GATEWAY)?;
    std::os::unix::fs::symlink(fetched.join("node_modules"), folder.join("node_modules"))
}
