import { expect, test } from "vitest";

import { microphoneOf, speakerOf, wordOf } from "../src/lib/devices";
import type { DeviceView } from "../src/lib/generated";

const devices: DeviceView[] = [
  { id: "a", name: "Built-in", kind: "microphone" },
  { id: "b", name: "Headset", kind: "speaker" },
];

test("a chosen device is taken while it is there, and the preferred one otherwise", () => {
  expect(microphoneOf("a", devices)).toEqual({ kind: "device", id: "a" });
  expect(microphoneOf("b", devices)).toEqual({ kind: "system" });
  expect(microphoneOf("", devices)).toEqual({ kind: "system" });
  expect(speakerOf("", [])).toEqual({ kind: "none" });
});

test("words and choices are the same in both directions", () => {
  for (const word of ["system", "none", "tone", "a"]) expect(wordOf(microphoneOf(word, devices))).toBe(word);
});
