import type { CameraChoice, DeviceView, MicrophoneChoice, SpeakerChoice } from "./generated";
import type { DeviceNote } from "./meeting";
import { t } from "./text";

/** What is worth knowing about a device, as it is said. */
export function noteInWords(note: DeviceNote): string {
  return note.what === "instead" ? t(`devices.instead.${note.device}`) : t(`devices.${note.what}.${note.device}`);
}

/** A choice in the word that menus and the settings file have for it. */
export function wordOf(choice: { kind: string; id?: string }): string {
  return choice.id ?? choice.kind;
}

/** The microphone of a word; of one that is not there, the one that the system prefers. */
export function microphoneOf(word: string, devices: readonly DeviceView[]): MicrophoneChoice {
  return word === "tone" ? { kind: "tone" } : deviceOf(word, "microphone", devices);
}

export function speakerOf(word: string, devices: readonly DeviceView[]): SpeakerChoice {
  return deviceOf(word, "speaker", devices);
}

/** The camera of a word; a computer that has none shows the test picture. */
export function cameraOf(word: string, devices: readonly DeviceView[]): CameraChoice {
  if (word === "none" || word === "pattern") return { kind: word };
  const choice = deviceOf(word, "camera", devices);
  return choice.kind === "none" ? { kind: "pattern" } : choice;
}

function deviceOf(
  word: string,
  kind: DeviceView["kind"],
  devices: readonly DeviceView[],
): { kind: "system" } | { kind: "none" } | { kind: "device"; id: string } {
  const there = devices.filter((one) => one.kind === kind);
  if (word === "none" || there.length === 0) return { kind: "none" };
  return there.some((one) => one.id === word) ? { kind: "device", id: word } : { kind: "system" };
}
