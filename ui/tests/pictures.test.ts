import { expect, test } from "vitest";

import { OWN, parse, Pictures, screenOf, STALE_MS } from "../src/lib/pictures";

function message(width: number, height: number, luma: number): ArrayBuffer {
  const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
  const bytes = new Uint8Array(24 + width * height + 2 * chroma).fill(128);
  bytes.fill(0x0a, 0, 16);
  new DataView(bytes.buffer).setUint16(16, width, true);
  new DataView(bytes.buffer).setUint16(18, height, true);
  bytes.fill(luma, 24, 24 + width * height);
  return bytes.buffer;
}

test("planes are found at odd sizes", () => {
  const picture = parse(message(5, 3, 77));
  expect(picture?.tile).toBe("0a".repeat(16));
  expect([picture?.luma.length, picture?.blue.length, picture?.red.length]).toEqual([15, 6, 6]);
  expect(new Set(picture?.luma)).toEqual(new Set([77]));
});

test("what is no picture is left out", () => {
  for (const wrong of [new ArrayBuffer(0), new ArrayBuffer(24), message(4, 4, 1).slice(0, -1), message(0, 4, 1)])
    expect(parse(wrong)).toBeNull();
});

test("the newest picture of a tile wins, and an old one is not shown", () => {
  const pictures = new Pictures();
  for (const luma of [1, 2]) pictures.receive(parse(message(4, 4, luma))!, 1_000);
  expect(pictures.take().map((one) => one.luma[0])).toEqual([2]);
  expect(pictures.take()).toEqual([]);
  const tile = "0a".repeat(16);
  expect(pictures.isFresh(tile, 1_000 + STALE_MS - 1)).toBe(true);
  expect(pictures.isFresh(tile, 1_000 + STALE_MS)).toBe(false);
});

test("the tile of a screen has every bit turned, as the app sends it", () => {
  expect(screenOf("0123456789abcdef".repeat(2))).toBe("fedcba9876543210".repeat(2));
  expect(screenOf(screenOf(OWN))).toBe(OWN);
});
