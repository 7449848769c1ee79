import { expect, test } from "vitest";

import { facts } from "../src/lib/diagnostics";
import type { AppEvent } from "../src/lib/generated";
import { apply, beginning } from "../src/lib/meeting";
import { toneOf } from "../src/lib/tones";

const SECRETS = ["Ben", "incamera://", "192.168", "Good morning", "4821", "0a0a"];

const events: AppEvent[] = [
  { event: "hosting", link: "incamera://192.168.0.12:1/#x", reach: [] },
  { event: "state_changed", state: "in_meeting" },
  {
    event: "joined",
    person: { member: "0a0a", name: "Ben", role: "participant", verification: "not_verified", is_self: false, may_admit: false },
  },
  { event: "room_code_changed", code: "4821 0937" },
  { event: "chat_received", line: { seq: 1, member: "0a0a", name: "Ben", text: "Good morning", time_ms: 0 } },
  { event: "problem", code: "client.relay.unreachable", what: "192.168.0.12:1 of Ben", advice: "", member: "0a0a" },
  { event: "problem", code: "client.relay.unreachable", what: "192.168.0.12:1 of Ben", advice: "", member: null },
  {
    event: "statistics",
    sent_kbps: 846.4,
    relay: { address: "relay.example.org", messages: 42, bytes: 30_000 },
    media: null,
    received: [
      {
        member: "0a0a",
        video_fps: 29.7,
        width: 640,
        height: 360,
        layer: 0,
        kbps: 512.2,
        lost_packets: 3,
        undecryptable: 1,
        latency_ms: null,
      },
    ],
  },
];

test("diagnostics say codes and counters, and nothing of people", () => {
  const meeting = beginning(true, 0);
  for (const event of events) apply(meeting, event, 1_000);
  const text = facts(meeting, "device.busy").join("\n");
  for (const said of ["device.busy", "client.relay.unreachable × 2", "30 pictures/s", "3 packets lost", "846 kbit/s"])
    expect(text).toContain(said);
  for (const secret of SECRETS) expect(text).not.toContain(secret);
});

test("tones are for what others do, not for ourselves", () => {
  const joined = events[2];
  if (joined?.event !== "joined") throw new Error("Ben joins");
  expect(toneOf(joined)).toBe("join");
  expect(toneOf({ ...joined, person: { ...joined.person, is_self: true } })).toBeNull();
  expect(toneOf({ event: "key_missing", member: "0a0a" })).toBe("problem");
  expect(toneOf({ event: "media_started" })).toBeNull();
});
