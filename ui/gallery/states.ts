import type {
  AppEvent,
  DeviceView,
  Failure,
  Launch,
  Person,
  Recent,
  Received,
  ScreenView,
  Settings,
} from "../src/lib/generated";
import { OWN, screenOf } from "../src/lib/pictures";

/** What stands behind the window in one picture of it. */
export interface State {
  launch?: Partial<Launch>;
  /** What a later start of the app hands over during the meeting. */
  later?: Partial<Launch>;
  settings?: Partial<Settings>;
  putAside?: string;
  recent?: Recent[];
  devices?: DeviceView[];
  screens?: ScreenView[];
  dbov?: number;
  failures?: Record<string, Failure>;
  /** Tiles with pictures, and which picture. */
  seen?: Record<string, number>;
  /** Tiles with shared screens. */
  screensSeen?: string[];
  /** Whether it is the small window that says that the screen is shared. */
  isFloating?: boolean;
  events?: AppEvent[];
  /** Buttons to press, in the words of each language. */
  press?: { en: string[]; de: string[] };
  /** How long to look at it, in milliseconds: what is counted goes on. */
  late?: number;
  /** A shortcut to press, when the meeting is there. */
  keys?: KeyboardEventInit;
}

const NAMES = [
  "Ben Okafor",
  "Chloé Lambert",
  "Dai Nakamura",
  "Elif Yılmaz",
  "Farid Haddad",
  "Grace Hopper",
  "Hana Kovač",
  "Ivo Petrov",
  "Judit Szabó",
];
const CODE = "4821 0937 5564 1208 7731";
const LINK = "incamera://192.168.0.12:40123/#AWx1mZ0pR7vQy3uK9dT2hXbE6sLcN4fJ8gAqWoViBt5";
const START = 1_790_000_000_000;

const member = (number: number) => String(number).padStart(2, "0").repeat(16);

function person(number: number, more: Partial<Person> = {}): AppEvent {
  const name = NAMES[number - 1] ?? `Guest ${number}`;
  const base: Person = {
    member: member(number),
    name,
    role: "participant",
    verification: "not_verified",
    is_self: false,
    may_admit: false,
  };
  return { event: "joined", person: { ...base, ...more } };
}

const recent: Recent[] = [
  { link: "incamera://a", server: "meet.court.example", people: ["Ben Okafor"], began_s: 1_790_000_000, lasted_s: 2_520 },
  {
    link: "incamera://b",
    server: "192.168.0.12:40123",
    people: ["Chloé Lambert", "Dai Nakamura", "Elif Yılmaz", "Farid Haddad"],
    began_s: 1_789_000_000,
    lasted_s: 4_210,
  },
];
const server = { address: "meet.court.example", token: "", key: "" };
const preferences = { en: ["Settings"], de: ["Einstellungen"] };

const figures: Received[] = [1, 2].map((number) => ({
  member: member(number),
  video_fps: 30,
  width: 640 / number,
  height: 360 / number,
  layer: number - 1,
  kbps: 846 / number,
  lost_packets: 12 * number,
  undecryptable: 0,
  latency_ms: number === 1 ? 84 : null,
}));

/** What went to the servers. */
const SENT = {
  sent_kbps: 846,
  relay: { address: "meet.court.example", messages: 128, bytes: 184_320 },
  media: { kind: "embedded", address: "meet.court.example", is_cleartext: false, packets: 48_210, bytes: 41_600_000 },
} as const;

const devices: DeviceView[] = [
  { id: "a", name: "Built-in microphone", kind: "microphone" },
  { id: "b", name: "Headset (Jabra Evolve2 65)", kind: "microphone" },
  { id: "c", name: "Built-in speakers", kind: "speaker" },
  { id: "d", name: "Built-in camera", kind: "camera" },
];

const screens: ScreenView[] = [
  { id: "HDMI-1", title: "HDMI-1", kind: "screen" },
  { id: "0x1a", title: "Statement of claim.odt – LibreOffice Writer", kind: "window" },
  { id: "0x2b", title: "Exhibits", kind: "window" },
];
const shares = (who: number): AppEvent => ({
  event: "streams_changed",
  member: member(who),
  has_sound: true,
  has_picture: true,
  has_screen: true,
});
const sharing = { en: ["Share screen", "Exhibits", "Share"], de: ["Bildschirm teilen", "Exhibits", "Teilen"] };

/** In a meeting that is hosted here, with `others` people. */
function meeting(others: number): AppEvent[] {
  return [
    { event: "hosting", link: LINK, reach: [{ scope: "this_network", reachable: true }] },
    { event: "rules_changed", lobby: "wait", locked: false, suite: 4 },
    { event: "state_changed", state: "in_meeting" },
    person(99, { name: "Ada Byron", role: "host", is_self: true, may_admit: true }),
    ...Array.from({ length: others }, (_, index) => person(index + 1)),
    { event: "room_code_changed", code: CODE },
    { event: "epoch_changed", epoch: 4 },
    { event: "statistics", ...SENT, received: [] },
  ];
}

function pictures(others: number): Record<string, number> {
  const tiles = Array.from({ length: others }, (_, index) => [member(index + 1), index + 1] as const);
  return Object.fromEntries([[OWN, 12], ...tiles]);
}

const line = (seq: number, number: number, text: string): AppEvent => ({
  event: "chat_received",
  line: { seq, member: member(number), name: NAMES[number - 1] ?? "", text, time_ms: START + seq * 40_000 },
});

const host = { opening: "host" } as const;
const inside = (others: number): State => ({ launch: host, devices, seen: pictures(others), events: meeting(others) });
const green = { en: ["Start a meeting"], de: ["Besprechung beginnen"] };
const joining: Partial<Launch> = { opening: "join", link: LINK };
const asking = { en: ["Ask to join"], de: ["Um Einlass bitten"] };

export const states: Record<string, State> = {
  home: {},
  "home-first": { settings: { name: "" } },
  "home-recent": { recent, settings: { remember_meetings: "yes", server } },
  "home-settings-broken": { putAside: "settings.unusable-1.json" },
  settings: { devices, recent, settings: { remember_meetings: "yes", server }, press: preferences },
  "settings-refused": {
    devices,
    failures: {
      save_settings: {
        code: "invite.relay",
        what: "the server in the link is not a host name or address",
        advice: "Check the address.",
      },
    },
    press: { en: ["Settings", "Begin with"], de: ["Einstellungen", "Mit ausgeschaltetem"] },
  },
  "home-bad-link": {
    launch: { link: "incamera://" },
    failures: {
      read_invite: {
        code: "invite.no_payload",
        what: "this link is incomplete: the part after # is missing",
        advice: "Copy the whole link again, or ask for a new one.",
      },
    },
  },
  "green-room": { devices, seen: { [OWN]: 12 }, press: green },
  "green-room-join": { launch: joining, devices },
  "green-room-no-devices": { launch: { no_camera: true }, dbov: -127, press: green },
  lobby: {
    launch: joining,
    devices,
    seen: { [OWN]: 12 },
    events: [{ event: "state_changed", state: "knocking" }],
    press: asking,
  },
  "meeting-alone": inside(0),
  "meeting-1": inside(1),
  "meeting-2": inside(2),
  "meeting-4": inside(4),
  "meeting-9": inside(9),
  "meeting-16": inside(16),
  "meeting-camera-off": { ...inside(1), press: { en: ["Mute", "Stop picture"], de: ["Mikro aus", "Bild aus"] } },
  devices: {
    ...inside(1),
    press: { en: ["Microphone, speaker and camera"], de: ["Mikrofon, Lautsprecher und Kamera"] },
  },
  "device-lost": {
    ...inside(2),
    events: [
      ...meeting(2),
      { event: "device_opened", device: "microphone", which: "instead" },
      { event: "device_lost", device: "camera", code: "device.lost" },
    ],
  },
  knock: { ...inside(2), events: [...meeting(2), { event: "knocked", knock: 1, name: "Grace Hopper" }] },
  "by-keyboard": { devices, screens, seen: pictures(2), events: [...meeting(2), { event: "knocked", knock: 1, name: "Grace Hopper" }] },
  people: { ...inside(4), press: { en: ["People"], de: ["Personen"] } },
  chat: {
    ...inside(2),
    events: [
      ...meeting(2),
      line(1, 1, "Good morning. Can everybody hear me?"),
      line(2, 2, "Yes. I have the file in front of me: https://court.example/files/2291"),
      line(3, 1, "Then let us compare the code first, and begin with page 4."),
    ],
    press: { en: ["Chat"], de: ["Nachrichten"] },
  },
  "chat-hostile": {
    ...inside(2),
    events: [
      ...meeting(2),
      line(1, 1, "<img src=x onerror=alert(1)><b>bold</b> & {name}"),
      line(2, 2, "Pay to \u202e54321 REI\u202c, and \u2067then\u2066 look \u0007here"),
      line(3, 1, "\u200b\u2060\ufeff\u0301\u0302\n\n"),
      line(4, 2, `Z${"\u0300\u0316\u0323\u0334\u0489".repeat(20)}a${"\u0301".repeat(60)}lgo ${"\n".repeat(60)}and on`),
      line(5, 1, `10,000 characters: ${"wide ".repeat(400)}${"W".repeat(8_000)}`),
    ],
    press: { en: ["Chat"], de: ["Nachrichten"] },
  },
  "chat-empty": { ...inside(2), press: { en: ["Chat"], de: ["Nachrichten"] } },
  security: { ...inside(2), press: { en: ["Security"], de: ["Sicherheit"] } },
  compare: { ...inside(2), press: { en: ["Compare code"], de: ["Code vergleichen"] } },
  "compare-refused": {
    ...inside(2),
    press: { en: ["Compare code", "It doesn't"], de: ["Code vergleichen", "Er stimmt nicht"] },
  },
  remove: { ...inside(2), press: { en: ["People", "Remove Ben"], de: ["Personen", "Ben Okafor entfernen"] } },
  view: {
    ...inside(2),
    events: [...meeting(2), { event: "statistics", ...SENT, received: figures }],
    press: { en: ["View"], de: ["Ansicht"] },
  },
  "layout-speaker": {
    ...inside(9),
    events: [...meeting(9), { event: "heard", levels: [{ member: member(3), dbov: -20 }] }],
    press: { en: ["View", "Who speaks"], de: ["Ansicht", "Wer spricht"] },
  },
  pinned: { ...inside(4), press: { en: ["Keep Chloé"], de: ["Chloé Lambert groß"] } },
  "sound-only": { ...inside(4), press: { en: ["View", "Sound only"], de: ["Ansicht", "Nur Ton"] } },
  share: { ...inside(2), screens, press: { en: sharing.en.slice(0, 2), de: sharing.de.slice(0, 2) } },
  "share-windows": { ...inside(2), screens: screens.slice(1), press: { en: sharing.en.slice(0, 1), de: sharing.de.slice(0, 1) } },
  "share-nothing": { ...inside(2), press: { en: sharing.en.slice(0, 1), de: sharing.de.slice(0, 1) } },
  "share-refused": {
    ...inside(2),
    failures: {
      screens: {
        code: "device.no_display",
        what: "no X11 display can be reached, so there is no screen to share",
        advice: "Share from a session of X11; one of Wayland cannot be shared yet.",
      },
    },
    press: { en: sharing.en.slice(0, 1), de: sharing.de.slice(0, 1) },
  },
  "share-taken": {
    ...inside(2),
    events: [...meeting(2), shares(1)],
    press: { en: sharing.en.slice(0, 1), de: sharing.de.slice(0, 1) },
  },
  sharing: { ...inside(2), screens, press: sharing },
  "sharing-ended": { ...inside(2), events: [...meeting(2), { event: "sharing_stopped", why: "source_ended" }] },
  floating: { isFloating: true },
  shared: { ...inside(4), screensSeen: [screenOf(member(2))], events: [...meeting(4), shares(2)] },
  "shared-sound-only": {
    ...inside(2),
    events: [...meeting(2), shares(1)],
    press: { en: ["View", "Sound only"], de: ["Ansicht", "Nur Ton"] },
  },
  muted: {
    ...inside(1),
    settings: { start_muted: true },
    events: [...meeting(1), { event: "heard", levels: [{ member: null, dbov: -20 }] }],
  },
  shortcuts: { ...inside(2), keys: { key: "/", ctrlKey: true } },
  "close-asked": { ...inside(3), events: [...meeting(3), { event: "close_asked" }] },
  "end-for-all": { ...inside(2), press: { en: ["End"], de: ["Beenden"] } },
  invitation: { ...inside(2), later: joining },
  "key-missing": { ...inside(2), events: [...meeting(2), { event: "key_missing", member: member(1) }] },
  "key-missing-long": {
    ...inside(2),
    late: 7_000,
    events: [...meeting(2), { event: "key_missing", member: member(1) }],
  },
  "this-may-not-be": {
    ...inside(1),
    events: [...meeting(1), person(2, { verification: "failed" })],
  },
  "troubles-small": {
    ...inside(16),
    late: 7_000,
    events: [
      ...meeting(1),
      person(2, { verification: "failed" }),
      ...Array.from({ length: 14 }, (_, index) => person(index + 3)),
      { event: "key_missing", member: member(1) },
      { event: "lost", member: member(3), silent_for_s: 12 },
      { event: "media_held", member: member(4) },
    ],
  },
  lost: { ...inside(2), events: [...meeting(2), { event: "lost", member: member(2), silent_for_s: 12 }] },
  "server-lost": { ...inside(2), events: [...meeting(2), { event: "link_degraded", media_stops_in_s: 24 }] },
  "long-names": {
    ...inside(2),
    events: [
      ...meeting(0),
      person(1, { name: "Wolfeschlegelsteinhausenbergerdorff ".repeat(3).trim() }),
      person(2, { name: "مريم بنت عبد الله" }),
    ],
    press: { en: ["People"], de: ["Personen"] },
  },
  "hostile-names": {
    ...inside(2),
    events: [
      ...meeting(0),
      person(1, { name: "<script>alert(1)</script><img src=x>" }),
      person(2, { name: "Z\u0300\u0316\u0323\u0334a\u0301\u0301\u0301\u0301lgo مريم 123 abc" }),
      { event: "knocked", knock: 1, name: "يطلب الدخول (Ada Byron)" },
      { event: "knocked", knock: 2, name: "W".repeat(128) },
    ],
    press: { en: ["People", "Remove <script>"], de: ["Personen", "<script>"] },
  },
  refused: {
    ...inside(2),
    failures: {
      order: {
        code: "meeting.command.not_allowed",
        what: "the rules of this meeting do not allow you to do that",
        advice: "Ask a host.",
      },
    },
  },
  locked: { ...inside(2), events: [...meeting(2), { event: "rules_changed", lobby: "wait", locked: true, suite: 4 }] },
  weak: {
    ...inside(4),
    events: [
      ...meeting(4),
      ...[0, 40, 80].map(
        (lost): AppEvent => ({
          event: "statistics",
          ...SENT,
          received: figures.map((one, index) => ({ ...one, lost_packets: index === 0 ? lost : 0 })),
        }),
      ),
    ],
  },
  end: {
    ...inside(2),
    events: [...meeting(2), { event: "stopped", why: "ended" }, { event: "over" }],
  },
  "end-remember": {
    launch: joining,
    devices,
    seen: pictures(2),
    events: [...meeting(2).slice(1), { event: "stopped", why: "left" }, { event: "over" }],
    press: asking,
  },
  "end-problems": {
    ...inside(2),
    events: [
      ...meeting(2),
      {
        event: "problem",
        code: "client.stream.missing",
        what: "Nothing of what Ben Okafor sends arrives here",
        advice: "Wait a few seconds; if it stays, use another media server.",
        member: member(1),
      },
      { event: "stopped", why: "ended" },
      { event: "over" },
    ],
  },
  "end-not-answered": {
    launch: joining,
    devices,
    events: [{ event: "state_changed", state: "knocking" }, { event: "stopped", why: "not_answered" }, { event: "over" }],
    press: asking,
  },
  "end-denied": {
    launch: joining,
    devices,
    events: [{ event: "state_changed", state: "knocking" }, { event: "stopped", why: "denied" }, { event: "over" }],
    press: asking,
  },
};
