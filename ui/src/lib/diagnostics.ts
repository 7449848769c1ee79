import { app } from "./bridge";
import type { Meeting } from "./meeting";
import type { Session } from "./session.svelte";

/** What helps whoever is asked for help: codes and counters. Never names, links, addresses or chat. */
export async function diagnostics(session: Session): Promise<string> {
  return [await app.diagnostics(), ...facts(session.meeting, session.failure?.code ?? null)].join("\n");
}

/** The part of it that is about a meeting. */
export function facts(meeting: Meeting, failure: string | null): string[] {
  const codes = [...meeting.alarms, ...meeting.problems].map((one) => one.code);
  const counted = [...new Set(codes)].map((code) => `${code} × ${codes.filter((one) => one === code).length}`);
  const rows = meeting.figures.map(
    (one, index) =>
      `Participant ${index + 1}: ${Math.round(one.video_fps)} pictures/s, ${one.width}x${one.height}, layer ${one.layer}, ` +
      `${Math.round(one.kbps)} kbit/s, ${one.lost_packets} packets lost, ${one.undecryptable} not opened`,
  );
  return [
    `Failure: ${failure ?? "none"}`,
    `Meeting: ${meeting.stage}, ${meeting.isHost ? "host" : "guest"}, ending ${meeting.ending ?? "none"}`,
    `Participants: ${meeting.people.length}, epoch ${meeting.epoch}, suite ${meeting.suite}`,
    `Codes: ${counted.length > 0 ? counted.join(", ") : "none"}`,
    `Sent: ${Math.round(meeting.sentKbps)} kbit/s`,
    ...rows,
  ];
}
