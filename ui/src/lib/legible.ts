/** What somebody else wrote, made fit to be drawn. Names are checked where they arrive (`incamera-identity`, SEC-11); the
 * text of a message is whatever its writer chose. */

/** Most combining marks on one letter: as many as names may have. */
const PILED_MARKS = /(\p{M}{4})\p{M}+/gu;
/** Controls but tab and line end, and what turns the direction of the text around it. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]/g;
/** What takes no room, or looks like none. Joiners stay: scripts and emoji need them. */
const BLANKS = /[\u115f\u1160\u180e\u200b\u2060-\u2064\u2800\u3164\ufeff\uffa0]/g;
/** Line ends of every kind. */
const LINE_ENDS = /\r\n?|[\u0085\u2028\u2029]/g;
/** More than one line without anything in it. */
const EMPTY_LINES = /\n(?:[^\S\n]*\n){2,}/g;
const SEEN = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** A message without what cannot be seen or changes how its surroundings are drawn; empty when nothing is left to see. */
export function legible(text: string): string {
  const left = text
    .replace(LINE_ENDS, "\n")
    .replace(CONTROLS, "")
    .replace(BLANKS, "")
    .replace(PILED_MARKS, "$1")
    .replace(EMPTY_LINES, "\n\n")
    .trim();
  return SEEN.test(left) ? left : "";
}

/** Beyond this a message is shown in part first: about twelve lines of the panel. */
const SHORT_CHARS = 480;
const SHORT_LINES = 12;

export function isLong(text: string): boolean {
  return text.length > SHORT_CHARS || text.split("\n").length > SHORT_LINES;
}
