/** What a tile shows in the gallery: somebody before a wall, drawn, as the app would send it. */
export function portrait(tile: string, number: number): ArrayBuffer {
  const [width, height] = [640, 360];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  const hue = (number * 47) % 360;
  // Flat colours: the pictures of the gallery are kept in the repository.
  context.fillStyle = `hsl(${hue} 20% 50%)`;
  context.fillRect(0, 0, width, height);
  context.fillStyle = `hsl(${(hue + 30) % 360} 14% 62%)`;
  context.fillRect(60 + (number % 3) * 40, 40, 130, 170);
  context.fillStyle = `hsl(${(hue + 180) % 360} 30% ${28 + (number % 4) * 6}%)`;
  context.beginPath();
  context.ellipse(width / 2, height + 30, 170, 170, 0, 0, 7);
  context.fill();
  context.fillStyle = `hsl(24 ${30 + (number % 3) * 8}% ${38 + (number % 5) * 9}%)`;
  context.beginPath();
  context.ellipse(width / 2, 150, 64, 82, 0, 0, 7);
  context.fill();
  context.fillStyle = `hsl(28 ${14 + (number % 4) * 8}% ${14 + (number % 6) * 7}%)`;
  context.beginPath();
  context.ellipse(width / 2, 104, 72, 52, 0, Math.PI, 7);
  context.fill();
  return i420(tile, context.getImageData(0, 0, width, height));
}

/** What a shared screen shows in the gallery: so many papers with lines of writing. */
export function desk(tile: string, papers: number): ArrayBuffer {
  const [width, height] = [960, 600];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.fillStyle = "#5b6b7a";
  context.fillRect(0, 0, width, height);
  for (let paper = 0; paper < papers; paper += 1) {
    const [left, room] = [(width / papers) * paper + 60, width / papers - 120];
    context.fillStyle = "#ffffff";
    context.fillRect(left, 40, room, height - 40);
    context.fillStyle = "#20262c";
    context.fillRect(left + 50, 90, room * 0.4, 22);
    context.fillStyle = "#7b858f";
    for (let line = 0; line < 13; line += 1) context.fillRect(left + 50, 150 + 32 * line, (room - 100) * (line % 5 === 4 ? 0.6 : 1), 9);
  }
  return i420(tile, context.getImageData(0, 0, width, height));
}

/** BT.601 with limited range, behind the header that src/lib/pictures.ts reads. */
function i420(tile: string, { data, width, height }: ImageData): ArrayBuffer {
  const chroma = (width / 2) * (height / 2);
  const bytes = new Uint8Array(24 + width * height + 2 * chroma);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < 16; index += 1) bytes[index] = Number.parseInt(tile.slice(2 * index, 2 * index + 2), 16);
  view.setUint16(16, width, true);
  view.setUint16(18, height, true);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (y * width + x);
      const [red, green, blue] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
      bytes[24 + y * width + x] = 16 + 0.257 * red + 0.504 * green + 0.098 * blue;
      if (x % 2 === 0 && y % 2 === 0) {
        const place = 24 + width * height + (y / 2) * (width / 2) + x / 2;
        bytes[place] = 128 - 0.148 * red - 0.291 * green + 0.439 * blue;
        bytes[place + chroma] = 128 + 0.439 * red - 0.368 * green - 0.071 * blue;
      }
    }
  }
  return bytes.buffer;
}
