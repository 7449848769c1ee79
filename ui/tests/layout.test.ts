import { expect, test } from "vitest";

import { arrange, grid } from "../src/lib/layout";

const sizes = [
  [800, 448],
  [1120, 600],
  [1920, 960],
  [400, 900],
] as const;

test("tiles are 16:9, inside, equal, and never overlap", () => {
  for (const [width, height] of sizes) {
    for (let count = 1; count <= 16; count += 1) {
      const boxes = grid(count, width, height);
      expect(boxes).toHaveLength(count);
      for (const box of boxes) {
        expect(Math.abs(box.width / box.height - 16 / 9)).toBeLessThan(0.03);
        expect(box.left >= 0 && box.top >= 0 && box.left + box.width <= width && box.top + box.height <= height).toBe(true);
      }
      for (const [index, one] of boxes.entries())
        for (const other of boxes.slice(index + 1)) {
          const apart =
            one.left + one.width <= other.left || other.left + other.width <= one.left || one.top + one.height <= other.top;
          expect(apart, `${count} in ${width}×${height}`).toBe(true);
        }
    }
  }
});

test("a person keeps the place when somebody joins in the same row", () => {
  expect(grid(3, 1120, 600)[0]).toEqual(grid(4, 1120, 600)[0]);
});

test("nothing fits into nothing", () => {
  expect(grid(3, 0, 100)).toEqual([]);
  expect(grid(0, 100, 100)).toEqual([]);
});

test("the own picture floats in the corner of either direction while it covers one person at most", () => {
  expect(arrange(0, 1000, 600, false).own).toEqual({ left: 768, top: 464, width: 220, height: 124 });
  for (const rightToLeft of [false, true]) {
    const { boxes, own } = arrange(1, 1200, 600, rightToLeft);
    const [on] = boxes;
    if (!on) throw new Error("one person has one tile");
    expect(own.left).toBe(rightToLeft ? on.left + 12 : on.left + on.width - own.width - 12);
    expect(own.top + own.height).toBe(on.top + on.height - 12);
  }
});

test("among several the own picture is the last tile", () => {
  const { boxes, own } = arrange(3, 1120, 600, false);
  expect([...boxes, own]).toEqual(grid(4, 1120, 600));
});
