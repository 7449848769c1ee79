// A WebKitGTK window on a screen that nobody sees, through WebDriver.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

async function startScreen() {
  const screen = spawn("Xvfb", ["-displayfd", "1", "-screen", "0", "1600x1200x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [number] = await once(screen.stdout, "data");
  return { screen, display: `:${String(number).trim()}` };
}

/** Opens a window; `close` ends everything that was started. */
export async function openWindow() {
  const { screen, display } = await startScreen();
  const port = await freePort();
  const driver = spawn("WebKitWebDriver", ["--host=127.0.0.1", `--port=${port}`], {
    env: { ...process.env, DISPLAY: display, WAYLAND_DISPLAY: "", LANG: "C.UTF-8" },
    stdio: "ignore",
  });
  const base = `http://127.0.0.1:${port}`;
  const ask = async (method, path, body) => {
    const answer = await fetch(base + path, { method, body: method === "POST" ? JSON.stringify(body ?? {}) : undefined });
    const { value } = await answer.json();
    if (value?.error) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  };
  for (let ready = false; !ready; ) {
    ready = await ask("GET", "/status").then(
      () => true,
      () => new Promise((resolve) => setTimeout(resolve, 50, false)),
    );
  }
  // Without a browser of another kind the driver takes its own small one.
  const { sessionId } = await ask("POST", "/session", { capabilities: {} });
  const session = `/session/${sessionId}`;
  const window = {
    go: (url) => ask("POST", `${session}/url`, { url }),
    run: (script, ...args) => ask("POST", `${session}/execute/sync`, { script, args }),
    runAsync: (script, ...args) => ask("POST", `${session}/execute/async`, { script, args }),
    /** Presses keys one after the other, each with those that are held before it: "Tab", "Control+d". */
    press: async (...keys) => {
      const values = { Tab: "\uE004", Enter: "\uE007", Escape: "\uE00C", Space: " ", Shift: "\uE008", Control: "\uE009", Down: "\uE015" };
      const actions = keys.flatMap((chord) => {
        const parts = chord.split("+").map((part) => values[part] ?? part);
        const down = parts.map((value) => ({ type: "keyDown", value }));
        return [...down, ...parts.reverse().map((value) => ({ type: "keyUp", value }))];
      });
      await ask("POST", `${session}/actions`, { actions: [{ type: "key", id: "keys", actions }] });
    },
    /** Holds a chord for as long as `meanwhile` takes. */
    hold: async (values, meanwhile) => {
      const send = (type, list) =>
        ask("POST", `${session}/actions`, {
          actions: [{ type: "key", id: "keys", actions: list.map((value) => ({ type, value })) }],
        });
      await send("keyDown", values);
      await meanwhile();
      await send("keyUp", [...values].reverse());
    },
    picture: async () => Buffer.from(await ask("GET", `${session}/screenshot`), "base64"),
    /** Makes the page this large: the window has a frame of its own. */
    resize: async (width, height) => {
      let [wide, tall] = [width, height];
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await ask("POST", `${session}/window/rect`, { width: wide, height: tall });
        const [innerWidth, innerHeight] = await window.run("return [innerWidth, innerHeight]");
        if (innerWidth === width && innerHeight === height) return;
        wide += width - innerWidth;
        tall += height - innerHeight;
      }
    },
    close: async () => {
      await ask("DELETE", session).catch(() => {});
      driver.kill();
      screen.kill();
    },
  };
  return window;
}
