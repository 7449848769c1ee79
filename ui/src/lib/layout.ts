export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** How tiles are laid out: all alike, one person large, or the screen that somebody shares. */
export type Layout = "grid" | "speaker" | "screen";

/** Where the person's own small picture is. */
export type Corner = "bottom-end" | "bottom-start" | "top-start" | "top-end";

export const CORNERS: readonly Corner[] = ["bottom-end", "bottom-start", "top-start", "top-end"];

const GAP = 8;
const INSET = 12;
const RATIO = 16 / 9;

/** Equal 16:9 tiles, as large as fit, in rows from the top; a shorter last row is centred. */
export function grid(count: number, width: number, height: number): Box[] {
  if (count === 0 || width <= 0 || height <= 0) return [];
  let best = { columns: 1, tile: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const tile = Math.min((width - GAP * (columns - 1)) / columns, ((height - GAP * (rows - 1)) / rows) * RATIO);
    if (tile > best.tile) best = { columns, tile };
  }
  const tileWidth = Math.floor(best.tile);
  const tileHeight = Math.floor(best.tile / RATIO);
  const rows = Math.ceil(count / best.columns);
  const top = (height - rows * tileHeight - (rows - 1) * GAP) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / best.columns);
    const inRow = Math.min(best.columns, count - row * best.columns);
    const left = (width - inRow * tileWidth - (inRow - 1) * GAP) / 2;
    const column = index % best.columns;
    return {
      left: Math.round(left + column * (tileWidth + GAP)),
      top: Math.round(top + row * (tileHeight + GAP)),
      width: tileWidth,
      height: tileHeight,
    };
  });
}

/** The person's own small picture in a corner of `on`. */
function small(on: Box, corner: Corner, rightToLeft: boolean): Box {
  const width = Math.round(Math.min(224, Math.max(128, on.width * 0.22)));
  const height = Math.round(width / RATIO);
  const isLeft = corner.endsWith("start") !== rightToLeft;
  return {
    left: isLeft ? on.left + INSET : on.left + on.width - width - INSET,
    top: corner.startsWith("top") ? on.top + INSET : on.top + on.height - height - INSET,
    width,
    height,
  };
}

/** The corner that is nearest to a point of `on`. */
export function nearest(on: Box, x: number, y: number, rightToLeft: boolean): Corner {
  const isStart = x < on.left + on.width / 2 !== rightToLeft;
  return `${y < on.top + on.height / 2 ? "top" : "bottom"}-${isStart ? "start" : "end"}`;
}

export interface Stage {
  /** How many others there are. */
  others: number;
  /** The one that is large, or the screen that somebody shares; `null`: all alike. */
  large: number | "screen" | null;
  width: number;
  height: number;
  corner: Corner;
  rightToLeft: boolean;
}

export interface Arrangement {
  /** Boxes of the others, in their order; `null` where there is no room: such a tile is out of view. */
  boxes: (Box | null)[];
  own: Box;
  /** Where the shared screen is; `null`: out of view. */
  screen: Box | null;
  /** Where it says how many are out of view; `null`: everybody is in view, or there is no room to say it. */
  more: Box | null;
  /** The picture on which the own one floats; `null`: it is a tile like the others. */
  floatsOn: Box | null;
}

/** Lays out a stage: the person's own picture floats in a corner of a picture that is alone, and is a tile like the
 * others where it would cover one of several. */
export function arrange(stage: Stage): Arrangement {
  const { others, large, width, height, corner, rightToLeft } = stage;
  if (large === "screen") return withScreen(stage);
  if (large !== null && others > 1) return withOneLarge(stage, large);
  const boxes = grid(others > 1 ? others + 1 : others, width, height).map((box) => directed(box, stage));
  const own = boxes[others];
  if (own) return { boxes: boxes.slice(0, others), own, screen: null, more: null, floatsOn: null };
  const on = boxes[0] ?? { left: 0, top: 0, width, height };
  return { boxes, own: small(on, corner, rightToLeft), screen: null, more: null, floatsOn: on };
}

/** Lines begin at the other side where one reads from right to left. */
function directed(box: Box, { width, rightToLeft }: Stage): Box {
  return rightToLeft ? { ...box, left: width - box.left - box.width } : box;
}

/** A strip of small tiles below a large one, both in the middle: the own tile is always its last, and before it stands how
 * many found no room. */
function withOneLarge(stage: Stage, large: number): Arrangement {
  const { others, width, height } = stage;
  const strip = Math.round(Math.min(108, Math.max(72, height * 0.18)));
  const tile = Math.round(strip * RATIO);
  const mainWidth = Math.floor(Math.min(width, Math.max(0, height - strip - GAP) * RATIO));
  const mainHeight = Math.floor(mainWidth / RATIO);
  const top = Math.max(0, Math.round((height - mainHeight - GAP - strip) / 2));
  const main = { left: Math.round((width - mainWidth) / 2), top, width: mainWidth, height: mainHeight };
  const room = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
  const inStrip = Math.min(others, room);
  // Without the large one and with the own one, there are as many small tiles as there are others.
  const small = others <= room ? others - 1 : Math.max(0, room - 2);
  const left = (width - inStrip * tile - (inStrip - 1) * GAP) / 2;
  const place = (index: number) =>
    directed(
      { left: Math.round(left + index * (tile + GAP)), top: top + mainHeight + GAP, width: tile, height: strip },
      stage,
    );
  let next = 0;
  const boxes = Array.from({ length: others }, (_, index) => {
    if (index === large) return main;
    next += 1;
    return next <= small ? place(next - 1) : null;
  });
  const more = others > room && room > 1 ? place(small) : null;
  return { boxes, own: place(inStrip - 1), screen: null, more, floatsOn: null };
}

/** Width and height of a small tile beside a screen. */
const BESIDE = { width: 176, height: 99 };

/** A screen with everybody beside or below it, where it gets larger: the own tile is the last one, and before it stands
 * how many found no room. */
function withScreen(stage: Stage): Arrangement {
  const { others, width, height } = stage;
  const [narrow, low] = [width - BESIDE.width - GAP, height - BESIDE.height - GAP];
  const isBeside = Math.min(narrow, height * RATIO) > Math.min(width, low * RATIO);
  const room = Math.max(
    1,
    Math.floor(isBeside ? (height + GAP) / (BESIDE.height + GAP) : (width + GAP) / (BESIDE.width + GAP)),
  );
  const count = Math.min(others + 1, room);
  const length = count * ((isBeside ? BESIDE.height : BESIDE.width) + GAP) - GAP;
  const from = Math.round(((isBeside ? height : width) - length) / 2);
  const place = (index: number): Box =>
    directed(
      isBeside
        ? { left: narrow + GAP, top: from + index * (BESIDE.height + GAP), ...BESIDE }
        : { left: from + index * (BESIDE.width + GAP), top: low + GAP, ...BESIDE },
      stage,
    );
  const shown = others < room ? others : Math.max(0, room - 2);
  return {
    boxes: Array.from({ length: others }, (_, index) => (index < shown ? place(index) : null)),
    own: place(count - 1),
    screen: directed(
      { left: 0, top: 0, width: Math.max(0, isBeside ? narrow : width), height: Math.max(0, isBeside ? height : low) },
      stage,
    ),
    more: shown < others && room > 1 ? place(shown) : null,
    floatsOn: null,
  };
}

/** Puts an element where its box is. By the object model: the content policy allows no inline styles. */
export function placed(box: Box): (element: HTMLElement) => void {
  return ({ style }) => {
    style.left = `${box.left}px`;
    style.top = `${box.top}px`;
    style.width = `${box.width}px`;
    style.height = `${box.height}px`;
  };
}
