import { expect, test } from "vitest";

import type { AppEvent, Person, Received, Which } from "../src/lib/generated";
import { apply, beginning, dismiss, farthest, isSpeaking, obstacle, warning, weakLinks } from "../src/lib/meeting";

const person = (name: string, more: Partial<Person> = {}): Person => ({
  member: name,
  name,
  role: "participant",
  verification: "not_verified",
  is_self: false,
  may_admit: false,
  ...more,
});

function meetingAfter(...events: [number, AppEvent][]) {
  const meeting = beginning(true, 0);
  for (const [now, event] of events) apply(meeting, event, now);
  return meeting;
}

const joined = (name: string, more?: Partial<Person>): AppEvent => ({ event: "joined", person: person(name, more) });
const ada = joined("Ada", { is_self: true });
const ben = joined("Ben");

test("people come and go, and are remembered for the end", () => {
  const meeting = meetingAfter([1, ada], [2, ben], [3, ben], [4, { event: "left", member: "Ben", name: "Ben", why: "left" }]);
  expect(meeting.people.map((one) => one.name)).toEqual(["Ada"]);
  expect(meeting.met).toEqual(["Ben"]);
  expect(meeting.announcement).toEqual({ kind: "left", name: "Ben" });
});

test("who turned the microphone or the picture off is shown so until it is on again", () => {
  const meeting = meetingAfter([0, ben], [1, { event: "streams_changed", member: "Ben", has_sound: false, has_picture: true, has_screen: false }]);
  const off = () => meeting.people.map(({ isMuted, isUnseen }) => [isMuted, isUnseen]);
  expect(off()).toEqual([[true, false]]);
  apply(meeting, { event: "streams_changed", member: "Ben", has_sound: true, has_picture: false, has_screen: false }, 2);
  expect(off()).toEqual([[false, true]]);
});

test("one screen is shown at a time: that of who began first, until it ends or they leave", () => {
  const sharing = (member: string, has_screen: boolean): AppEvent => ({
    event: "streams_changed",
    member,
    has_sound: true,
    has_picture: true,
    has_screen,
  });
  const meeting = meetingAfter([1, ada], [2, ben], [3, joined("Chloe")], [4, sharing("Ben", false)]);
  expect([meeting.sharer, meeting.announcement?.kind]).toEqual([null, "joined"]);
  apply(meeting, sharing("Chloe", true), 5);
  expect([meeting.sharer, meeting.announcement]).toEqual(["Chloe", { kind: "shares", name: "Chloe" }]);
  apply(meeting, sharing("Ben", true), 6);
  expect([meeting.sharer, meeting.announcement?.kind]).toEqual(["Chloe", "shares"]);
  apply(meeting, sharing("Chloe", false), 7);
  expect([meeting.sharer, meeting.announcement]).toEqual(["Ben", { kind: "shares", name: "Ben" }]);
  apply(meeting, sharing("Ben", false), 8);
  expect([meeting.sharer, meeting.announcement]).toEqual([null, { kind: "shared", name: "Ben" }]);
  apply(meeting, sharing("Ben", true), 9);
  apply(meeting, { event: "left", member: "Ben", name: "Ben", why: "left" }, 10);
  expect([meeting.sharer, meeting.announcement?.kind]).toEqual([null, "left"]);
});

test("who shares is told what, and why it ended unless they ended it", () => {
  const meeting = meetingAfter([1, { event: "sharing_started", title: "Exhibits" }]);
  expect(meeting.shared).toBe("Exhibits");
  apply(meeting, { event: "sharing_stopped", why: "source_ended" }, 2);
  expect([meeting.shared, meeting.sharingEnd]).toEqual([null, "source_ended"]);
  apply(meeting, { event: "sharing_started", title: "Slides" }, 3);
  expect([meeting.shared, meeting.sharingEnd]).toEqual(["Slides", null]);
  apply(meeting, { event: "sharing_stopped", why: "asked" }, 4);
  expect([meeting.shared, meeting.sharingEnd]).toEqual([null, null]);
});

test("a missing key is counted from when it was missed, and goes", () => {
  const meeting = meetingAfter([0, ben], [1_000, { event: "key_missing", member: "Ben" }]);
  expect(obstacle(meeting.people[0]!, 4_900)).toEqual({ kind: "key", seconds: 3 });
  apply(meeting, { event: "key_restored", member: "Ben" }, 5_000);
  expect(obstacle(meeting.people[0]!, 5_000)).toBeNull();
});

test("a failed identity is worse than everything else", () => {
  const meeting = meetingAfter([0, joined("Eve", { verification: "failed" })], [0, { event: "key_missing", member: "Eve" }]);
  expect(obstacle(meeting.people[0]!, 0)).toEqual({ kind: "failed" });
});

test("silence is counted from the last sign of life", () => {
  const meeting = meetingAfter([0, ben], [20_000, { event: "lost", member: "Ben", silent_for_s: 10 }]);
  expect(obstacle(meeting.people[0]!, 22_000)).toEqual({ kind: "lost", seconds: 12 });
  apply(meeting, { event: "media_held", member: "Ben" }, 30_000);
  expect(obstacle(meeting.people[0]!, 30_000)).toEqual({ kind: "held" });
  apply(meeting, { event: "returned", member: "Ben" }, 31_000);
  expect(obstacle(meeting.people[0]!, 31_000)).toBeNull();
});

test("a comparison of codes ends with the code", () => {
  const meeting = meetingAfter([0, { event: "room_code_changed", code: "1111 2222" }]);
  meeting.comparedAt = 5;
  apply(meeting, { event: "room_code_changed", code: "1111 2222" }, 6);
  expect(meeting.comparedAt).toBe(5);
  apply(meeting, { event: "room_code_changed", code: "3333 4444" }, 7);
  expect(meeting.comparedAt).toBeNull();
});

test("the worst state of the meeting is said first", () => {
  const meeting = meetingAfter(
    [0, { event: "state_changed", state: "in_meeting" }],
    [0, { event: "media_server_lost", direction: "play" }],
  );
  expect(warning(meeting, 0)).toEqual({ kind: "media" });
  apply(meeting, { event: "link_degraded", media_stops_in_s: 24 }, 1_000);
  expect(warning(meeting, 3_500)).toEqual({ kind: "link", seconds: 22 });
  apply(meeting, { event: "media_stopped", why: "link_lost" }, 25_000);
  expect(warning(meeting, 25_000)).toEqual({ kind: "stopped", why: "link_lost" });
  apply(meeting, { event: "media_started" }, 26_000);
  apply(meeting, { event: "link_restored" }, 26_000);
  apply(meeting, { event: "media_server_connected", direction: "play" }, 26_000);
  expect(warning(meeting, 26_000)).toBeNull();
});

test("who speaks keeps the ring for a moment", () => {
  const meeting = meetingAfter([0, ben], [100, { event: "heard", levels: [{ member: "Ben", dbov: -30 }] }]);
  apply(meeting, { event: "heard", levels: [{ member: "Ben", dbov: -90 }] }, 200);
  expect(isSpeaking(meeting.people[0]!, 600)).toBe(true);
  expect(isSpeaking(meeting.people[0]!, 701)).toBe(false);
});

test("knocks end once they are decided", () => {
  const meeting = meetingAfter([0, { event: "knocked", knock: 1, name: "Cy" }], [1, { event: "knock_ended", knock: 1 }]);
  expect(meeting.knocks).toEqual([]);
});

test("only what was reached counts as reach", () => {
  expect(farthest([{ scope: "this_computer", reachable: true }, { scope: "internet", reachable: false }])).toBe("this_computer");
  expect(farthest([])).toBeNull();
});

const chat = (seq: number, text: string): AppEvent => ({
  event: "chat_received",
  line: { seq, member: "Ben", name: "Ben", text, time_ms: seq },
});

test("as many messages are kept as every client keeps, and those not read are still counted", () => {
  const meeting = meetingAfter([0, ben], ...Array.from({ length: 500 }, (_, seq): [number, AppEvent] => [0, chat(seq, "a")]));
  meeting.unreadFrom = 500;
  for (const seq of [500, 501]) apply(meeting, chat(seq, "\u202eb"), 0);
  expect(meeting.chat.length).toBe(500);
  expect(meeting.chat.length - meeting.unreadFrom).toBe(2);
  expect(meeting.chat.at(-1)?.text).toBe("b");
});

test("of a long message the beginning is announced", () => {
  const { announcement } = meetingAfter([0, ben], [0, chat(1, "W".repeat(10_000))]);
  expect(announcement).toEqual({ kind: "chat", name: "Ben", text: `${"W".repeat(300)}…` });
});

const received = (lost: Record<string, number>): AppEvent => ({
  event: "statistics",
  sent_kbps: 800,
  relay: { address: "relay.example.org", messages: 42, bytes: 30_000 },
  media: null,
  received: Object.entries(lost).map(
    ([member, lost_packets]): Received => ({
      member,
      lost_packets,
      kbps: 800,
      video_fps: 30,
      width: 640,
      height: 360,
      layer: 0,
      undecryptable: 0,
      latency_ms: null,
    }),
  ),
});

test("a link is weak while packets get lost for some seconds, and is ours when it is so with all of several", () => {
  const meeting = meetingAfter([0, ada], [0, ben], [0, joined("Cy")]);
  const second = (Ben: number, Cy: number) => apply(meeting, received({ Ben, Cy }), 0);
  second(900, 0);
  expect(weakLinks(meeting)).toEqual({ isOwn: false, members: new Set() });
  second(902, 0);
  expect(weakLinks(meeting).members.size).toBe(0);
  for (let lost = 925; lost < 1_020; lost += 25) second(lost, 0);
  expect(weakLinks(meeting)).toEqual({ isOwn: false, members: new Set(["Ben"]) });
  for (let step = 1; step < 5; step += 1) second(1_000 + step * 25, step * 25);
  expect(weakLinks(meeting)).toEqual({ isOwn: true, members: new Set() });
  for (let step = 0; step < 8; step += 1) second(1_100, 100);
  expect(weakLinks(meeting)).toEqual({ isOwn: false, members: new Set() });
});

test("what stands in for a device is said until the chosen one is back", () => {
  const lost: AppEvent = { event: "device_lost", device: "microphone", code: "device.lost" };
  const opened = (which: Which): AppEvent => ({ event: "device_opened", device: "microphone", which });
  const camera: AppEvent = { ...lost, device: "camera" };
  expect(meetingAfter([1, lost], [2, camera], [3, opened("instead")]).deviceNotes).toEqual([
    { device: "microphone", what: "instead" },
    { device: "camera", what: "lost" },
  ]);
  expect(meetingAfter([1, lost], [2, opened("instead")], [3, opened("chosen")]).deviceNotes).toEqual([]);
  const silent: AppEvent = { ...lost, code: "device.no_audio_system" };
  expect(meetingAfter([1, lost], [2, silent]).deviceNotes).toEqual([{ device: "microphone", what: "system" }]);
  const off = meetingAfter([1, camera]);
  dismiss(off, "camera");
  expect(off.deviceNotes).toEqual([]);
});
