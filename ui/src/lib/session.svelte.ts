import { app, failureOf } from "./bridge";
import type {
  AppEvent,
  CameraChoice,
  DeviceChoices,
  DeviceView,
  Failure,
  InviteView,
  Launch,
  Lobby,
  MicrophoneChoice,
  Order,
  SpeakerChoice,
} from "./generated";
import { apply, beginning, type Meeting } from "./meeting";
import { Pictures } from "./pictures";

/** What the green room leads to. */
export type Intent = { kind: "host" } | { kind: "join"; link: string; invite: InviteView };

/** A link that was opened while a meeting is going on. */
export interface Invitation {
  link: string;
  server: string;
}

export type Screen = "home" | "green" | "lobby" | "meeting" | "end";

const NAME = "incamera.name";

/** Everything that outlives a screen. One for the window. */
export class Session {
  screen = $state<Screen>("home");
  intent = $state<Intent>({ kind: "host" });
  name = $state(localStorage.getItem(NAME) ?? "");
  /** What is in the field for a link. */
  pasted = $state("");
  invitation = $state<Invitation | null>(null);
  /** The link to go on with when this meeting is over. */
  #next: string | null = null;
  /** Whether the green room opens the devices: never because of a link, only when the person asks. */
  isPreviewing = $state(false);
  lobby = $state<Lobby>("wait");
  microphone = $state<MicrophoneChoice>({ kind: "system" });
  speaker = $state<SpeakerChoice>({ kind: "system" });
  camera = $state<CameraChoice>("pattern");
  devices = $state<DeviceView[]>([]);
  failure = $state<Failure | null>(null);
  isBusy = $state(false);
  meeting = $state<Meeting>(beginning(false, 0));
  isMuted = $state(false);
  isCameraOff = $state(false);
  /** Now, four times a second: for everything that counts. */
  now = $state(performance.timeOrigin + performance.now());
  readonly pictures = new Pictures();

  constructor() {
    setInterval(() => (this.now = clock()), 250);
  }

  get choices(): DeviceChoices {
    return { microphone: this.microphone, speaker: this.speaker, camera: this.camera };
  }

  /** Begins where the command line says. */
  async open(): Promise<void> {
    try {
      const { address } = await app.openDoor();
      this.pictures.connect(address);
      await this.lookForDevices();
      await this.#follow(await app.launch((later) => void this.#follow(later)));
    } catch (reason) {
      this.failure = failureOf(reason);
    }
  }

  /** Does what the command line of a start asks: of the first, or of a later one that handed it over. */
  async #follow(launch: Launch): Promise<void> {
    if (this.isTakingPart) {
      if (launch.link !== null) await this.#consider(launch.link);
      return;
    }
    if (launch.name !== null) this.name = launch.name;
    if (launch.muted) this.isMuted = true;
    if (launch.no_camera) this.camera = "none";
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

  async lookForDevices(): Promise<void> {
    try {
      this.devices = await app.devices();
    } catch {
      // No audio system: said in the green room by what is left to choose from.
      this.devices = [];
    }
    if (!this.devices.some((one) => one.kind === "microphone")) this.microphone = { kind: "none" };
    if (!this.devices.some((one) => one.kind === "speaker")) this.speaker = { kind: "none" };
  }

  prepareToHost(): void {
    this.failure = null;
    this.intent = { kind: "host" };
    this.isPreviewing = true;
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
    this.screen = "lobby";
    await this.begin();
  }

  /** Starts or joins the meeting of the green room. */
  async begin(): Promise<void> {
    this.failure = null;
    this.isBusy = true;
    this.pictures.forget();
    const isHost = this.intent.kind === "host";
    this.meeting = beginning(isHost, clock());
    this.isCameraOff = this.camera === "none";
    const told = (event: AppEvent) => this.#told(event);
    try {
      if (this.intent.kind === "join") await app.join(this.intent.link, this.name, this.choices, told);
      else await app.host(this.name, this.lobby, this.choices, told);
      localStorage.setItem(NAME, this.name);
      if (this.screen === "green") this.screen = "lobby";
      if (this.isMuted) this.order({ order: "microphone", switch: "off" });
    } catch (reason) {
      this.failure = failureOf(reason);
      this.screen = "green";
    } finally {
      this.isBusy = false;
    }
  }

  #told(event: AppEvent): void {
    apply(this.meeting, event, clock());
    if (event.event === "state_changed" && event.state === "in_meeting") this.screen = "meeting";
    if (event.event === "stopped" || event.event === "over") this.screen = "end";
    if (event.event !== "over" || this.#next === null) return;
    const link = this.#next;
    this.#next = null;
    void this.prepareToJoin(link);
  }

  /** Asks the app; what it refuses is shown. */
  order(order: Order): void {
    app.order(order).catch((reason: unknown) => (this.failure = failureOf(reason)));
  }

  toggleMicrophone(): void {
    this.isMuted = !this.isMuted;
    this.order({ order: "microphone", switch: this.isMuted ? "off" : "on" });
  }

  toggleCamera(): void {
    if (this.camera === "none") return;
    this.isCameraOff = !this.isCameraOff;
    this.order({ order: "camera", switch: this.isCameraOff ? "off" : "on" });
  }

  /** Leaves; a meeting that lives here ends for everybody. */
  leave(): void {
    const ends = this.meeting.isHost && this.meeting.stage === "in_meeting";
    this.order(ends ? { order: "end" } : { order: "leave" });
  }

  goHome(): void {
    this.failure = null;
    this.pictures.forget();
    this.screen = "home";
  }
}

function clock(): number {
  return performance.timeOrigin + performance.now();
}
