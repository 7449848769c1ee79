import { expect, test } from "vitest";

import type { AppEvent } from "../src/lib/generated";
import { noticeOf } from "../src/lib/notices";

const knock: AppEvent = { event: "knocked", knock: 1, name: "Ben" };
const line = (member: string): AppEvent => ({
  event: "chat_received",
  line: { seq: 1, member, name: "Ben", text: "Good morning", time_ms: 0 },
});

const alone = { own: "ada", isSharing: false, isHeldHere: false };

test("knocks and lines of others are told", () => {
  expect(noticeOf(knock, alone)).toEqual({ topic: "knock", title: "Ben asks to join", text: "" });
  expect(noticeOf(line("ben"), alone)).toEqual({ topic: "chat", title: "Ben wrote", text: "Good morning" });
  expect(noticeOf(line("ada"), alone)).toBeNull();
  expect(noticeOf({ event: "link_restored" }, alone)).toBeNull();
});

test("who shares the screen shows neither names nor what was written", () => {
  const shown = [knock, line("ben")].map((event) => JSON.stringify(noticeOf(event, { ...alone, isSharing: true })));
  expect(shown.join()).not.toMatch(/Ben|Good morning/);
  expect(shown).not.toContain("null");
});

test("who goes to sleep is warned where the meeting stops with the computer", () => {
  expect(noticeOf({ event: "slept" }, alone)).toBeNull();
  expect(noticeOf({ event: "slept" }, { ...alone, isHeldHere: true })?.topic).toBe("sleep");
});
