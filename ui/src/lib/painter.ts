import type { Box } from "./layout";
import type { PictureFrame } from "./pictures";

/** Where a tile's picture goes, in CSS pixels of the canvas. */
export interface Place {
  tile: string;
  box: Box;
  radius: number;
  isMirrored: boolean;
  /** Whether all of the picture is shown, with room at its sides, or the place is filled. */
  isWhole: boolean;
}

/** A tile's newest picture, in colour. */
interface Stored {
  canvas: OffscreenCanvas;
  context: OffscreenCanvasRenderingContext2D;
  pixels: ImageData;
}

/** Draws all tiles into one canvas. On the processor: where there is no graphics card, everything is drawn there anyway, and
 * WebGL takes longer (docs/decisions/0003-pictures-over-a-loopback-socket.md). */
export class Painter {
  readonly #context: CanvasRenderingContext2D;
  readonly #stored = new Map<string, Stored>();

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this window cannot draw");
    this.#context = context;
  }

  /** Keeps a picture for its tile. */
  store(picture: PictureFrame): void {
    let stored = this.#stored.get(picture.tile);
    if (stored?.pixels.width !== picture.width || stored.pixels.height !== picture.height) {
      stored = blank(picture.width, picture.height);
      this.#stored.set(picture.tile, stored);
    }
    colour(picture, new Uint32Array(stored.pixels.data.buffer));
    stored.context.putImageData(stored.pixels, 0, 0);
  }

  /** Draws the pictures of `places`, in this order, and nothing else. */
  paint(places: readonly Place[], scale: number): void {
    const { width, height } = this.#context.canvas;
    this.#context.clearRect(0, 0, width, height);
    for (const place of places) {
      const stored = this.#stored.get(place.tile);
      if (stored) this.#draw(stored.canvas, place, scale);
    }
  }

  #draw(picture: OffscreenCanvas, { box: place, radius, isMirrored, isWhole }: Place, scale: number): void {
    const context = this.#context;
    const box = isWhole ? whole(picture, place, scale) : place;
    const [width, height] = [box.width * scale, box.height * scale];
    // Fills the box, and cuts off what is longer.
    const shown = Math.min(picture.width / width, picture.height / height);
    const [cutWidth, cutHeight] = [width * shown, height * shown];
    context.save();
    context.translate(box.left * scale, box.top * scale);
    context.beginPath();
    context.roundRect(0, 0, width, height, radius * scale);
    context.clip();
    if (isMirrored) context.transform(-1, 0, 0, 1, width, 0);
    const [left, top] = [(picture.width - cutWidth) / 2, (picture.height - cutHeight) / 2];
    context.drawImage(picture, left, top, cutWidth, cutHeight, 0, 0, width, height);
    context.restore();
  }
}

/** The part of a place that a picture takes which is shown whole. On whole pixels, so that text stays sharp. */
export function whole(picture: { width: number; height: number }, place: Box, scale: number): Box {
  const enlarged = Math.min((place.width * scale) / picture.width, (place.height * scale) / picture.height);
  const [width, height] = [Math.round(picture.width * enlarged), Math.round(picture.height * enlarged)];
  const middle = (from: number, room: number, length: number) => Math.round(from * scale + (room * scale - length) / 2) / scale;
  return {
    left: middle(place.left, place.width, width),
    top: middle(place.top, place.height, height),
    width: width / scale,
    height: height / scale,
  };
}

function blank(width: number, height: number): Stored {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this window cannot draw");
  return { canvas, context, pixels: context.createImageData(width, height) };
}

// BT.601 with limited range, as VP8 carries it (RFC 6386 section 9.2), in steps of 1/65536.
const BRIGHTNESS = table((value) => (value - 16) * 76_309 + 32_768);
const RED_OF_RED = table((value) => (value - 128) * 104_597);
const GREEN_OF_RED = table((value) => (value - 128) * -53_279);
const GREEN_OF_BLUE = table((value) => (value - 128) * -25_675);
const BLUE_OF_BLUE = table((value) => (value - 128) * 132_201);

/** Keeps a component within 0 to 255; the sums above leave it by less than `MARGIN`. */
const MARGIN = 384;
const CLAMPED = Uint8ClampedArray.from({ length: 256 + 2 * MARGIN }, (_, index) => index - MARGIN);

function table(of: (value: number) => number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, value) => Math.round(of(value)));
}

/** Writes a picture as pixels of red, green, blue and full opacity, the first in the lowest byte: every computer that
 * WebKit and WebView2 run on stores numbers like this. */
export function colour({ width, height, luma, blue, red }: PictureFrame, pixels: Uint32Array): void {
  const chromaWidth = (width + 1) >> 1;
  for (let row = 0; row < height; row += 1) {
    const line = row * width;
    const chromaLine = (row >> 1) * chromaWidth;
    for (let column = 0; column < width; column += 2) {
      const u = blue[chromaLine + (column >> 1)] as number;
      const v = red[chromaLine + (column >> 1)] as number;
      const r = RED_OF_RED[v] as number;
      const g = (GREEN_OF_BLUE[u] as number) + (GREEN_OF_RED[v] as number);
      const b = BLUE_OF_BLUE[u] as number;
      const end = line + Math.min(column + 2, width);
      for (let at = line + column; at < end; at += 1) {
        const y = BRIGHTNESS[luma[at] as number] as number;
        pixels[at] =
          (CLAMPED[((y + r) >> 16) + MARGIN] as number) |
          ((CLAMPED[((y + g) >> 16) + MARGIN] as number) << 8) |
          ((CLAMPED[((y + b) >> 16) + MARGIN] as number) << 16) |
          0xff000000;
      }
    }
  }
}
