import type { Box } from "./layout";
import type { PictureFrame } from "./pictures";

/** Where a tile's picture goes, in CSS pixels of the canvas. */
export interface Place {
  tile: string;
  box: Box;
  radius: number;
  isMirrored: boolean;
}

const VERTEX = `#version 300 es
in vec2 corner;
uniform vec2 crop;
uniform float mirror;
out vec2 at;
void main() {
  at = (vec2(corner.x * mirror, -corner.y) * crop + 1.0) / 2.0;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

// BT.601 with limited range, as VP8 carries it (RFC 6386 section 9.2).
const FRAGMENT = `#version 300 es
precision mediump float;
in vec2 at;
uniform sampler2D luma, blue, red;
uniform vec4 rect;
uniform float radius;
out vec4 colour;
void main() {
  float y = (texture(luma, at).r - 0.0627451) * 1.1643836;
  float u = texture(blue, at).r - 0.5;
  float v = texture(red, at).r - 0.5;
  vec2 inside = abs(gl_FragCoord.xy - rect.xy - rect.zw / 2.0) - rect.zw / 2.0 + radius;
  float edge = length(max(inside, 0.0)) - radius;
  float alpha = clamp(0.5 - edge, 0.0, 1.0);
  colour = vec4(clamp(vec3(y + 1.5960268 * v, y - 0.3917623 * u - 0.8129676 * v, y + 2.0172321 * u), 0.0, 1.0) * alpha, alpha);
}`;

interface Stored {
  planes: [WebGLTexture, WebGLTexture, WebGLTexture];
  width: number;
  height: number;
}

/** Draws all tiles into one canvas. */
export class Painter {
  readonly #gl: WebGL2RenderingContext;
  readonly #program: WebGLProgram;
  readonly #stored = new Map<string, Stored>();

  constructor(canvas: HTMLCanvasElement) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, premultipliedAlpha: true });
    if (!gl) throw new Error("this computer has no WebGL 2");
    this.#gl = gl;
    this.#program = link(gl);
    gl.useProgram(this.#program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this.#program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    ["luma", "blue", "red"].forEach((name, unit) => gl.uniform1i(this.#uniform(name), unit));
  }

  /** Keeps a picture for its tile. */
  store(picture: PictureFrame): void {
    const gl = this.#gl;
    let stored = this.#stored.get(picture.tile);
    if (!stored) {
      stored = { planes: [texture(gl), texture(gl), texture(gl)], width: 0, height: 0 };
      this.#stored.set(picture.tile, stored);
    }
    const isNew = stored.width !== picture.width || stored.height !== picture.height;
    const [chromaWidth, chromaHeight] = [Math.ceil(picture.width / 2), Math.ceil(picture.height / 2)];
    const planes: [Uint8Array, number, number][] = [
      [picture.luma, picture.width, picture.height],
      [picture.blue, chromaWidth, chromaHeight],
      [picture.red, chromaWidth, chromaHeight],
    ];
    planes.forEach(([bytes, width, height], index) => {
      gl.bindTexture(gl.TEXTURE_2D, stored.planes[index as 0 | 1 | 2]);
      if (isNew) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, width, height, 0, gl.RED, gl.UNSIGNED_BYTE, bytes);
      else gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RED, gl.UNSIGNED_BYTE, bytes);
    });
    stored.width = picture.width;
    stored.height = picture.height;
  }

  /** Draws the pictures of `places`, in this order, and nothing else. */
  paint(places: readonly Place[], scale: number): void {
    const gl = this.#gl;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    for (const place of places) {
      const stored = this.#stored.get(place.tile);
      if (stored) this.#draw(stored, place, scale);
    }
  }

  #draw(stored: Stored, place: Place, scale: number): void {
    const gl = this.#gl;
    const [left, width] = [place.box.left * scale, place.box.width * scale];
    const [height, top] = [place.box.height * scale, place.box.top * scale];
    const bottom = gl.drawingBufferHeight - top - height;
    gl.viewport(left, bottom, width, height);
    stored.planes.forEach((plane, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, plane);
    });
    const ratio = (stored.width * height) / (stored.height * width);
    gl.uniform2f(this.#uniform("crop"), Math.min(1, 1 / ratio), Math.min(1, ratio));
    gl.uniform1f(this.#uniform("mirror"), place.isMirrored ? -1 : 1);
    gl.uniform4f(this.#uniform("rect"), left, bottom, width, height);
    gl.uniform1f(this.#uniform("radius"), place.radius * scale);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.activeTexture(gl.TEXTURE0);
  }

  #uniform(name: string): WebGLUniformLocation | null {
    return this.#gl.getUniformLocation(this.#program, name);
  }
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR);
  return made;
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("WebGL was lost");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "WebGL");
  return program;
}
