// Made from crates/view by `./dev types`.

export type AppEvent = { "event": "state_changed", 
/**
 * The new state.
 */
state: MeetingState, } | { "event": "hosting", 
/**
 * What others join by.
 */
link: string, 
/**
 * Who can.
 */
reach: Array<ReachView>, } | { "event": "knocked", 
/**
 * What to answer by.
 */
knock: number, 
/**
 * What they call themselves.
 */
name: string, } | { "event": "knock_ended", 
/**
 * Which knock.
 */
knock: number, } | { "event": "joined", 
/**
 * Who.
 */
person: Person, } | { "event": "left", 
/**
 * Who.
 */
member: string, 
/**
 * What they are called.
 */
name: string, 
/**
 * Why.
 */
why: Departure, } | { "event": "lost", 
/**
 * Who.
 */
member: string, 
/**
 * For how long, in seconds.
 */
silent_for_s: number, } | { "event": "media_held", 
/**
 * Who.
 */
member: string, } | { "event": "returned", 
/**
 * Who.
 */
member: string, } | { "event": "streams_changed", 
/**
 * Who.
 */
member: string, 
/**
 * Whether the microphone is.
 */
has_sound: boolean, 
/**
 * Whether the camera is.
 */
has_picture: boolean, 
/**
 * Whether a screen is shared.
 */
has_screen: boolean, } | { "event": "sharing_started", 
/**
 * Name of the screen or title of the window.
 */
title: string, } | { "event": "sharing_stopped", 
/**
 * Why.
 */
why: SharingEnd, } | { "event": "room_code_changed", 
/**
 * In groups of four digits.
 */
code: string, } | { "event": "epoch_changed", 
/**
 * How often so far.
 */
epoch: number, } | { "event": "rules_changed", 
/**
 * Whether people wait until they are let in.
 */
lobby: LobbyMode, 
/**
 * Whether nobody comes in at all.
 */
locked: boolean, 
/**
 * Number of the cipher suite of media (RFC 9605 section 8.1).
 */
suite: number, } | { "event": "chat_received", 
/**
 * What.
 */
line: ChatLine, } | { "event": "key_missing", 
/**
 * Whose key.
 */
member: string, } | { "event": "key_restored", 
/**
 * Whose key.
 */
member: string, } | { "event": "link_degraded", 
/**
 * How long media goes on, in seconds.
 */
media_stops_in_s: number, } | { "event": "link_restored" } | { "event": "media_stopped", 
/**
 * Why.
 */
why: MediaStop, } | { "event": "media_started" } | { "event": "alarm", 
/**
 * Stable code; `docs/errors.md` lists all.
 */
code: string, 
/**
 * What happened.
 */
what: string, 
/**
 * What to do.
 */
advice: string, 
/**
 * Whom it is about, if it is about somebody.
 */
member: string | null, } | { "event": "media_server_lost", 
/**
 * In which.
 */
direction: Direction, } | { "event": "media_server_connected", 
/**
 * In which direction.
 */
direction: Direction, } | { "event": "statistics", 
/**
 * What left this computer.
 */
sent_kbps: number, 
/**
 * The meeting server.
 */
relay: RelayView, 
/**
 * The media server; none before it is known.
 */
media: MediaServerView | null, 
/**
 * What came from each.
 */
received: Array<Received>, } | { "event": "heard", 
/**
 * Those who were heard.
 */
levels: Array<Level>, } | { "event": "device_opened", 
/**
 * What it is for.
 */
device: Device, 
/**
 * Whether it is the chosen one.
 */
which: Which, } | { "event": "device_lost", 
/**
 * What it is for.
 */
device: Device, 
/**
 * Stable code; `docs/errors.md` lists all.
 */
code: string, } | { "event": "problem", 
/**
 * Stable code; `docs/errors.md` lists all.
 */
code: string, 
/**
 * What happened.
 */
what: string, 
/**
 * What to do.
 */
advice: string, 
/**
 * Whom it is about, if it is about somebody.
 */
member: string | null, } | { "event": "close_asked" } | { "event": "slept" } | { "event": "stopped", 
/**
 * Why.
 */
why: StopReason, } | { "event": "over" };

export type ReachView = { scope: Scope, reachable: boolean, };

export type RelayView = { address: string, messages: number, bytes: number, };

export type MediaServerView = { kind: MediaServerKind, address: string, is_cleartext: boolean, packets: number, bytes: number, };

export type Person = { member: string, name: string, role: RoleView, verification: Verification, is_self: boolean, may_admit: boolean, };

export type Verification = "not_verified" | "claimed" | "failed";

export type Departure = "left" | "removed_by_host" | "silent" | "rejoined";

export type ChatLine = { seq: number, member: string, name: string, text: string, time_ms: number, };

export type Received = { member: string, video_fps: number, width: number, height: number, layer: number, kbps: number, lost_packets: number, undecryptable: number, latency_ms: number | null, };

export type Level = { 
/**
 * Who; `null` for the person's own microphone.
 */
member: string | null, 
/**
 * In dBov; −127 is silence.
 */
dbov: number, };

export type Place = "this_computer" | "server";

export type Order = { "order": "admit", 
/**
 * The knock.
 */
knock: number, } | { "order": "deny", 
/**
 * The knock.
 */
knock: number, } | { "order": "remove", 
/**
 * Whom.
 */
member: string, } | { "order": "ask_to_rejoin", 
/**
 * Whom.
 */
member: string, } | { "order": "lock" } | { "order": "unlock" } | { "order": "say", 
/**
 * What.
 */
text: string, } | { "order": "microphone", 
/**
 * Which.
 */
switch: Switch, } | { "order": "camera", 
/**
 * Which.
 */
switch: Switch, } | { "order": "use_microphone", 
/**
 * Which.
 */
choice: MicrophoneChoice, } | { "order": "use_speaker", 
/**
 * Which.
 */
choice: SpeakerChoice, } | { "order": "use_camera", 
/**
 * Which.
 */
choice: CameraChoice, } | { "order": "tile", 
/**
 * Whose; `null` for the person's own.
 */
member: string | null, 
/**
 * What is in it.
 */
shows: Shows, 
/**
 * In device pixels; 0 when it is not in view.
 */
width: number, 
/**
 * In device pixels; 0 when it is not in view.
 */
height: number, } | { "order": "leave" } | { "order": "end" };

export type Shows = "camera" | "screen";

export type InviteView = { 
/**
 * The server that would be contacted.
 */
server: string, 
/**
 * How that server proves who it is.
 */
trust: ServerTrust, };

export type ServerTrust = "key_in_link" | "certificate";

export type DeviceView = { 
/**
 * What to choose it by.
 */
id: string, 
/**
 * What to show.
 */
name: string, 
/**
 * What it is for.
 */
kind: Device, };

export type ScreenView = { 
/**
 * What to choose it by.
 */
id: string, 
/**
 * Name of the screen, or title of the window.
 */
title: string, 
/**
 * Which of both.
 */
kind: ScreenKind, };

export type ScreenKind = "screen" | "window";

export type DeviceChoices = { 
/**
 * What is heard of the person.
 */
microphone: MicrophoneChoice, 
/**
 * Where the others are heard.
 */
speaker: SpeakerChoice, 
/**
 * What is seen of the person.
 */
camera: CameraChoice, };

export type MicrophoneChoice = { "kind": "system" } | { "kind": "device", 
/**
 * Its id.
 */
id: string, } | { "kind": "tone" } | { "kind": "none" };

export type SpeakerChoice = { "kind": "system" } | { "kind": "device", 
/**
 * Its id.
 */
id: string, } | { "kind": "none" };

export type CameraChoice = { "kind": "system" } | { "kind": "device", 
/**
 * Its id.
 */
id: string, } | { "kind": "pattern" } | { "kind": "none" };

export type Entrance = { 
/**
 * The devices.
 */
devices: DeviceChoices, 
/**
 * Whether the person is heard.
 */
microphone: Switch, 
/**
 * Whether the person is seen.
 */
camera: Switch, };

export type DoorView = { 
/**
 * `ws://127.0.0.1:PORT/TOKEN`.
 */
address: string, };

export type Launch = { 
/**
 * Where the app begins.
 */
opening: Opening, 
/**
 * The link to join with.
 */
link: string | null, 
/**
 * The person's name.
 */
name: string | null, 
/**
 * Whether the microphone begins off.
 */
muted: boolean, 
/**
 * Whether there is no picture at first.
 */
no_camera: boolean, };

export type Opening = "home" | "join" | "host";

export type Failure = { 
/**
 * Stable code; `docs/errors.md` lists all.
 */
code: string, 
/**
 * What happened and why.
 */
what: string, 
/**
 * What to do.
 */
advice: string, };

export type Loaded = { 
/**
 * The settings.
 */
settings: Settings, 
/**
 * The name under which a file lies that could not be used.
 */
put_aside: string | null, };

export type Settings = { 
/**
 * What the others see.
 */
name: string, 
/**
 * In which language the window speaks.
 */
language: Language, 
/**
 * Light or dark.
 */
appearance: Appearance, 
/**
 * Whether meetings are remembered.
 */
remember_meetings: Remembering, 
/**
 * Whether the microphone is off at first.
 */
start_muted: boolean, 
/**
 * Whether the picture is off at first.
 */
start_without_picture: boolean, 
/**
 * What is used for sound and pictures.
 */
devices: Devices, 
/**
 * Which tones are played.
 */
sounds: Sounds, 
/**
 * Whether the desktop tells who asks to be let in and who writes while the window is not looked at.
 */
notifications: Notifying, 
/**
 * Where meetings are held that the person starts.
 */
server: Server, 
/**
 * How large the window was.
 */
window?: WindowSize, };

export type Language = "system" | "en" | "de";

export type Appearance = "system" | "light" | "dark";

export type Remembering = "not_asked" | "yes" | "no";

export type Devices = { 
/**
 * What is heard of the person.
 */
microphone: string, 
/**
 * Where the others are heard.
 */
speaker: string, 
/**
 * What is seen of the person.
 */
camera: string, };

export type Sounds = { 
/**
 * Somebody came.
 */
join: boolean, 
/**
 * Somebody went.
 */
leave: boolean, 
/**
 * Somebody asks to be let in.
 */
knock: boolean, 
/**
 * Something needs attention.
 */
problem: boolean, };

export type Server = { 
/**
 * `host` or `host:port`; empty: meetings are held on this computer.
 */
address: string, 
/**
 * What the server asks for before it makes a meeting; may be empty.
 */
token: string, 
/**
 * SHA-256 of the server's public key, 64 hexadecimal digits; empty: its certificate is one that the system trusts.
 */
key: string, };

export type WindowSize = { 
/**
 * Width.
 */
width: number, 
/**
 * Height.
 */
height: number, };

export type Recent = { 
/**
 * The link. It lets its holder in.
 */
link: string, 
/**
 * The meeting server that it names.
 */
server: string, 
/**
 * Who was there, without the person.
 */
people: Array<string>, 
/**
 * When it began, in seconds since 1970.
 */
began_s: number, 
/**
 * How long the person was in it, in seconds.
 */
lasted_s: number, };

export type RecentChange = { "change": "remember", 
/**
 * Which.
 */
meeting: Recent, } | { "change": "forget", 
/**
 * Its link.
 */
link: string, } | { "change": "forget_all" };

export type Notifying = "on" | "off";

export type Topic = "knock" | "chat" | "sleep";

export type Notice = { 
/**
 * What it is about.
 */
topic: Topic, 
/**
 * One line.
 */
title: string, 
/**
 * What follows; may be empty.
 */
text: string, };

export type Part = { "part": "host", 
/**
 * Where it is held.
 */
place: Place, } | { "part": "guest", 
/**
 * The link by which we joined.
 */
link: string, };

export type Past = { 
/**
 * In milliseconds of Unix time.
 */
at_ms: number, event: AppEvent, };

export type Resumed = { part: Part, microphone: Switch, camera: Switch, past: Array<Past>, };

export type MeetingState = "connecting" | "knocking" | "joining" | "in_meeting" | "stopped";

export type StopReason = "left" | "ended" | "end_unconfirmed" | "removed" | "denied" | "full" | "locked" | "not_answered" | "clock_wrong" | "no_such_room" | "card_refused" | "welcome_refused" | "not_confirmed" | "link_refused" | "room_lost" | "keys_lost" | "create_refused" | "version";

export type MediaStop = "link_lost" | "rejoining" | "stopped";

export type RoleView = "host" | "participant" | "unknown";

export type LobbyMode = "wait" | "open";

export type MediaServerKind = "embedded" | "whip" | "janus";

export type Scope = "this_computer" | "this_network" | "internet";

export type Direction = "publish" | "play";

export type Switch = "on" | "off";

export type Device = "microphone" | "speaker" | "camera";

export type Which = "chosen" | "instead";

export type SharingEnd = "asked" | "source_ended" | "gave_way" | "refused";
