// The app's own pages with somebody else behind them: each state of the window without a meeting, for looking at it.
// `?state=chat&theme=dark&language=de`. Never part of what is built.
import type { AppEvent, Launch, Level } from "../src/lib/generated";
import { portrait } from "./portrait";
import { states, type State } from "./states";

const wanted = new URLSearchParams(location.search);
const state: State = states[wanted.get("state") ?? "home"] ?? {};

if (wanted.get("language")) Object.defineProperty(navigator, "languages", { value: [wanted.get("language")] });
const matchMedia = window.matchMedia.bind(window);
window.matchMedia = (query) =>
  query.includes("prefers-color-scheme")
    ? ({ matches: wanted.get("theme") === "dark", addEventListener: () => {} } as unknown as MediaQueryList)
    : matchMedia(query);

/** A channel of the app as the library hands it over. */
interface Channel {
  id: number;
}

const callbacks = new Map<number, (message: unknown) => void>();
const counts = new Map<number, number>();

function tell(channel: Channel, message: AppEvent | Level[] | Launch): void {
  const index = counts.get(channel.id) ?? 0;
  counts.set(channel.id, index + 1);
  callbacks.get(channel.id)?.({ index, message });
}

function begin(channel: Channel): void {
  for (const event of state.events ?? []) tell(channel, event);
}

const home: Launch = { opening: "home", link: null, name: "Ada Byron", muted: false, no_camera: false };

/** Later starts come when the meeting is on. */
async function whenInMeeting(): Promise<void> {
  while (!document.querySelector(".meeting")) await new Promise((resolve) => setTimeout(resolve, 20));
}

const answers: Record<string, (args: Record<string, unknown>) => unknown> = {
  launch: ({ later }) => {
    if (state.later) void whenInMeeting().then(() => tell(later as Channel, { ...home, ...state.later }));
    return { ...home, ...state.launch };
  },
  read_invite: () => ({ server: "meet.court.example:7443", trust: "certificate" }),
  devices: () => state.devices ?? [],
  open_door: () => ({ address: "ws://gallery" }),
  preview: ({ meter }) => tell(meter as Channel, [{ member: null, dbov: state.dbov ?? -24 }]),
  host: ({ window: channel }) => begin(channel as Channel),
  join: ({ window: channel }) => begin(channel as Channel),
};

Object.assign(window, {
  __TAURI_INTERNALS__: {
    transformCallback(callback: (message: unknown) => void): number {
      const id = callbacks.size + 1;
      callbacks.set(id, callback);
      return id;
    },
    unregisterCallback: (id: number) => callbacks.delete(id),
    invoke: async (command: string, args: Record<string, unknown>) => {
      const failure = state.failures?.[command];
      if (failure) throw failure;
      return answers[command]?.(args);
    },
  },
});

/** The socket of pictures: everybody who is to be seen, ten times a second. */
class Socket {
  static readonly OPEN = 1;
  readonly readyState = 1;
  onmessage: (event: { data: ArrayBuffer }) => void = () => {};
  constructor() {
    const seen = Object.entries(state.seen ?? {}).map(([tile, number]) => portrait(tile, number));
    setInterval(() => seen.forEach((data) => this.onmessage({ data: data.slice(0) })), 100);
  }
  send(): void {}
}
Object.assign(window, { WebSocket: Socket });

await import("../src/main");

/** Presses what the state says, each when it is there. */
async function press(name: string): Promise<void> {
  const find = () =>
    [...document.querySelectorAll<HTMLElement>("button, summary")].find(
      (one) => (one.getAttribute("aria-label") ?? one.innerText).trim().startsWith(name) && !one.hasAttribute("disabled"),
    );
  while (!find()) await new Promise((resolve) => setTimeout(resolve, 20));
  find()?.click();
}

for (const name of state.press?.[wanted.get("language") === "de" ? "de" : "en"] ?? []) await press(name);

// Complete when everybody who is to be seen was drawn, and what counts the seconds has looked once.
await new Promise((resolve) => setTimeout(resolve, 600));
document.documentElement.dataset.states = Object.keys(states).join(" ");
document.documentElement.dataset.ready = "yes";
