import type { LobbyMode, Place } from "./generated";
import { t } from "./text";

/** What an invitation says. */
export interface Invitation {
  link: string;
  host: string;
  lobby: LobbyMode;
  place: Place;
  /** When the meeting began. */
  began: number;
}

/** Who may use the invitation, and until when: as it is, not as one would like it. */
function terms({ lobby, place }: Invitation): string {
  const who = t(lobby === "open" ? "invite.text.open" : "invite.text.wait");
  return `${who} ${t(place === "server" ? "invite.text.until.server" : "invite.text.until.here")}`;
}

/** The invitation for a message or a letter. */
export function invitationText(invitation: Invitation): string {
  return [
    t("invite.text.title", { name: invitation.host }),
    t("invite.text.now"),
    invitation.link,
    t("invite.text.how"),
    t("invite.text.code"),
    terms(invitation),
  ].join("\n\n");
}

/** How long calendars are told that it takes: an hour, because nobody knows. */
const LENGTH_MS = 3_600_000;

/** The invitation for a calendar (RFC 5545). */
export function calendar(invitation: Invitation, uid: string, now: number): string {
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Incamera//Incamera//EN",
    "METHOD:PUBLISH",
    "BEGIN:VEVENT",
    `UID:${uid}@incamera.invalid`,
    `DTSTAMP:${utc(now)}`,
    `DTSTART:${utc(invitation.began)}`,
    `DTEND:${utc(invitation.began + LENGTH_MS)}`,
    `SUMMARY:${escaped(t("invite.text.title", { name: invitation.host }))}`,
    `DESCRIPTION:${escaped(invitationText(invitation))}`,
    `URL:${invitation.link}`,
    // What stands here lets its holder in: calendars are not to show it to everybody.
    "CLASS:PRIVATE",
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return lines.map((line) => `${folded(line)}\r\n`).join("");
}

/** `20261123T165246Z` (RFC 5545 section 3.3.5). */
function utc(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** Text (RFC 5545 section 3.3.11); control characters have no place in it. */
function escaped(text: string): string {
  return text
    .replace(/[\\;,]/g, "\\$&")
    .replace(/\r\n|\n|\r/g, "\\n")
    .replace(/\p{Cc}/gu, "");
}

/** At most 75 octets in a line, never inside a character (RFC 5545 section 3.1). */
function folded(line: string): string {
  const encoder = new TextEncoder();
  let [result, octets] = ["", 0];
  for (const character of line) {
    const length = encoder.encode(character).length;
    if (octets + length > 75) {
      result += "\r\n ";
      octets = 1;
    }
    result += character;
    octets += length;
  }
  return result;
}
