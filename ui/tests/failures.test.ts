import { readFileSync } from "node:fs";

import { afterEach, expect, test } from "vitest";

import { inWords, speak } from "../src/lib/text";
import { failures } from "../src/messages/failures.de";

/** Families that the window may have to show; endings have words of their own. */
const SHOWN = /^(meeting|client|device|settings|invite|transport)\.(?!ended|file\.(open|read|write|disk|too|picture)|wav|y4m)/;

const documented = [...readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8").matchAll(/^\| `([\w.]+)` \|/gm)]
  .map(([, code]) => code ?? "")
  .filter((code) => SHOWN.test(code));

afterEach(() => void speak("en"));

test("everything that can go wrong is said in German too, and nothing that cannot", () => {
  expect(documented.length).toBeGreaterThan(80);
  expect(Object.keys(failures).sort()).toEqual(documented.sort());
});

test("a failure is said in the language of the window", () => {
  const failure = { code: "meeting.command.yourself", what: "you cannot remove yourself", advice: "Leave the meeting instead." };
  expect(inWords(failure)).toEqual({ what: "You cannot remove yourself.", advice: "Leave the meeting instead." });
  speak("de");
  expect(inWords(failure)).toEqual({
    what: "Sie können sich nicht selbst entfernen.",
    advice: "Verlassen Sie stattdessen die Besprechung.",
  });
  expect(inWords({ ...failure, code: "some.other" }).what).toBe("You cannot remove yourself.");
});
