/** A decoded picture: I420, rows without gaps. */
export interface PictureFrame {
  /** 32 hexadecimal digits; zeros for the person's own, and every bit turned for a screen. */
  tile: string;
  width: number;
  height: number;
  luma: Uint8Array;
  blue: Uint8Array;
  red: Uint8Array;
}

/** The tile of the person's own picture. */
export const OWN = "0".repeat(32);

/** The tile of the screen that somebody shares. */
export function screenOf(member: string): string {
  return Array.from(member, (digit) => (15 - Number.parseInt(digit, 16)).toString(16)).join("");
}

const HEADER = 24;
/** Older than this a picture is not shown: it would look as if the person had frozen. */
export const STALE_MS = 1500;

/** Reads what comes through the socket; `null` when it is not a picture. */
export function parse(message: ArrayBuffer): PictureFrame | null {
  if (message.byteLength < HEADER) return null;
  const view = new DataView(message);
  const width = view.getUint16(16, true);
  const height = view.getUint16(18, true);
  const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
  if (width === 0 || height === 0 || message.byteLength !== HEADER + width * height + 2 * chroma) return null;
  const plane = (offset: number, length: number) => new Uint8Array(message, HEADER + offset, length);
  return {
    tile: Array.from(new Uint8Array(message, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    width,
    height,
    luma: plane(0, width * height),
    blue: plane(width * height, chroma),
    red: plane(width * height + chroma, chroma),
  };
}

/** What to draw next, and the way to say that it was drawn. */
export class Pictures {
  #newest = new Map<string, PictureFrame>();
  #owed: string[] = [];
  #arrived = new Map<string, number>();
  #socket: WebSocket | null = null;
  onpicture: () => void = () => {};

  connect(address: string): void {
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const picture = data instanceof ArrayBuffer ? parse(data) : null;
      if (picture) this.receive(picture, performance.now());
    };
    this.#socket = socket;
  }

  receive(picture: PictureFrame, now: number): void {
    this.#newest.set(picture.tile, picture);
    this.#owed.push(picture.tile);
    this.#arrived.set(picture.tile, now);
    this.onpicture();
  }

  /** The newest pictures that were not drawn yet. Every one that came is acknowledged, drawn or overtaken. */
  take(): PictureFrame[] {
    const pictures = [...this.#newest.values()];
    this.#newest.clear();
    for (const tile of this.#owed) this.#acknowledge(tile);
    this.#owed = [];
    return pictures;
  }

  /** Whether a picture of the tile came lately. */
  isFresh(tile: string, now: number): boolean {
    return now - (this.#arrived.get(tile) ?? -Infinity) < STALE_MS;
  }

  forget(): void {
    this.take();
    this.#arrived.clear();
  }

  #acknowledge(tile: string): void {
    if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) return;
    const bytes = new Uint8Array(16);
    for (let index = 0; index < 16; index += 1) bytes[index] = Number.parseInt(tile.slice(index * 2, index * 2 + 2), 16);
    this.#socket.send(bytes);
  }
}
