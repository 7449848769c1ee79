import { expect, test } from "vitest";

import { arrange, CORNERS, grid, nearest, type Stage } from "../src/lib/layout";

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

const stage = (others: number, more: Partial<Stage> = {}): Stage => ({
  others,
  large: null,
  width: 1120,
  height: 600,
  corner: "bottom-end",
  rightToLeft: false,
  ...more,
});

test("the own picture floats in the chosen corner of either direction while it covers one person at most", () => {
  expect(arrange(stage(0, { width: 1000 })).own).toEqual({ left: 768, top: 464, width: 220, height: 124 });
  for (const rightToLeft of [false, true])
    for (const corner of CORNERS) {
      const { own, floatsOn: on } = arrange(stage(1, { rightToLeft, corner }));
      if (!on) throw new Error("it floats");
      const isLeft = corner.endsWith("start") !== rightToLeft;
      expect(own.left).toBe(isLeft ? on.left + 12 : on.left + on.width - own.width - 12);
      expect(own.top).toBe(corner.startsWith("top") ? on.top + 12 : on.top + on.height - own.height - 12);
      expect(nearest(on, own.left + 10, own.top + 10, rightToLeft)).toBe(corner);
    }
});

test("among several the own picture is the last tile", () => {
  const { boxes, own } = arrange(stage(3));
  expect([...boxes, own]).toEqual(grid(4, 1120, 600));
});

test("from right to left the first tile is on the right", () => {
  const { boxes } = arrange(stage(3, { rightToLeft: true }));
  const first = grid(4, 1120, 600)[0];
  if (!first) throw new Error("there are four");
  expect(boxes[0]).toEqual({ ...first, left: 1120 - first.left - first.width });
});

test("one is large, and who finds no room in the strip is out of view, which is said there", () => {
  for (const rightToLeft of [false, true])
    for (const width of [560, 1120]) {
      const { boxes, own, more } = arrange(stage(12, { width, large: 3, rightToLeft }));
      if (!more) throw new Error("it is said");
      const shown = [...boxes.filter((box) => box !== null), more, own];
      expect(boxes[3]?.width).toBeGreaterThan(own.width * 2);
      expect(boxes.filter((box) => box === null).length).toBeGreaterThan(0);
      for (const [index, one] of shown.entries()) {
        expect(one.left >= 0 && one.left + one.width <= width && one.top + one.height <= 600).toBe(true);
        for (const other of shown.slice(index + 1)) {
          const apart =
            one.left + one.width <= other.left ||
            other.left + other.width <= one.left ||
            one.top + one.height <= other.top ||
            other.top + other.height <= one.top;
          expect(apart).toBe(true);
        }
      }
    }
});

test("a shared screen is as large as people beside or below it let it be", () => {
  for (const rightToLeft of [false, true])
    for (const [width, height] of [...sizes, [560, 200]] as const)
      for (const others of [0, 1, 4, 40]) {
        const { screen, boxes, own, more, floatsOn } = arrange(stage(others, { width, height, rightToLeft, large: "screen" }));
        if (!screen) throw new Error("it is in view");
        expect([floatsOn, boxes.length]).toEqual([null, others]);
        const small = [...boxes, more, own].filter((box) => box !== null);
        expect(more !== null).toBe(others > 0 && boxes.includes(null) && height > 200);
        for (const [index, one] of [screen, ...small].entries()) {
          expect(one.left >= 0 && one.top >= 0 && one.left + one.width <= width && one.top + one.height <= height).toBe(true);
          for (const other of [screen, ...small].slice(index + 1)) {
            const apart =
              one.left + one.width <= other.left ||
              other.left + other.width <= one.left ||
              one.top + one.height <= other.top ||
              other.top + other.height <= one.top;
            expect(apart, `${others} in ${width}×${height}`).toBe(true);
          }
        }
        // A wide stage has people at the end of the line, a tall one below.
        expect(own.top >= screen.top + screen.height).toBe(width < height * 1.7);
      }
});

test("whom the strip has room for is in view, and the strip is close to the large tile", () => {
  const { boxes, own, more } = arrange(stage(4, { width: 800, large: 0 }));
  expect(boxes.every((box) => box !== null)).toBe(true);
  expect(more).toBeNull();
  const main = boxes[0];
  if (!main) throw new Error("one is large");
  expect(own.top).toBe(main.top + main.height + 8);
  expect(Math.abs(main.top - (600 - own.top - own.height))).toBeLessThanOrEqual(1);
});
