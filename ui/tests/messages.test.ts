import { readdirSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { duration, initials, lasting, preferred, texts } from "../src/lib/text";
import { de } from "../src/messages/de";
import { en, type Message } from "../src/messages/en";

/** Words that are the same in both languages: names of the product, and of languages in themselves. */
const SAME = new Set(["app.name", "settings.language.en", "settings.language.de"]);

const forms = (message: Message) => (typeof message === "string" ? [message] : [message.one, message.other]);
const holes = (message: Message) => forms(message).map((form) => [...form.matchAll(/\{\w+\}/g)].map(String).sort());

test("every message is there in every language", () => {
  expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
});

test("no message was left in English", () => {
  const identical = Object.entries(en).filter(
    ([key, message]) => !SAME.has(key) && JSON.stringify(message) === JSON.stringify(de[key as keyof typeof en]),
  );
  expect(identical.map(([key]) => key)).toEqual([]);
});

test("every language puts in the same values", () => {
  for (const [key, message] of Object.entries(en)) expect(holes(de[key as keyof typeof en]), key).toEqual(holes(message));
});

test("every message is said somewhere", () => {
  const folder = new URL("../src/", import.meta.url);
  const source = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(svelte|ts)$/.test(path) && !path.startsWith("messages"))
    .map((path) => readFileSync(new URL(path, folder), "utf8"))
    .join("\n");
  const families = [...source.matchAll(/`([\w.]+\.)\$\{/g)].map(([, family]) => family ?? "");
  const isSaid = (key: string) => source.includes(`"${key}"`) || families.some((family) => key.startsWith(family));
  expect(Object.keys(en).filter((key) => !isSaid(key))).toEqual([]);
});

test("what is put in is never read as a template", () => {
  expect(texts("en")("knock.asks", { name: "{name}<b>" })).toBe("{name}<b> asks to join");
});

test("a name in letters of the other direction keeps its order to itself", () => {
  expect(texts("en")("knock.asks", { name: "مريم 1" })).toBe("\u2068مريم 1\u2069 asks to join");
  expect(texts("en")("knock.asks", { name: "Zoë" })).toBe("Zoë asks to join");
});

test("how long something took is said in words", () => {
  expect([lasting(0), lasting(34_900), lasting(42 * 60_000 + 5_000), lasting(3_600_000), lasting(4_210_000)]).toEqual([
    "0 sec",
    "34 sec",
    "42 min",
    "1 hr",
    "1 hr 10 min",
  ]);
});

test("counts choose the form of the language", () => {
  expect(texts("en")("people.inside", { count: 1 })).toBe("1 person here");
  expect(texts("de")("people.inside", { count: 3 })).toBe("3 Personen sind da");
});

test("the first language that is there is taken", () => {
  expect(preferred(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(preferred(["fr"])).toBe("en");
});

test("durations and initials are short", () => {
  expect([duration(0), duration(247_900), duration(3_753_000)]).toEqual(["0:00", "4:07", "1:02:33"]);
  expect([initials("Ada Byron"), initials("ben"), initials(" "), initials("👩‍🚀 X Y")]).toEqual(["AB", "B", "", "👩Y"]);
});
