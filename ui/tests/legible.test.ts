import { expect, test } from "vitest";

import { isLong, legible } from "../src/lib/legible";

test("what people write stays as it is", () => {
  for (const text of [
    "Good morning.",
    "<b>not bold</b> & {name}",
    "می\u200cخواهم",
    "👩‍🚀 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "שָׁלוֹם",
    "one\n\ntwo\tthree",
    "नमस्ते",
  ])
    expect(legible(text)).toBe(text);
});

test("no message turns the text around it", () => {
  expect(legible("Pay \u202e54321\u202c \u2067now\u2069\u0007")).toBe("Pay 54321 now");
});

test("marks do not pile up, and empty lines do not push others away", () => {
  expect(legible(`Z${"\u0334".repeat(900)}`)).toBe(`Z${"\u0334".repeat(4)}`);
  expect(legible(`a${"\n".repeat(3_000)}b\r\n \r\n\t\r\nc\u2028d`)).toBe("a\n\nb\n\nc\nd");
});

test("of a message in which nothing can be seen, nothing is left", () => {
  for (const text of ["", " \n ", "\u200b\u2060\ufeff", "\u0301\u0301", "\u3164\u2800", "\u200d"]) expect(legible(text)).toBe("");
});

test("a message of 10,000 characters is shown in part first", () => {
  expect([isLong("W".repeat(10_000)), isLong("a\n".repeat(20)), isLong("Good morning.")]).toEqual([true, true, false]);
});

test("the longest message is made legible at once", () => {
  const began = performance.now();
  for (const piece of ["\n", "\n ", "\u0301", " \n\t", "a\u0301"]) legible(piece.repeat(100_000));
  expect(performance.now() - began).toBeLessThan(1_000);
});
