// The page behind https://…/j# links: what its policy allows is what is in it, and it names no other address.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

const page = readFileSync(new URL("../../web/join/index.html", import.meta.url), "utf8");
const policy = /content="(default-src[^"]*)"/.exec(page)?.[1] ?? "";

function inside(tag: string): string[] {
  return [...page.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))].map(([, text]) => text ?? "");
}

test("the policy allows this script and this style and nothing else", () => {
  const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const [script, style] = [inside("script"), inside("style")];
  expect([script.length, style.length]).toEqual([1, 1]);
  expect(policy).toBe(
    `default-src 'none'; script-src ${hash(script[0] ?? "")}; style-src ${hash(style[0] ?? "")}; ` +
      "img-src data:; base-uri 'none'; form-action 'none'",
  );
  expect(page).not.toMatch(/ (on\w+|style)=/);
});

test("nothing is loaded and nothing is sent", () => {
  expect(page).not.toMatch(/ src=|@import|url\(|https?:\/\//);
  expect([...page.matchAll(/ href="([^"]*)"/g)].map(([, address]) => address)).toEqual(["data:,"]);
  expect(inside("script")[0]).not.toMatch(/fetch|XMLHttp|sendBeacon|WebSocket|EventSource|import|Storage|cookie/);
});

test("both languages say the same number of things", () => {
  const [english, german] = [...page.matchAll(/<main lang="(?:en|de)"[^>]*>([^]*?)<\/main>/g)].map(([, text]) => text ?? "");
  const count = (text = "") => [...text.replace(/<noscript>[^]*<\/noscript>/, "").matchAll(/<(p|h1|h2|li|a)\b/g)].length;
  expect(count(english)).toBe(count(german));
});
