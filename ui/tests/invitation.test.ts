import ICAL from "ical.js";
import { expect, test } from "vitest";

import { calendar, invitationText, type Invitation } from "../src/lib/invitation";

const LINK = "incamera://192.168.0.12:40123/#AWx1mZ0pR7vQy3uK9dT2hXbE6sLcN4fJ8gAqWoViBt5AWx1mZ0pR7vQy3uK9dT2hXbE6sLc";
const invitation = (more: Partial<Invitation> = {}): Invitation => ({
  link: LINK,
  host: "Ada Byron",
  lobby: "wait",
  place: "this_computer",
  began: Date.UTC(2026, 10, 23, 16, 52, 46, 500),
  ...more,
});

function parsed(text: string): ICAL.Event {
  const event = new ICAL.Component(ICAL.parse(text)).getFirstSubcomponent("vevent");
  if (!event) throw new Error("there is no event");
  return new ICAL.Event(event);
}

test("a calendar of others reads the invitation as it was meant", () => {
  const host = "Ada, Countess; of \\Lovelace\\ 👩🏽‍🚀 مريم";
  const event = parsed(calendar(invitation({ host }), "7", Date.UTC(2026, 10, 23, 17)));
  expect(event.uid).toBe("7@incamera.invalid");
  // Its letters of the other direction keep their order to themselves.
  expect(event.summary).toBe(`Meeting with \u2068${host}\u2069`);
  expect(event.description).toBe(invitationText(invitation({ host })));
  expect(event.startDate.toJSDate().toISOString()).toBe("2026-11-23T16:52:46.000Z");
  expect(event.duration.toSeconds()).toBe(3600);
  expect(event.component.getFirstPropertyValue("url")).toBe(LINK);
  expect(String(event.component.getFirstPropertyValue("dtstamp"))).toBe("2026-11-23T17:00:00Z");
});

test("lines end in CRLF and have at most 75 octets, whatever is in them", () => {
  const text = calendar(invitation({ host: "ü👩🏽‍🚀".repeat(200) }), "7", 0);
  expect(text.endsWith("\r\n")).toBe(true);
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  for (const line of text.split("\r\n")) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
  expect(parsed(text).summary).toBe(`Meeting with ${"ü👩🏽‍🚀".repeat(200)}`);
});

test("a name cannot add a line of its own", () => {
  const text = calendar(invitation({ host: "Eve\r\nATTENDEE:mailto:eve@example.org\u0000" }), "7", 0);
  expect(parsed(text).component.getFirstProperty("attendee")).toBeNull();
});

test("the invitation says who may use it, until when, and how to check the code", () => {
  expect(invitationText(invitation())).toBe(
    [
      "Meeting with Ada Byron",
      "It is going on now. Open this link with Incamera:",
      LINK,
      "If nothing opens, start Incamera and paste the link there.",
      "When you are in, read the room code aloud together. If everybody sees the same digits, nobody is in between.",
      "Whoever has this link can ask to join; the host decides about each. It works until the meeting ends. " +
        "The meeting runs on the host's computer and ends with the app there.",
    ].join("\n\n"),
  );
  const open = invitationText(invitation({ lobby: "open", place: "server" }));
  expect(open).toContain("Whoever has this link comes in without waiting. It works until the meeting ends.");
  expect(open).not.toContain("computer");
});
