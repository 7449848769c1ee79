import { expect, test } from "vitest";

import { cameraOf, microphoneOf, speakerOf, wordOf } from "../src/lib/devices";
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

test("a camera is asked for as soon as there is one", () => {
  expect(cameraOf("", devices)).toEqual({ kind: "pattern" });
  expect(cameraOf("", [...devices, { id: "c", name: "Desk", kind: "camera" }])).toEqual({ kind: "system" });
  expect(cameraOf("c", [...devices, { id: "c", name: "Desk", kind: "camera" }])).toEqual({ kind: "device", id: "c" });
  expect(cameraOf("none", devices)).toEqual({ kind: "none" });
});
