import type {
  AppEvent,
  ChatLine,
  Device,
  LobbyMode,
  MediaServerView,
  MediaStop,
  MeetingState,
  Person,
  ReachView,
  Received,
  RelayView,
  SharingEnd,
  StopReason,
} from "./generated";
import { legible } from "./legible";

/** What an announcement for screen readers says. */
export type Announcement =
  | {
      kind: "joined" | "left" | "removed" | "knocked" | "lost" | "returned" | "key" | "key.restored" | "shares" | "shared";
      name: string;
    }
  | { kind: "chat"; name: string; text: string };

export interface Participant extends Person {
  /** When the key went missing; `null` while media opens. */
  keyMissingSince: number | null;
  /** When somebody was last heard who is lost now. */
  lostSince: number | null;
  isHeld: boolean;
  /** Whether the person turned the microphone off; our own is in the session. */
  isMuted: boolean;
  /** Whether the person turned the picture off, or has none; our own is in the session. */
  isUnseen: boolean;
  /** Whether the person shares a screen. */
  sharesScreen: boolean;
  /** When the person last spoke. */
  spokeAt: number;
  /** The part of what the person sends that gets lost on the way, 0 to 1, over the last seconds. */
  loss: number;
}

export interface Trouble {
  code: string;
  what: string;
  advice: string;
}

/** What is worth knowing about a device. */
export type DeviceNote =
  /** It does not work, or what the computer has for all of its kind does not answer. */
  | { device: Device; what: "lost" | "system" }
  /** Another one stands in for it; never for a camera, as that may show what nobody wanted to be seen. */
  | { device: Exclude<Device, "camera">; what: "instead" };

/** A meeting as it is shown. Everything in it was told by the app; times are those of `now`. */
export interface Meeting {
  stage: MeetingState;
  isHost: boolean;
  link: string | null;
  reach: ReachView[];
  people: Participant[];
  /** Everybody but us who ever was there. */
  met: string[];
  knocks: { knock: number; name: string }[];
  chat: ChatLine[];
  unreadFrom: number;
  code: string;
  comparedAt: number | null;
  epoch: number;
  keysChangedAt: number;
  lobby: LobbyMode;
  isLocked: boolean;
  suite: number;
  mediaStopsAt: number | null;
  mediaStop: MediaStop | null;
  isMediaServerLost: boolean;
  sentKbps: number;
  /** Which servers there are, and what they were given so far. */
  relay: RelayView | null;
  media: MediaServerView | null;
  /** What came from each in the last second. */
  figures: Received[];
  /** Who speaks, or spoke last. */
  speaker: string | null;
  /** Whose screen is shown: of several, who began first. */
  sharer: string | null;
  /** What the person shares, by its name. */
  shared: string | null;
  /** Why that stopped, if the person did not ask for it. */
  sharingEnd: Exclude<SharingEnd, "asked"> | null;
  alarms: Trouble[];
  problems: Trouble[];
  enteredAt: number | null;
  waitingSince: number;
  endedAt: number | null;
  ending: StopReason | null;
  isOver: boolean;
  ownLevel: number;
  /** The most important first. */
  deviceNotes: DeviceNote[];
  /** Whether the computer slept, and everything of ours is off since then. */
  hasSlept: boolean;
  announcement: Announcement | null;
}

/** A meeting before its first event. */
export function beginning(isHost: boolean, now: number): Meeting {
  return {
    stage: "connecting",
    isHost,
    link: null,
    reach: [],
    people: [],
    met: [],
    knocks: [],
    chat: [],
    unreadFrom: 0,
    code: "",
    comparedAt: null,
    epoch: 0,
    keysChangedAt: now,
    lobby: "wait",
    isLocked: false,
    suite: 0,
    mediaStopsAt: null,
    mediaStop: null,
    isMediaServerLost: false,
    sentKbps: 0,
    relay: null,
    media: null,
    figures: [],
    speaker: null,
    sharer: null,
    shared: null,
    sharingEnd: null,
    alarms: [],
    problems: [],
    enteredAt: null,
    waitingSince: now,
    endedAt: null,
    ending: null,
    isOver: false,
    ownLevel: -127,
    deviceNotes: [],
    hasSlept: false,
    announcement: null,
  };
}

/** Louder than this is speech, not the room. */
const SPEECH_DBOV = -50;
/** Troubles beyond this are more of the same. */
const MOST_TROUBLES = 20;

/** Takes over what happened. */
export function apply(meeting: Meeting, event: AppEvent, now: number): void {
  const person = "member" in event ? meeting.people.find((one) => one.member === event.member) : undefined;
  switch (event.event) {
    case "state_changed":
      meeting.stage = event.state;
      if (event.state === "knocking") meeting.waitingSince = now;
      if (event.state === "in_meeting") meeting.enteredAt ??= now;
      break;
    case "hosting":
      meeting.link = event.link;
      meeting.reach = event.reach;
      break;
    case "knocked":
      meeting.knocks.push({ knock: event.knock, name: event.name });
      meeting.announcement = { kind: "knocked", name: event.name };
      break;
    case "knock_ended":
      meeting.knocks = meeting.knocks.filter((one) => one.knock !== event.knock);
      break;
    case "joined":
      join(meeting, event.person);
      break;
    case "left":
      meeting.people = meeting.people.filter((one) => one.member !== event.member);
      chooseSharer(meeting);
      meeting.announcement = { kind: event.why === "removed_by_host" ? "removed" : "left", name: event.name };
      break;
    case "lost":
      if (person) {
        person.lostSince = now - event.silent_for_s * 1000;
        meeting.announcement = { kind: "lost", name: person.name };
      }
      break;
    case "media_held":
      if (person) person.isHeld = true;
      break;
    case "returned":
      if (person) {
        person.lostSince = null;
        person.isHeld = false;
        meeting.announcement = { kind: "returned", name: person.name };
      }
      break;
    case "streams_changed":
      if (person) {
        person.isMuted = !event.has_sound;
        person.isUnseen = !event.has_picture;
        person.sharesScreen = event.has_screen;
        chooseSharer(meeting);
      }
      break;
    case "sharing_started":
      meeting.shared = event.title;
      meeting.sharingEnd = null;
      break;
    case "sharing_stopped":
      meeting.shared = null;
      meeting.sharingEnd = event.why === "asked" ? null : event.why;
      break;
    case "room_code_changed":
      if (event.code !== meeting.code) meeting.comparedAt = null;
      meeting.code = event.code;
      break;
    case "epoch_changed":
      meeting.epoch = event.epoch;
      meeting.keysChangedAt = now;
      break;
    case "rules_changed":
      meeting.lobby = event.lobby;
      meeting.isLocked = event.locked;
      meeting.suite = event.suite;
      break;
    case "chat_received":
      receive(meeting, { ...event.line, text: legible(event.line.text) });
      break;
    case "key_missing":
      if (person) {
        person.keyMissingSince = now;
        meeting.announcement = { kind: "key", name: person.name };
      }
      break;
    case "key_restored":
      if (person) {
        person.keyMissingSince = null;
        meeting.announcement = { kind: "key.restored", name: person.name };
      }
      break;
    case "link_degraded":
      meeting.mediaStopsAt = now + event.media_stops_in_s * 1000;
      break;
    case "link_restored":
      meeting.mediaStopsAt = null;
      break;
    case "media_stopped":
      meeting.mediaStop = event.why;
      break;
    case "media_started":
      meeting.mediaStop = null;
      break;
    case "alarm":
      meeting.alarms = [...meeting.alarms, event].slice(-MOST_TROUBLES);
      break;
    case "media_server_lost":
      meeting.isMediaServerLost = true;
      break;
    case "media_server_connected":
      meeting.isMediaServerLost = false;
      break;
    case "statistics":
      meeting.sentKbps = event.sent_kbps;
      meeting.relay = event.relay;
      meeting.media = event.media;
      for (const figures of event.received) weigh(meeting, figures);
      meeting.figures = event.received;
      break;
    case "heard":
      hear(meeting, event.levels, now);
      break;
    case "device_opened":
      if (event.which === "chosen" || event.device === "camera") dismiss(meeting, event.device);
      else note(meeting, { device: event.device, what: "instead" });
      break;
    case "device_lost":
      note(meeting, { device: event.device, what: SYSTEMS.has(event.code) ? "system" : "lost" });
      break;
    case "problem":
      meeting.problems = [...meeting.problems, event].slice(-MOST_TROUBLES);
      break;
    case "slept":
      meeting.hasSlept = true;
      break;
    case "stopped":
      meeting.ending = event.why;
      meeting.endedAt = now;
      break;
    case "over":
      meeting.endedAt ??= now;
      meeting.isOver = true;
      break;
  }
}

function join(meeting: Meeting, person: Person): void {
  const known = meeting.people.some((one) => one.member === person.member);
  if (known) return;
  meeting.people.push({
    ...person,
    keyMissingSince: null,
    lostSince: null,
    isHeld: false,
    isMuted: false,
    isUnseen: false,
    sharesScreen: false,
    spokeAt: -Infinity,
    loss: 0,
  });
  if (person.is_self) return;
  meeting.announcement = { kind: "joined", name: person.name };
  if (!meeting.met.includes(person.name)) meeting.met.push(person.name);
}

/** Whoever is shown stays so until nothing more of that screen is shared. */
function chooseSharer(meeting: Meeting): void {
  const sharing = meeting.people.filter((one) => one.sharesScreen && !one.is_self);
  const before = meeting.sharer;
  const gone = meeting.people.find((one) => one.member === before && !one.sharesScreen);
  const now = sharing.find((one) => one.member === before) ?? sharing[0];
  meeting.sharer = now?.member ?? null;
  if (now && now.member !== before) meeting.announcement = { kind: "shares", name: now.name };
  else if (gone) meeting.announcement = { kind: "shared", name: gone.name };
}

/** Sound alone is as many packets a second (RFC 7587, 20 ms each). */
const SOUND_PACKETS = 50;
/** Bytes in a packet of pictures. */
const PACKET_BYTES = 1_100;
/** How much the newest second counts: after five seconds, one has been forgotten. */
const NEWEST = 0.35;

function weigh(meeting: Meeting, { member, lost_packets, kbps }: Received): void {
  const person = meeting.people.find((one) => one.member === member);
  const before = meeting.figures.find((one) => one.member === member);
  if (!person || !before) return;
  const lost = Math.max(0, lost_packets - before.lost_packets);
  const came = SOUND_PACKETS + (kbps * 125) / PACKET_BYTES;
  person.loss += NEWEST * (lost / (lost + came) - person.loss);
}

/** More than concealment and repetition hide. */
const WEAK_LOSS = 0.05;

/** Whose link is weak: that of the members who are named, or our own when it is so with several, and with all. */
export function weakLinks(meeting: Meeting): { isOwn: boolean; members: ReadonlySet<string> } {
  const others = meeting.people.filter((one) => !one.is_self);
  const weak = others.filter((one) => one.loss > WEAK_LOSS);
  const isOwn = others.length > 1 && weak.length === others.length;
  return { isOwn, members: new Set(isOwn ? [] : weak.map((one) => one.member)) };
}

/** As many messages as every client keeps. */
const MOST_LINES = 500;
/** As much of a message as is read out at once. */
const ANNOUNCED_CHARS = 300;

function receive(meeting: Meeting, line: ChatLine): void {
  meeting.chat.push(line);
  if (meeting.chat.length > MOST_LINES) {
    meeting.chat.shift();
    meeting.unreadFrom = Math.max(0, meeting.unreadFrom - 1);
  }
  if (meeting.people.some((one) => one.is_self && one.member === line.member)) return;
  const text = line.text.length > ANNOUNCED_CHARS ? `${line.text.slice(0, ANNOUNCED_CHARS)}…` : line.text;
  meeting.announcement = { kind: "chat", name: line.name, text };
}

/** What is told of a device when no device of its kind can work. */
const SYSTEMS: ReadonlySet<string> = new Set(["device.no_audio_system", "device.no_video_system"]);

/** Says nothing more of a device: it works, another one was chosen, or none is wanted. */
export function dismiss(meeting: Meeting, device: Device): void {
  meeting.deviceNotes = meeting.deviceNotes.filter((one) => one.device !== device);
}

/** What the others miss comes first. */
const DEVICES: readonly Device[] = ["microphone", "speaker", "camera"];

function note(meeting: Meeting, what: DeviceNote): void {
  dismiss(meeting, what.device);
  meeting.deviceNotes.push(what);
  meeting.deviceNotes.sort((one, other) => DEVICES.indexOf(one.device) - DEVICES.indexOf(other.device));
}

function hear(meeting: Meeting, levels: readonly { member: string | null; dbov: number }[], now: number): void {
  for (const level of levels) {
    if (level.member === null) meeting.ownLevel = level.dbov;
    const person = meeting.people.find((one) => (one.is_self ? level.member === null : one.member === level.member));
    if (!person || level.dbov <= SPEECH_DBOV) continue;
    person.spokeAt = now;
    if (!person.is_self) hand(meeting, person.member, now);
  }
}

/** How long somebody has to be silent before another one takes the large place: a word between is no speech. */
const FLOOR_MS = 1500;

function hand(meeting: Meeting, member: string, now: number): void {
  const current = meeting.people.find((one) => one.member === meeting.speaker);
  if (!current || now - current.spokeAt > FLOOR_MS) meeting.speaker = member;
}

/** How long the hint stays after the last word. */
const HINT_MS = 4000;

/** Whether a muted person speaks. */
export function speaksMuted(meeting: Meeting, now: number): boolean {
  const own = meeting.people.find((one) => one.is_self);
  return own !== undefined && now - own.spokeAt < HINT_MS;
}

/** How long the ring around a speaker stays after the last sound. */
const HOLD_MS = 600;

/** Whether somebody speaks now. */
export function isSpeaking(person: Participant, now: number): boolean {
  return now - person.spokeAt < HOLD_MS;
}

/** What stands in a tile instead of a picture; the worst first. */
export type Obstacle =
  | { kind: "failed" }
  | { kind: "key"; seconds: number }
  | { kind: "held" }
  | { kind: "lost"; seconds: number };

export function obstacle(person: Participant, now: number): Obstacle | null {
  const seconds = (since: number) => Math.max(0, Math.floor((now - since) / 1000));
  if (person.verification === "failed") return { kind: "failed" };
  if (person.keyMissingSince !== null) return { kind: "key", seconds: seconds(person.keyMissingSince) };
  if (person.isHeld) return { kind: "held" };
  if (person.lostSince !== null) return { kind: "lost", seconds: seconds(person.lostSince) };
  return null;
}

/** The one sentence that replaces the room line, if something is wrong with the whole meeting. */
export type Warning =
  | { kind: "stopped"; why: MediaStop }
  | { kind: "link"; seconds: number }
  | { kind: "media" };

export function warning(meeting: Meeting, now: number): Warning | null {
  if (meeting.mediaStop !== null && meeting.enteredAt !== null) return { kind: "stopped", why: meeting.mediaStop };
  if (meeting.mediaStopsAt !== null)
    return { kind: "link", seconds: Math.max(0, Math.ceil((meeting.mediaStopsAt - now) / 1000)) };
  return meeting.isMediaServerLost ? { kind: "media" } : null;
}

/** The farthest people who can reach a meeting that is hosted here. */
export function farthest(reach: readonly ReachView[]): ReachView["scope"] | null {
  const order = ["internet", "this_network", "this_computer"] as const;
  return order.find((scope) => reach.some((one) => one.scope === scope && one.reachable)) ?? null;
}
