import { expect, test } from "vitest";

import type { AppEvent, Person } from "../src/lib/generated";
import { apply, beginning, farthest, isSpeaking, obstacle, warning } from "../src/lib/meeting";

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
