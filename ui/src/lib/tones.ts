import type { AppEvent, Sounds } from "./generated";

export type Tone = keyof Sounds;

/** Frequencies in Hz, one after the other. Rising is coming, falling is going. */
const NOTES: Record<Tone, readonly number[]> = {
  join: [523.25, 659.25],
  leave: [659.25, 523.25],
  knock: [587.33, 587.33],
  problem: [440, 349.23],
};

const NOTE_S = 0.09;
/** Quiet: a voice is ten times as loud. */
const GAIN = 0.06;

/** What is heard of an event; what concerns the person alone is silent. */
export function toneOf(event: AppEvent): Tone | null {
  switch (event.event) {
    case "joined":
      return event.person.is_self ? null : "join";
    case "left":
      return "leave";
    case "knocked":
      return "knock";
    case "alarm":
    case "key_missing":
    case "link_degraded":
    case "lost":
      return "problem";
    default:
      return null;
  }
}

let context: AudioContext | null = null;

/** Plays a tone. A computer without sound plays none. */
export function play(tone: Tone): void {
  context ??= typeof AudioContext === "undefined" ? null : new AudioContext();
  if (!context) return;
  // A window that nobody touched yet may be kept silent.
  void context.resume();
  const { currentTime, destination } = context;
  NOTES[tone].forEach((frequency, index) => {
    if (!context) return;
    const [oscillator, gain] = [context.createOscillator(), context.createGain()];
    const begin = currentTime + index * NOTE_S * 1.4;
    oscillator.frequency.value = frequency;
    // Without steps, which would be heard as clicks.
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(GAIN, begin + NOTE_S / 4);
    gain.gain.linearRampToValueAtTime(0, begin + NOTE_S);
    oscillator.connect(gain).connect(destination);
    oscillator.start(begin);
    oscillator.stop(begin + NOTE_S);
  });
}
