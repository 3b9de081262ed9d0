// Draws pictures with WebGL2: samples as integer textures, interpolated before the window, the window in the shader (PS3.3 C.11.2).
//
// One context for all views of the page: they share textures and their bound, and a page may not have many contexts. Each view copies
// its rectangle to its own canvas. Where there is no WebGL2, or none with a graphics card under it, until a
// context is made and while it is lost, software.js draws the same.
//
// A *scene*: {picture, map, width, height, shading, smooth}; `map` goes from device pixels of the view to image coordinates, `shading`
// comes from voi.js.

import { after, imageToSamplesMap } from "./geometry.js";
import { remember, remembered } from "../settings.js";
import * as software from "./software.js";

/** Textures kept, in bytes. */
const TEXTURE_BYTES_MAX = 192 * 1024 * 1024;
const TABLE_COLUMNS = 256;
/** Making a context takes longer than the first pictures, and keeps them from the screen: they are drawn without one, and it is made so long after the first. */
const CONTEXT_WAIT_MS = 3000;
/** What drew the last time. */
const GRAPHICS = "graphics";
const FUNCTIONS = { LINEAR: 0, LINEAR_EXACT: 1, SIGMOID: 2 };

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;

// Samples stay what they are until here: four are read and mixed, then rescaled, then windowed.
const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp SAMPLER;
uniform SAMPLER samples;
uniform highp sampler2D table;
uniform vec2 column, row, offset, size;
uniform ivec2 origin;
uniform vec4 own;
uniform bool smooth_, invert, padded;
uniform vec2 padding;
uniform float height, first, entries;
uniform int kind;
uniform vec4 window; // centre, width, slope, intercept
out vec4 colour;
vec4 at(ivec2 place) { return vec4(texelFetch(samples, clamp(place, ivec2(0), ivec2(size) - 1) - origin, 0)); }
vec4 entry(float value) {
  int index = int(clamp(floor(value + 0.5) - first, 0.0, entries - 1.0));
  return texelFetch(table, ivec2(index % ${TABLE_COLUMNS}, index / ${TABLE_COLUMNS}), 0);
}
bool isPadding(float value) { return padded && value >= padding.x && value <= padding.y; }
vec2 place() {
  vec2 screen = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 place = column * screen.x + row * screen.y + offset;
  if (place.x < own.x || place.y < own.y || place.x >= own.z || place.y >= own.w) discard;
  return place;
}
void show(vec3 value) { colour = vec4(floor((invert ? 1.0 - value : value) * 255.0 + 0.5) / 255.0, 1.0); }
`;

// Padding is no part of the image (C.7.5.1.1.2): black, and nothing is mixed with it.
const GREY = `
float shaded(float value) {
  if (kind == 3) return entry(value).r;
  float x = value * window.z + window.w, part;
  if (kind == 2) part = 1.0 / (1.0 + exp(-4.0 * (x - window.x) / window.y));
  else if (kind == 1) part = window.y > 0.0 ? (x - window.x) / window.y + 0.5 : float(x > window.x);
  else part = window.y <= 1.0 ? float(x > window.x - 0.5) : (x - (window.x - 0.5)) / (window.y - 1.0) + 0.5;
  return clamp(part, 0.0, 1.0);
}
void main() {
  vec2 p = place();
  float nearest = at(ivec2(floor(p))).r;
  if (isPadding(nearest)) { colour = vec4(0.0, 0.0, 0.0, 1.0); return; }
  float value = nearest;
  if (smooth_) {
    vec2 q = p - 0.5, from = floor(q), part = q - from;
    ivec2 i = ivec2(from);
    vec4 four = vec4(at(i).r, at(i + ivec2(1, 0)).r, at(i + ivec2(0, 1)).r, at(i + 1).r);
    for (int n = 0; n < 4; n++) if (isPadding(four[n])) four[n] = nearest;
    value = mix(mix(four.x, four.y, part.x), mix(four.z, four.w, part.x), part.y);
  }
  show(vec3(shaded(value)));
}`;

// Numbers of a palette are names: their colours are mixed, not they.
const COLOUR = `
vec3 hue(ivec2 place) { return kind == 4 ? entry(at(place).r).rgb : at(place).rgb / window.y; }
void main() {
  vec2 p = place();
  if (!smooth_) { show(hue(ivec2(floor(p)))); return; }
  vec2 q = p - 0.5, from = floor(q), part = q - from;
  ivec2 i = ivec2(from);
  show(mix(mix(hue(i), hue(i + ivec2(1, 0)), part.x), mix(hue(i + ivec2(0, 1)), hue(i + 1), part.x), part.y));
}`;

/** Draws scenes. Events: "changed", when what draws is another now: a context was made (or will not be), lost or came back. */
export class Renderer extends EventTarget {
  #gl = null;
  #canvas;
  #programs = new Map();
  #textures = new Map();
  #ids = new WeakMap();
  #bytes = 0;
  #clock = 0;
  #table = null;
  #isBegun = false;
  #soon = 0;

  /** `slow`: WebGL even where it has no hardware under it, which is slower than software.js: for tests. */
  constructor({ textureBytesMax = TEXTURE_BYTES_MAX, slow = false } = {}) {
    super();
    this.textureBytesMax = textureBytesMax;
    this.#canvas = document.createElement("canvas");
    this.#canvas.addEventListener("webglcontextlost", (event) => { event.preventDefault(); this.#lose(); });
    this.#canvas.addEventListener("webglcontextrestored", () => { this.#begin(); this.dispatchEvent(new Event("changed")); });
    this.slow = slow;
  }

  /** "webgl2" or "software". */
  get kind() {
    this.#start();
    return this.#gl ? "webgl2" : "software";
  }

  /**
   * How a view asks for the 2D context it is drawn on: at first in plain memory, as the first stroke on any other waits for the graphics
   * process, which takes half a second where it imitates a graphics card. Such a canvas is slow to scroll, so "changed" says when to take another.
   */
  get surface() {
    return { willReadFrequently: !this.#isBegun && remembered(GRAPHICS, "") !== "webgl2" };
  }

  /** Bytes of textures kept now. */
  get bytes() {
    return this.#bytes;
  }

  /** The WEBGL_lose_context extension, for tests of what happens then. */
  get loseContext() {
    this.#start();
    return this.#gl?.getExtension("WEBGL_lose_context") ?? null;
  }

  /** Draws `scene` over all of the canvas of `context`. */
  draw(context, scene) {
    const { width, height } = scene;
    if (!this.#isBegun) this.#startSoon();
    if (this.#gl && !this.#gl.isContextLost() && this.#render(scene)) {
      context.drawImage(this.#canvas, 0, this.#canvas.height - height, width, height, 0, 0, width, height);
    } else software.paint(context, scene);
  }

  /** The RGBA bytes of `scene`, first row first, read back from where they are drawn. */
  read(scene) {
    const { width, height } = scene;
    this.#start();
    if (!this.#gl || !this.#render(scene)) return software.pixels(scene);
    const upside = new Uint8Array(width * height * 4);
    this.#gl.readPixels(0, 0, width, height, this.#gl.RGBA, this.#gl.UNSIGNED_BYTE, upside);
    const rows = new Uint8ClampedArray(upside.length);
    for (let y = 0; y < height; y++) rows.set(upside.subarray(y * width * 4, (y + 1) * width * 4), (height - 1 - y) * width * 4);
    return rows;
  }

  dispose() {
    clearTimeout(this.#soon);
    this.#isBegun = true;
    this.#gl?.getExtension("WEBGL_lose_context")?.loseContext();
    this.#gl = null;
  }

  #startSoon() {
    this.#soon ||= setTimeout(() => {
      const begin = () => { this.#start(); this.dispatchEvent(new Event("changed")); };
      if (globalThis.requestIdleCallback) requestIdleCallback(begin, { timeout: CONTEXT_WAIT_MS });
      else begin();
    }, CONTEXT_WAIT_MS);
  }

  #start() {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#begin();
    if (this.#gl && !this.slow && isSoftware(this.#gl)) this.dispose();
    remember(GRAPHICS, this.#gl ? "webgl2" : "software");
    if (this.#gl) this.#program("usampler2D", GREY);
  }

  #begin() {
    this.#gl = this.#canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, stencil: false, preserveDrawingBuffer: true });
    if (!this.#gl) return;
    this.#gl.pixelStorei(this.#gl.UNPACK_ALIGNMENT, 1);
    this.side = this.#gl.getParameter(this.#gl.MAX_TEXTURE_SIZE);
  }

  // Everything in the context is gone; what made it is still in the store.
  #lose() {
    if (!this.#gl) return;
    this.#gl = null;
    this.#programs.clear();
    this.#textures.clear();
    this.#bytes = 0;
    this.#table = null;
    this.dispatchEvent(new Event("changed"));
  }

  #render(scene) {
    const gl = this.#gl;
    const { picture, width, height, shading } = scene;
    if (this.#canvas.width < width || this.#canvas.height < height) {
      Object.assign(this.#canvas, { width: Math.max(this.#canvas.width, width), height: Math.max(this.#canvas.height, height) });
    }
    const texture = this.#textureOf(picture);
    if (!texture || gl.isContextLost()) return false;
    const isGrey = shading.kind === "window" || shading.kind === "table";
    const program = this.#program(texture.sampler, isGrey ? GREY : COLOUR);
    const places = this.#places(program);
    gl.useProgram(program.program);
    gl.viewport(0, 0, width, height);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.#say(places, scene);
    for (const tile of texture.tiles) {
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, tile.texture);
      gl.uniform2i(places.origin, tile.x, tile.y);
      gl.uniform4f(places.own, ...tile.own);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    return true;
  }

  #say(places, { picture, map, height, shading, smooth }) {
    const gl = this.#gl;
    const [a, b, c, d, e, f] = after(imageToSamplesMap(picture), map);
    gl.uniform2f(places.column, a, b);
    gl.uniform2f(places.row, c, d);
    gl.uniform2f(places.offset, e, f);
    gl.uniform2f(places.size, picture.width, picture.height);
    gl.uniform1f(places.height, height);
    gl.uniform1i(places.smooth_, smooth ? 1 : 0);
    gl.uniform1i(places.invert, shading.invert ? 1 : 0);
    gl.uniform1i(places.padded, shading.padding ? 1 : 0);
    gl.uniform2f(places.padding, ...(shading.padding ?? [0, 0]));
    gl.uniform1i(places.samples, 0);
    gl.uniform1i(places.table, 1);
    gl.uniform1i(places.kind, { table: 3, palette: 4, colour: 5 }[shading.kind] ?? FUNCTIONS[shading.function]);
    if (shading.kind === "window") gl.uniform4f(places.window, shading.center, shading.width, shading.slope, shading.intercept);
    else if (shading.kind === "colour") gl.uniform4f(places.window, 0, 2 ** picture.bits - 1, 1, 0);
    if (shading.table) this.#bindTable(places, shading);
  }

  #bindTable(places, { kind, table, first }) {
    const gl = this.#gl;
    const parts = kind === "palette" ? 3 : 1;
    const entries = table.length / parts;
    gl.activeTexture(gl.TEXTURE1);
    if (this.#table?.of !== table) {
      if (this.#table) gl.deleteTexture(this.#table.texture);
      const rows = Math.ceil(entries / TABLE_COLUMNS);
      const filled = new Uint8Array(rows * TABLE_COLUMNS * parts);
      filled.set(table);
      this.#table = { of: table, texture: nearest(gl) };
      gl.texImage2D(gl.TEXTURE_2D, 0, parts === 3 ? gl.RGB8 : gl.R8, TABLE_COLUMNS, rows, 0, parts === 3 ? gl.RGB : gl.RED, gl.UNSIGNED_BYTE, filled);
    }
    gl.bindTexture(gl.TEXTURE_2D, this.#table.texture);
    gl.uniform1f(places.first, first);
    gl.uniform1f(places.entries, entries);
  }

  #program(sampler, body) {
    const key = sampler + body.length;
    if (!this.#programs.has(key)) {
      const gl = this.#gl;
      const program = gl.createProgram();
      for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, HEAD.replaceAll("SAMPLER", sampler) + body]]) {
        const shader = gl.createShader(type);
        gl.shaderSource(shader, source);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
        gl.deleteShader(shader);
      }
      gl.linkProgram(program);
      this.#programs.set(key, { program, places: null });
    }
    return this.#programs.get(key);
  }

  // Asked only when the program is first used: until then it is compiled beside us.
  #places(one) {
    if (!one.places) {
      const gl = this.#gl;
      const { program } = one;
      if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program) || "no program");
      const names = ["samples", "table", "column", "row", "offset", "size", "origin", "own", "smooth_", "invert", "padded", "padding", "height", "first", "entries", "kind", "window"];
      one.places = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
    }
    return one.places;
  }

  #textureOf(picture) {
    let id = this.#ids.get(picture);
    if (id === undefined) this.#ids.set(picture, id = ++this.#clock);
    let texture = this.#textures.get(id);
    if (!texture) {
      texture = this.#upload(picture);
      if (!texture) return null;
      this.#textures.set(id, texture);
      this.#bytes += texture.bytes;
    }
    texture.used = ++this.#clock;
    if (this.#bytes > this.textureBytesMax) this.#evict(texture);
    return texture;
  }

  #evict(keep) {
    const oldest = [...this.#textures].sort(([, a], [, b]) => a.used - b.used);
    for (const [id, texture] of oldest) {
      if (this.#bytes <= this.textureBytesMax) return;
      if (texture === keep) continue;
      texture.tiles.forEach((tile) => this.#gl.deleteTexture(tile.texture));
      this.#textures.delete(id);
      this.#bytes -= texture.bytes;
    }
  }

  // A picture larger than a texture may be is cut into tiles, which overlap by a sample: what lies between two tiles is mixed from both.
  #upload(picture) {
    const gl = this.#gl;
    const form = formOf(gl, picture);
    const samples = form.type === gl.FLOAT ? Float32Array.from(picture.samples) : picture.samples;
    const step = this.side - 2;
    const tiles = [];
    gl.activeTexture(gl.TEXTURE0);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, picture.width);
    for (let top = 0; top < picture.height; top += step) {
      for (let left = 0; left < picture.width; left += step) {
        const [x, y] = [Math.max(0, left - 1), Math.max(0, top - 1)];
        const [right, bottom] = [Math.min(picture.width, left + step), Math.min(picture.height, top + step)];
        const texture = nearest(gl);
        gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, x);
        gl.pixelStorei(gl.UNPACK_SKIP_ROWS, y);
        gl.texImage2D(gl.TEXTURE_2D, 0, form.internal, Math.min(picture.width, right + 1) - x, Math.min(picture.height, bottom + 1) - y, 0, form.format, form.type, samples);
        tiles.push({ texture, x, y, own: [left, top, right, bottom] });
      }
    }
    for (const name of ["UNPACK_ROW_LENGTH", "UNPACK_SKIP_PIXELS", "UNPACK_SKIP_ROWS"]) gl.pixelStorei(gl[name], 0);
    return { tiles, sampler: form.sampler, bytes: samples.byteLength, used: 0 };
  }
}

// Chromium makes contexts without a graphics card and says nothing of it to failIfMajorPerformanceCaveat; the name tells.
function isSoftware(gl) {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(gl.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER)));
}

function nearest(gl) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  for (const name of ["TEXTURE_MIN_FILTER", "TEXTURE_MAG_FILTER"]) gl.texParameteri(gl.TEXTURE_2D, gl[name], gl.NEAREST);
  for (const name of ["TEXTURE_WRAP_S", "TEXTURE_WRAP_T"]) gl.texParameteri(gl.TEXTURE_2D, gl[name], gl.CLAMP_TO_EDGE);
  return texture;
}

function formOf(gl, { samples, components }) {
  const grey = components === 1;
  const format = grey ? gl.RED_INTEGER : gl.RGB_INTEGER;
  if (samples instanceof Uint8Array) return { internal: grey ? gl.R8UI : gl.RGB8UI, format, type: gl.UNSIGNED_BYTE, sampler: "usampler2D" };
  if (samples instanceof Int8Array) return { internal: grey ? gl.R8I : gl.RGB8I, format, type: gl.BYTE, sampler: "isampler2D" };
  if (samples instanceof Uint16Array) return { internal: grey ? gl.R16UI : gl.RGB16UI, format, type: gl.UNSIGNED_SHORT, sampler: "usampler2D" };
  if (samples instanceof Int16Array) return { internal: grey ? gl.R16I : gl.RGB16I, format, type: gl.SHORT, sampler: "isampler2D" };
  // 32 bits keep the upper 24 of their digits: more than a screen shows.
  return { internal: grey ? gl.R32F : gl.RGB32F, format: grey ? gl.RED : gl.RGB, type: gl.FLOAT, sampler: "sampler2D" };
}
