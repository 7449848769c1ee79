export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

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

/** The person's own small picture, in the lower corner of `on` at the end of the line. */
function corner(on: Box, rightToLeft: boolean): Box {
  const width = Math.round(Math.min(224, Math.max(128, on.width * 0.22)));
  const height = Math.round(width / RATIO);
  const left = rightToLeft ? on.left + INSET : on.left + on.width - width - INSET;
  return { left, top: on.top + on.height - height - INSET, width, height };
}

/** The tiles of a stage: the others first, in equal sizes; the person's own floats in the corner of a picture that is
 * alone, and is a tile like the others where it would cover one of several. */
export function arrange(others: number, width: number, height: number, rightToLeft: boolean): { boxes: Box[]; own: Box } {
  const boxes = grid(others > 1 ? others + 1 : others, width, height);
  const all = { left: 0, top: 0, width, height };
  return { boxes: boxes.slice(0, others), own: boxes[others] ?? corner(boxes[0] ?? all, rightToLeft) };
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
