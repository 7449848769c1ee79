import { app, failureOf } from "./bridge";
import { cameraOf, microphoneOf, speakerOf } from "./devices";
import type {
  AppEvent,
  CameraChoice,
  Device,
  DeviceView,
  Entrance,
  Failure,
  InviteView,
  Launch,
  LobbyMode,
  MicrophoneChoice,
  Order,
  Place,
  Recent,
  RecentChange,
  Resumed,
  ScreenView,
  Settings,
  SpeakerChoice,
  Switch,
} from "./generated";
import { CORNERS, type Corner } from "./layout";
import { apply, beginning, dismiss, type Meeting } from "./meeting";
import { noticeOf } from "./notices";
import { Pictures } from "./pictures";
import { NEW_SETTINGS } from "./settings";
import { speak, t } from "./text";
import { play, toneOf } from "./tones";
import { showNoScreen, showScreen, type View } from "./view";

/** What the green room leads to. */
export type Intent = { kind: "host" } | { kind: "join"; link: string; invite: InviteView };

/** A link that was opened while a meeting is going on. */
export interface Invitation {
  link: string;
  server: string;
}

export type Screen = "home" | "settings" | "green" | "lobby" | "meeting" | "end";

/** Everything that outlives a screen. One for the window. */
export class Session {
  screen = $state<Screen>("home");
  intent = $state<Intent>({ kind: "host" });
  /** What is in the field for a link. */
  pasted = $state("");
  invitation = $state<Invitation | null>(null);
  /** The link to go on with when this meeting is over. */
  #next: string | null = null;
  /** Whether the green room opens the devices: never because of a link, only when the person asks. */
  isPreviewing = $state(false);
  settings = $state<Settings>(NEW_SETTINGS);
  /** Whether the settings are there, so that nothing is shown in the wrong language or colours. */
  isOpen = $state(false);
  /** The name under which the settings file lies that could not be used. */
  putAside = $state<string | null>(null);
  recent = $state<Recent[]>([]);
  name = $state("");
  place = $state<Place>("this_computer");
  lobby = $state<LobbyMode>("wait");
  microphone = $state<MicrophoneChoice>({ kind: "system" });
  speaker = $state<SpeakerChoice>({ kind: "system" });
  camera = $state<CameraChoice>({ kind: "pattern" });
  devices = $state<DeviceView[]>([]);
  failure = $state<Failure | null>(null);
  isBusy = $state(false);
  meeting = $state<Meeting>(beginning(false, 0));
  isMuted = $state(false);
  isCameraOff = $state(false);
  view = $state<View>({ layout: "grid", pinned: null });
  /** How it was before somebody shared a screen. */
  #before: View = { layout: "grid", pinned: null };
  /** Whether nobody's pictures are asked for. */
  isSoundOnly = $state(false);
  corner = $state<Corner>("bottom-end");
  /** Whether the person talks for as long as a key is held. */
  isTalking = $state(false);
  /** Whether the person wants to close a window whose meeting ends with it. */
  isClosing = $state(false);
  /** Now, four times a second: for everything that counts. */
  now = $state(clock());
  readonly pictures = new Pictures();
  #launch: Launch | null = null;
  #saved: Promise<void> = Promise.resolve();

  constructor() {
    setInterval(() => (this.now = clock()), 250);
  }

  /** Whether the meeting stands still for everybody while this computer sleeps. */
  get isHeldHere(): boolean {
    return this.meeting.isHost && this.place === "this_computer";
  }

  /** How the person comes into a meeting: what is off has never been on. */
  get entrance(): Entrance {
    return {
      devices: { microphone: this.microphone, speaker: this.speaker, camera: this.camera },
      microphone: this.isMuted ? "off" : "on",
      camera: this.isCameraOff ? "off" : "on",
    };
  }

  /** Begins where the command line says. */
  async open(): Promise<void> {
    try {
      await this.#readSettings();
      const { address } = await app.openDoor();
      this.pictures.connect(address);
      await this.lookForDevices();
      const running = await app.resume((event) => this.#told(event));
      const launch = await app.launch((later) => void this.#follow(later));
      if (running) await this.#resume(running);
      else await this.#follow(launch);
    } catch (reason) {
      this.failure = failureOf(reason);
    }
  }

  /** Shows a meeting that went on while the page was not there. */
  async #resume({ part, microphone, camera, past }: Resumed): Promise<void> {
    this.meeting = beginning(part.part === "host", past[0]?.at_ms ?? clock());
    for (const { at_ms, event } of past) this.#apply(event, at_ms);
    this.meeting.announcement = null;
    this.meeting.unreadFrom = this.meeting.chat.length;
    if (part.part === "host") this.place = part.place;
    else this.intent = { kind: "join", link: part.link, invite: await app.readInvite(part.link) };
    this.isMuted = microphone === "off";
    this.isCameraOff = camera === "off" || this.camera.kind === "none";
    this.screen = this.meeting.enteredAt === null ? "lobby" : this.meeting.ending === null ? "meeting" : "end";
  }

  /** Does what the command line of a start asks: of the first, or of a later one that handed it over. */
  async #follow(launch: Launch): Promise<void> {
    if (this.isTakingPart) {
      if (launch.link !== null) await this.#consider(launch.link);
      return;
    }
    this.#launch = launch;
    if (launch.name !== null) this.name = launch.name;
    if (launch.no_camera) this.camera = { kind: "none" };
    if (launch.link !== null) await this.prepareToJoin(launch.link);
    if (launch.opening === "host") await this.startAtOnce();
  }

  get isTakingPart(): boolean {
    return this.isBusy || this.screen === "lobby" || this.screen === "meeting";
  }

  async #consider(link: string): Promise<void> {
    try {
      const { server } = await app.readInvite(link);
      this.invitation = { link, server };
    } catch (reason) {
      this.failure = failureOf(reason);
    }
  }

  /** Leaves for the meeting of the link that was opened; nothing happens to what is going on before that. */
  async followInvitation(): Promise<void> {
    const link = this.invitation?.link ?? null;
    this.invitation = null;
    if (link === null) return;
    if (this.isTakingPart) {
      this.#next = link;
      this.leave();
    } else await this.prepareToJoin(link);
  }

  async #readSettings(): Promise<void> {
    try {
      const { settings, put_aside } = await app.settings();
      this.settings = settings;
      this.putAside = put_aside;
      this.name = settings.name;
      this.recent = await app.recent(null);
    } catch (reason) {
      this.failure = failureOf(reason);
    }
    speak(this.settings.language);
    this.isOpen = true;
  }

  /** Takes over a setting and keeps it; one that is refused is as it was. */
  async set<K extends keyof Settings>(key: K, value: Settings[K]): Promise<void> {
    const before = $state.snapshot(this.settings)[key] as Settings[K];
    this.failure = null;
    this.settings[key] = value;
    if (key === "language") speak(this.settings.language);
    // One after the other, so that the newest is written last.
    const saved = this.#saved.then(() => app.saveSettings($state.snapshot(this.settings)));
    this.#saved = saved.catch(() => {});
    try {
      await saved;
    } catch (reason) {
      this.failure = failureOf(reason);
      this.settings[key] = before;
    }
  }

  /** Finds out which devices there are and takes those of the settings. */
  async lookForDevices(): Promise<void> {
    await this.listDevices();
    const { microphone, speaker, camera } = this.settings.devices;
    this.microphone = microphoneOf(microphone, this.devices);
    this.speaker = speakerOf(speaker, this.devices);
    this.camera = cameraOf(camera, this.devices);
  }

  /** Finds out which devices there are; what is chosen stays chosen. */
  async listDevices(): Promise<void> {
    try {
      this.devices = await app.devices();
    } catch {
      // Neither sound nor cameras: said by what is left to choose from.
      this.devices = [];
    }
  }

  /** Chooses a device by its word, now and for other times; a meeting uses it at once. */
  choose(device: Device, word: string): void {
    const hadCamera = this.camera.kind !== "none";
    if (device === "microphone") this.microphone = microphoneOf(word, this.devices);
    else if (device === "speaker") this.speaker = speakerOf(word, this.devices);
    else this.camera = cameraOf(word, this.devices);
    void this.set("devices", { ...this.settings.devices, [device]: word });
    if (this.screen !== "meeting") return;
    dismiss(this.meeting, device);
    if (device === "microphone") this.order({ order: "use_microphone", choice: this.microphone });
    else if (device === "speaker") this.order({ order: "use_speaker", choice: this.speaker });
    else {
      this.order({ order: "use_camera", choice: this.camera });
      // A first camera is chosen in order to be seen; another one stays off if the one before was.
      if (this.camera.kind === "none") this.#turnCamera("off");
      else if (!hadCamera) this.#turnCamera("on");
    }
  }

  prepareToHost(): void {
    this.failure = null;
    this.intent = { kind: "host" };
    this.isPreviewing = true;
    this.place = this.settings.server.address === "" ? "this_computer" : "server";
    this.screen = "green";
  }

  /** Shows whose server a link names; contacts nobody. */
  async prepareToJoin(link: string): Promise<void> {
    this.failure = null;
    try {
      const invite = await app.readInvite(link);
      this.intent = { kind: "join", link: link.trim(), invite };
      this.isPreviewing = false;
      this.pasted = "";
      this.screen = "green";
    } catch (reason) {
      this.failure = failureOf(reason);
      this.pasted = link;
      this.screen = "home";
    }
  }

  async startAtOnce(): Promise<void> {
    this.lobby = "open";
    if (this.name.trim() === "") this.name = "Ada";
    this.intent = { kind: "host" };
    this.place = "this_computer";
    this.screen = "lobby";
    await this.begin();
  }

  /** Starts or joins the meeting of the green room. */
  async begin(): Promise<void> {
    this.failure = null;
    this.isBusy = true;
    this.isClosing = false;
    this.isTalking = false;
    showNoScreen(this.view, this.#before);
    this.view.pinned = null;
    this.pictures.forget();
    const isHost = this.intent.kind === "host";
    this.meeting = beginning(isHost, clock());
    this.isMuted = this.settings.start_muted || this.#launch?.muted === true;
    this.isCameraOff = this.settings.start_without_picture || this.camera.kind === "none";
    const told = (event: AppEvent) => this.#told(event);
    try {
      if (this.intent.kind === "join") await app.join(this.intent.link, this.name, this.entrance, told);
      else await app.host(this.name, this.place, this.lobby, this.entrance, told);
      if (this.screen === "green") {
        this.screen = "lobby";
        // A name of the command line is for this time.
        if (this.name !== this.#launch?.name && this.name !== this.settings.name) void this.set("name", this.name);
      }
    } catch (reason) {
      this.failure = failureOf(reason);
      this.screen = "green";
    } finally {
      this.isBusy = false;
    }
  }

  #told(event: AppEvent): void {
    if (event.event === "state_changed" && event.state === "in_meeting" && this.meeting.enteredAt === null)
      void app.keepAwake(t(this.isHeldHere ? "awake.why.here" : "awake.why"));
    this.#apply(event, clock());
    const own = this.meeting.people.find((one) => one.is_self)?.member;
    const surroundings = { own, isSharing: this.meeting.shared !== null, isHeldHere: this.isHeldHere };
    const notice = this.settings.notifications === "on" ? noticeOf(event, surroundings) : null;
    if (notice) void app.notify(notice);
    if (event.event === "slept") this.isMuted = this.isCameraOff = true;
    const tone = toneOf(event);
    if (tone && this.meeting.enteredAt !== null && this.settings.sounds[tone]) play(tone);
    // What the person just asked for did not come about.
    if (event.event === "problem" && event.code === "client.screen.taken") this.failure = event;
    if (event.event === "close_asked") this.#close();
    if (event.event === "state_changed" && event.state === "in_meeting") this.screen = "meeting";
    if (event.event === "stopped" || event.event === "over") {
      if (this.screen !== "end") void this.#end();
      this.screen = "end";
    }
    if (event.event !== "over" || this.#next === null) return;
    const link = this.#next;
    this.#next = null;
    void this.prepareToJoin(link);
  }

  /** Takes over what happened; a screen that somebody shares is shown by itself. */
  #apply(event: AppEvent, now: number): void {
    const before = this.meeting.sharer;
    apply(this.meeting, event, now);
    if (before === null && this.meeting.sharer !== null) this.#before = showScreen(this.view);
    if (before !== null && this.meeting.sharer === null) showNoScreen(this.view, this.#before);
  }

  #close(): void {
    if (this.meeting.people.some((one) => !one.is_self)) this.isClosing = true;
    else this.quit();
  }

  quit(): void {
    app.quit().catch((reason: unknown) => (this.failure = failureOf(reason)));
  }

  /** The meeting that was left, if one can come back to it. */
  get returnable(): Recent | null {
    const { enteredAt, endedAt, met, ending, link } = this.meeting;
    const back = this.intent.kind === "join" ? this.intent.link : null;
    if (enteredAt === null || back === null || ending === "ended" || link !== null) return null;
    return {
      link: back,
      server: this.intent.kind === "join" ? this.intent.invite.server : "",
      people: met.slice(0, 10),
      began_s: Math.round(enteredAt / 1000),
      lasted_s: Math.max(0, Math.round(((endedAt ?? clock()) - enteredAt) / 1000)),
    };
  }

  async #end(): Promise<void> {
    if (this.settings.remember_meetings === "yes") await this.remember();
  }

  /** Answers the question whether meetings are remembered, beginning with the one that was left. */
  async answerRemembering(answer: "yes" | "no"): Promise<void> {
    await this.set("remember_meetings", answer);
    if (answer === "yes") await this.remember();
  }

  async remember(): Promise<void> {
    const meeting = this.returnable;
    if (meeting) await this.#changeRecent({ change: "remember", meeting });
  }

  /** Forgets the meeting of a link; without a link, all. */
  async forget(link: string | null): Promise<void> {
    await this.#changeRecent(link === null ? { change: "forget_all" } : { change: "forget", link });
  }

  async #changeRecent(change: RecentChange): Promise<void> {
    try {
      this.recent = await app.recent(change);
    } catch (reason) {
      this.failure = failureOf(reason);
    }
  }

  /** Asks the app; what it refuses is shown. */
  order(order: Order): void {
    app.order(order).catch((reason: unknown) => (this.failure = failureOf(reason)));
  }

  toggleMicrophone(): void {
    this.meeting.hasSlept = false;
    this.isTalking = false;
    this.isMuted = !this.isMuted;
    this.order({ order: "microphone", switch: this.isMuted ? "off" : "on" });
  }

  /** Lets a muted person talk for as long as a key is held. */
  talk(holds: "held" | "released"): void {
    const talks = holds === "held";
    if (!this.isMuted || talks === this.isTalking) return;
    this.isTalking = talks;
    this.order({ order: "microphone", switch: talks ? "on" : "off" });
  }

  /** Shares a screen or window; fails with a `Failure`. */
  async share({ id, title }: ScreenView): Promise<void> {
    this.failure = null;
    await app.share(id, title);
  }

  stopSharing(): void {
    app.stopSharing().catch((reason: unknown) => (this.failure = failureOf(reason)));
  }

  /** Keeps somebody large, or no longer. */
  pin(member: string): void {
    this.view.pinned = this.view.pinned === member ? null : member;
  }

  /** Moves the person's own picture to the next corner. */
  moveOwn(): void {
    this.corner = CORNERS[(CORNERS.indexOf(this.corner) + 1) % CORNERS.length] ?? "bottom-end";
  }

  toggleCamera(): void {
    if (this.camera.kind !== "none") this.#turnCamera(this.isCameraOff ? "on" : "off");
  }

  #turnCamera(to: Switch): void {
    this.meeting.hasSlept = false;
    this.isCameraOff = to === "off";
    if (this.isCameraOff) dismiss(this.meeting, "camera");
    this.order({ order: "camera", switch: to });
  }

  /** Leaves; a meeting of ours ends for everybody. */
  leave(): void {
    const ends = this.meeting.isHost && this.meeting.stage === "in_meeting";
    // Nobody confirms that somebody left: unless something else is told, that is how it ended.
    if (!ends) this.meeting.ending = "left";
    this.order(ends ? { order: "end" } : { order: "leave" });
  }

  goHome(): void {
    this.failure = null;
    this.pictures.forget();
    this.screen = "home";
  }

  openSettings(): void {
    this.failure = null;
    this.screen = "settings";
  }
}

function clock(): number {
  return performance.timeOrigin + performance.now();
}
