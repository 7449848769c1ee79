// The app's own pages with somebody else behind them: each state of the window without a meeting, for looking at it.
// `?state=chat&theme=dark&language=de`. With `door=ws://…` the pictures come through a socket of the app's kind, and who
// sends them is told how large tiles are, which is how `./dev bench desktop` measures drawing. Never part of the app.
import type { AppEvent, Launch, Level, Order } from "../src/lib/generated";
import { NEW_SETTINGS } from "../src/lib/settings";
import { behind, type invoke, type Channel } from "./core";
import { desk, portrait } from "./portrait";
import { states, type State } from "./states";

const wanted = new URLSearchParams(location.search);
const state: State = states[wanted.get("state") ?? "home"] ?? {};

if (wanted.get("direction")) document.documentElement.dir = wanted.get("direction") ?? "";
if (wanted.get("language")) Object.defineProperty(navigator, "languages", { value: [wanted.get("language")] });
const matchMedia = window.matchMedia.bind(window);
window.matchMedia = (query) =>
  query.includes("prefers-color-scheme")
    ? ({ matches: wanted.get("theme") === "dark", addEventListener: () => {} } as unknown as MediaQueryList)
    : matchMedia(query);

let meeting: Channel<AppEvent> | null = null;

function begin(channel: unknown): void {
  meeting = channel as Channel<AppEvent>;
  for (const event of state.events ?? []) meeting.onmessage(event);
}

const home: Launch = { opening: "home", link: null, name: null, muted: false, no_camera: false };

/** Later starts come when the meeting is on. */
async function whenInMeeting(): Promise<void> {
  while (!document.querySelector(".meeting")) await new Promise((resolve) => setTimeout(resolve, 20));
}

behind.failures = state.failures ?? {};
behind.answers = {
  launch: ({ later }) => {
    if (state.later) void whenInMeeting().then(() => (later as Channel<Launch>).onmessage({ ...home, ...state.later }));
    return { ...home, ...state.launch };
  },
  read_invite: () => ({ server: "meet.court.example:7443", trust: "certificate" }),
  devices: () => state.devices ?? [],
  screens: () => state.screens ?? [],
  glimpse: ({ id }) => (state.screens?.[0]?.id === id ? desk("", 2) : desk("", 1)),
  share: ({ title }) => meeting?.onmessage({ event: "sharing_started", title: String(title) }),
  stop_sharing: () => meeting?.onmessage({ event: "sharing_stopped", why: "asked" }),
  open_door: () => ({ address: wanted.get("door") ?? "ws://gallery" }),
  preview: ({ meter }) => (meter as Channel<Level[]>).onmessage([{ member: null, dbov: state.dbov ?? -24 }]),
  settings: () => ({ settings: { ...NEW_SETTINGS, name: "Ada Byron", ...state.settings }, put_aside: state.putAside ?? null }),
  recent: () => state.recent ?? [],
  diagnostics: () => "Incamera 0.1.0",
  save_invitation: () => "Incamera meeting.ics",
  host: ({ window: channel }) => begin(channel),
  join: ({ window: channel }) => begin(channel),
};

/** What a window of Tauri has, and a browser does not. */
const { __TAURI_INTERNALS__: tauri } = window as { __TAURI_INTERNALS__?: { invoke: typeof invoke } };

/** Everything that the window asked for, for whoever tests it. */
const asked: unknown[] = [];
behind.told = (command, args) => {
  if (wanted.has("door") && (args.order as Order | undefined)?.order === "tile") void tauri?.invoke(command, args);
  asked.push({ command, ...args });
  document.documentElement.dataset.asked = JSON.stringify(asked);
};

/** The socket of pictures: everybody who is to be seen, ten times a second. */
class Socket {
  static readonly OPEN = 1;
  readonly readyState = 1;
  onmessage: (event: { data: ArrayBuffer }) => void = () => {};
  constructor() {
    const seen = Object.entries(state.seen ?? {}).map(([tile, number]) => portrait(tile, number));
    seen.push(...(state.screensSeen ?? []).map((tile) => desk(tile, 1)));
    setInterval(() => seen.forEach((data) => this.onmessage({ data: data.slice(0) })), 100);
  }
  send(): void {}
}
if (!wanted.has("door")) Object.assign(window, { WebSocket: Socket });

if (state.isFloating) location.hash = `floating=${wanted.get("language") ?? "en"}`;
await import("../src/main");

const CONTROLS = "button, summary, label.tick, label.choice";

/** Presses what the state says, each when it is there. */
async function press(name: string): Promise<void> {
  const find = () =>
    [...(document.querySelector("dialog[open]") ?? document).querySelectorAll<HTMLElement>(CONTROLS)].find(
      (one) => (one.getAttribute("aria-label") ?? one.innerText).trim().startsWith(name) && !one.hasAttribute("disabled"),
    );
  while (!find()) await new Promise((resolve) => setTimeout(resolve, 20));
  find()?.click();
}

for (const name of state.press?.[wanted.get("language") === "de" ? "de" : "en"] ?? []) await press(name);

if (state.keys) {
  while (!document.querySelector(".bar")) await new Promise((resolve) => setTimeout(resolve, 20));
  window.dispatchEvent(new KeyboardEvent("keydown", { ...state.keys, cancelable: true }));
}

// Complete when what counts the seconds has looked, and everybody who is to be seen was drawn: on a busy computer later.
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
await pause(state.late ?? 600);
for (let left = 10; left > 0 && state.seen && document.querySelector(".initials, section > .instead"); left -= 1) await pause(300);
document.documentElement.dataset.states = Object.keys(states).join(" ");
document.documentElement.dataset.ready = "yes";
