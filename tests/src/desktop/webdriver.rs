//! The app's window through WebDriver (W3C), spoken to WebKitWebDriver.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Area, ProcessTree, Screen};

/// How long a control may take to appear: a person may have to be let in meanwhile, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a reference to an element is written (W3C WebDriver section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The app, with its window and the driver that acts on it; ends when dropped.
pub struct Window {
    driver: Child,
    address: SocketAddr,
    session: String,
}

/// A control or another part of the window.
#[derive(Clone, Debug)]
pub struct Control<'a> {
    window: &'a Window,
    id: String,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Window").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Window {
    /// Starts the app at `program` with `arguments` on `screen`; its files go below `home`.
    ///
    /// # Panics
    /// Without WebKitWebDriver, or when the app shows no window.
    #[must_use]
    pub fn open(screen: &Screen, program: &Path, home: &Path, arguments: &[&str]) -> Self {
        Self::open_in(screen, program, home, arguments, &[])
    }

    /// As [`Window::open`], with further environment.
    ///
    /// # Panics
    /// As [`Window::open`].
    #[must_use]
    pub fn open_in(
        screen: &Screen,
        program: &Path,
        home: &Path,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port of loopback");
        let driver = Command::new("WebKitWebDriver")
            .args(["--host=127.0.0.1", &format!("--port={}", address.port())])
            .env("DISPLAY", screen.display())
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XDG_RUNTIME_DIR")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver (package webkit2gtk-driver) can be started");
        let mut window = Self { driver, address, session: String::new() };
        window.wait_for_driver();
        let options = json!({"binary": program, "args": arguments});
        let capabilities = json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}});
        let session = window.ask("POST", "/session", &capabilities).expect("the app opens its window");
        session["sessionId"].as_str().expect("a session has an id").clone_into(&mut window.session);
        window.act("timeouts", &json!({"implicit": PATIENCE.as_millis() as u64, "script": 10_000}));
        window
    }

    fn wait_for_driver(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "WebKitWebDriver does not listen");
            std::thread::yield_now();
        }
    }

    /// The app and what it started.
    #[must_use]
    pub fn processes(&self) -> ProcessTree {
        ProcessTree::below(self.driver.id())
    }

    /// The control with this ARIA role and accessible name; waits until it is there.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn control(&self, role: &str, name: &str) -> Control<'_> {
        let control = self.find(&named(name));
        assert_eq!(control.property("computedrole"), role, "{name}");
        let label = control.property("computedlabel");
        assert!(is_named(&label, name), "{name} is called {label}");
        control
    }

    /// Looks at the window whose page has this title from now on; waits until there is one.
    ///
    /// # Panics
    /// When it does not come.
    pub fn turn_to(&self, title: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let handles = self.look("window/handles");
            for handle in handles.as_array().into_iter().flatten() {
                // It may close meanwhile.
                let path = format!("/session/{}/window", self.session);
                if self.ask("POST", &path, &json!({"handle": handle})).is_ok() && self.look("title") == title
                {
                    return;
                }
            }
            assert!(Instant::now() < until, "there is no window {title}");
        }
    }

    fn look(&self, what: &str) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        self.ask("GET", &path, &Value::Null).unwrap_or_default()
    }

    /// Waits until an element shows exactly this text.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for_text(&self, text: &str) {
        let _ = self.find(&showing(text));
    }

    /// Waits until no element shows exactly this text.
    ///
    /// # Panics
    /// When it stays.
    pub fn wait_until_gone(&self, text: &str) {
        let script = "const [path, done] = arguments; const look = () => document.evaluate(path, document, null, \
                      XPathResult.BOOLEAN_TYPE).booleanValue ? requestAnimationFrame(look) : done(true); look();";
        let gone = self.act("execute/async", &json!({"script": script, "args": [showing(text)]}));
        assert_eq!(gone, true, "{text} is still shown");
    }

    /// Runs a script in the page and gives what it returns.
    ///
    /// # Panics
    /// When it throws.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        self.act("execute/sync", &json!({"script": script, "args": []}))
    }

    fn find(&self, xpath: &str) -> Control<'_> {
        let found = self.act("element", &json!({"using": "xpath", "value": xpath}));
        let id = found[ELEMENT].as_str().expect("an element has an id").to_owned();
        Control { window: self, id }
    }

    fn act(&self, what: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        self.ask("POST", &path, body).unwrap_or_else(|why| panic!("{what} {body}: {why}"))
    }

    /// One request to the driver.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(self.address).map_err(|why| why.to_string())?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.address,
            body.len(),
        )
        .map_err(|why| why.to_string())?;
        let answer = read_answer(stream).map_err(|why| why.to_string())?;
        let value = answer["value"].clone();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }
}

fn read_answer(stream: TcpStream) -> std::io::Result<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Finds a control by what names it: its own text, its `aria-label`, or its label. A number
/// may follow, after a space that does not break.
fn named(name: &str) -> String {
    let name = quoted(name);
    let text = "normalize-space(.)";
    format!(
        "//*[self::button or self::input or self::select or self::textarea or self::li or self::section]\
         [@aria-label={name} \
         or not(self::section) and not(@aria-label) and ({text}={name} or starts-with({text}, concat({name}, '\u{a0}')) \
         or ancestor::label/span[{text}={name}] or @id=//label[{text}={name}]/@for)]"
    )
}

/// Finds what shows this text itself.
fn showing(text: &str) -> String {
    format!("//*[normalize-space(text())={}]", quoted(text))
}

fn is_named(label: &str, name: &str) -> bool {
    label.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['\u{a0}', ' ']))
}

/// A string of XPath 1.0, which has no way to escape a quotation mark.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "names in tests have no quotation marks");
    format!("\"{text}\"")
}

impl Control<'_> {
    /// Clicks in its middle.
    ///
    /// # Panics
    /// When something covers it.
    pub fn click(&self) {
        self.act("click", &json!({}));
    }

    /// Clicks what closes its own window: that may be gone before the driver can answer.
    ///
    /// # Panics
    /// When something covers it.
    pub fn click_away(&self) {
        let path = format!("/session/{}/element/{}/click", self.window.session, self.id);
        if let Err(why) = self.window.ask("POST", &path, &json!({})) {
            assert!(why.starts_with("no such window"), "{why}");
        }
    }

    /// Types text into it.
    ///
    /// # Panics
    /// When it takes none.
    pub fn write(&self, text: &str) {
        self.act("value", &json!({"text": text}));
    }

    /// Chooses an option of a menu by its text.
    ///
    /// # Panics
    /// When it has none of this text.
    pub fn choose(&self, option: &str) {
        let xpath = format!("./option[normalize-space(.)={}]", quoted(option));
        let found = self.act("element", &json!({"using": "xpath", "value": xpath}));
        let id = found[ELEMENT].as_str().expect("an element has an id").to_owned();
        Control { window: self.window, id }.click();
    }

    /// The current value of a field.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn value(&self) -> String {
        self.property("property/value")
    }

    /// Where it is on the screen. Without a window manager the window is in the upper left corner.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn area(&self) -> Area {
        let path = format!("/session/{}/element/{}/rect", self.window.session, self.id);
        let rect = self.window.ask("GET", &path, &Value::Null).expect("an element is somewhere");
        let side = |name: &str| rect[name].as_f64().expect("a number").round() as usize;
        Area { left: side("x"), top: side("y"), width: side("width"), height: side("height") }
    }

    fn property(&self, what: &str) -> String {
        let path = format!("/session/{}/element/{}/{what}", self.window.session, self.id);
        let value = self.window.ask("GET", &path, &Value::Null).unwrap_or_else(|why| panic!("{what}: {why}"));
        value.as_str().unwrap_or_default().to_owned()
    }

    fn act(&self, what: &str, body: &Value) -> Value {
        self.window.act(&format!("element/{}/{what}", self.id), body)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        // The driver ends the app, but answers before it has; whoever starts the app again would find this one still there.
        self.processes().end();
        // Failing means that it is gone already.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
