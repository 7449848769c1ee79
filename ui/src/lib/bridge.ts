import { Channel, invoke } from "@tauri-apps/api/core";

import type {
  AppEvent,
  DeviceChoices,
  DeviceView,
  DoorView,
  Entrance,
  Failure,
  InviteView,
  Launch,
  Level,
  Loaded,
  LobbyMode,
  Notice,
  Order,
  Place,
  Recent,
  RecentChange,
  Resumed,
  ScreenView,
  Settings,
  SpeakerChoice,
} from "./generated";

/** Everything that the window can ask of the app. What fails rejects with a `Failure`. */
export const app = {
  /** What this start asked for; `later` is told of every further one. */
  launch: (later: (launch: Launch) => void) => invoke<Launch>("launch", { later: channel(later) }),
  readInvite: (link: string) => invoke<InviteView>("read_invite", { link }),
  devices: () => invoke<DeviceView[]>("devices"),
  testSpeaker: (choice: SpeakerChoice) => invoke<void>("test_speaker", { choice }),
  openDoor: () => invoke<DoorView>("open_door"),
  preview: (name: string, choices: DeviceChoices, told: (levels: Level[]) => void) =>
    invoke<void>("preview", { name, choices, meter: channel(told) }),
  stopPreview: () => invoke<void>("stop_preview"),
  host: (name: string, place: Place, lobby: LobbyMode, entrance: Entrance, told: (event: AppEvent) => void) =>
    invoke<void>("host", { name, place, lobby, entrance, window: channel(told) }),
  join: (link: string, name: string, entrance: Entrance, told: (event: AppEvent) => void) =>
    invoke<void>("join", { link, name, entrance, window: channel(told) }),
  order: (order: Order) => invoke<void>("order", { order }),
  screens: () => invoke<ScreenView[]>("screens"),
  /** What a screen or window looks like now, as the socket carries pictures; empty while it is not shown. */
  glimpse: (id: string, width: number, height: number) => invoke<ArrayBuffer>("glimpse", { id, width, height }),
  share: (id: string, title: string) => invoke<void>("share", { id, title }),
  stopSharing: () => invoke<void>("stop_sharing"),
  quit: () => invoke<void>("quit"),
  /** The meeting that went on while this page was not there; `told` is told of what happens from now on. */
  resume: (told: (event: AppEvent) => void) => invoke<Resumed | null>("resume", { window: channel(told) }),
  /** Tells the person by the desktop, unless this window is looked at. */
  notify: (notice: Notice) => invoke<void>("notify", { notice }),
  /** Lets the computer neither sleep nor go dark until the meeting is over. */
  keepAwake: (why: string) => invoke<void>("keep_awake", { why }),
  settings: () => invoke<Loaded>("settings"),
  saveSettings: (settings: Settings) => invoke<void>("save_settings", { settings }),
  recent: (change: RecentChange | null) => invoke<Recent[]>("recent", { change }),
  saveInvitation: (calendar: string) => invoke<string>("save_invitation", { calendar }),
  diagnostics: () => invoke<string>("diagnostics"),
};

function channel<T>(told: (message: T) => void): Channel<T> {
  const made = new Channel<T>();
  made.onmessage = told;
  return made;
}

/** What a rejected promise says, in the form that is shown. */
export function failureOf(reason: unknown): Failure {
  if (typeof reason === "object" && reason !== null && "code" in reason && "what" in reason) return reason as Failure;
  return { code: "app.window", what: String(reason), advice: "" };
}
