import { expect, test } from "vitest";

import { colour, whole } from "../src/lib/painter";

/** A picture of one colour, as bytes of red, green, blue and opacity. */
function pixels(width: number, height: number, y: number, u: number, v: number): number[][] {
  const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
  const pixels = new Uint32Array(width * height);
  const plane = (length: number, value: number) => new Uint8Array(length).fill(value);
  colour({ tile: "", width, height, luma: plane(width * height, y), blue: plane(chroma, u), red: plane(chroma, v) }, pixels);
  const bytes = [...new Uint8Array(pixels.buffer)];
  return Array.from({ length: width * height }, (_, index) => bytes.slice(4 * index, 4 * index + 4));
}

test("the colours of BT.601 come out as they went in, also at odd sizes", () => {
  for (const [name, yuv, rgb] of [
    ["black", [16, 128, 128], [0, 0, 0]],
    ["white", [235, 128, 128], [255, 255, 255]],
    ["grey", [126, 128, 128], [128, 128, 128]],
    ["red", [81, 90, 240], [254, 0, 0]],
    ["green", [145, 54, 34], [0, 255, 1]],
    ["blue", [41, 240, 110], [0, 0, 255]],
  ] as const) {
    for (const [width, height] of [[4, 2], [3, 3], [1, 1]] as const) {
      for (const pixel of pixels(width, height, yuv[0], yuv[1], yuv[2])) {
        expect(pixel[3], name).toBe(255);
        rgb.forEach((value, index) => expect(Math.abs((pixel[index] ?? -1) - value), `${name} ${pixel}`).toBeLessThanOrEqual(2));
      }
    }
  }
});

test("values that no colour has are kept within what a screen can show", () => {
  for (const value of [0, 255]) {
    for (const [u, v] of [[0, 0], [0, 255], [255, 0], [255, 255]] as const) {
      const [pixel] = pixels(2, 2, value, u, v);
      expect(pixel?.every((byte) => byte >= 0 && byte <= 255)).toBe(true);
    }
  }
  expect(pixels(1, 1, 255, 128, 128)).toEqual([[255, 255, 255, 255]]);
  expect(pixels(1, 1, 0, 128, 128)).toEqual([[0, 0, 0, 255]]);
});

test("a picture that is shown whole lies in the middle of its place, on pixels of the screen", () => {
  const place = { left: 10, top: 20, width: 301, height: 100 };
  expect(whole({ width: 160, height: 90 }, place, 1)).toEqual({ left: 72, top: 20, width: 178, height: 100 });
  expect(whole({ width: 602, height: 100 }, place, 2)).toEqual({ left: 10, top: 45, width: 301, height: 50 });
});
