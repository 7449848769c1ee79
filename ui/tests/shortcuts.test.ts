import { expect, test } from "vitest";

import { actionOf, KEYS, type Keystroke } from "../src/lib/shortcuts";

const stroke = (key: string, more: Partial<Keystroke> = {}): Keystroke => ({
  key,
  ctrlKey: true,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...more,
});

test("every key means one thing", () => {
  expect(new Set(Object.values(KEYS)).size).toBe(Object.keys(KEYS).length);
});

test("a letter alone means nothing, so that nothing happens while one writes", () => {
  expect(actionOf(stroke("d", { ctrlKey: false }))).toBeNull();
  expect(actionOf(stroke("d", { altKey: true }))).toBeNull();
  expect(actionOf(stroke("D", { shiftKey: true }))).toBeNull();
});

test("Ctrl and Cmd do the same, and the slash may need Shift", () => {
  expect(actionOf(stroke("d"))).toBe("microphone");
  expect(actionOf(stroke("E", { ctrlKey: false, metaKey: true }))).toBe("camera");
  expect(actionOf(stroke("/", { shiftKey: true }))).toBe("shortcuts");
  expect(actionOf(stroke("z"))).toBeNull();
});
